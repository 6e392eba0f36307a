"""The outer part of a sandwich: the inverse of the observed curvature.

The model's covariance rests on U, the inverse of the expected curvature, which supposes the family's variance. A robust
covariance does not, so it takes what the data show: the inverse of

    O = sum_i w_i loss''(y_i, eta_i) x_i x_i',

as statsmodels and Stata do. For a canonical link O is the expected curvature already and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.inference.reading import Reading

NULL = 1e-12  # eigenvalues of the scaled U, of the largest, that are rounding
SINGULAR = 1e-7  # pivot of the Cholesky factor of M, near 1 otherwise: its square is the rounding of M's sums


def observed_bread(
    map_rows: Callable[[Callable[[Reading], Tensor]], Iterator[Tensor]], unscaled: Float[Tensor, "p p"]
) -> Float[Tensor, "p p"]:
    """The inverse of the observed curvature, by one pass.

    1. U = L L', L with as many columns as U has rank (an aliased coefficient has none, tied ones have one together), so
       that the columns x'L have an expected curvature of I.
    2. M = L' O L = sum_i w_i loss''_i (L'x_i)(L'x_i)', near I: no digits are lost to the condition of the design.
    3. O^-1 = L M^-1 L'.

    Where O is not positive definite (the family does not describe the data at all), or not to rounding, U itself is
    returned.

    Parameters
    ----------
    map_rows : callable
        One pass over the rows: yields what a function makes of each `Reading`.
    unscaled : Tensor, (p, p)
        U, zero in the rows and columns of aliased coefficients; singular where a curve's parameters are tied.
    """
    lower = _root(unscaled)  # 1
    if lower is None:
        return unscaled

    def work(r: Reading) -> Tensor:
        x = r.matrix.dense() @ lower.to(r.y.device)
        curvature = r.family.curvature(r.y, r.eta)
        return x.T @ (x * (r.weight * curvature)[:, None])

    rank = lower.shape[1]
    middle = torch.zeros(rank, rank, dtype=unscaled.dtype, device=unscaled.device)
    for part in map_rows(work):
        middle += part.to(middle.device)  # 2
    factor, failed = torch.linalg.cholesky_ex(middle)
    if int(failed) or bool((factor.diagonal() < SINGULAR).any()):
        return unscaled
    half = torch.linalg.solve_triangular(factor, lower.T, upper=False)
    return half.T @ half  # 3


def _root(unscaled: Float[Tensor, "p p"]) -> Float[Tensor, "p r"] | None:
    """L with L L' = U: by Cholesky, or where U is singular by its eigenvectors; None where U is not positive."""
    kept = unscaled.ne(0).any(1)
    size = unscaled.diagonal()[kept].sqrt()
    correlation = unscaled[kept][:, kept] / size[:, None] / size
    root, failed = torch.linalg.cholesky_ex(correlation)
    if int(failed) or bool((root.diagonal() < SINGULAR).any()):
        values, vectors = torch.linalg.eigh(correlation)
        if not values.numel() or not float(values[-1]) > 0 or float(values[0]) < -NULL * float(values[-1]):
            return None
        felt = values > NULL * values[-1]
        root = vectors[:, felt] * values[felt].sqrt()
    lower = unscaled.new_zeros(unscaled.shape[0], root.shape[1])
    lower[kept] = size[:, None] * root
    return lower
