"""How a descent ends: near enough its optimum or not, what it is worth, and what to do.

1. `thalweg.diagnose.after` says how far from the optimum the last state is: the excess f - f*, and the distance in
   standard errors, sqrt(g' H^-1 g / phi).
2. A descent that used up its steps (or that no step lowers any more) has converged all the same where the excess is
   below 1e-6 of what it was at the start and the distance, where it is known, no more than 1 standard error, or where
   the distance is at most 0.01 standard errors. Else it says how many more steps it would take.
3. Coefficients have a covariance only within 0.01 standard errors of the optimum: the curvature is then that of the
   optimum, to what a standard error is read for. It is that of J (`docs/objective.md`), which knows no learning rate;
   of a curve that of its linearization (`thalweg.curves.descend`).
4. Coefficients that run away are told from slow ones by looking for separation, as Newton's method does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.linear_program import recession_by_program
from thalweg.diagnose.outlook import ASTRAY, NEAR
from thalweg.diagnose.separation import Recession, recession, remote
from thalweg.objective import Objective
from thalweg.problem import Problem
from thalweg.solvers.base import Solution, Status
from thalweg.solvers.curvature import Curvature, combinations, weighted_triangle
from thalweg.solvers.limit import limit_of, user_weight
from thalweg.solvers.newton import PRECISE, REMOTE, Newton

if TYPE_CHECKING:
    from thalweg.diagnose.after import After
    from thalweg.solvers.descent import DescentSolver, DescentState

EXCESS = 1e-6  # part of the excess loss at the start, at which a descent has converged
ASKED = (Status.REACHED, Status.STOPPED, Status.INTERRUPTED)


def ending(solver: DescentSolver, problem: Problem, state: DescentState, status: Status) -> Solution:
    """The solution of a descent that did not diverge."""
    after = _after(solver, problem, state, status)
    status = judged(status, after, state)
    found = running_away(problem, state, status) if status not in ASKED else None
    if found is not None:
        return _separated(solver, problem, state, found)
    advice = "" if status is Status.CONVERGED or after is None else after.sentence
    worth = _worth(problem, state.theta.detach().double(), after)
    told = {"recursion": _recursion(solver, state), **({} if after is None else {"after": after})}
    return Solution(
        status=status,
        advice=advice,
        value=state.value / problem.scale,
        steps=state.step,
        passes=solver.passes(problem, state),
        **{**worth, "details": {**solver.details(problem, state), **told, **worth.get("details", {})}},
    )


def _recursion(solver: DescentSolver, state: DescentState) -> dict[str, Any]:
    """lr, momentum and nesterov, where they stay as they are: what `diagnose` is told."""
    return {name: value for name, value in solver.recursion(state).items() if name != "velocity"}


def _after(solver: DescentSolver, problem: Problem, state: DescentState, status: Status) -> After | None:
    """Step 1; None where theta is no place to ask from. One that was interrupted is not followed on."""
    if not math.isfinite(state.value):
        return None
    from thalweg.diagnose.after import after

    return after(
        problem,
        state.theta,
        start_value=state.start_value,
        start=state.start,
        steps=state.step,
        solver=solver,
        state=None if status is Status.INTERRUPTED else state,
        **solver.recursion(state),
    )


def judged(status: Status, after: After | None, state: DescentState) -> Status:
    """Step 2."""
    if after is None or status not in (Status.LIMIT, Status.STALLED):
        return status
    at_start = state.start_value - state.value + after.excess
    astray = after.standard_errors > ASTRAY  # not where it is not known
    near = after.standard_errors <= NEAR or (after.excess <= EXCESS * at_start and not astray)
    return Status.CONVERGED if near else status


def _worth(problem: Problem, theta: Float[Tensor, "p"], after: After | None) -> dict[str, Any]:
    """Step 3: theta, inverse_curvature or no_covariance, aliased and details of a solution."""
    objective = problem.objective
    if objective is None and problem.curve is None:
        return {"theta": theta, "inverse_curvature": None, "no_covariance": "the rows are not those of a formula"}
    if after is None or not after.standard_errors <= NEAR:
        return {"theta": theta, "inverse_curvature": None, "no_covariance": _distance(after)}
    if problem.curve is not None:
        from thalweg.curves.descend import worth

        return worth(problem.curve, theta)
    assert objective is not None
    curvature = expected_curvature(objective, theta)
    moved, terms = _without_aliased(objective, theta, curvature)
    return {
        "theta": moved,
        "inverse_curvature": curvature.inverse().to(theta.device),
        "aliased": dict.fromkeys(terms, ""),
        "details": {"combinations": terms, "theta": theta} if terms else {},
    }


def expected_curvature(objective: Objective, theta: Float[Tensor, "p"]) -> Curvature:
    """Fisher's curvature at theta: from sums where its inverse has ten digits then, else from the rows."""
    sums = objective(theta, 2, expected=True)
    if sums.curvature is not None:
        curvature = Curvature(sums.curvature)
        if curvature.definite and curvature.pivot > PRECISE:
            return curvature
    return Curvature.from_rows(objective, theta)


