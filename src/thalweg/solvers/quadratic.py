"""A squared loss of a linear predictor as the quadratic it is: f(theta) = least + (theta - w*)' H (theta - w*) / 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem

MOST = 2000  # parameters of a problem whose Hessian is written out


@final
@dataclass(frozen=True)
class Quadratic:
    """f(theta) = least + (theta - optimum)' H (theta - optimum) / 2, in float64 on the CPU.

    Attributes
    ----------
    hessian : Tensor, (p, p)
    optimum : Tensor, (p,)
        The minimum; of several the one nearest to 0.
    least : float
        f there.
    eigenvalues : Tensor, (p,)
        Of H, ascending, >= 0.
    eigenvectors : Tensor, (p, p)
        Their columns.
    """

    hessian: Float[Tensor, "p p"]
    optimum: Float[Tensor, "p"]
    least: float
    eigenvalues: Float[Tensor, "p"]
    eigenvectors: Float[Tensor, "p p"]


def quadratic_of(problem: MemoryProblem) -> Quadratic | None:
    """The quadratic of a squared loss whose predictor is linear; None where it is too large to write out."""
    p = len(problem.names)
    if p > MOST:
        return None
    x, y, weight, offset, factor = problem.part(None)
    zero = torch.zeros(p, dtype=torch.float64)
    y = y.double().cpu().reshape(-1) if offset is None else (y - offset).double().cpu().reshape(-1)
    jacobian = torch.func.jacfwd(lambda theta: problem.predictor(theta, x.double().cpu()).reshape(-1))(zero)
    root = torch.ones_like(y) if weight is None else weight.double().cpu().reshape(-1).sqrt()
    a, b = root[:, None] * jacobian, root * y
    hessian = factor * (a.T @ a)
    eigenvalues, eigenvectors = torch.linalg.eigh(hessian)
    optimum = torch.linalg.lstsq(a, b, driver="gelsd").solution
    residual = b - a @ optimum
    return Quadratic(hessian, optimum, factor * float(residual @ residual) / 2, eigenvalues.clamp_min(0), eigenvectors)
