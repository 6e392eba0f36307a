"""The points at which the search for starting values begins, in the units of `thalweg.curves.named.rows`.

A rate of either sign has the coordinate t with rate = RATE sinh t: a logarithm for large rates, a line through 0.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.rows import Rows

RATE = 0.1  # per range: rates much below it are a straight line
OUTSIDE = 0.6  # ranges beyond the data where a centre may lie
FASTEST = 5.0  # per distance of neighbours


def crossed(*axes: Float[ndarray, "k"]) -> Float[ndarray, "m d"]:
    """All combinations."""
    return np.stack([each.ravel() for each in np.meshgrid(*axes, indexing="ij")], axis=1)


def rates(rows: Rows, step: float) -> Float[ndarray, "k"]:
    """Coordinates t of rates of both signs, 0 among them."""
    largest = float(np.arcsinh(FASTEST / rows.gap / RATE))
    upward = np.arange(0.0, largest + step, step)
    return np.concatenate([-upward[:0:-1], upward])


def rate(t: Float[ndarray, "..."]) -> Float[ndarray, "..."]:
    """The rate of a coordinate."""
    return RATE * np.sinh(t)


def centres(step: float) -> Float[ndarray, "k"]:
    """Places in and about the range of the data."""
    return np.arange(-OUTSIDE, 1 + OUTSIDE + step / 2, step)


def quantiles(rows: Rows, count: int) -> Float[ndarray, "k"]:
    """Places where the rows are."""
    z = rows.z[np.isfinite(rows.z)]
    return np.unique(np.quantile(z, np.linspace(0, 1, count))) if z.size else np.zeros(1)