def _distance(after: After | None) -> str:
    """Why there is no covariance."""
    if after is None or math.isnan(after.standard_errors):
        return "how far from the optimum the descent ended is not known"
    return f"the descent ended {after.standard_errors:.2g} standard errors from the optimum"


def _without_aliased(
    objective: Objective, theta: Float[Tensor, "p"], curvature: Curvature
) -> tuple[Float[Tensor, "p"], dict[int, dict[int, float]]]:
    """The same eta without the columns that are combinations of others, which a descent gives coefficients too."""
    if bool(curvature.kept.all()):
        return theta, {}
    triangle, scale = weighted_triangle(objective, theta)
    terms = combinations(triangle, scale, curvature.kept)
    moved = theta.clone()
    for column, others in terms.items():
        for other, weight in others.items():
            moved[other] += weight * theta[column]
        moved[column] = 0.0
    return moved, terms


# --- separation -----------------------------------------------------------------------------------------------------


def running_away(problem: Problem, state: DescentState, status: Status) -> Recession | None:
    """Step 4: a direction along which the loss falls for ever, where theta or a linear program proves one.

    A descent may be on its way along one if it has not come near an optimum, or has driven a row's curvature to 0.
    """
    objective, theta = problem.objective, state.theta.detach().double()
    if objective is None or objective.loss.recession(torch.zeros(1, dtype=torch.float64)) is None:
        return None
    if status is Status.CONVERGED and not remote(objective, theta, REMOTE):
        return None
    kept = Curvature.from_rows(objective, user_weight).kept
    gradient = torch.zeros_like(theta) if state.gradient is None else -state.gradient.double()
    return recession(objective, theta, gradient, kept) or recession_by_program(objective, kept)


def _separated(solver: DescentSolver, problem: Problem, state: DescentState, found: Recession) -> Solution:
    """The state as it is, with the names of what runs away; the descent's own theta is that of no optimum."""
    objective, theta = problem.objective, state.theta.detach().double()
    assert objective is not None
    curvature = Curvature.from_rows(objective, user_weight)
    aliased = (~curvature.kept).to(theta.device)
    limit = limit_of(Newton(), objective, found, ~curvature.kept)
    gone = limit.unknown.to(theta.device) & ~aliased
    moved, terms = _without_aliased(objective, theta, curvature)
    return Solution(
        theta=moved,
        status=Status.SEPARATED,
        advice="",
        inverse_curvature=None,
        value=state.value / problem.scale,
        steps=state.step,
        passes=solver.passes(problem, state),
        aliased=dict.fromkeys(terms, ""),
        details={
            **solver.details(problem, state),
            "theta": theta,
            "recession": limit.recession,
            "undetermined": gone.nonzero()[:, 0].tolist(),
            "combinations": terms,
        },
        no_covariance="the data are separated, and a descent ends on the way to infinity",
    )


# --- divergence -----------------------------------------------------------------------------------------------------


def divergence(solver: DescentSolver, problem: Problem, best: DescentState, last: DescentState) -> Solution:
    """The best state of a descent that diverged, and why it did."""
    from thalweg.diagnose.divergence import explain_divergence

    return Solution(
        theta=best.theta.detach().double(),
        status=Status.DIVERGED,
        advice=explain_divergence(problem, solver, best, last),
        inverse_curvature=None,
        value=best.value / problem.scale,
        steps=last.step,
        passes=solver.passes(problem, last),
        details={
            **solver.details(problem, last),
            "best_step": best.step,
            "last_value": last.value,
            "recursion": _recursion(solver, last),
        },
        no_covariance="the descent diverged",
    )
