"""The test of a fit against a larger one that holds it as a special case.

With D the deviance (the sum of squares of least squares), p the number of estimated parameters, and fit 1 inside fit 2:

    dispersion estimated     F = ((D1 - D2) / (p2 - p1)) / phi2,    F(p2 - p1, n - p2)                       [1], [2]
    dispersion known         D1 - D2 = 2 (log L2 - log L1),         chi-squared(p2 - p1)

phi2 is the dispersion of the larger fit. For lines and least squares F is exact; for curves and other families it holds
as far as their likelihoods are near to quadratic, which is farther than Wald's test does.

A curve that was fitted to each group for itself (`Fits`) is the model without shared parameters: its sums of squares,
parameters and degrees of freedom are those of its groups together, and the groups have one variance.

References
----------
.. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications" (1988), section 3.10.1,
   doi:10.1002/9780470316757.
.. [2] P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed. (1989), section 2.3, doi:10.1201/9780203753736.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError, tell
from thalweg.inference.distributions import upper
from thalweg.inference.nested_sides import SAME, Side, check_same, is_comparable, side_of

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits
    from thalweg.result import Fit


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


def compare(one: Fit | Fits, *others: Fit | Fits) -> NestedTest:
    """Test the smaller of two fits against the larger; the order does not matter.

    Parameters
    ----------
    one, other : Fit or Fits
        Of the same rows, with the same response, weights, family and link; formulas and curves may be mixed. That the
        smaller is a special case of the larger (some parameter 0, or equal to another) cannot be seen from the fits: it
        is for you to know.

    Raises
    ------
    OptionError
        Fits of different rows, responses, weights or families, or with as many parameters; not two fits.
    NotAvailableError
        A loss or weights without a likelihood, a covariance that is robust because the model's variance is not
        believed, a group without estimates, or a larger fit that is not at its minimum.

    Warns
    -----
    ConvergenceWarning : one of the fits has not converged.
    """
    sides = _sides(one, others)
    check_same(*sides)
    for side in sides:
        _check_likelihood(side.fit)
    small, large = sorted(sides, key=lambda side: side.parameters)
    more = large.parameters - small.parameters
    if more < 0.5:
        raise OptionError(
            f"both fits have {small.parameters:g} parameters: neither can lie inside the other",
            advice="Compare their AIC.",
        )
    fall = large.below(small)
    if fall < -SAME * abs(small.deviance):
        raise NotAvailableError(
            f"the fit with more parameters, {large.text!r}, is worse by {-fall:.4g}: it is not at its minimum, or"
            " does not hold the other inside it",
            advice="Fit it again, starting at the parameters of the smaller.",
        )
    _warn_of_ending(sides)
    return _outcome(small, large, round(more), max(fall, 0.0))


def _sides(one: Fit | Fits, others: Sequence[Fit | Fits]) -> list[Side]:
    """Both fits, or why they are not two."""
    if len(others) != 1:
        raise OptionError(
            f"compare() of {1 + len(others)} fits", advice="It tests two: a.compare(b), and then b.compare(c)."
        )
    for other in others:
        if not is_comparable(other):
            raise OptionError(f"{other!r} is no fit", advice="Compare two results of thalweg.fit.")
    return [side_of(one), side_of(others[0])]


def _warn_of_ending(sides: Sequence[Side]) -> None:
    unsure = [f"{side.text} ({side.unsure})" for side in sides if side.unsure]
    if unsure:
        what = f"not at a minimum: {'; '.join(unsure)}. The test is of what these fits ended at"
        tell(ConvergenceWarning(what))


def _outcome(small: Side, large: Side, more: int, fall: float) -> NestedTest:
    text, aic = f"{small.text} inside {large.text}", large.aic(small)
    if large.fixed_dispersion is not None:
        statistic = fall / large.fixed_dispersion
        return NestedTest(statistic, more, None, upper(statistic, more, None), aic, text)
    if math.isnan(large.dispersion):
        raise NotAvailableError(f"there is no test: {large.dispersion_reason}")
    scale = more * large.dispersion
    statistic = fall / scale if scale > 0 else math.inf if fall > 0 else math.nan
    return NestedTest(statistic, more, large.df_residual, upper(statistic, more, large.df_residual), aic, text)


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
