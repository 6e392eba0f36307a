"""The rules that ask the state alone: its loss, its gradient, its step, and how the loss changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from thalweg.observers.rule import AllOf as AllOf
from thalweg.observers.rule import AnyOf as AnyOf
from thalweg.observers.rule import Rule as Rule
from thalweg.observers.rule import Trajectory, number
from thalweg.observers.rule import rule_of as rule_of
from thalweg.observers.rule import whole as whole

if TYPE_CHECKING:
    from torch import Tensor

    from thalweg.solvers.base import State


@final
class LossBelow(Rule):
    """Stop at the first state whose loss is below a value.

    Parameters
    ----------
    value : float
        In the solver's convention (`thalweg.convention`): what `fit.history` shows as loss.

    Raises
    ------
    OptionError
        Not a finite number.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=500), stop=tw.LossBelow(0.01))
    >>> fit.solution.details["rule"], fit.solution.status.value
    ('LossBelow(0.01)', 'stopped by its rule')
    """

    closed = True

    def __init__(self, value: float) -> None:
        self.value = number("LossBelow", value, least=-math.inf)

    def test(self, state: State) -> bool:
        return state.value < self.value and getattr(state, "whole", True)  # the loss of a batch may be a lucky one

    def beyond(self, least: float) -> list[Rule]:
        return [self] if self.value <= least else []

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        return trajectory.values(steps) < self.value

    def first(self, trajectory: Trajectory, limit: int) -> int | None:
        return trajectory.first_below("loss", self.value, limit)

    def __repr__(self) -> str:
        return f"LossBelow({self.value!r})"


@final
class GradientBelow(Rule):
    """Stop at the first state whose gradient is smaller than a value.

    Parameters
    ----------
    value : float
        > 0. Of a descent the Euclidean norm of the gradient, in the units of the loss over those of the parameters; of
        another solver what its docstring calls gradient_size.

    Raises
    ------
    OptionError
        Not a number above 0.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=500), stop=tw.GradientBelow(1e-3))
    >>> fit.trace.gradient_size[-1] < 1e-3 <= fit.trace.gradient_size[-2]
    True
    """

    closed = True

    def __init__(self, value: float) -> None:
        self.value = number("GradientBelow", value)

    def test(self, state: State) -> bool:
        return state.gradient_size < self.value

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        return trajectory.gradient_norms(steps) < self.value

    def first(self, trajectory: Trajectory, limit: int) -> int | None:
        return trajectory.first_below("gradient", self.value, limit)

    def __repr__(self) -> str:
        return f"GradientBelow({self.value!r})"


@final
class MaxSteps(Rule):
    """Stop at step n.

    Parameters
    ----------
    n : int
        >= 0; counted from the start of the fit, also of one that was resumed.

    Raises
    ------
    OptionError
        Not a whole number of steps.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}
    >>> tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1), stop=tw.MaxSteps(20)).solution.steps
    20
    """

    closed = True

    def __init__(self, n: int) -> None:
        self.n = whole("MaxSteps", n, least=0)

    def test(self, state: State) -> bool:
        return state.step >= self.n

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        return steps >= self.n

    def first(self, trajectory: Trajectory, limit: int) -> int | None:
        return self.n if self.n <= limit else None

    def __repr__(self) -> str:
        return f"MaxSteps({self.n})"


@final
class RelativeChange(Rule):
    """Stop when the loss hardly changes: |f_t - f_{t-1}| <= tol max(|f_t|, |f_{t-1}|), `patience` times in a row.

    A loss that hardly changes may be far from its least: a small rate does the same. `fit.diagnose()` tells the two
    apart.

    Parameters
    ----------
    tol : float
        > 0.
    patience : int
        >= 1.

    Raises
    ------
    OptionError
        Values outside those ranges.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0, 1, 2, 3], "y": [1, 3.5, 5, 7]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=500), stop=tw.RelativeChange(1e-6))
    >>> fit.solution.steps < 500
    True
    """

    def __init__(self, tol: float, patience: int = 1) -> None:
        self.tol, self.patience = number("RelativeChange", tol), whole("RelativeChange: patience", patience, least=1)
        self._last, self._quiet = math.nan, 0

    def begin(self, problem: Any) -> None:
        self.hit, self._last, self._quiet = False, math.nan, 0

    def test(self, state: State) -> bool:
        if not getattr(state, "whole", True):  # the loss of a batch: compared is that of all rows
            return False
        last, self._last = self._last, state.value
        change, size = abs(state.value - last), max(abs(state.value), abs(last))
        self._quiet = self._quiet + 1 if change <= self.tol * size else 0  # NaN, before the second state: no
        return self._quiet >= self.patience

    def snapshot(self) -> dict[str, Any]:
        return {"hit": self.hit, "last": self._last, "quiet": self._quiet}

    def restore(self, memory: Mapping[str, Any]) -> None:
        self.hit, self._last, self._quiet = bool(memory["hit"]), memory["last"], memory["quiet"]

    def __repr__(self) -> str:
        return f"RelativeChange({self.tol!r}{'' if self.patience == 1 else f', patience={self.patience}'})"
