"""An input that is one array of several columns, (k, n) or (n, k), as `scipy.optimize.curve_fit` allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, final

import numpy as np

from thalweg.curves.curve import Curve, Evaluator
from thalweg.data.nodes import Node

if TYPE_CHECKING:
    from thalweg.curves.tracing import Traced, Tracer


@final
class StackedCurve(Curve):
    """A traced curve of columns named "x[0]" or "x[:, 0]", given the array x that holds them.

    Parameters
    ----------
    inner : Curve
    inputs : tuple of str
        The arrays, (n,), (k, n) or (n, k).
    """

    def __init__(self, inner: Curve, inputs: tuple[str, ...]) -> None:
        self.inner, self.inputs = inner, inputs
        self.parameters, self.positive, self.title = inner.parameters, inner.positive, inner.title

    def over(self, columns: Mapping[str, Any], rows: int) -> Evaluator:
        return self.inner.over({name: column_of(columns, name) for name in self.inner.inputs}, rows)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        return StackedCurve(self.inner.restricted(fixed, ties), self.inputs)

    def linear(self) -> tuple[str, ...]:
        return self.inner.linear()


def column_of(inputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """An input, or the column of one that has several, by the name that a trace gives it.

    Examples
    --------
    >>> column_of({"x": np.arange(6.0).reshape(2, 3)}, "x[1]"), column_of({"x": np.eye(3)}, "x[:, 2]")
    (array([3., 4., 5.]), array([0., 0., 1.]))
    """
    if name in inputs:
        return inputs[name]
    base, _, key = name.rpartition("[")
    index = int(key.rstrip("]").removeprefix(":, "))
    return inputs[base][:, index] if key.startswith(":") else inputs[base][index]


@final
class Stack:
    """An input of several columns: (k, n), taken apart by `a, b = x` or `x[0]`; or (n, k), by `x[:, 0]`."""

    def __init__(self, tracer: Tracer, name: str, shape: tuple[int, ...]) -> None:
        self._tracer, self._name, self._shape = tracer, name, shape

    def __iter__(self) -> Any:
        self._check_two()
        return iter([self[i] for i in range(self._shape[0])])

    def __getitem__(self, key: Any) -> Traced:
        self._check_two()
        match key:
            case int():
                return self._column(key, 0, "")
            case (slice(start=None, stop=None, step=None), int(index)):
                return self._column(index, 1, ":, ")
        raise self._tracer.refuse("it picks rows by an index")

    def _column(self, index: int, axis: int, before: str) -> Traced:
        count = self._shape[axis]
        if not -count <= index < count:
            raise IndexError(index)
        return self._tracer.single(f"{self._name}[{before}{index % count}]")

    def _check_two(self) -> None:
        if len(self._shape) != 2:
            raise self._tracer.refuse(f"its input has {len(self._shape)} dimensions")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and not name.startswith("__array"):
            raise AttributeError(name)
        raise self._tracer.refuse("it uses all columns of its input at once")
