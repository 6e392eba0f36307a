"""The numbers of a whole fit as they may be shown: F beside the errors that it belongs to, and none that has no value.

`fit.statistics` holds what the coefficients give. Two things depend on more than that: F is that of the fit's own
covariance, and completely separated data have no deviance or likelihood besides their limits, which the coefficients
at which a solver stopped do not reach. A solve that stopped on its way has no F, AIC or BIC either.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from thalweg.inference.hypotheses import slopes_test
from thalweg.inference.statistics import is_least_squares

if TYPE_CHECKING:
    from thalweg.inference.statistics import Statistics
    from thalweg.result import Fit

SEPARATED = "the data are separated"
_LIMITS = (
    "rss",
    "deviance",
    "pearson_chi2",
    "log_likelihood",
    "aic",
    "bic",
    "r2_mcfadden",
    "r2_deviance",
)  # of completely separated data: they are still on their way where the solver stops


_OF_THE_OPTIMUM = ("f_statistic", "f_pvalue", "aic", "bic")  # not of coefficients on the way there


def statistics(fit: Fit) -> Statistics:
    """A fit's statistics with the F of its own covariance, and without those that the coefficients do not give.

    Separation leaves some of them undetermined; a solve that stopped short of the optimum has no F, AIC and BIC.

    Examples
    --------
    >>> import thalweg as tw
    >>> fit = tw.fit("progression ~ bmi", "diabetes", covariance="HC1")
    >>> round(fit.statistics.f_statistic, 2), round(statistics(fit).f_statistic, 2)
    (230.65, 277.64)
    """
    shown = fit.statistics
    if fit.unscaled is None and fit.separation is None:
        short: dict[str, Any] = dict.fromkeys(_OF_THE_OPTIMUM, math.nan)
        reasons = {**shown.reasons, **dict.fromkeys(_OF_THE_OPTIMUM, fit.covariance_reason or "")}
        return replace(shown, reasons=reasons, **short)
    if is_robust(fit) and is_least_squares(fit.family):
        shown = _with_wald_f(fit, shown)
    if fit.separation is not None and fit.separation.complete:
        reasons = {**shown.reasons, **dict.fromkeys(_LIMITS, SEPARATED)}
        gone: dict[str, Any] = dict.fromkeys(_LIMITS, math.nan)
        shown = replace(shown, reasons=reasons, **gone)
    return shown


def is_robust(fit: Fit) -> bool:
    """Whether the standard errors are not those of the model."""
    return fit.covariance_kind != "model"


def _with_wald_f(fit: Fit, known: Statistics) -> Statistics:
    """Wald's F of all slopes; the model's own F rests on the variance that robust errors do not believe."""
    test = slopes_test(fit)
    names = ("f_statistic", "f_pvalue")
    reasons = {name: reason for name, reason in known.reasons.items() if name not in names}
    if test.note:
        reasons |= dict.fromkeys(names, test.note)
    return replace(known, f_statistic=test.statistic, f_pvalue=test.p_value, reasons=reasons)


def figures(fit: Fit) -> dict[str, Any]:
    """The statistics by name, for JSON: n is an integer where it is whole (weights can make it a fraction)."""
    return asdict(statistics(fit)) | {"n": whole(fit.statistics.n)}


def whole(number: float) -> int | float:
    """An integer where the number is one.

    Examples
    --------
    >>> whole(442.0), whole(17.5)
    (442, 17.5)
    """
    return int(number) if float(number).is_integer() else number


def is_zero_one(fit: Fit) -> bool | None:
    """Whether every response of a binomial fit is 0 or 1; None where it cannot be told.

    A row's log-likelihood at mu = y is 0 for y = 0 and y = 1 and negative between, and the fit's is that of all rows
    less half the deviance: no row needs to be read, and a loaded model knows it too.
    """
    likelihood, half = fit.statistics.log_likelihood, fit.statistics.deviance / 2
    if not math.isfinite(likelihood) or not math.isfinite(half):
        return None
    return abs(likelihood + half) <= 1e-11 * max(abs(half), 1.0)
