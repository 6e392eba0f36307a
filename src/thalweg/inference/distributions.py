"""Tail probabilities and quantiles, accurate far out.

Each takes `df`, the degrees of freedom of a t (or the denominator of an F) distribution; None stands for the normal
(or chi-squared) one. scipy is imported on first use.
"""

from __future__ import annotations

import math

from thalweg.errors import OptionError


def two_sided(statistic: float, df: float | None) -> float:
    """P(|T| >= |statistic|), T of Student's t with df degrees of freedom, or standard normal.

    Computed from the tail's own series and never as 1 - cdf, so that its relative accuracy holds down to the smallest
    float64. NaN for a statistic or df that is NaN, or df <= 0.

    Examples
    --------
    >>> round(two_sided(1.959963984540054, None), 12)
    0.05
    >>> 1e-300 < two_sided(37.0, None) < 1e-298
    True
    """
    from scipy import special

    t = abs(statistic)
    if df is None:
        return float(special.erfc(t / math.sqrt(2.0)))
    if math.isnan(t) or not df > 0:
        return math.nan
    if t * t < min(df, 1.0):  # no tail: the small thing is 1 - p (betaincc loses five digits at arguments near 0)
        return 1 - float(special.betainc(0.5, df / 2, t * t / (df + t * t)))
    if t * t < df:  # the beta function's argument is then below 1/2, hence kept in full: no 1 - tiny
        return float(special.betaincc(0.5, df / 2, t * t / (df + t * t)))
    return float(special.betainc(df / 2, 0.5, df / (df + t * t)))


def upper(statistic: float, df: float, df_denominator: float | None) -> float:
    """P(F >= statistic) of F(df, df_denominator), or of chi-squared(df) where the second is None (F times df then).

    Examples
    --------
    >>> round(upper(3.841458820694124, 1, None), 12)
    0.05
    """
    from scipy import special

    if math.isnan(statistic) or not df > 0 or (df_denominator is not None and not df_denominator > 0):
        return math.nan
    if df_denominator is None:
        return float(special.chdtrc(df, statistic))
    if math.isinf(statistic):
        return 0.0
    total = df_denominator + df * statistic
    if statistic < min(1.0, df_denominator / df):
        return 1 - float(special.betainc(df / 2, df_denominator / 2, df * statistic / total))
    if df * statistic < df_denominator:
        return float(special.betaincc(df / 2, df_denominator / 2, df * statistic / total))
    return float(special.betainc(df_denominator / 2, df / 2, df_denominator / total))


def quantile(level: float, df: float | None) -> float:
    """The number that |T| exceeds with probability 1 - level: 1.96 for level 0.95 and the normal distribution.

    Raises
    ------
    OptionError
        A level outside (0, 1).

    Examples
    --------
    >>> round(quantile(0.95, None), 4), round(quantile(0.95, 10), 4)
    (1.96, 2.2281)
    """
    from scipy import special

    check_level(level)
    if df is None:
        return -float(special.ndtri((1 - level) / 2))
    return -float(special.stdtrit(df, (1 - level) / 2)) if df > 0 else math.nan


def check_level(level: float) -> None:
    """Refuse a level outside (0, 1)."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise OptionError(
            f"the confidence level is {level!r}", advice="Give a number between 0 and 1, as 0.95 for 95 percent."
        )
