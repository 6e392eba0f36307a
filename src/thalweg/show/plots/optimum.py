"""Where a loss is least: exactly for a quadratic, else by a few steps of Newton's method from where a descent ended.

A picture needs the optimum to a fraction of a pixel, which a handful of Newton steps with halving reach. Where they do
not come to rest (a separated likelihood has no optimum), there is none to mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import Problem
    from thalweg.show.plots.run import Run

MOST_PARAMETERS = 60  # whose Hessian is written out, column by column, for a picture
_STEPS, _HALVINGS = 30, 30
_AT_REST = 1e-10  # the decrease, relative to the loss, below which a Newton step is at rest
_FLAT = 1e-12  # of the largest curvature: a direction in which the loss has no minimum


@final
@dataclass(frozen=True)
class Optimum:
    """The least value of a loss and where it is.

    Attributes
    ----------
    theta : array, (p,)
    value : float
    """

    theta: Float[np.ndarray, "p"]
    value: float


def optimum_of(run: Run) -> Optimum | None:
    """The optimum of what a run minimized, or None where it is not known."""
    problem = run.problem
    if problem is None:
        return Optimum(run.path[-1], float(run.value[-1])) if run.ending == "converged" else None
    if problem.quadratic is not None:
        return Optimum(problem.quadratic.optimum.numpy(), problem.quadratic.least)
    if len(run.names) > MOST_PARAMETERS or "hessian_product" not in problem.has:
        return None
    finite = run.finite()
    return _newton(problem, torch.from_numpy(finite.path[int(finite.value.argmin())]))


def _newton(problem: Problem, start: Float[Tensor, "p"]) -> Optimum | None:
    """Newton's method with halved steps."""
    theta = start.to(dtype=problem.dtype, device=problem.device)
    value, gradient = problem.value_and_gradient(theta)
    for _ in range(_STEPS):
        step = _newton_step(problem, theta, gradient)
        if step is None:
            return None
        decrease = float(gradient @ step)
        if decrease <= _AT_REST * (1e-300 + abs(float(value))):
            return Optimum(theta.double().cpu().numpy(), float(value))
        theta = _halved(problem, theta, step, float(value))
        value, gradient = problem.value_and_gradient(theta)
    return None


def _newton_step(problem: Problem, theta: Tensor, gradient: Tensor) -> Tensor | None:
    """H^-1 g, or None where H is not positive definite."""
    identity = torch.eye(len(theta), dtype=theta.dtype, device=theta.device)
    hessian = torch.stack([problem.hessian_product(theta, v) for v in identity])
    eigenvalues, vectors = torch.linalg.eigh((hessian + hessian.T) / 2)
    if not bool((eigenvalues > _FLAT * eigenvalues[-1].abs()).all()):
        return None
    return vectors @ ((vectors.T @ gradient) / eigenvalues)


def _halved(problem: Problem, theta: Tensor, step: Tensor, value: float) -> Tensor:
    """The first of theta - step, theta - step/2, ... with a smaller loss."""
    for halving in range(_HALVINGS):
        candidate = theta - 0.5**halving * step
        if float(problem.value(candidate)) < value:
            return candidate
    return theta
