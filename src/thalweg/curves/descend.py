"""A curve learned step by step: fit() of a curve by a descent, to be watched.

1. A descent minimizes c sum_i w_i loss(y_i, f(x_i; theta)), c by the solver's convention (`thalweg.convention`), over
   tensors in its own type and on its own device: a `MemoryProblem` whose predictor is the curve.
2. Beside it stands the `CurveProblem` of the same rows in float64. Where the descent ended, its linearization R, q says
   how far that is from the minimum: the Gauss-Newton step that is left is R^-1 q long, in standard errors

       sqrt(q'q / phi),    phi = 1, or 2 J* / n with J* the least value                                           (1)

3. Within 0.01 standard errors the curvature R'R is that of the minimum, to what a standard error is read for: the fit
   has the covariance of any other fit of the curve. Farther off it has none, and says how far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.curves.curve import Expression
from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem
from thalweg.curves.search import Found
from thalweg.curves.undetermined import determination
from thalweg.data.rows import Rows
from thalweg.descent import Descent
from thalweg.errors import IncompatibleError, OptionError
from thalweg.foreign_solvers import solver_advice
from thalweg.objective import Objective
from thalweg.observers import History
from thalweg.predictors.curve import CurvePredictor
from thalweg.problem import MemoryProblem, problem_of
from thalweg.solvers.base import Solution, Solver, Status
from thalweg.solvers.descent import DTYPES, DescentSolver
from thalweg.solvers.iterate import check_resume, iterate, solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

if TYPE_CHECKING:
    from thalweg.curves.spec import CurveSpec


def check_solver(solver: Any, checkpoint: Any, resume: Any) -> None:
    """Refuse a solver that is none, and a checkpoint without a descent: other solvers take a few steps only.

    Raises
    ------
    OptionError, IncompatibleError
    """
    if solver is not None and not isinstance(solver, Solver):
        raise OptionError(f"solver is {solver!r}", advice=solver_advice(solver))
    check_resume(resume, checkpoint)
    if checkpoint is not None and not isinstance(solver, DescentSolver):
        raise IncompatibleError(
            "a checkpoint is kept of a descent, and this curve is fitted by Levenberg-Marquardt",
            advice="Leave checkpoint= out: such a solver takes a few steps only.",
        )


def descend(
    rows: Rows,
    curve: CurveProblem,
    parameters: Parameters,
    history: History,
    observers: Sequence[Any],
    *,
    solver: DescentSolver,
    stop: Any = None,
    checkpoint: Any = None,
    resume: bool | None = None,
) -> tuple[Found, Descent]:
    """Follow gradients from the start, and measure where they led.

    Parameters
    ----------
    rows : Rows
        Of the curve.
    curve : CurveProblem
        The same rows for the measure.
    parameters : Parameters
        Fixed and tied ones are part of the curve; a start that was not given is 1.
    history : History
        One of the observers.

    Raises
    ------
    OptionError
        Bounds, which a descent would step over; a curve that is no expression; rows too many to keep.
    """
    problem = descent_problem(rows, curve, parameters, solver)
    theta = problem.predictor.start()
    solution = solve(solver, problem, theta, observers, stop=stop, checkpoint=checkpoint, resume=resume)
    spec = cast("CurveSpec", rows.spec)
    descent = Descent(
        problem, solver, solution, history, columns=spec.curve.inputs, response=spec.response.name
    )  # fmt: skip
    found = _in_double(curve, solution)
    return Found(curve, found, sentence=_beyond(curve, found.theta)), descent


def descent_problem(rows: Rows, curve: CurveProblem, parameters: Parameters, solver: DescentSolver) -> MemoryProblem:
    """What the descent minimizes: point 1.

    Raises
    ------
    OptionError
        As `descend`.
    """
    _check(curve, parameters, solver)
    start = [parameters.start.get(name, 1.0) for name in parameters.free]
    predictor = CurvePredictor(cast(Expression, curve.curve), start)
    base: Any = cast("CurveSpec", rows.spec).base  # its design is the columns that the curve reads
    problem = problem_of(
        Objective(Rows(rows.source, base), curve.loss),
        predictor.names,
        solver.loss,
        dtype=DTYPES[solver.dtype],
        device=solver.device,
        derivative=solver.derivative,
        predictor=predictor,
    )
    assert isinstance(problem, MemoryProblem)
    problem.curve = curve
    return problem


def _check(curve: CurveProblem, parameters: Parameters, solver: DescentSolver) -> None:
    natural = np.isin(parameters.free, [*curve.curve.positive]) & (parameters.lower < 1e-290)  # not the user's
    bounded = (np.isfinite(parameters.lower) & ~natural) | np.isfinite(parameters.upper)
    if bounded.any():
        names = ", ".join(name for name, each in zip(parameters.free, bounded, strict=True) if each)
        raise OptionError(
            f"{solver.name} does not keep to bounds, and {names} {'has' if bounded.sum() == 1 else 'have'} them",
            advice="Leave solver= out, or write the bound into the curve: exp(k) where a positive number is wanted.",
        )
    if not isinstance(curve.curve, Expression):
        raise OptionError(
            f"{solver.name} follows a curve that is written as one expression, and this is a"
            f" {type(curve.curve).__name__.lower()} curve",
            advice="Leave solver= out.",
        )


def _in_double(curve: CurveProblem, solution: Solution) -> Solution:
    """The solution as `conclude_curve` reads it: theta and J in float64, on the processor."""
    theta = solution.theta.detach().double().cpu()
    details = {"held": (), **solution.details}
    return replace(solution, theta=theta, value=curve.value(theta.tolist()), details=details)


def _beyond(curve: CurveProblem, theta: Float[Tensor, "p"]) -> str:
    """What must be said of parameters that are positive by their nature and came out otherwise."""
    told = [
        f"{n} = {v:.4g}"
        for n, v in zip(curve.names, theta.tolist(), strict=True)
        if n in curve.curve.positive and v <= 0
    ]
    if not told:
        return ""
    return f"The descent ended at {', '.join(told)}, where it should be positive: start nearer, or leave solver= out."


# --- where a descent ended -------------------------------------------------------------------------------------------


def left(curve: CurveProblem, theta: Float[Tensor, "p"]) -> float:
    """q'q of equation (1), over the directions that the curve feels."""
    known = determination(curve, theta.detach().double().cpu().numpy())
    return math.nan if known is None else known.left**2


def worth(curve: CurveProblem, theta: Float[Tensor, "p"]) -> dict[str, Any]:
    """The covariance's part of a solution, by the linearization at theta."""
    known = determination(curve, theta.cpu().numpy())
    if known is None:
        return {"theta": theta, "inverse_curvature": None, "no_covariance": "the Jacobian is not finite"}
    return {"theta": theta, "inverse_curvature": torch.from_numpy(known.inverse).to(theta.device)}


def least_of(curve: CurveProblem, theta: Float[Tensor, "p"], max_steps: int = 200) -> tuple[Tensor, float] | None:
    """The minimum that Levenberg-Marquardt finds from theta, and J there; None where it finds none."""
    solver = LevenbergMarquardt(max_steps=max_steps, polish=False)
    *_, last = iterate(solver, curve, theta.detach().double().cpu())  # `solve` would listen for Ctrl-C a second time
    if solver.terminate(curve, last) is not Status.CONVERGED:
        return None
    return last.theta, last.value
