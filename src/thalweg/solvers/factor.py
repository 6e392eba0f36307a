"""Factors of a least squares problem: Cholesky of the scaled normal equations, and the triangle R of the rows.

Cholesky is one small operation after a single reading, and loses twice the digits that the condition number of the
columns costs. The triangle of the rows costs a QR factorization of every block and loses them once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.doubled import exponent, power_of_two

STACK = 4  # a QR factorization takes at least so many times p rows: the triangle on top then costs little


@final
@dataclass(frozen=True)
class Factor:
    """G = S^-1 L L' S^-1 with S powers of two that bring the diagonal near 1.

    Attributes
    ----------
    scale : Tensor, (k,)
        The diagonal of S.
    lower : Tensor, (k, k)
        L.
    inverse : Tensor, (k, k)
        G^-1, symmetric.
    condition : float
        1-norm condition number of S G S: about the square of that of the scaled columns.
    """

    scale: Float[Tensor, "k"]
    lower: Float[Tensor, "k k"]
    inverse: Float[Tensor, "k k"]
    condition: float

    def solve(self, right: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
        """G^-1 B."""
        scale = self.scale[:, None]
        return scale * torch.cholesky_solve(scale * right, self.lower)


def factored(gram: Float[Tensor, "k k"]) -> Factor | None:
    """Factor a Gram matrix; None where it is not positive definite to working precision.

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
    lower, info = torch.linalg.cholesky_ex(balanced)
    if int(info) or not bool(torch.isfinite(lower).all()):
        return None
    inverse = torch.cholesky_inverse(lower)
    condition = float(_norm(balanced) * _norm(inverse))
    return Factor(scale, lower, scale[:, None] * (inverse + inverse.T) / 2 * scale, condition)


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
            held = [torch.linalg.qr(torch.cat(held), mode="r").R]
    return torch.linalg.qr(torch.cat(held), mode="r").R


def triangle_inverse(upper: Float[Tensor, "k k"]) -> Float[Tensor, "k k"]:
    """R^-1 of an upper triangle."""
    return torch.linalg.solve_triangular(upper, torch.eye(upper.shape[0], dtype=upper.dtype), upper=True)
