"""What is known of a least squares problem at one moment, in four qualities.

- `cholesky`: from normal equations in float64;
- `cholesky_twice`: from those of the columns that the first Cholesky factor has brought near orthogonal, in float64;
- `refined`: from normal equations in doubled precision, refined to their fixed point;
- `thalweg.solvers.orthogonal`: the same in a basis of near orthogonal columns, where the normal equations as they are
  would lose too many digits or columns are combinations of others.

The last two give coefficients, their unscaled covariance and the residual sum of squares to the last digit of a
float64, as far as the data determine them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.doubled import cross, shifted
from thalweg.error_free import Pair, two_prod
from thalweg.errors import DataError
from thalweg.objective import Objective
from thalweg.solvers.factor import Factor, condition_number, factored, triangle_inverse
from thalweg.solvers.normal import DoubledRows, Normal, transformed
from thalweg.solvers.refine import Refined, refine

FLOOR = 2.0**-95  # rounding of z'z - theta'X'z in doubled precision, relative to its terms
EXACT = 2.0**-52  # relative error of a residual sum of squares at which it is summed from the residuals themselves


@final
@dataclass(frozen=True)
class Estimate:
    """Coefficients of the scaled columns with what goes with them.

    Attributes
    ----------
    theta : Tensor, (p,)
        Coefficients of the scaled problem; 0 for left-out columns.
    inverse : Tensor, (p, p)
        (X'WX)^-1 of the scaled problem, with zeros for left-out columns.
    square : float
        Residual sum of squares of the scaled problem.
    shift : Tensor of int, (p + 1,)
        The scaling.
    condition : float
        Condition number of the scaled columns, from the 1-norm of their Gram matrix; inf where unknown.
    method : str
        "cholesky", "cholesky twice", "cholesky+refined" or "qr+refined".
    turns : int
        Refinements.
    fixed : bool
        Whether refinement came to its fixed point.
    combinations : dict of int to dict of int to float
        Left-out columns as combinations of others, in the data's own units.
    """

    theta: Float[Tensor, "p"]
    inverse: Float[Tensor, "p p"]
    square: float
    shift: Int[Tensor, "q"]
    condition: float
    method: str
    turns: int = 0
    fixed: bool = True
    combinations: dict[int, dict[int, float]] = field(default_factory=dict)

    def coefficients(self) -> Float[Tensor, "p"]:
        """theta in the data's own units.

        Raises
        ------
        DataError
            A coefficient is beyond the range of float64.
        """
        return _unscaled(self.theta, self.shift[:-1] - self.shift[-1], "coefficient")

    def unscaled_covariance(self) -> Float[Tensor, "p p"]:
        """(X'WX)^-1 in the data's own units.

        Raises
        ------
        DataError
            A variance is beyond the range of float64.
        """
        shift = self.shift[:-1]
        _unscaled(self.inverse.diagonal(), 2 * shift, "unscaled variance")
        return shifted(shifted(self.inverse, shift[:, None]), shift)

    def residual_square(self) -> float:
        """The residual sum of squares in the data's own units.

        Raises
        ------
        DataError
            It is beyond the range of float64.
        """
        value = float(shifted(torch.tensor(self.square, dtype=torch.float64), -2 * self.shift[-1]))
        if value == float("inf") or (value == 0 and self.square > EXACT):
            raise DataError(
                "the sum of squared residuals is beyond the range of float64",
                where=f"a response of size 2^{-int(self.shift[-1])}",
                advice="Divide the response by a power of ten.",
            )
        return value


def _unscaled(x: Float[Tensor, "p"], shift: Int[Tensor, "p"], what: str) -> Float[Tensor, "p"]:
    out = shifted(x, shift)
    lost = ~torch.isfinite(out) | ((out == 0) & (x != 0))
    if bool(lost.any()):
        column = int(lost.nonzero()[0, 0])
        raise DataError(
            f"the {what} of a column is beyond the range of float64 (1e-308 to 1e308)",
            where=f"design column {column + 1}",
            advice="Divide the column, or the response, by a power of ten.",
        )
    return out


def cholesky(normal: Normal, factor: Factor) -> Estimate:
    """Coefficients from the normal equations in float64."""
    s = normal.matrix
    theta = factor.inverse @ s[:-1, -1]
    square = float((s[-1, -1] - theta @ s[:-1, -1]).clamp_min(0))
    return Estimate(theta, factor.inverse, square, normal.shift, factor.condition**0.5, "cholesky")


def cholesky_twice(objective: Objective, normal: Normal) -> tuple[Estimate, Factor]:
    """Coefficients by CholeskyQR2, and the better inverse as a factor; one reading.

    With S = L L' from a first reading, the columns X L^-T are orthogonal but for cond(S) 2^-53, and their normal
    equations lose nothing more: errors are those of a QR factorization (Yamamoto et al., ETNA 44 (2015), 306-326).
    """
    p = normal.shift.shape[0] - 1
    inverse = triangle_inverse(torch.linalg.cholesky(normal.matrix[:p, :p]).T)
    s = transformed(objective, normal.shift, torch.block_diag(inverse, torch.ones(1, 1, dtype=torch.float64)))
    inner = factored(s[:p, :p])
    if inner is None:
        raise ArithmeticError("the columns are not near orthogonal")
    phi = inner.inverse @ s[:p, p]
    covariance = inverse @ inner.inverse @ inverse.T
    covariance = (covariance + covariance.T) / 2
    condition = condition_number(normal.matrix[:p, :p], covariance)
    square = float((s[p, p] - phi @ s[:p, p]).clamp_min(0))
    found = Estimate(inverse @ phi, covariance, square, normal.shift, condition**0.5, "cholesky twice")
    return found, Factor(covariance, condition)


def nothing(normal: Normal) -> Estimate:
    """All coefficients 0: before anything is known."""
    p = normal.matrix.shape[0] - 1
    zero = torch.zeros(p, p, dtype=torch.float64)
    return Estimate(zero[0], zero, float(normal.matrix[-1, -1]), normal.shift, float("inf"), "none")


def refined(rows: DoubledRows, normal: Pair, factor: Factor) -> Estimate:
    """Coefficients from the normal equations in doubled precision."""
    found = regress(normal, factor)
    theta, inverse = (found.solution[0][:, :1], found.solution[1][:, :1]), found.solution[0][:, 1:]
    square = residual_square(rows, normal, theta, theta)
    symmetric = (inverse + inverse.T) / 2
    condition = factor.condition**0.5
    return Estimate(
        theta[0][:, 0], symmetric, square, rows.shift, condition, "cholesky+refined", found.turns, found.fixed
    )


def regress(normal: Pair, factor: Factor) -> Refined:
    """Of the first k columns of the normal equations, [coefficients of each other column on them, their inverse]."""
    k = factor.inverse.shape[0]
    eye = torch.eye(k, dtype=torch.float64)
    right = torch.cat([normal[0][:k, k:], eye], 1), torch.cat([normal[1][:k, k:], eye.new_zeros(k, k)], 1)
    return refine((normal[0][:k, :k], normal[1][:k, :k]), right, factor)


def _quadratic(normal: Pair, v: Pair) -> float:
    """v'S v: S v in doubled precision, and its product with v from error-free terms, summed exactly."""
    u = cross(normal, v)
    high, error = two_prod(v[0], u[0])
    terms = torch.cat([high, error, v[0] * u[1], v[1] * u[0]])
    return math.fsum(terms[:, 0].tolist())


def residual_square(rows: DoubledRows, normal: Pair, inner: Pair, theta: Pair) -> float:
    """|z - X theta|^2 by [-theta, 1]'S[-theta, 1], or from the residuals where that would cancel.

    `inner` are the coefficients in the basis of `normal`, `theta` those of the columns.
    """
    v = _with_one(inner)
    square = _quadratic(normal, v)
    rounding = FLOOR * float(v[0].abs().sum()) ** 2 * float(normal[0].diagonal().max())
    return square if rounding <= EXACT * square else rows.residual_square(_with_one(theta))


def _with_one(theta: Pair) -> Pair:
    """[-theta, 1]."""
    one = theta[0].new_ones(1, 1)
    return torch.cat([-theta[0], one]), torch.cat([-theta[1], 0 * one])
