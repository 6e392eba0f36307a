"""The least value of a problem: known of a squared loss, found by Newton's method of any other smooth one.

    theta <- theta - s (H + ridge I)^{-1} g,    s halved until f falls,    ridge raised until H + ridge I is positive

A descent is far slower than this; that is why the distance to the optimum can be told when it stops. Of a curve it is
found by Levenberg-Marquardt, whose trust region leads on from places where the Hessian is of no use.
(Nocedal & Wright 2006, doi:10.1007/978-0-387-40065-5, section 3.4.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.spectrum import LANCZOS, by_passes, design, hessian_at, quadratic_at
from thalweg.problem import MemoryProblem, Problem

MOST = 60  # Newton steps in memory
PASSES = 8  # where each is a reading of all rows
PRODUCTS = 20  # where each takes p products of the Hessian with a vector, ...
COSTLY = 1_000_000  # ... of no more rows times parameters than this, ...
MANY = 200  # ... and no more products than this in all
PATIENCE = 4  # Newton steps in which the decrement has to halve, where each is so dear
CLOSE = 1e-13  # decrement, relative to f, at which the least value is known ...
LEFT = 1e-8  # ... or taken to be, where rounding lets no step lower f any more


@final
@dataclass(frozen=True, eq=False)
class Optimum:
    """Where a problem is least.

    Attributes
    ----------
    theta : Tensor, (p,), float64, on the CPU
    least : float
        f there.
    eigenvalues, eigenvectors : Tensor
        Of the Hessian there; eigenvalues ascending, 0 where flat.
    kind : str
        "exact" of a squared loss, "estimate" from Newton's method.
    """

    theta: Float[Tensor, "p"]
    least: float
    eigenvalues: Float[Tensor, "p"]
    eigenvectors: Float[Tensor, "p p"]
    kind: str

    def distance(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """Q'(theta - optimum)."""
        return self.eigenvectors.T @ (theta.detach().double().cpu() - self.theta)

    def excess(self, theta: Float[Tensor, "p"], value: float) -> float:
        """f(theta) - least, of a quadratic without the cancellation of that difference."""
        if self.kind == "exact":
            return float(self.distance(theta).square() @ self.eigenvalues) / 2
        return max(value - self.least, 0.0)


def optimum_of(problem: Problem, theta: Float[Tensor, "p"]) -> Optimum | None:
    """The minimum that Newton's method finds from theta or, where that is no good, from zeros (of a curve: not there).

    None where it finds none: too many parameters, a function that keeps falling (separated classes), or one that
    curves downwards at what it found.
    """
    quadratic = quadratic_at(problem)
    if quadratic is not None:
        return Optimum(quadratic.optimum, quadratic.least, quadratic.eigenvalues, quadratic.eigenvectors, "exact")
    problem = doubled(problem)
    theta = theta.detach().to(dtype=problem.dtype, device=problem.device)
    if problem.curve is not None:
        return _of_curve(problem, theta)
    zero = torch.zeros_like(theta)
    found = _newtons_method(problem, theta)
    if _dear(problem):  # a network, whose zeros are a saddle
        return found
    if found is not None and (not bool(theta.any()) or not found.least > float(problem.value(zero))):
        return found
    other = _newtons_method(problem, zero) if bool(theta.any()) else None
    if found is None or other is None:
        return other
    return min(found, other, key=lambda each: each.least)  # theta may lie on a plateau, where nothing falls


def _of_curve(problem: Problem, theta: Float[Tensor, "p"]) -> Optimum | None:
    """The minimum below theta, with the Hessian there; None of a saddle, or where none is found."""
    from thalweg.curves.descend import least_of

    assert problem.curve is not None
    found = least_of(problem.curve, theta)
    if found is None or theta.numel() > LANCZOS:
        return None
    at, value = found
    hessian = hessian_at(problem, at.to(theta))
    if hessian is None or not bool(torch.isfinite(hessian).all()):
        return None
    return _at(at, problem.scale * value, hessian)


def _most(problem: Problem, p: int) -> int:
    """How many Newton steps may be taken."""
    if by_passes(problem):
        return PASSES
    if design(problem) is not None:
        return MOST
    return min(PRODUCTS, MANY // p) if p * problem.rows <= COSTLY else 0


def _dear(problem: Problem) -> bool:
    """Whether a Hessian is made column by column, of a predictor that is not linear."""
    linear = getattr(getattr(problem, "predictor", None), "linear", False)
    return not by_passes(problem) and design(problem) is None and not linear


def _newtons_method(problem: Problem, theta: Float[Tensor, "p"]) -> Optimum | None:
    decrements: list[float] = []
    for _ in range(_most(problem, theta.numel())):
        value, slope = problem.value_and_gradient(theta)
        if not math.isfinite(float(value)):
            return None
        hessian, gradient = hessian_at(problem, theta), slope.detach().double().cpu()
        if hessian is None or not bool(torch.isfinite(hessian).all()):
            return None
        move = _newton(hessian, gradient)
        decrement = float(gradient @ move) / 2
        if decrement <= CLOSE * abs(float(value)) + 1e-300:
            return _at(theta, float(value), hessian)
        decrements.append(decrement)
        if _dear(problem) and len(decrements) > PATIENCE and decrement > 0.5 * decrements[-1 - PATIENCE]:
            return None
        moved = _searched(problem, theta, float(value), move.to(theta))
        if moved is None:
            return _at(theta, float(value), hessian) if decrement <= LEFT * abs(float(value)) else None
        theta = moved
    return None


def doubled(problem: Problem) -> Problem:
    """The same problem in float64, where its predictor is a formula's or a curve."""
    if problem.dtype == torch.float64 or not isinstance(problem, MemoryProblem):
        return problem
    if design(problem) is None and problem.curve is None:
        return problem
    double = MemoryProblem(
        problem.predictor,
        problem.x.double(),
        problem.y.double(),
        problem.loss,
        problem.convention,
        weight=None if problem.weight is None else problem.weight.double(),
        offset=None if problem.offset is None else problem.offset.double(),
    )
    double.curve = problem.curve
    return double


def _at(theta: Float[Tensor, "p"], value: float, hessian: Float[Tensor, "p p"]) -> Optimum | None:
    values, vectors = torch.linalg.eigh(hessian)
    if float(values[0]) < -1e-8 * float(values[-1]):
        return None
    values = torch.where(values > 1e-13 * values[-1], values, 0.0)
    return Optimum(theta.double().cpu(), value, values, vectors, "estimate")


def _newton(hessian: Float[Tensor, "p p"], gradient: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """(H + ridge I)^{-1} g with the least ridge of a ladder that makes H positive."""
    size = float(hessian.diagonal().abs().max()) or 1.0
    identity = torch.eye(len(gradient), dtype=hessian.dtype)
    for ridge in (0.0, *(size * 10.0**k for k in range(-13, 7))):
        factor, info = torch.linalg.cholesky_ex(hessian + ridge * identity)
        if int(info) == 0:
            return torch.cholesky_solve(gradient[:, None], factor)[:, 0]
    return gradient / size


def _searched(
    problem: Problem, theta: Float[Tensor, "p"], value: float, move: Float[Tensor, "p"]
) -> Float[Tensor, "p"] | None:
    """theta - s move with the first s of 1, 1/2, 1/4, ... at which f falls; None where it does not."""
    for halvings in range(40):
        moved = theta - move * 0.5**halvings
        if float(problem.value(moved)) < value:
            return moved
    return None
