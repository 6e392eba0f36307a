"""Newton's method, which for a canonical link is iteratively reweighted least squares.

With g and H the sums of equation (2) of `thalweg.objective`:

1. direction         d = -H^-1 g                       (Fisher's H where the observed one is not positive definite)
2. step              t = 1, 1/2, 1/4, ... until J falls by 1e-4 t g'd and every eta is inside its domain
3. size              s = sqrt(g' H^-1 g / phi)         (phi = 1, or 2 J / n where the dispersion is estimated)
4. stop              s <= tol

s bounds the distance to the optimum of every coefficient, and of every combination of them, in units of its standard
error: tol = 1e-10 means that no number moves by more than 1e-10 standard errors. On many rows the start comes from
every 49th and then every 7th row, and H is kept while the gradient falls fast (a chord), so that a fit takes few
readings of all rows.

References: Nelder & Wedderburn (1972), doi:10.2307/2344614; Green (1984), doi:10.1111/j.2517-6161.1984.tb01288.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.linear_program import recession_by_program
from thalweg.diagnose.separation import Recession, recession, remote
from thalweg.errors import DataError, OptionError
from thalweg.objective import Objective, Sums
from thalweg.solvers.base import Solution, Solver, State, Status
from thalweg.solvers.curvature import Curvature, Weighting, combinations, weighted_triangle
from thalweg.solvers.limit import separated, user_weight
from thalweg.solvers.polish import polish
from thalweg.solvers.start import starting_point

SAMPLING = (49, 7)  # one row in so many, at each level of the start
ROWS_PER_COLUMN = 20  # of a sample that is worth a level of its own
CHORD = 0.03  # the gradient may fall by no less than this per step while the curvature is kept
PRECISE = 1e-6  # least pivot of a Cholesky factor whose inverse has ten digits
PATIENCE = 6  # steps before a slow fit is looked at for separation ...
RUNNING = 0.2  # ... where the gradient falls by no more than this per step (separated: by exp(-1/2))
REMOTE = 1e-6  # expected curvature of a row so far out that a start there could not see separation any more
NEAR = 1e-2  # standard errors from the optimum, from where the doubled sums of `polish` finish what float64 cannot ...
FINISHED = 1e-6  # ... to no more than this
ASTRAY = 1e-2  # standard errors from the optimum beyond which standard errors would be those of another point
STUCK = 0.7  # the gradient falls by exp(-1/2) = 0.61 a step on the way to infinity; in rounding it hardly falls at all
NOISE = 1e-11  # relative rounding of the value: below it, a rise is no rise


@final
@dataclass(frozen=True)
class NewtonState(State):
    """A state with its gradient, the factor in use, and how the last step went.

    Attributes
    ----------
    sums : Sums
        The last pass.
    curvature : Curvature
        The factored H of this or of an earlier step.
    ratio : float
        gradient_size over the one of the step before.
    slow : int
        Consecutive steps that made the gradient hardly smaller: to no less than `STUCK` of what it was.
    recession : Recession, optional
        The direction along which the likelihood has no maximum, once it is proven.
    final : Curvature, optional
        The expected curvature at this theta, where the pass gave it.
    """

    sums: Sums = field(default=Sums(math.inf, None, None, 0.0, 0))
    curvature: Curvature | None = None
    ratio: float = 1.0
    slow: int = 0
    recession: Recession | None = None
    final: Curvature | None = None

    @property
    def gradient(self) -> Float[Tensor, "p"]:
        assert self.sums.gradient is not None
        return self.sums.gradient

    @property
    def factor(self) -> Curvature:
        assert self.curvature is not None
        return self.curvature

    @property
    def direction(self) -> Float[Tensor, "p"]:
        return -self.factor.solve(self.gradient)


@final
class Newton(Solver[Objective]):
    """Newton's method with step halving.

    Parameters
    ----------
    max_iter : int, default 100
        Most steps.
    tol : float, default 1e-10
        Distance from the optimum in standard errors at which to stop.
    expected : bool, default False
        Fisher scoring: the expected curvature throughout.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gradient", "curvature"})

    def __init__(self, max_iter: int = 100, tol: float = 1e-10, expected: bool = False) -> None:
        if not isinstance(max_iter, int) or max_iter < 0:
            raise OptionError(f"max_iter is {max_iter!r}", advice="Give a whole number of steps, 0 or more.")
        if not isinstance(tol, int | float) or not 0 <= tol < math.inf:
            raise OptionError(f"tol is {tol!r}", advice="Give a number of standard errors, 0 or more, as 1e-10.")
        self.max_iter, self.tol, self.expected = max_iter, tol, expected

    def init(self, objective: Objective, theta: Float[Tensor, "p"] | None) -> NewtonState:
        if theta is not None and not remote(objective, theta, REMOTE):
            return self._given(objective, theta)
        sample = self._sample(objective)
        if sample is not None:
            theta, steering = sample
            state = self._judge(objective, theta, objective(theta, 1), None, steering)
            if math.isfinite(state.value):
                return state
        state = self._state(objective, starting_point(objective), None)
        if not math.isfinite(state.value):
            raise DataError(
                "the objective is beyond the range of float64 at the starting values",
                advice="Look for offsets of hundreds under a log link and for weights of 1e300; or give start=.",
            )
        return state

    def _given(self, objective: Objective, theta: Tensor) -> NewtonState:
        """The state at a start given by the user."""
        state = self._state(objective, theta, None)
        if not math.isfinite(state.value):
            raise DataError(
                "the starting values put a mean outside the family's domain, or out of range",
                advice="Give others with start=, or none: a feasible start is then looked for.",
            )
        kept = state.factor.kept.to(theta.device)
        return state if bool(kept.all()) else self._state(objective, theta * kept, None)

    def _sample(self, objective: Objective) -> tuple[Tensor, Curvature] | None:
        """The optimum of a sample of the rows, to below the sample's own noise, and its curvature for all rows."""
        state: NewtonState | None = None
        rows = objective.count if objective.large else None
        for every in SAMPLING:
            if rows is None or rows // every < ROWS_PER_COLUMN * objective.columns:
                continue
            sampled = objective.sampled(every)
            coarse = Newton(self.max_iter, 0.3, self.expected)
            try:
                state = coarse._state(sampled, starting_point(sampled) if state is None else _ahead(state), None)
                while coarse.terminate(sampled, state) is None:
                    state = coarse.step(sampled, state)
            except DataError:
                return None
            if not math.isfinite(state.value) or not bool(state.factor.kept.all()):
                return None
        return None if state is None else (_ahead(state), state.factor.times(every))

    def _state(self, objective: Objective, theta: Tensor, before: NewtonState | None) -> NewtonState:
        """Evaluate with a new curvature, or with the one of before where that is still good (a chord).

        Where this state is likely to be the last one, the curvature is evaluated with it: the expected one, which the
        standard errors need.
        """
        chord = before is not None and objective.large and before.ratio < CHORD and before.gradient_size < 1.0
        last = before is not None and before.gradient_size * before.ratio <= self.tol
        sums = objective(theta, 1 if chord and not last else 2, expected=self.expected or last)
        state = self._judge(objective, theta, sums, before)
        return replace(state, final=state.curvature) if last and state.gradient_size <= self.tol else state

    def _judge(
        self,
        objective: Objective,
        theta: Tensor,
        sums: Sums,
        before: NewtonState | None,
        curvature: Curvature | None = None,
    ) -> NewtonState:
        """The state of a pass: with the pass's own curvature, or else the given one or the one of before."""
        step = 0 if before is None else before.step + 1
        if not sums.inside or not math.isfinite(sums.value):
            return NewtonState(theta, math.inf, math.inf, step, sums)
        curvature = before.curvature if before is not None and curvature is None else curvature
        if sums.curvature is not None:
            curvature = self._factored(objective, theta, sums, curvature)
        assert curvature is not None
        assert sums.gradient is not None
        size = math.sqrt(max(curvature.quadratic(sums.gradient), 0.0) / self._dispersion(objective, sums))
        ratio = 1.0 if before is None or before.gradient_size == 0 else size / before.gradient_size
        slow = before.slow + 1 if before is not None and ratio > STUCK else 0
        return NewtonState(theta, sums.value, size, step, sums, curvature, ratio, slow)

    def _factored(self, objective: Objective, theta: Tensor, sums: Sums, before: Curvature | None) -> Curvature:
        """Factor the observed curvature, or the expected one where that is not positive definite."""
        assert sums.curvature is not None
        kept = None if before is None else before.kept
        curvature = Curvature(sums.curvature, kept)
        if not curvature.definite and not self.expected:
            expected = objective(theta, 2, expected=True)
            assert expected.curvature is not None
            curvature = Curvature(expected.curvature, kept)
        if not curvature.reliable:
            curvature = Curvature.from_rows(objective, theta, kept)
        return curvature

    @staticmethod
    def inverse(objective: Objective, theta: Tensor, state: NewtonState) -> Tensor:
        """Inverse of the expected curvature: from the rows where they are few or the curvature has lost digits."""
        kept = state.factor.kept
        if not objective.large or state.factor.pivot < PRECISE:
            return Curvature.from_rows(objective, theta, kept).inverse()
        if state.final is not None:
            return state.final.inverse()
        sums = objective(theta, 2, expected=True)
        assert sums.curvature is not None
        return Curvature(sums.curvature, kept).inverse()

    @staticmethod
    def combinations(objective: Objective, state: NewtonState) -> dict[int, dict[int, float]]:
        """The left-out columns as combinations of the others."""
        if bool(state.factor.kept.all()):
            return {}
        weight: Weighting | Tensor = state.theta if state.recession is None else user_weight
        triangle, scale = weighted_triangle(objective, weight)
        return combinations(triangle, scale, state.factor.kept)

    @staticmethod
    def _dispersion(objective: Objective, sums: Sums) -> float:
        """phi of step 3."""
        if getattr(objective.loss, "fixed_dispersion", None) is not None or sums.value <= 0:
            return 1.0
        return 2 * sums.value / sums.rows

    def step(self, objective: Objective, state: State) -> NewtonState:
        assert isinstance(state, NewtonState)
        direction = state.direction
        slope = float(state.gradient @ direction)
        length = 1.0
        noise = NOISE * abs(state.value)
        for _ in range(60):
            new = self._state(objective, state.theta + length * direction, state)
            if new.value <= state.value + 1e-4 * length * slope + noise:
                return self._watch(objective, new)
            length /= 2
        found = recession(objective, state.theta, direction, state.factor.kept)
        return replace(state, step=state.step + 1, slow=99, recession=found)

    @staticmethod
    def _watch(objective: Objective, state: NewtonState) -> NewtonState:
        """Look for separation where Newton's method goes on without coming near."""
        due = state.step >= PATIENCE and state.step % 3 == 0 and state.ratio >= RUNNING
        if not due and state.slow < 3:
            return state
        return replace(state, recession=recession(objective, state.theta, state.direction, state.factor.kept))

    def terminate(self, objective: Objective, state: State) -> Status | None:
        assert isinstance(state, NewtonState)
        if state.recession is not None:
            return Status.SEPARATED
        if state.gradient_size <= self.tol:
            return Status.CONVERGED
        if state.slow >= 3 and state.gradient_size < (1e-5 if objective.large else NEAR):
            return Status.CONVERGED  # at the rounding of the sums: no further digit can be had from them
        if state.slow >= 99:
            return Status.STALLED
        return Status.LIMIT if state.step >= self.max_iter else None

    @staticmethod
    def _stalled(size: float) -> str:
        return (
            f"No step lowers the objective any more, {size:.2g} standard errors from the optimum."
            " Give other starting values (start=), or look for columns that nearly repeat each other."
        )

    def solution(self, objective: Objective, state: State, status: Status) -> Solution:
        assert isinstance(state, NewtonState)
        advice = ""
        if status is Status.LIMIT:
            advice = (
                f"Stopped at step {state.step}, {state.gradient_size:.2g} standard errors from the optimum."
                f" Set max_iter={max(25, 2 * self.max_iter)}."
            )
        elif status is Status.STALLED:
            advice = self._stalled(state.gradient_size)
        if state.recession is not None:
            return separated(self, objective, state, state.recession)
        theta = state.theta
        if not objective.large and status is Status.CONVERGED:
            theta, left = polish(objective, theta, state.factor)
            left /= math.sqrt(self._dispersion(objective, state.sums))
            if state.gradient_size > self.tol and not left < FINISHED:
                status, advice = Status.STALLED, self._stalled(left)
        if status in (Status.STALLED, Status.LIMIT):
            found = recession_by_program(objective, state.factor.kept)
            if found is not None:
                return separated(self, objective, state, found)
        astray = status is not Status.CONVERGED and not state.gradient_size <= ASTRAY
        return Solution(
            theta=theta,
            status=status,
            advice=advice,
            inverse_curvature=None if astray else self.inverse(objective, theta, state),
            no_covariance=f"the solver ended {state.gradient_size:.2g} standard errors from the optimum" * astray,
            value=state.value,
            steps=state.step,
            passes=objective.passes,
            aliased={int(j): "" for j in (~state.factor.kept).nonzero()[:, 0]},
            details={"gradient_size": state.gradient_size, "combinations": self.combinations(objective, state)},
        )


def _ahead(state: NewtonState) -> Tensor:
    """Where the next step would lead."""
    return state.theta + state.direction


__all__ = ["Newton", "NewtonState"]
