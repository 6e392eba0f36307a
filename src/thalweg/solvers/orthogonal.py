"""Least squares by way of near orthogonal columns, in doubled precision.

1. R          of the rows, by QR factorizations of blocks in float64
2. T = R^-1   of the columns that are no combination of earlier ones to 1e-13 (`thalweg.solvers.basis`)
3. S          the normal equations of [X T, left-out columns, z], in doubled precision: near the identity
4. phi, Z     coefficients and inverse in that basis, refined to their fixed point
5. theta = T phi in doubled precision, (X'WX)^-1 = T Z T'

An error of R changes T, which is then multiplied out as it is; it costs no digit. What is left is the rounding of
doubled precision times the condition number of the columns: 1e-22 for Filip's polynomial of degree 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.doubled import cross, product
from thalweg.error_free import Pair
from thalweg.solvers.basis import Basis, combination, is_combination
from thalweg.solvers.estimate import Estimate, regress, residual_square
from thalweg.solvers.factor import condition_number, factored, triangle
from thalweg.solvers.normal import DoubledRows
from thalweg.solvers.refine import Refined

STEADY = 1e10  # most condition number of the normal equations in a basis that is near orthogonal
TRIES = 4  # readings for a better basis, besides one for every column that comes back


def orthogonal(rows: DoubledRows) -> Estimate:
    """The estimate, with the columns that are combinations of others left out."""
    p = rows.shift.shape[0] - 1
    upper = triangle(rows.plain())[:, :p]
    basis = Basis.of(upper)
    for _ in range(TRIES + len(basis.left_out)):
        if not basis.kept:
            return _all_zeros(rows, p)
        regression = _regression(rows, basis)
        if isinstance(regression, Basis):
            basis = regression
            continue
        missed = regression.missed_column(upper.square().sum(0))
        if missed is None:
            return regression.estimate(upper)
        basis = missed
    raise ArithmeticError("no basis was found in which the columns are told apart")


def _all_zeros(rows: DoubledRows, p: int) -> Estimate:
    """The estimate where every column is zero."""
    zero = torch.zeros(p, p, dtype=torch.float64)
    square = float(rows.normal()[0][-1, -1])
    return Estimate(zero[0], zero, square, rows.shift, 1.0, "qr+refined", combinations={j: {} for j in range(p)})


def _regression(rows: DoubledRows, basis: Basis) -> _Regression | Basis:
    """Steps 3 and 4, or a better basis where this one is far from orthogonal."""
    normal = rows.normal(basis.transform())
    inner = normal[0][: len(basis.kept), : len(basis.kept)]
    factor = factored(inner)
    if factor is None or factor.condition > STEADY:
        return basis.recombined(inner)
    return _Regression(rows, basis, normal, regress(normal, factor))


@final
@dataclass(frozen=True)
class _Regression:
    """The left-out columns and the response, regressed on the basis.

    Attributes
    ----------
    rows : DoubledRows
    basis : Basis
    normal : pair of Tensor, (k + m + 1, k + m + 1)
        S of [X T, left-out columns, z].
    found : Refined
        [coefficients of the m left-out columns and of z in the basis, inverse], (k, m + 1 + k).
    """

    rows: DoubledRows
    basis: Basis
    normal: Pair
    found: Refined

    @property
    def left_out(self) -> int:
        """m."""
        return len(self.basis.left_out)

    def _phi(self, first: int, last: int) -> Pair:
        """Coefficients in the basis."""
        high, low = self.found.solution
        return high[:, first:last], low[:, first:last]

    def _theta(self, first: int, last: int) -> Pair:
        """T phi: coefficients of the kept columns."""
        return product((self.basis.inverse, None), self._phi(first, last))

    def missed_column(self, squares: Float[Tensor, "p"]) -> Basis | None:
        """A basis with the first left-out column that is no combination of the kept ones; None where all are."""
        if self.left_out == 0 or len(self.basis.kept) == self.rows.count():
            return None
        residuals, coefficients = self._residual_squares(), self._theta(0, self.left_out)[0]
        kept = squares[list(self.basis.kept)]
        for i, column in enumerate(self.basis.left_out):
            if not is_combination(float(residuals[i]), float(squares[column]), coefficients[:, i], kept):
                return self.basis.with_column(column, coefficients[:, i], float(residuals[i]) ** 0.5)
        return None

    def _residual_squares(self) -> Float[Tensor, "m"]:
        """|x - X theta|^2 of the left-out columns, in doubled precision."""
        one = torch.eye(self.left_out + 1, self.left_out, dtype=torch.float64)
        phi = self._phi(0, self.left_out)
        v = torch.cat([-phi[0], one]), torch.cat([-phi[1], 0 * one])
        return cross(v, cross(self.normal, v))[0].diagonal()

    def estimate(self, upper: Float[Tensor, "k p"]) -> Estimate:
        """Step 5."""
        p, m = self.basis.columns, self.left_out
        kept = torch.tensor(self.basis.kept)
        theta, covariance = self._theta(0, m + 1), self._inverse()
        whole = torch.zeros(p, p, dtype=torch.float64)
        whole[kept[:, None], kept] = covariance
        response = _spread(theta, m, kept, p)
        return Estimate(
            theta=response[0][:, 0],
            inverse=whole,
            square=self._square(response),
            shift=self.rows.shift,
            condition=condition_number(upper[:, kept].T @ upper[:, kept], covariance) ** 0.5,
            method="qr+refined",
            turns=self.found.turns,
            fixed=self.found.fixed,
            combinations={
                j: combination(theta[0][:, i], self.basis.kept, self.rows.shift, j)
                for i, j in enumerate(self.basis.left_out)
            },
        )

    def _inverse(self) -> Float[Tensor, "k k"]:
        """T Z T': sums of squares on the diagonal, so that float64 loses nothing."""
        inner = self.found.solution[0][:, self.left_out + 1 :]
        covariance = self.basis.inverse @ ((inner + inner.T) / 2) @ self.basis.inverse.T
        return (covariance + covariance.T) / 2

    def _square(self, theta: Pair) -> float:
        """Residual sum of squares of the response."""
        k, m = len(self.basis.kept), self.left_out
        return residual_square(self.rows, self.normal, _spread(self._phi(0, m + 1), m, torch.arange(k), k + m), theta)


def _spread(x: Pair, column: int, places: Tensor, size: int) -> Pair:
    """One column with its entries at given places among zeros, (size, 1)."""
    out = torch.zeros(2, size, 1, dtype=torch.float64)
    out[0, places, 0], out[1, places, 0] = x[0][:, column], x[1][:, column]
    return out[0], out[1]
