"""The test of a fit against a larger one that holds it as a special case.

With D the deviance (the sum of squares of least squares), p the number of estimated parameters, and fit 1 inside fit 2:

    dispersion estimated     F = ((D1 - D2) / (p2 - p1)) / phi2,    F(p2 - p1, n - p2)                       [1], [2]
    dispersion known         D1 - D2 = 2 (log L2 - log L1),         chi-squared(p2 - p1)

phi2 is the dispersion of the larger fit. For lines and least squares F is exact; for curves and other families it holds
as far as their likelihoods are near to quadratic, which is farther than Wald's test does.

References
----------
.. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications" (1988), section 3.10.1,
   doi:10.1002/9780470316757.
.. [2] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed. (1989), section 2.3, doi:10.1201/9780203753736.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from thalweg.errors import NotAvailableError, OptionError
from thalweg.inference.distributions import upper

if TYPE_CHECKING:
    from thalweg.result import Fit

SAME = 1e-9  # relative difference at which sums over the same rows are the same


@final
@dataclass(frozen=True)
class NestedTest:
    """The outcome of a comparison.

    Attributes
    ----------
    statistic : float
        F where `df_denominator` is a number, else chi-squared.
    df : int
        Parameters that the larger fit has more.
    df_denominator : float or None
    p_value : float
        Small where the larger fit describes the data better than chance would let it.
    aic : float
        AIC of the larger fit less that of the smaller; negative where AIC prefers the larger.
    text : str
        The two formulas.
    """

    statistic: float
    df: int
    df_denominator: float | None
    p_value: float
    aic: float
    text: str

    def __str__(self) -> str:
        degrees = f"chi2({self.df})" if self.df_denominator is None else f"F({self.df}, {self.df_denominator:g})"
        aic = f"AIC {self.aic:+.4g}" if math.isfinite(self.aic) else "AIC n/a"
        return f"{self.text}: {degrees} = {self.statistic:.6g}, p = {self.p_value:.4g}, {aic}"


def compare(one: Fit, other: Fit) -> NestedTest:
    """Test the smaller of two fits against the larger; the order does not matter.

    Parameters
    ----------
    one, other : Fit
        Of the same rows, with the same response, weights, family and link; formulas and curves may be mixed. That the
        smaller is a special case of the larger (some parameter 0, or equal to another) cannot be seen from the fits: it
        is for you to know.

    Raises
    ------
    OptionError
        Fits of different rows, responses, weights or families, or with as many parameters.
    NotAvailableError
        A loss or weights without a likelihood, a covariance that is robust because the model's variance is not
        believed, or a larger fit that is not at its minimum.
    """
    _check_same(one, other)
    for fit in (one, other):
        _check_likelihood(fit)
    small, large = sorted((one, other), key=_parameters)
    more = _parameters(large) - _parameters(small)
    if more < 0.5:
        raise OptionError(
            f"both fits have {_parameters(one):g} parameters: neither can lie inside the other",
            advice="Compare their AIC.",
        )
    fall = small.statistics.deviance - large.statistics.deviance
    if fall < -SAME * small.statistics.deviance:
        raise NotAvailableError(
            f"the fit with more parameters, {large.formula!r}, is worse by {-fall:.4g}: it is not at its minimum, or"
            " does not hold the other inside it",
            advice="Fit it again, starting at the parameters of the smaller.",
        )
    return _outcome(small, large, round(more), max(fall, 0.0))


def _parameters(fit: Fit) -> float:
    """How many were estimated."""
    return fit.statistics.n - fit.statistics.df_residual


def _outcome(small: Fit, large: Fit, more: int, fall: float) -> NestedTest:
    known = large.statistics
    text, aic = f"{small.formula} inside {large.formula}", known.aic - small.statistics.aic
    if known.dispersion_method == "fixed":
        statistic = fall / known.dispersion
        return NestedTest(statistic, more, None, upper(statistic, more, None), aic, text)
    if math.isnan(known.dispersion):
        raise NotAvailableError(f"there is no test: {known.reasons.get('dispersion')}")
    scale = more * known.dispersion
    statistic = fall / scale if scale > 0 else math.inf if fall > 0 else math.nan
    return NestedTest(statistic, more, known.df_residual, upper(statistic, more, known.df_residual), aic, text)


def _check_same(one: Fit, other: Fit) -> None:
    """That both are of the same rows, as far as their sums tell."""
    a, b = one.statistics, other.statistics
    responses = (one.spec.response.name, other.spec.response.name)
    if responses[0] != responses[1]:
        raise OptionError(f"the responses differ: {responses[0]} and {responses[1]}")
    if one.family != other.family:
        raise OptionError(f"the families differ: {one.family!r} and {other.family!r}")
    kinds = [fit.options.get("weights_kind", "precision") for fit in (one, other)]
    if kinds[0] != kinds[1]:
        raise OptionError(f"the weights differ in kind: {kinds[0]} and {kinds[1]}")
    if a.n != b.n:
        raise OptionError(
            f"the fits are of different rows: {a.n:g} and {b.n:g}",
            advice="Fit both to the rows that have all columns, as with data.dropna().",
        )
    if not _near(a.weight_sum, b.weight_sum):
        raise OptionError("the weights differ", advice="Fit both with the same weights.")
    offsets = one.spec.roles.offset is not None or other.spec.roles.offset is not None
    if not offsets and not _near(a.null_deviance, b.null_deviance):
        raise OptionError("the fits are of different rows: their responses vary about their means by different sums")


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(abs(a), abs(b)) or (math.isnan(a) and math.isnan(b))


def _check_likelihood(fit: Fit) -> None:
    if fit.family.dispersion_reason is not None:
        raise NotAvailableError(f"there is no test of nested fits: {fit.family.dispersion_reason}")
    if fit.options.get("weights_kind") == "sampling":
        raise NotAvailableError(
            "sampling weights make a pseudo-likelihood, whose differences follow no chi-squared distribution",
            advice="Use wald(), which has the robust covariance.",
        )
    if fit.covariance_kind != "model":
        raise NotAvailableError(
            f"the covariance is {fit.covariance_kind!r}, and this test would rest on the model's variance after all",
            advice="Use wald(), or fit both with covariance='model'.",
        )
    if fit.separation is not None:
        raise NotAvailableError(f"there is no test of nested fits: {fit.separation.sentence}")
