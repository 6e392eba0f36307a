"""Wald intervals: estimate ± quantile * standard error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.distributions import quantile

if TYPE_CHECKING:
    from thalweg.result import Fit


def wald_interval(estimate: float, std_error: float, level: float, df: float | None) -> tuple[float, float]:
    """The two ends; df degrees of freedom of the t distribution, None for the normal one.

    Examples
    --------
    >>> low, high = wald_interval(1.0, 0.5, 0.95, None)
    >>> round(low, 4), round(high, 4)
    (0.02, 1.98)
    """
    if math.isnan(estimate) or math.isnan(std_error):
        return math.nan, math.nan
    half = quantile(level, df) * std_error
    return estimate - half, estimate + half


def intervals(fit: Fit, level: float | None = None) -> dict[str, tuple[float, float]]:
    """Confidence interval of each coefficient, by name; (NaN, NaN) where there is none.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        In (0, 1); the fit's own level where it is None.
    """
    return {row.name: (row.low, row.high) for row in coefficient_table(fit, level)}
