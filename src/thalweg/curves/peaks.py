"""Where the peaks of a sum may be: starts for several of them at once.

Placed one after the other, the first of two peaks that overlap takes the room of both, and the second is then sought in
what it leaves. Here the peaks are read off the smoothed rows, and any of them may belong to any term:

    1. rows in the order of x, smoothed by a Gaussian window of some widths; their local maxima, and those of -y
    2. each has a prominence and a width at half of it (scipy.signal.find_peaks); the most prominent are kept
    3. every choice of as many of them as there are terms is a candidate; the heights are solved for by who screens them
"""

from __future__ import annotations

from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import NamedCurve

SHAPES = {"gaussian": ("mu", {"s": 0.4247}), "lorentzian": ("x0", {"g": 0.5}), "voigt": ("mu", {"s": 0.25, "g": 0.25})}
"""Of each peak its place, and its widths as parts of the full width at half maximum."""

WINDOWS = (0.004, 0.012, 0.03)  # standard deviations of the windows, of the number of rows
KEPT = 9  # places
CHOICES = 200  # candidates


class Peak(NamedTuple):
    """A maximum of the smoothed rows: where, its full width at half its prominence, and that prominence."""

    place: float
    width: float
    prominence: float


def is_peak(curve: NamedCurve) -> bool:
    """Whether a curve has a place and a width."""
    return curve.name in SHAPES


def peaks(x: Float[ndarray, "n"], y: Float[ndarray, "n"]) -> list[Peak]:
    """Points 1 and 2, the most prominent first; a dip between two peaks is one of -y.

    Examples
    --------
    >>> x = np.linspace(0, 10, 200)
    >>> found = peaks(x, np.exp(-((x - 3) ** 2)) + 0.5 * np.exp(-((x - 7) ** 2) / 0.5))
    >>> [round(peak.place, 1) for peak in found[:2]]
    [3.0, 7.0]
    """
    from scipy.ndimage import gaussian_filter1d

    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    found: list[Peak] = []
    for window in WINDOWS:
        smooth = gaussian_filter1d(y, max(window * y.size, 0.5))
        for sign in (1.0, -1.0):
            found += _maxima(x, sign * smooth)
    kept: list[Peak] = []
    for peak in sorted(found, key=lambda each: -each.prominence):
        if all(abs(peak.place - other.place) > 0.25 * min(peak.width, other.width) for other in kept):
            kept.append(peak)
    least = 0.02 * (kept[0].prominence if kept else 0.0)
    return [peak for peak in kept if peak.prominence > least][:KEPT]


def _maxima(x: Float[ndarray, "n"], y: Float[ndarray, "n"]) -> list[Peak]:
    from scipy.signal import find_peaks, peak_widths  # with scipy.stats behind it, which takes a while

    at, known = find_peaks(y, prominence=0.0)
    if not at.size:
        return []
    _, _, left, right = peak_widths(y, at, rel_height=0.5)
    rows = np.arange(x.size)
    width = np.interp(right, rows, x) - np.interp(left, rows, x)
    least = (x[-1] - x[0]) / x.size or 1.0
    return [
        Peak(float(p), float(max(w, least)), float(h))
        for p, w, h in zip(x[at], width, known["prominences"], strict=True)
    ]


def choices(
    curves: list[tuple[NamedCurve, tuple[str, ...]]], x: Float[ndarray, "n"], y: Float[ndarray, "n"]
) -> list[dict[str, float]]:
    """Point 3: values of the places and widths of some peaks of one variable.

    Parameters
    ----------
    curves : list of (NamedCurve, names)
        With the names that its parameters have in the expression.
    x, y : ndarray, (n,)
    """
    found = peaks(x, y)
    if len(found) < len(curves):
        return []
    return [_values(curves, chosen) for chosen in islice(combinations(found, len(curves)), CHOICES)]


def _values(curves: list[tuple[NamedCurve, tuple[str, ...]]], chosen: tuple[Peak, ...]) -> dict[str, float]:
    values: dict[str, float] = {}
    for (curve, names), peak in zip(curves, sorted(chosen), strict=True):
        own = dict(zip(curve.parameters, names, strict=True))
        place, widths = SHAPES[curve.name]
        values[own[place]] = peak.place
        values |= {own[name]: share * peak.width for name, share in widths.items()}
        values |= {own[name]: peak.prominence for name in ("a",)}
    return values
