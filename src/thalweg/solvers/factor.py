"""Factors of a least squares problem: Cholesky of the scaled normal equations, and the triangle R of the rows.

Cholesky is one small operation after a single reading, and loses twice the digits that the condition number of the
columns costs. The triangle of the rows costs a QR factorization of every block and loses them once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg.lapack import dpotrf, dpotri
from torch import Tensor

from thalweg.doubled import exponent, power_of_two

STACK = 4  # a QR factorization takes at least so many times p rows: the triangle on top then costs little


@final
@dataclass(frozen=True)
class Factor:
    """A positive definite Gram matrix G, inverted by way of its Cholesky factor.

    Attributes
    ----------
    inverse : Tensor, (k, k)
        G^-1, symmetric.
    condition : float
        1-norm condition number of G scaled to a diagonal near 1: about the square of that of the scaled columns.
    """

    inverse: Float[Tensor, "k k"]
    condition: float


def factored(gram: Float[Tensor, "k k"]) -> Factor | None:
    """Factor a Gram matrix; None where it is not positive definite to working precision.

    LAPACK is called through SciPy: a hundredth of the overhead, and no threads, where k is small.

    Examples
    --------
    >>> import torch
    >>> factored(torch.tensor([[4.0, 2.0], [2.0, 3.0]], dtype=torch.float64)).inverse.numpy().round(15).tolist()
    [[0.375, -0.25], [-0.25, 0.5]]
    >>> factored(torch.ones(2, 2, dtype=torch.float64)) is None
    True
    """
    scale = power_of_two(-(exponent(gram.diagonal()) >> 1))
    balanced = scale[:, None] * gram * scale
    lower, info = dpotrf(balanced.numpy(), lower=1)
    if info or not np.isfinite(lower).all():
        return None
    half = np.tril(dpotri(lower, lower=1)[0])
    inverse = torch.from_numpy(half + np.tril(half, -1).T)
    condition = float(_norm(balanced) * _norm(inverse))
    return Factor(scale[:, None] * inverse * scale, condition)


def condition_number(gram: Float[Tensor, "k k"], inverse: Float[Tensor, "k k"]) -> float:
    """1-norm condition number of a Gram matrix whose inverse is known, scaled to a diagonal of ones."""
    scale = gram.diagonal().sqrt()
    return float(_norm(gram / scale / scale[:, None]) * _norm(inverse * scale * scale[:, None]))


def _norm(matrix: Float[Tensor, "k k"]) -> Tensor:
    """The 1-norm; 1 for a matrix without columns."""
    return matrix.abs().sum(0).max() if matrix.numel() else torch.ones(())


def triangle(blocks: Iterable[Float[Tensor, "n p"]]) -> Float[Tensor, "k p"]:
    """R of the rows in all blocks, R'R = X'X, with k = min(n, p); holds a few blocks at a time.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[3.0, 1.0], [4.0, 2.0], [0.0, 5.0]], dtype=torch.float64)
    >>> r = triangle([x[:2], x[2:]])
    >>> bool(torch.allclose(r.T @ r, x.T @ x))
    True
    """
    held: list[Tensor] = []
    for block in blocks:
        held.append(block)
        if sum(part.shape[0] for part in held) >= max(STACK * block.shape[1], 1024):
            held = [triangle_of(torch.cat(held))]
    return triangle_of(torch.cat(held))


def triangle_of(rows: Float[Tensor, "n p"]) -> Float[Tensor, "k p"]:
    """R of one block, by Householder reflections."""
    return torch.from_numpy(np.linalg.qr(rows.numpy(), mode="r"))


def triangle_inverse(upper: Float[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    """R^-1 of an upper triangle."""
    return torch.linalg.solve_triangular(upper, torch.eye(upper.shape[0], dtype=upper.dtype), upper=True)
