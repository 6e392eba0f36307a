"""Whether the rows of a problem in memory are on their content sides along its own coefficients: they run away."""

from __future__ import annotations

import torch

from thalweg.diagnose.spectrum import design, hessian_at
from thalweg.problem import MemoryProblem, Problem

STEPS = 30  # Newton steps: a separated likelihood falls by a factor e with each


def separated(problem: Problem) -> bool:
    """Whether some theta puts every row that has a content side strictly on it, which Newton's method then finds.

    That is complete separation (Albert & Anderson 1984, doi:10.1093/biomet/71.1.1), proven by the theta.
    """
    x = design(problem)
    if x is None or not isinstance(problem, MemoryProblem):
        return False
    sides = problem.loss.recession(problem.y.double())
    if sides is None or not bool((sides[0] | sides[1]).all()):
        return False
    theta = torch.zeros(x.shape[1], dtype=x.dtype, device=x.device)
    for _ in range(STEPS):
        move = x @ theta
        if bool(torch.where(sides[0], move > 0, move < 0).all()):
            return True
        hessian = hessian_at(problem, theta)
        if hessian is None:
            return False
        slope = problem.loss.gradient(problem.y.double(), move)
        ridge = 1e-9 * hessian.diagonal().max() * torch.eye(len(hessian), dtype=hessian.dtype)
        gradient = problem.scale * (x.T @ slope)
        theta = theta - torch.linalg.solve(hessian + ridge, gradient.cpu()).to(theta)
        if not bool(torch.isfinite(theta).all()):
            return False
    return False
