"""The rows from which starting values are found: cleaned, ordered, thinned, and in units of their own.

Every curve is searched in the same units, so that data in nanometres and in light years have the same starts:

1. rows     those with finite x and y and weight above 0, in the order of x
2. thinned  more than a given number: blocks of neighbours become their mean, or (for waves) one of their rows each
3. view     v = x, log x or 1/x, in which the curve has a location and a scale;  z = (v - min v) / (max v - min v)
4. size     y in units of the largest |y|
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

TOO_CLOSE = 1e-12  # of the range: what remains of a slope that is no more than an offset

View = Callable[["Float[ndarray, 'n']"], "Float[ndarray, 'n']"]


@final
@dataclass(frozen=True)
class Rows:
    """Rows in units of their own.

    Attributes
    ----------
    z : (n,)
        v of step 3 in [0, 1]; -inf for x = 0 where v is log x.
    y : (n,)
        y / size, times root.
    root : (n,)
        Square root of the weights, the largest 1.
    trend : (2, n)
        An offset and a slope in x (not in v), times root: what may lie under a curve. The slope has mean 0.
    low, span, size : float
        v = low + span z; y = size y.
    """

    z: Float[ndarray, "n"]
    y: Float[ndarray, "n"]
    root: Float[ndarray, "n"]
    trend: Float[ndarray, "2 n"]
    low: float
    span: float
    size: float

    @cached_property
    def gap(self) -> float:
        """A small distance of neighbours in z: below it no scale can be seen."""
        apart = np.diff(self.z[np.isfinite(self.z)])
        apart = apart[apart > TOO_CLOSE]
        return float(np.quantile(apart, 0.1)) if apart.size else 1.0

    @cached_property
    def basis(self) -> Float[ndarray, "2 n"]:
        """`trend` as orthonormal rows; zeros in place of a slope that is none."""
        first = self.trend[0] / np.linalg.norm(self.trend[0])
        second = self.trend[1] - (self.trend[1] @ first) * first
        length = float(np.linalg.norm(second))
        return np.stack([first, second / length if length > TOO_CLOSE else 0 * second])


def identity(x: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """v = x."""
    return x


def logarithm(x: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """v = log x: -inf at 0, NaN (hence no row) below."""
    return np.log(x)


def reciprocal(x: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """v = 1 / x: NaN (hence no row) at 0."""
    return np.where(x == 0, np.nan, 1 / x)


def prepared(
    x: Float[ndarray, "n"],
    y: Float[ndarray, "n"],
    w: Float[ndarray, "n"] | None,
    view: View = identity,
    most: int = 500,
    averaged: bool = True,
) -> Rows:
    """Steps 1 to 4.

    Parameters
    ----------
    x, y, w : arrays
        The data, and weights or None.
    view : callable
        v of step 3.
    most : int
        Rows to keep.
    averaged : bool
        Whether neighbours may be averaged: not for a curve that is faster than its samples, as a wave.
    """
    x, y, w = _clean(x, y, w)
    if x.size > most:
        x, y, w = (_means if averaged else _drawn)(x, y, w, most)
    v = view(x)
    seen = ~np.isnan(v)
    if not seen.any():
        x, y, w, v, seen = np.ones(1), np.zeros(1), np.ones(1), np.zeros(1), np.ones(1, dtype=bool)
    return _scaled(x[seen], y[seen], w[seen], v[seen])


def _clean(x: ndarray, y: ndarray, w: ndarray | None) -> tuple[ndarray, ndarray, ndarray]:
    """Step 1."""
    x, y = (np.asarray(each, dtype=np.float64).ravel() for each in (x, y))
    w = np.ones_like(y) if w is None else np.asarray(w, dtype=np.float64).ravel()
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(w) & (w > 0)
    if not good.all():
        x, y, w = x[good], y[good], w[good]
    if (x[1:] > x[:-1]).all():  # as most are: sorting a million rows takes longer than all the rest
        return x, y, w
    order = np.lexsort((y, x))  # rows of equal x too have one order
    return x[order], y[order], w[order]


def _edges(rows: int, most: int) -> ndarray:
    return np.arange(most) * rows // most


def _means(x: ndarray, y: ndarray, w: ndarray, most: int) -> tuple[ndarray, ndarray, ndarray]:
    """Step 2: weighted means of blocks, which keep all of the data's precision."""
    edges = _edges(x.size, most)
    total = np.add.reduceat(w, edges)
    return np.add.reduceat(w * x, edges) / total, np.add.reduceat(w * y, edges) / total, total


def _drawn(x: ndarray, y: ndarray, w: ndarray, most: int) -> tuple[ndarray, ndarray, ndarray]:
    """Step 2: one row of each block, at a place drawn in it: equal steps would turn a fast wave into a slow one."""
    edges = _edges(x.size, most)
    widths = np.diff(np.append(edges, x.size))
    at = edges + (np.random.default_rng(0).random(most) * widths).astype(np.int64)
    return x[at], y[at], w[at]


def _scaled(x: ndarray, y: ndarray, w: ndarray, v: ndarray) -> Rows:
    """Steps 3 and 4."""
    seen = v[np.isfinite(v)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    span = (high - low) or abs(low) or 1.0
    size = float(np.abs(y).max()) or 1.0
    root = np.sqrt(w / w.max())
    slope = x - np.average(x, weights=w)
    trend = np.stack([root, root * slope / (float(np.abs(slope).max()) or 1.0)])
    return Rows((v - low) / span, root * y / size, root, trend, low, span, size)
