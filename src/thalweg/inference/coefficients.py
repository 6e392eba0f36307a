"""The table of coefficients: estimate, standard error, t or z, p-value and interval, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from thalweg.inference.distributions import check_level, quantile, two_sided

if TYPE_CHECKING:
    from thalweg.result import Fit

NAN = math.nan


@final
@dataclass(frozen=True)
class Row:
    """One coefficient.

    Attributes
    ----------
    name : str
    estimate, std_error, statistic, p_value : float
        statistic = estimate / std_error, of Student's t with the fit's `df` degrees of freedom, or normal where that is
        None; the p-value is two-sided.
    low, high : float
        Ends of the Wald interval.
    note : str
        Why numbers are absent (NaN); empty where none is.
    """

    name: str
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    low: float
    high: float
    note: str = ""


def coefficient_table(fit: Fit, level: float | None = None) -> list[Row]:
    """One row per design column, in order.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        Of the intervals, in (0, 1); the fit's own where it is None.

    Raises
    ------
    OptionError
        A level outside (0, 1).
    """
    level = fit.level if level is None else level
    check_level(level)
    width = quantile(level, fit.df)
    variances = None if fit.covariance is None else fit.covariance.diagonal().tolist()
    rows = []
    for i, (name, estimate) in enumerate(zip(fit.names, fit.theta.tolist(), strict=True)):
        note = _no_estimate(fit, name)
        if note:
            rows.append(Row(name, NAN, NAN, NAN, NAN, NAN, NAN, note))
        elif name in fit.held:
            rows.append(Row(name, estimate, NAN, NAN, NAN, NAN, NAN, fit.held[name]))
        elif variances is None or not variances[i] >= 0:
            rows.append(Row(name, estimate, NAN, NAN, NAN, NAN, NAN, _no_error(fit, variances, i)))
        else:
            rows.append(_row(name, estimate, math.sqrt(variances[i]), width, fit.df))
    return rows


def _row(name: str, estimate: float, error: float, width: float, df: float | None) -> Row:
    """A coefficient that has everything. A standard error of 0 (a perfect fit) makes an infinite statistic."""
    infinite = math.copysign(math.inf, estimate) if estimate else NAN
    statistic = estimate / error if error > 0 else infinite
    half = width * error
    return Row(name, estimate, error, statistic, two_sided(statistic, df), estimate - half, estimate + half)


def _no_estimate(fit: Fit, name: str) -> str:
    """Why a coefficient has no estimate, or nothing."""
    if name in fit.aliased:
        return f"aliased: {fit.aliased[name]}"
    if fit.separation is None:
        return ""
    return "separated: no finite estimate" if name in fit.separation.direction else ""


def _no_error(fit: Fit, variances: list[float] | None, i: int) -> str:
    """Why a coefficient has an estimate and no standard error."""
    if fit.separation is not None:
        return "the fit is separated"
    if fit.covariance_reason:
        return fit.covariance_reason
    if variances is not None and variances[i] < 0:
        return "the covariance is not positive: the fit is not at a minimum"
    return "no covariance"
