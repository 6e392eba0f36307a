"""Columns that are combinations of others, and a basis of the rest in which the normal equations are well conditioned.

The triangle R of the rows tells which columns stay: those that are no combination of earlier ones to 1e-13. The columns
X R^-1 of the kept ones are orthogonal to working precision; multiplied out in doubled precision they give normal
equations near the identity, from which the left-out columns are regressed as well. Only one whose residual is below the
rounding of float64 is a combination of the others; any other comes back into the basis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.doubled import power_of_two
from thalweg.solvers.curvature import independent
from thalweg.solvers.factor import triangle_inverse, triangle_of

ROUNDING = 16 * 2.0**-52  # of a column computed as a combination of others in float64
CLEAN = 1e-10  # share of a combination below which a term is rounding


@final
@dataclass(frozen=True)
class Basis:
    """Kept columns, T for them, and the columns left out.

    Attributes
    ----------
    kept, left_out : tuple of int
        Column numbers; `left_out` are thought to be combinations.
    inverse : Tensor, (k, k)
        T: the kept columns times T are near orthogonal.
    columns : int
        p.
    """

    kept: tuple[int, ...]
    left_out: tuple[int, ...]
    inverse: Float[Tensor, "k k"]
    columns: int

    @classmethod
    def of(cls, triangle: Float[Tensor, "k p"]) -> Basis:
        """From the triangle of the rows."""
        stays = independent(triangle)
        kept, left_out = (tuple(mask.nonzero()[:, 0].tolist()) for mask in (stays, ~stays))
        upper = triangle_of(triangle[:, list(kept)])
        return cls(kept, left_out, triangle_inverse(upper), triangle.shape[1])

    def transform(self) -> Float[Tensor, "q m"]:
        """[X_kept T, X_left_out, z] = [X, z] times this."""
        k, q = len(self.kept), self.columns + 1
        out = torch.zeros(q, k + len(self.left_out) + 1, dtype=torch.float64)
        out[list(self.kept), :k] = self.inverse
        for column, row in enumerate((*self.left_out, self.columns), start=k):
            out[row, column] = 1.0
        return out

    def recombined(self, gram: Float[Tensor, "k k"]) -> Basis:
        """T L^-T for the Gram matrix of the kept columns times T, with L its Cholesky factor after a small shift.

        One such step multiplies the condition number by about 1e-8 (shifted CholeskyQR: T. Fukaya et al.,
        SIAM J. Sci. Comput. 42 (2020), doi:10.1137/18M1218212).
        """
        shift = 2.0**-45 * gram.diagonal().max() * torch.eye(gram.shape[0], dtype=torch.float64)
        upper = torch.linalg.cholesky(gram + shift).T
        return replace(self, inverse=self.inverse @ triangle_inverse(upper))

    def with_column(self, column: int, coefficients: Float[Tensor, "k"], residual: float) -> Basis:
        """A basis that keeps one more column x, by its residual (x - X_kept coefficients) / residual."""
        k = len(self.kept)
        inverse = torch.zeros(k + 1, k + 1, dtype=torch.float64)
        inverse[:k, :k] = self.inverse
        inverse[:k, k] = -coefficients / residual
        inverse[k, k] = 1 / residual
        left_out = tuple(other for other in self.left_out if other != column)
        return replace(self, kept=(*self.kept, column), left_out=left_out, inverse=inverse)


def is_combination(residual_square: float, square: float, coefficients: Tensor, squares: Tensor) -> bool:
    """Whether a column's residual on others is their rounding: |r| <= 16 eps sqrt(|x|^2 + sum c_i^2 |x_i|^2).

    That is a distance to exact dependence in relative changes of the columns: it calls neither a polynomial of degree
    10 dependent nor x + 1e-9 noise beside x.
    """
    terms = square + float((coefficients.square() * squares).sum())
    return residual_square <= ROUNDING**2 * terms


def combination(
    coefficients: Float[Tensor, "k"], kept: tuple[int, ...], shift: Int[Tensor, "q"], column: int
) -> dict[int, float]:
    """The coefficients of a left-out column in the data's own units, without those that are rounding."""
    largest = float(coefficients.abs().max()) if coefficients.numel() else 0.0
    found = {}
    for i, c in zip(kept, coefficients.tolist(), strict=True):
        if abs(c) > CLEAN * largest:
            found[i] = float(f"{c * float(power_of_two(shift[i] - shift[column])):.12g}")
    return dict(sorted(found.items()))


def sentence(terms: Mapping[int, float]) -> str:
    """A combination in words, columns counted from 1.

    Examples
    --------
    >>> sentence({0: 2.0, 2: -3.0})
    'equal to 2 * column 1 - 3 * column 3'
    >>> sentence({})
    'all zeros'
    """
    if not terms:
        return "all zeros"
    text = ""
    for i, c in terms.items():
        sign = (" - " if c < 0 else " + ") if text else ("-" if c < 0 else "")
        factor = "" if abs(c) == 1 else f"{abs(c):.6g} * "
        text += f"{sign}{factor}column {i + 1}"
    return f"equal to {text}"
