"""Refinement: the solution of G Z = B to doubled precision from a factor in working precision.

1. residual      R = B - G Z                in doubled precision (G, Z and B are pairs)
2. correction    D = G^-1 R                 in working precision, with the inverse from the factor
3. update        Z = Z + D                  in doubled precision

Each turn multiplies the error by about cond(G) 2^-53, down to the rounding of doubled precision: two turns where G is
near the identity, five at a condition number of 1e12.

Reference: N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed. (2002), section 12.1,
doi:10.1137/1.9780898718027.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.doubled import Slices, cross, matmul, negative, sliced
from thalweg.error_free import Pair, dd_add
from thalweg.solvers.factor import Factor

TURNS = 60  # most turns: as many as the slowest contraction can need
FIXED = 2.0**-75  # relative size of a correction after which the next one changes no digit of a float64
ENOUGH = 2.0**-58  # the same where the corrections, by the rounding of doubled precision, shrink no further
SLOWEST = 0.5  # contraction per turn of a factor that is just good enough


@final
@dataclass(frozen=True)
class Refined:
    """A solution in two words.

    Attributes
    ----------
    solution : pair of Tensor, (k, m)
    turns : int
        Corrections made.
    fixed : bool
        Whether the corrections shrank to nothing; False where the factor was not good enough.
    """

    solution: Pair
    turns: int
    fixed: bool


def refine(gram: Pair, right: Pair, factor: Factor) -> Refined:
    """Solve G Z = B.

    Parameters
    ----------
    gram : pair of Tensor, (k, k)
        G, symmetric.
    right : pair of Tensor, (k, m)
        B.
    factor : Factor
        Of G's high word.

    Examples
    --------
    >>> import torch
    >>> from thalweg.solvers.factor import factored
    >>> g = torch.tensor([[4.0, 2.0], [2.0, 3.0]], dtype=torch.float64)
    >>> b = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    >>> found = refine((g, 0 * g), (b, 0 * b), factored(g))
    >>> found.solution[0][:, 0].tolist(), found.fixed
    ([0.375, -0.25], True)
    """
    z = (matmul(factor.inverse, right[0]), torch.zeros_like(right[0]))
    slices = sliced(gram)
    before, turn = float("inf"), 0
    for turn in range(1, TURNS + 1):
        correction = matmul(factor.inverse, _residual(slices, z, right))
        z = dd_add(z, (correction, torch.zeros_like(correction)))
        size = relative_size(correction, z[0])
        if size <= FIXED:
            return Refined(z, turn, True)
        if not size <= SLOWEST * before:
            return Refined(z, turn, size <= ENOUGH)
        before = size
    return Refined(z, turn, False)


def _residual(gram: list[Slices], z: Pair, right: Pair) -> Float[Tensor, "k m"]:
    """B - G Z, rounded once at the end."""
    return dd_add(right, negative(cross(gram, z)))[0]


def relative_size(correction: Float[Tensor, "k m"], z: Float[Tensor, "k m"]) -> float:
    """Largest correction of a column of Z over that column's largest entry."""
    largest = z.abs().amax(0)
    return float((correction.abs().amax(0) / torch.where(largest > 0, largest, 1.0)).max())
