"""Wald tests of hypotheses that are written as text, and of whole terms.

A hypothesis R theta = r of q independent rows is tested by

    W = (R theta - r)' (R C R')^-1 (R theta - r),

chi-squared with q degrees of freedom where the fit's tests are normal ones, and F = W / q with (q, df) where they are
t tests [1].

References
----------
.. [1] C. R. Rao, "Linear Statistical Inference and Its Applications", 2nd ed. (1973), section 4b,
   doi:10.1002/9780470316436.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import FormulaError, NotAvailableError
from thalweg.inference.distributions import upper
from thalweg.inference.hypothesis_text import parse

if TYPE_CHECKING:
    from thalweg.result import Fit

SINGULAR = 1e-12  # smallest ratio of pivots at which rows of R, or the matrix R C R', count as independent

__all__ = ["WaldTest", "parse", "slopes_test", "term_tests", "wald"]


@final
@dataclass(frozen=True)
class WaldTest:
    """The outcome of a Wald test.

    Attributes
    ----------
    statistic : float
        F where `df_denominator` is a number, else chi-squared; NaN where `note` says why there is none.
    df : int
        Independent restrictions.
    df_denominator : float or None
    p_value : float
    text : str
        The hypothesis, or the name of the term.
    note : str
    """

    statistic: float
    df: int
    df_denominator: float | None
    p_value: float
    text: str
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return f"{self.text}: no test ({self.note})"
        if self.df_denominator is None:
            return f"{self.text}: chi2({self.df}) = {self.statistic:.6g}, p = {self.p_value:.4g}"
        return f"{self.text}: F({self.df}, {self.df_denominator:g}) = {self.statistic:.6g}, p = {self.p_value:.4g}"


def wald(fit: Fit, text: str) -> WaldTest:
    """Test a hypothesis about named coefficients.

    Parameters
    ----------
    fit : Fit
    text : str
        Linear restrictions, separated by commas: ``"bmi = bp"``, ``"2*bmi - bp = 3"``, ``"bmi = bp = 0"``,
        ``"C(sex)[T.2] = 0, bp = 1"``.

    Returns
    -------
    WaldTest

    Raises
    ------
    FormulaError
        A name that is no coefficient, a product of coefficients, restrictions that contradict each other.
    NotAvailableError
        A coefficient without an estimate or a standard error takes part, or the fit has no covariance; the text says
        why.
    """
    matrix, right = _independent(*parse(text, fit.names), text)
    used = matrix.ne(0).any(0)
    for name, column in zip(fit.names, used.tolist(), strict=True):
        if column and name in fit.aliased:
            raise NotAvailableError(f"{name!r} has no estimate: {fit.aliased[name]}", where=f"hypothesis {text!r}")
        if column and name in fit.held:
            where = f"hypothesis {text!r}"
            raise NotAvailableError(f"{name!r} has no standard error: {fit.held[name]}", where=where)
    outcome = _test(fit, matrix, right, text)
    if outcome.note:
        raise NotAvailableError(f"there is no test of {text!r}: {outcome.note}")
    return outcome


def term_tests(fit: Fit) -> list[WaldTest]:
    """For each term, the test that all its coefficients are zero while the others stay ("type III").

    Aliased coefficients take no part. A term that cannot be tested comes with NaN and a note.
    """
    tests = []
    for term in fit.spec.terms:
        columns = range(*term.slice.indices(len(fit.names)))
        kept = [i for i in columns if fit.names[i] not in fit.aliased]
        if not kept:
            tests.append(WaldTest(math.nan, 0, fit.df, math.nan, term.name, "all its coefficients are aliased"))
            continue
        matrix = torch.eye(len(fit.names), dtype=torch.float64)[kept]
        tests.append(_test(fit, matrix, matrix.new_zeros(len(kept)), term.name))
    return tests


def slopes_test(fit: Fit) -> WaldTest:
    """The test that all coefficients but the intercept are zero, with the covariance of the fit.

    With the model's covariance of least squares it is the overall F test. Aliased coefficients take no part.
    """
    kept = [i for i, name in enumerate(fit.names) if name not in fit.aliased and name != "Intercept"]
    if not kept:
        return WaldTest(math.nan, 0, fit.df, math.nan, "all slopes", "no coefficient besides the intercept")
    matrix = torch.eye(len(fit.names), dtype=torch.float64)[kept]
    return _test(fit, matrix, matrix.new_zeros(len(kept)), "all slopes")


def _test(fit: Fit, matrix: Float[Tensor, "q p"], right: Float[Tensor, "q"], text: str) -> WaldTest:
    q = matrix.shape[0]

    def absent(note: str) -> WaldTest:
        return WaldTest(math.nan, q, fit.df, math.nan, text, note)

    if fit.separation is not None:
        return absent(fit.separation.sentence)
    if fit.covariance is None:
        return absent(fit.covariance_reason or "the fit has no covariance")
    used = matrix.ne(0).any(0)
    r = matrix[:, used]
    gap = r @ fit.theta.cpu()[used] - right
    spread = r @ fit.covariance.cpu()[used][:, used] @ r.T
    statistic = _quadratic(gap, spread)
    if statistic is None:
        return absent(f"the covariance of its {q} restrictions has a lower rank (too few clusters, or a perfect fit)")
    if fit.df is None:
        return WaldTest(statistic, q, None, upper(statistic, q, None), text)
    return WaldTest(statistic / q, q, fit.df, upper(statistic / q, q, fit.df), text)


def _quadratic(gap: Float[Tensor, "q"], spread: Float[Tensor, "q q"]) -> float | None:
    """gap' spread^-1 gap, through the correlation matrix so that units do not matter; None where it is singular."""
    size = spread.diagonal().sqrt()
    if not bool((size > 0).all()):
        return None
    factor, failed = torch.linalg.cholesky_ex(spread / size[:, None] / size)
    if int(failed) or float(factor.diagonal().min()) ** 2 < SINGULAR:
        return None
    whitened = torch.linalg.solve_triangular(factor, (gap / size)[:, None], upper=False)
    return float(whitened.square().sum())


def _independent(matrix: Tensor, right: Tensor, text: str) -> tuple[Tensor, Tensor]:
    """Rows that say something new; a row that contradicts the earlier ones is an error."""
    basis: list[Tensor] = []  # orthonormal rows of [R r] in the space of R
    kept = []
    for i, row in enumerate(torch.cat([matrix, right[:, None]], 1)):
        size = float(row[:-1].norm())
        rest = row / size
        for earlier in basis:
            rest = rest - (rest[:-1] @ earlier[:-1]) * earlier
        left = float(rest[:-1].norm())
        if left > SINGULAR**0.5:
            basis.append(rest / left)
            kept.append(i)
        elif abs(float(rest[-1])) > SINGULAR**0.5 * max(1.0, abs(float(right[i])) / size):
            raise FormulaError("the restrictions contradict each other", where=f"hypothesis {text!r}")
    return matrix[kept], right[kept]
