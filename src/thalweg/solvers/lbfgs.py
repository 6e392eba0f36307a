"""The limited-memory BFGS method: Newton's direction from the last few steps, without a Hessian.

With s_i = theta_{i+1} - theta_i, y_i = g_{i+1} - g_i and rho_i = 1 / (y_i's_i) of the last m steps:

1. direction    q = g;  for i new to old: a_i = rho_i s_i'q, q -= a_i y_i                               (two loops)
                r = (s'y / y'P y) P q of the newest pair;  for i old to new: r += (a_i - rho_i y_i'r) s_i;  d = -r
2. length       strong Wolfe conditions (`thalweg.solvers.line_search`), 1 is tried first; for the first step, which
                has no pairs, -g'd / d'H d, the exact length on a quadratic
3. stop         sqrt(g'P g) <= tol sqrt(g_0'P g_0), with P, and then also with that of the curvature where it stands:
                one that has fallen a millionfold (a mean of 10^6 from one of 1) would make a large gradient look small

P is the inverse of the Hessian's diagonal at the start, where a problem can tell it at the cost of a few gradients, and
else 1. With it neither the directions nor the end depend on the units of the columns. A pair with y's <= eps |y| |s| is
left out: rounding, or a function that curves downwards there.

References: Nocedal (1980), doi:10.1090/S0025-5718-1980-0572855-7; Liu & Nocedal (1989), doi:10.1007/BF01589116;
Nocedal & Wright (2006), algorithms 7.4 and 7.5, doi:10.1007/978-0-387-40065-5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.spectrum import design, hessian_at
from thalweg.errors import OptionError
from thalweg.problem import Problem
from thalweg.solvers.armijo import rounding
from thalweg.solvers.base import State, Status
from thalweg.solvers.descent import DescentSolver, DescentState, Differentiation, first_point, read
from thalweg.solvers.line_search import Point, strong_wolfe
from thalweg.solvers.schedules import number, whole


@final
@dataclass(frozen=True)
class LBFGSState(DescentState):
    """With the last pairs, old to new; rate is the length of the step that led here.

    Attributes
    ----------
    s, y : tuple of Tensor, (p,)
    metric : Tensor, (p,)
        The diagonal of P.
    decrement, first_decrement : float
        sqrt(g'P g), here and at the start.
    evaluations : int
        Of loss and gradient, so far.
    stalled : bool
        No length lowered the loss.
    """

    s: tuple[Float[Tensor, "p"], ...] = ()
    y: tuple[Float[Tensor, "p"], ...] = ()
    metric: Float[Tensor, "p"] | None = None
    decrement: float = math.nan
    first_decrement: float = math.nan
    evaluations: int = 1
    stalled: bool = False


@final
class LBFGS(DescentSolver):
    """Limited-memory BFGS: the quick descent for smooth losses.

    Parameters
    ----------
    steps : int
        Most steps.
    memory : int
        Pairs that are kept, m >= 1. The cost of a step is 4 m p besides one or two gradients.
    tol : float
        sqrt(g'P g), relative to that of the start, at which to stop, in [0, 1).
    loss, derivative, dtype, device :
        As for `thalweg.GradientDescent`.

    Examples
    --------
    >>> import thalweg as tw
    >>> fit = tw.fit("progression ~ bmi + bp", "diabetes", solver=tw.LBFGS())
    >>> {name: round(value, 4) for name, value in fit.coefficients.items()}
    {'Intercept': -203.6233, 'bmi': 8.519, 'bp': 1.3847}
    """

    state_type: ClassVar[type[DescentState]] = LBFGSState

    def __init__(
        self,
        steps: int = 1000,
        *,
        memory: int = 30,
        tol: float = 1e-8,
        loss: str = "mean",
        derivative: Differentiation = "hand",
        dtype: str = "float64",
        device: str | None = None,
    ) -> None:
        super().__init__(steps, loss=loss, derivative=derivative, dtype=dtype, device=device)
        whole("memory", memory)
        if not number(tol) or not 0 <= tol < 1:
            raise OptionError(f"tol is {tol!r}", advice="Give a part of the gradient at the start, as 1e-8.")
        self.memory, self.tol = memory, tol

    def init(self, objective: Problem, theta: Float[Tensor, "p"] | None) -> LBFGSState:
        start, value, gradient = first_point(objective, theta)
        loss, size = read(value, gradient)
        metric = _metric(objective, start)
        decrement = _norm(gradient, metric)
        return LBFGSState(
            theta=start,
            value=loss,
            gradient_size=size,
            gradient=gradient,
            rate=1.0,
            start_value=loss,
            start=start,
            metric=metric,
            decrement=decrement,
            first_decrement=decrement,
        )

    def step(self, objective: Problem, state: State) -> LBFGSState:
        assert isinstance(state, LBFGSState)
        assert state.gradient is not None
        assert state.metric is not None
        direction = two_loops(state.gradient, state.s, state.y, state.metric).neg_()
        slope = state.gradient.dot(direction).item()
        if state.s and not slope < 0:  # the pairs mean nothing any more, for rounding: begin again
            return self.step(objective, replace(state, s=(), y=()))
        first = 1.0 if state.s else _first_length(objective, state, direction, slope)
        return self._along(objective, state, direction, slope, first)

    def _along(
        self, problem: Problem, state: LBFGSState, direction: Float[Tensor, "p"], slope: float, first: float
    ) -> LBFGSState:
        """The state after step 2."""
        tried: dict[float, tuple[Tensor, float, float, Tensor]] = {}

        def phi(length: float) -> Point:
            theta = torch.add(state.theta, direction, alpha=length)
            value, gradient = problem.value_and_gradient(theta)
            loss, size = read(value, gradient)
            tried[length] = theta, loss, size, gradient
            return Point(length, loss, gradient.dot(direction).item())

        found, count = strong_wolfe(phi, Point(0.0, state.value, slope), first, rounding(state.value, problem.dtype))
        evaluations = state.evaluations + count
        if found.at == 0:
            return state.next(stalled=not state.s, evaluations=evaluations, s=(), y=())
        theta, loss, size, gradient = tried[found.at]
        assert state.metric is not None
        s, y = self._pairs(state, theta, gradient)
        return state.next(
            theta=theta, value=loss, gradient_size=size, gradient=gradient, rate=found.at, s=s, y=y,
            decrement=_norm(gradient, state.metric), evaluations=evaluations,
        )  # fmt: skip

    def _pairs(
        self, state: LBFGSState, theta: Float[Tensor, "p"], gradient: Float[Tensor, "p"]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        assert state.gradient is not None
        s, y = theta - state.theta, gradient - state.gradient
        bend = s.dot(y).item()
        if not bend > torch.finfo(s.dtype).eps * float(torch.linalg.vector_norm(s) * torch.linalg.vector_norm(y)):
            return state.s, state.y
        return (*state.s, s)[-self.memory :], (*state.y, y)[-self.memory :]

    def terminate(self, objective: Problem, state: State) -> Status | None:
        assert isinstance(state, LBFGSState)
        if state.stalled:
            return Status.STALLED
        if self._ended(objective, state):
            return Status.CONVERGED
        return super().terminate(objective, state)

    def _ended(self, problem: Problem, state: LBFGSState) -> bool:
        """Step 3."""
        least = self.tol * state.first_decrement
        if not state.decrement <= least:
            return False
        assert state.gradient is not None
        return _norm(state.gradient, _metric(problem, state.theta)) <= least

    def details(self, problem: Problem, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, LBFGSState)
        return {**super().details(problem, state), "evaluations": state.evaluations}

    def passes(self, problem: Problem, state: DescentState) -> int:
        assert isinstance(state, LBFGSState)
        return state.evaluations


def two_loops(
    gradient: Float[Tensor, "p"],
    s: tuple[Float[Tensor, "p"], ...],
    y: tuple[Float[Tensor, "p"], ...],
    metric: Float[Tensor, "p"],
) -> Float[Tensor, "p"]:
    """Step 1: an approximation of H^-1 g.

    Examples
    --------
    >>> import torch
    >>> s = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    >>> two_loops(torch.tensor([4.0, 9.0]), s, (2 * s[0], 3 * s[1]), torch.ones(2))
    tensor([2., 3.])
    """
    if not s:
        return metric * gradient
    q, parts = gradient.clone(), []
    for s_i, y_i in zip(reversed(s), reversed(y), strict=True):
        rho = 1 / s_i.dot(y_i)
        a = rho * s_i.dot(q)
        q.sub_(a * y_i)
        parts.append((s_i, y_i, rho, a))
    r = q.mul_(metric).mul_(s[-1].dot(y[-1]) / y[-1].dot(metric * y[-1]))
    for s_i, y_i, rho, a in reversed(parts):
        r.add_((a - rho * y_i.dot(r)) * s_i)
    return r


def _metric(problem: Problem, theta: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """P's diagonal: 1 / H_jj at theta, 1 where that is not positive, or where H is not at hand."""
    one = torch.ones_like(theta)
    if problem.objective is None and design(problem) is None:
        return one
    hessian = hessian_at(problem, theta)
    if hessian is None:
        return one
    diagonal = hessian.diagonal().to(theta)
    return torch.where(torch.isfinite(diagonal) & (diagonal > 0), 1 / diagonal, one)


def _norm(gradient: Float[Tensor, "p"], metric: Float[Tensor, "p"]) -> float:
    return math.sqrt(gradient.dot(metric * gradient).item())


def _first_length(problem: Problem, state: LBFGSState, direction: Float[Tensor, "p"], slope: float) -> float:
    """-g'd / d'H d, or a step of length 1 where H curves downwards."""
    bend = float(direction.dot(problem.hessian_product(state.theta, direction)))
    size = float(torch.linalg.vector_norm(direction))
    return -slope / bend if 0 < bend < math.inf and slope < 0 else 1 / size
