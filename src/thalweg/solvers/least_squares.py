"""Exact least squares.

1. normal equations   S = sum_i w_i [x_i, z_i][x_i, z_i]', z = y - offset, in one reading      (`normal`)
2. factor             S = L L' after scaling by powers of two, and its condition number         (`factor`)
3. one of
   a. many rows, well conditioned: the residuals r = z - X theta in one more reading, and the correction
      (X'WX)^-1 X'W r in float64;
   b. many rows, digits at stake: before that, the normal equations once more after the columns were brought
      near orthogonal by the first factor                                                  (`estimate.cholesky_twice`)
   c. few rows: S in doubled precision, solved to its fixed point                                 (`estimate.refined`)
   d. so near dependent that S would lose all digits: the same in a basis of near orthogonal columns, which also
      finds the columns that are combinations of others                                                 (`orthogonal`)

When, and at what cost. c is for at most `SMALL` rows times columns: about three milliseconds and, beyond a few hundred
rows, some ten times a plain fit. With more rows, a costs one product X'X and one reading for the residuals. b costs
three times as much and is chosen when cond(S) 2^-53 exceeds `AT_STAKE`, so that a standard error would have fewer than
about ten digits: columns whose mean is some hundred times their standard deviation beside an intercept, or correlations
above 0.99999. d is chosen beyond `LOST`, for any number of rows; at 1,000,000 x 50 it costs about 35 times as much as a
(c, by `refine=True`, 12 times).

After c and d coefficients, standard errors and residual sum of squares are right to the last digit or two of a float64,
after a and b to ten digits and more.

Reference: Å. Björck, "Numerical Methods for Least Squares Problems" (1996), sections 2.2, 2.9 and 6.6,
doi:10.1137/1.9781611971484.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from jaxtyping import Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.doubled import power_of_two
from thalweg.error_free import Pair
from thalweg.objective import Objective
from thalweg.solvers.base import Solution, Solver, State, Status
from thalweg.solvers.basis import sentence
from thalweg.solvers.estimate import Estimate, cholesky, cholesky_twice, nothing, refined
from thalweg.solvers.factor import Factor, factored
from thalweg.solvers.normal import DoubledRows, Normal, plain, response, total
from thalweg.solvers.orthogonal import orthogonal
from thalweg.threads import one_thread

SMALL = 200_000  # rows times columns that are always refined
AT_STAKE = 1e-10  # relative error of a standard error from plain normal equations that is let pass on more rows
LOST = 1e-3  # the same beyond which only an orthogonal basis and doubled precision will do


@final
@dataclass(frozen=True, kw_only=True)
class LeastSquaresState(State):
    """What is known so far; gradient_size is an estimate of the relative error that is left in the fitted values.

    Attributes
    ----------
    estimate : Estimate
    plan : str
        What the next step does: "residuals", "twice", "refine", "orthogonal", or "" where nothing is left to do.
    normal : Normal
        The normal equations in float64.
    factor : Factor, optional
        Theirs, where they have one.
    rows : DoubledRows, optional
        The rows in two words, where they are few.
    doubled : pair of Tensor, optional
        The normal equations in doubled precision.
    """

    estimate: Estimate
    plan: str
    normal: Normal
    factor: Factor | None = None
    rows: DoubledRows | None = None
    doubled: Pair | None = None


@final
class LeastSquares(Solver[Objective]):
    """Exact least squares: sum_i w_i (y_i - offset_i - x_i' theta)^2 / 2 at its minimum.

    A start is not needed and is not used.

    Parameters
    ----------
    refine : bool, optional
        True: doubled precision for any number of rows; False: only where float64 would lose nearly all digits; None:
        for few rows too, as the module's docstring says.

    Notes
    -----
    `Solution.details` holds `rss` (residual sum of squares), `condition` (of the scaled columns), `method`
    ("cholesky", "cholesky twice", "cholesky+refined", "qr+refined"), `refined` (turns of refinement) and
    `combinations` (each left-out column as {column: coefficient} of others).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"rows"})

    def __init__(self, refine: bool | None = None) -> None:
        self.refine = refine

    def init(self, objective: Objective, theta: Float[Tensor, "p"] | None) -> LeastSquaresState:
        with one_thread() if self._small(objective) else nullcontext():
            return self._init(objective)

    def _init(self, objective: Objective) -> LeastSquaresState:
        if self._small(objective):
            rows = DoubledRows(objective)
            doubled = rows.normal()
            normal = Normal(doubled[0], rows.shift, rows.count(), rows.device)
        else:
            rows, doubled, normal = None, None, plain(objective)
        factor = factored(normal.matrix[:-1, :-1]) if normal.rows >= objective.columns else None
        estimate = nothing(normal) if factor is None else cholesky(normal, factor)
        plan = self._plan(factor, rows)
        return _state(estimate, 0, normal, plan, factor=factor, rows=rows, doubled=doubled)

    def _small(self, objective: Objective) -> bool:
        """Whether the rows are few enough to be refined in any case."""
        count = objective.count
        return self.refine is not False and count is not None and 0 < count * objective.columns <= SMALL

    def _plan(self, factor: Factor | None, rows: DoubledRows | None) -> str:
        """Step 3."""
        error = math.inf if factor is None else factor.condition * 2.0**-53
        if error > LOST:
            return "orthogonal"
        if rows is not None or self.refine:
            return "refine"
        return "twice" if error > AT_STAKE else "residuals"

    def step(self, objective: Objective, state: State) -> LeastSquaresState:
        assert isinstance(state, LeastSquaresState)
        with nullcontext() if state.rows is None else one_thread():
            return self._step(objective, state)

    def _step(self, objective: Objective, state: LeastSquaresState) -> LeastSquaresState:
        match state.plan:
            case "residuals":
                return _corrected(objective, state)
            case "twice":
                better, factor = cholesky_twice(objective, state.normal)
                return _state(better, state.step + 1, state.normal, "residuals", factor=factor)
            case "refine":
                return _refined(objective, state)
            case _:
                return _orthogonal(objective, state)

    def terminate(self, objective: Objective, state: State) -> Status | None:
        assert isinstance(state, LeastSquaresState)
        if state.plan:
            return None
        return Status.CONVERGED if state.estimate.fixed else Status.STALLED

    def solution(self, objective: Objective, state: State, status: Status) -> Solution:
        assert isinstance(state, LeastSquaresState)
        found = state.estimate
        advice = ""
        if status is Status.STALLED:
            advice = "The columns are too near dependent for the last digits: centre or scale them, or leave some out."
        square = found.residual_square()
        return Solution(
            theta=state.theta,
            status=status,
            advice=advice,
            inverse_curvature=found.unscaled_covariance().to(state.theta.device),
            value=square / 2,
            steps=state.step,
            passes=objective.passes,
            aliased={j: sentence(terms) for j, terms in found.combinations.items()},
            details={
                "rss": square,
                "condition": found.condition,
                "method": found.method,
                "refined": found.turns,
                "combinations": found.combinations,
            },
        )


