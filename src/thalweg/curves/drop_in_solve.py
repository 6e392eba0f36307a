"""The minimum that `curve_fit` answers with: fast where it is easy, by the full solver where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import torch

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.drop_in_start import GAUSSIAN, Options, Start
from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.quick import MOST, quick
from thalweg.curves.wrappers import Scaled
from thalweg.errors import DataError, NotFoundError
from thalweg.losses.base import Family
from thalweg.solvers.base import Solution, Status
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

STEPS = 500
MANY = 32  # starts, where the first did not lead to a minimum that determines the parameters
EPSILON = float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True)
class Rows:
    """The function over the data, what it should be, and 1 / sigma.

    Attributes
    ----------
    curve : Curve
    evaluator : Evaluator
    y : ndarray, (M,)
    root : ndarray, (M,), optional
    """

    curve: Curve
    evaluator: Evaluator
    y: np.ndarray
    root: np.ndarray | None

    def scaled(self) -> Rows:
        """The same with the weights in the function: a robust loss is of the standardized residual."""
        if self.root is None:
            return self
        return Rows(self.curve, Scaled(self.evaluator, self.root), self.y * self.root, None)


@final
@dataclass(frozen=True)
class Minimum:
    """What was found.

    Attributes
    ----------
    theta : ndarray, (N,)
    squares : float
        Twice the loss.
    inverse : ndarray, (N, N), optional
        (F'WF)^-1; None where it is singular.
    evaluations : int
    """

    theta: np.ndarray
    squares: float
    inverse: np.ndarray | None
    evaluations: int


def minimum(rows: Rows, options: Options, start: Start) -> Minimum:
    """The least of the loss.

    Raises
    ------
    NotFoundError
        The solver did not converge.
    DataError
        The function is not finite in every row at the start.
    """
    if options.loss is GAUSSIAN and not start.bounded:
        found = quick(rows.evaluator, rows.y, rows.root, start.theta, options.most or MOST)
        if found is not None:
            return Minimum(found.theta, found.squares, found.inverse, found.evaluations)
    return _slowly(rows, options, start)


def _slowly(rows: Rows, options: Options, start: Start) -> Minimum:
    """By the full solver; in doubt from many starts."""
    if options.loss is not GAUSSIAN:
        rows = rows.scaled()
    problem = _problem(rows, options.loss, start)
    first = solve(LevenbergMarquardt(options.most or STEPS), problem, torch.from_numpy(start.theta.copy()))
    if not np.isfinite(first.value):
        raise DataError("Residuals are not finite in the initial point", advice="Give another p0.")
    found = _of_solution(rows, options, problem, first)
    doubtful = first.status is not Status.CONVERGED or inverse_of(_working(rows, options.loss, found.theta)) is None
    if doubtful and options.most is None and rows.evaluator.batched:
        first = _searched(problem, start)
        found = _of_solution(rows, options, problem, first)
    if first.status is not Status.CONVERGED:
        raise _failed(first, options)
    return found


def _searched(problem: CurveProblem, start: Start) -> Solution:
    """From many starts; the first minimum where none is lower."""
    from thalweg.curves.search import search

    names = problem.names
    given = dict(zip(names, start.theta.tolist(), strict=True))
    parameters = Parameters(names, names, given, start.lower, start.upper, {}, {}, {})
    return search(problem, cast(Any, None), parameters, starts=MANY).solution


def _failed(solution: Solution, options: Options) -> Exception:
    if solution.status is Status.LIMIT:
        steps = options.most or STEPS
        return NotFoundError(
            f"Optimal parameters not found: not within {steps} steps", advice=f"Give another p0, or maxfev={4 * steps}."
        )
    return NotFoundError(f"Optimal parameters not found: {solution.advice.rstrip('.')}")


def _problem(rows: Rows, loss: Family, start: Start) -> CurveProblem:
    part = Part(rows.evaluator, rows.y, None if rows.root is None else rows.root**2)
    limits = {"lower": start.lower, "upper": start.upper, "start": start.theta}
    return CurveProblem(rows.curve, lambda: (part,), loss, rows.y.size, **limits)


def _of_solution(rows: Rows, options: Options, problem: CurveProblem, solution: Solution) -> Minimum:
    theta = np.array(solution.theta.numpy())
    jacobian = _working(rows, options.loss, theta)
    inverse = inverse_of(jacobian, pseudo=not options.minpack)
    return Minimum(theta, 2 * float(solution.value), inverse, problem.passes)


def _working(rows: Rows, loss: Family, theta: np.ndarray) -> np.ndarray:
    """W^(1/2) F with W = loss'', as scipy has it."""
    f, jacobian = rows.evaluator.jacobian(list(theta))
    if loss is GAUSSIAN:
        return jacobian if rows.root is None else jacobian * rows.root
    curvature = loss.terms(torch.from_numpy(rows.y), torch.tensor(f), 2)[2].numpy()
    return jacobian * np.sqrt(np.maximum(curvature, EPSILON))


def inverse_of(jacobian: np.ndarray, *, pseudo: bool = False) -> np.ndarray | None:
    """(F'F)^-1 of a Jacobian F' (N, M), over all parameters, those on a bound too.

    Where F is singular, with its columns scaled to one length, it is None, or scipy's pseudo-inverse.

    Examples
    --------
    >>> inverse_of(np.array([[2.0, 0.0], [0.0, 1.0]]))
    array([[0.25, 0.  ],
           [0.  , 1.  ]])
    """
    if not np.isfinite(jacobian).all():
        return None
    norms = np.linalg.norm(jacobian, axis=1)
    scale = np.where(norms > 0, norms, 1.0)[:, None]
    _, s, vt = np.linalg.svd((jacobian / scale).T, full_matrices=False)
    if len(s) == len(jacobian) and s[-1] > EPSILON * max(jacobian.shape) * s[0]:
        half = vt / s[:, None] / scale.T
        return half.T @ half
    if not pseudo:
        return None
    _, s, vt = np.linalg.svd(jacobian.T, full_matrices=False)
    felt = s > EPSILON * max(jacobian.shape) * s[0]
    half = vt[felt] / s[felt, None]
    return half.T @ half
