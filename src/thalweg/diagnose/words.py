"""How a diagnosis writes numbers: as many digits as a learner sets, counts with their thousands."""

from __future__ import annotations

import math

MOMENTUM = 0.99999  # the largest that is written: as many digits as are shown
MOST = 1e9  # steps beyond which a count is only said to be larger


def short(value: float) -> str:
    """Three significant digits.

    Examples
    --------
    >>> [short(v) for v in (0.056603, 12.04, 1.0, 2e-6, 1234.0, float("inf"))]
    ['0.0566', '12', '1', '2e-06', '1,230', 'inf']
    """
    shown = f"{value:.3g}"
    if not math.isfinite(value) or not 1000 <= abs(float(shown)) <= 1e6:  # as shown: a rounding decides nothing
        return shown
    return f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.0f}"


def times(factor: float) -> str:
    """A factor, with the digits that tell it from 1.

    Examples
    --------
    >>> times(12.04), times(1.000123)
    ('12x', '1.00012x')
    """
    if 0 < abs(factor - 1) < 0.1:
        return f"{factor:.{min(2 - math.floor(math.log10(abs(factor - 1))), 12)}g}x"
    return f"{short(factor)}x"


def by_step(factor: float) -> str:
    """How a loss that is multiplied by a factor at each step grows.

    Examples
    --------
    >>> by_step(12.04), by_step(float("inf"))
    ('12x a step', 'without bound')
    """
    return f"{times(factor)} a step" if math.isfinite(factor) else "without bound"


def count(steps: float, what: str = "step") -> str:
    """A number of things with its noun.

    Examples
    --------
    >>> [count(v) for v in (1, 3910, float("inf"), 1e12)]
    ['1 step', '3,910 steps', 'infinitely many steps', 'more than 1e9 steps']
    """
    if steps == math.inf:
        return f"infinitely many {what}s"
    if steps > MOST:
        return f"more than 1e9 {what}s"
    return f"{int(steps):,} {what}" + ("" if steps == 1 else "s")


def settable_rate(rate: float) -> float:
    """A rate cut to three significant digits: what is told is what is meant, and no limit is passed by rounding.

    Examples
    --------
    >>> settable_rate(0.056699), settable_rate(0.5), settable_rate(0.1 + 0.2)
    (0.0566, 0.5, 0.3)
    """
    if not 0 < rate < math.inf:
        return rate
    nearest = float(f"{rate:.3g}")
    if nearest <= rate * (1 + 1e-9):
        return nearest
    places = 2 - math.floor(math.log10(rate))
    return float(f"{nearest - 10.0**-places:.3g}")


def settable_pair(rate: float, momentum: float) -> tuple[float, float]:
    """The same of a rate and its momentum, whose distance from 1 is what counts: two digits of that.

    Examples
    --------
    >>> settable_pair(0.0517, 0.79629), settable_pair(1e-4, 0.99987654)
    ((0.0517, 0.8), (0.0001, 0.99988))
    >>> settable_pair(0.1, 0.9999999)  # what six digits do not tell from 1 is not set
    (0.0999, 0.99999)
    """
    if momentum >= MOMENTUM:  # the rate that is stable falls with it, as 1 + momentum
        return settable_rate(rate * (1 + MOMENTUM) / (1 + momentum)), MOMENTUM
    left = 1 - momentum
    places = 1 - math.floor(math.log10(left)) if left > 0 else 0
    cut = math.floor(left * 10.0**places) / 10.0**places
    return settable_rate(rate), round(1 - cut, max(places, 0)) if momentum > 0 else 0.0


def digits_apart(value: float, least: float, most: int = 12) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to tell them apart, three at least.

    Examples
    --------
    >>> digits_apart(9.43, 8.86), digits_apart(8.8561234, 8.8560987)
    (('9.43', '8.86'), ('8.856123', '8.856099'))
    """
    gap = abs(value - least) / max(abs(value), abs(least), 1e-300)
    digits = min(max(3, math.ceil(-math.log10(gap)) + 1 if gap > 0 else 3), most)
    return f"{value:.{digits}g}", f"{least:.{digits}g}"