def _state(estimate: Estimate, step: int, normal: Normal, plan: str = "", **known: Any) -> LeastSquaresState:
    """The state of an estimate, with what is known for the next step."""
    left = 2.0**-53 if estimate.fixed and not plan else min(1.0, estimate.condition**2 * 2.0**-53)
    theta, value = estimate.coefficients().to(normal.device), estimate.residual_square() / 2
    return LeastSquaresState(theta, value, left, step, estimate=estimate, normal=normal, plan=plan, **known)


def _corrected(objective: Objective, state: LeastSquaresState) -> LeastSquaresState:
    """Step 3a."""
    assert state.factor is not None
    gradient, square = _gradient(objective, state)
    correction = state.factor.inverse @ gradient
    gain = float(gradient @ correction)
    old = state.estimate
    size = math.sqrt(max(gain, 0.0) / max(float(state.normal.matrix[-1, -1]), 2.0**-1000))
    plan = "refine" if size > 2.0**-26 else ""  # the correction should be rounding: if not, the factor is to blame
    new = replace(old, theta=old.theta + correction, square=max(square - gain, 0.0), turns=1)
    return _state(new, state.step + 1, state.normal, plan, factor=state.factor)


def _gradient(objective: Objective, state: LeastSquaresState) -> tuple[Float[Tensor, "p"], float]:
    """X'W r and r'W r of the scaled problem at the state's coefficients."""
    shift = state.normal.shift

    def sums(block: Block) -> list[Tensor]:
        r = response(block) - block.matrix.times(state.theta)
        wr = r if block.loss_weight is None else block.loss_weight * r
        return [block.matrix.transpose_times(wr), r @ wr]

    found = total(objective, sums)
    assert found is not None
    gradient, square = found
    scale = power_of_two(shift)
    return gradient.cpu() * scale[:-1] * scale[-1], float(square) * float(scale[-1]) ** 2


def _refined(objective: Objective, state: LeastSquaresState) -> LeastSquaresState:
    """Step 3b; 3c where the normal equations turn out not to be positive definite."""
    rows = state.rows or DoubledRows(objective, state.normal.shift)
    normal = rows.normal() if state.doubled is None else state.doubled
    factor = factored(normal[0][:-1, :-1])
    if factor is None:
        return _orthogonal(objective, state)
    return _state(refined(rows, normal, factor), state.step + 1, state.normal)


def _orthogonal(objective: Objective, state: LeastSquaresState) -> LeastSquaresState:
    """Step 3c."""
    rows = state.rows or DoubledRows(objective, state.normal.shift)
    return _state(orthogonal(rows), state.step + 1, state.normal)


__all__ = ["LeastSquares", "LeastSquaresState"]
