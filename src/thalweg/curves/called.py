"""A function that is called as it is: with tensors and autograd, or with arrays and central differences.

A function that is written for arrays and can be called with tensors as well has the values of the first and the
derivatives of the second, as long as the two agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from thalweg.curves.arguments import Arguments
from thalweg.curves.by_autograd import Method
from thalweg.curves.curve import Columns, Curve, Evaluator, Theta
from thalweg.curves.differences import EPSILON, Differences
from thalweg.curves.outcome import numbers, raised, rounding_of, tensor
from thalweg.curves.restricted import Restricted
from thalweg.data.nodes import Node
from thalweg.errors import FormulaError

_NOWHERE = object()


@final
class FunctionCurve(Curve):
    """A function of the user's, called at each evaluation.

    Parameters
    ----------
    function : callable
    arguments : Arguments
    tensors : bool
        Whether its values are those for tensors; for arrays otherwise.
    method : callable, optional
        Of `thalweg.curves.by_autograd`, where the function can be called with tensors; by default central differences.
    scales : tuple of float
        What each parameter is of the order of, for steps of differences.
    reason : str
        Why it was not traced.
    rounding : float
        eps of its values; above that of float64 where it computes in float32.
    whole_rows : bool
        Whether its values depend on which rows come together.

    Attributes
    ----------
    derivatives : str
        "exact, by autograd" or "central differences".
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Arguments,
        tensors: bool,
        method: Method | None = None,
        scales: tuple[float, ...] = (),
        reason: str = "",
        *,
        rounding: float = EPSILON,
        whole_rows: bool = False,
    ) -> None:
        self.function, self.arguments, self.tensors, self.method = function, arguments, tensors, method
        self.parameters, self.inputs, self.title = arguments.parameters, arguments.inputs, arguments.title
        self.positive, self.reason = arguments.positive, reason
        self.rounding, self.whole_rows = rounding, whole_rows
        self.scales = scales or (1.0,) * len(self.parameters)
        self.derivatives = "central differences" if method is None else "exact, by autograd"

    def over(self, columns: Columns, rows: int) -> Evaluator:
        return CalledEvaluator(self, columns, rows)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        return Restricted(self, fixed, ties) if fixed or ties else self


@final
class CalledEvaluator(Evaluator):
    """A function over rows.

    `limit` says where the function may not be called; differences are then taken from one side.
    """

    def __init__(self, curve: FunctionCurve, columns: Mapping[str, Any], rows: int) -> None:
        self.curve, self.rows = curve, rows
        self._columns = {name: columns[name] for name in curve.inputs}
        both = curve.tensors or curve.method is not None
        self._tensors = {name: as_tensor(value) for name, value in self._columns.items()} if both else {}
        self._differences = Differences(self.values, curve.scales, rounding=curve.rounding)

    def limit(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        """Bounds, one for each parameter."""
        self._differences = Differences(self.values, self.curve.scales, lower, upper, self.curve.rounding)

    def values(self, theta: Theta) -> np.ndarray:
        if self.curve.tensors:
            with torch.no_grad():
                return self.of_tensors([as_tensor(entry) for entry in theta]).numpy()
        value = self._call(self._columns, [np.float64(entry) for entry in theta])
        return np.full(self.rows, np.nan) if value is _NOWHERE else numbers(value, self.rows, self.curve.title)

    def rounding(self, theta: Theta) -> float:
        """eps of what the function returns."""
        tensors = self.curve.tensors
        entries = [as_tensor(entry) if tensors else np.float64(entry) for entry in theta]
        return rounding_of(self._call(self._tensors if tensors else self._columns, entries))

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        found = None if self.curve.method is None else self._exact(self.curve.method, theta)
        if found is not None:
            return found
        value = np.array(self.values(theta))
        return value, self._differences([np.float64(entry) for entry in theta], value)

    def _exact(self, method: Method, theta: Theta) -> tuple[np.ndarray, np.ndarray] | None:
        """By autograd; None where a function of arrays does something else with tensors at this point."""
        if self.curve.tensors:
            return method(self.of_tensors, theta, self.rows)
        try:
            value, slopes = method(self.of_tensors, theta, self.rows)
        except (FormulaError, RuntimeError):
            return None
        return (value, slopes) if same(value, self.values(theta), tolerance(self.curve.rounding)) else None

    def of_tensors(self, theta: Sequence[Tensor]) -> Tensor:
        """The curve as a tensor, part of the graph of autograd."""
        value = self._call(self._tensors, theta)
        if value is _NOWHERE:
            return torch.full((self.rows,), torch.nan, dtype=torch.float64) * torch.stack(list(theta)).sum()
        return tensor(value, self.rows, self.curve.title)

    def _call(self, columns: Mapping[str, Any], theta: Sequence[Any]) -> Any:
        """The function; `_NOWHERE` where it has no value, which the solver refuses as it refuses NaN."""
        try:
            with np.errstate(all="ignore"):
                return self.curve.arguments.call(self.curve.function, columns, theta)
        except Exception as problem:
            if isinstance(problem, ArithmeticError) or "math domain error" in str(problem):
                return _NOWHERE
            raise raised(problem, self.curve.title, self.curve.parameters, theta) from problem


def as_tensor(value: Any) -> Any:
    """float64, once; what is no array (an object of the user's) stays."""
    if isinstance(value, np.ndarray | np.number | float | int):
        return torch.as_tensor(np.asarray(value, dtype=np.float64))
    return value


def tolerance(rounding: float) -> float:
    """Up to where two ways to the same value may differ."""
    return max(1e-9, 100 * rounding) if rounding > EPSILON else 1e-9


def same(got: np.ndarray, value: np.ndarray, tolerance: float = 1e-9) -> bool:
    """Equal but for rounding of the largest, and not finite in the same rows."""
    finite = np.isfinite(value)
    if not np.array_equal(finite, np.isfinite(got)):
        return False
    level = np.abs(value[finite]).max(initial=0.0)
    return bool((np.abs(got[finite] - value[finite]) <= tolerance * level).all())
