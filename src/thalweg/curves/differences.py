"""Central differences, for functions that nothing else can differentiate.

1. step        h = eps^(1/3) max(|theta_j|, floor), the balance of truncation (h^2) and rounding (eps / h)
2. slope       (f(theta + h) - f(theta - h)) / 2h
3. one side    (-3 f(theta) + 4 f(theta + h) - f(theta + 2h)) / 2h, of the same order, where the other side is beyond
               a bound, or has no finite value
4. a parameter near 0 whose h changes f by less than `NOISE` of it gets a larger one, up to that of its scale

References
----------
.. [1] P. E. Gill, W. Murray, M. H. Wright, "Practical Optimization", Academic Press 1981, section 8.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
NOISE = 1e-9  # change of f, relative to it: seven digits of the difference are then rounding
LARGER = 1000.0

Call = Callable[[Sequence[Any]], np.ndarray]
"""Parameters -> the curve, (n,)."""


@final
class Differences:
    """The Jacobian of a function by its values.

    Parameters
    ----------
    call : callable
    scales : sequence of float
        What each parameter is of the order of: its start, or 1.
    lower, upper : sequence of float, optional
        Where the function may not be called below or above.
    rounding : float
        eps of the function's values: 1.2e-7 of one that computes in float32.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0])
    >>> slopes = Differences(lambda t: np.exp(t[0] * x), [1.0])([0.5], np.exp(0.5 * x))
    >>> bool(np.allclose(slopes, x * np.exp(0.5 * x), rtol=1e-9))
    True
    """

    def __init__(
        self,
        call: Call,
        scales: Sequence[float],
        lower: Sequence[float] | None = None,
        upper: Sequence[float] | None = None,
        rounding: float = EPSILON,
    ) -> None:
        self.step, self.noise = rounding ** (1 / 3), NOISE * (rounding / EPSILON) ** (2 / 3)
        self.call, self.scales = call, scales
        self.lower = [-np.inf] * len(scales) if lower is None else list(lower)
        self.upper = [np.inf] * len(scales) if upper is None else list(upper)

    def __call__(self, theta: Sequence[Any], value: np.ndarray) -> np.ndarray:
        """The derivatives (p, n) at theta, where the function has these values."""
        out = np.empty((len(theta), value.size))
        for j, row in enumerate(out):
            row[...] = self._column(theta, j, value)
        return out

    def _column(self, theta: Sequence[Any], j: int, value: np.ndarray) -> np.ndarray:
        size = float(np.max(np.abs(theta[j])))
        largest = self.step * max(size, self.scales[j])
        h = self.step * size or largest
        level = np.max(np.abs(value), where=np.isfinite(value), initial=0.0)
        while True:
            slope = self._slope(theta, j, value, h)  # (2), (3)
            change = h * np.max(np.abs(slope), where=np.isfinite(slope), initial=0.0)
            if h >= largest or change > self.noise * level:
                return slope
            h = min(LARGER * h, largest)  # (4)

    def _slope(self, theta: Sequence[Any], j: int, value: np.ndarray, h: float) -> np.ndarray:
        above, below = self._moved(theta, j, h), self._moved(theta, j, -h)
        if above is None or below is None:
            return self._one_side(theta, j, value, -h if above is None else h)
        width = (np.asarray(theta[j]) + h) - (np.asarray(theta[j]) - h)
        with np.errstate(all="ignore"):
            slope = (above - below) / width
        lost = np.isfinite(value) & ~np.isfinite(slope)
        for side, found in ((h, above), (-h, below)):
            rows = lost & np.isfinite(found)
            if rows.any():
                slope = np.where(rows, self._one_side(theta, j, value, side), slope)
        return slope

    def _one_side(self, theta: Sequence[Any], j: int, value: np.ndarray, h: float) -> np.ndarray:
        near, far = self._moved(theta, j, h), self._moved(theta, j, 2 * h)
        if near is None or far is None:  # no room on either side
            return np.full_like(value, np.nan)
        with np.errstate(all="ignore"):
            return (4 * near - 3 * value - far) / (2 * h)

    def _moved(self, theta: Sequence[Any], j: int, h: float) -> np.ndarray | None:
        entry = theta[j] + h
        if np.any(entry > self.upper[j]) or np.any(entry < self.lower[j]):
            return None
        return self.call([*theta[:j], entry, *theta[j + 1 :]])
