"""The frequencies that rows at any places hold: a periodogram, by fast Fourier transforms.

With weights w that sum to 1, y less its weighted mean, and per frequency the sums

    C = sum w cos,           S = sum w sin,           YC = sum w y cos,          YS = sum w y sin,
    CC = sum w cos^2 - C^2,  SS = sum w sin^2 - S^2,  CS = sum w cos sin - C S

the part of the squares of y that a wave with an offset explains is

    P = (SS YC^2 + CC YS^2 - 2 CS YC YS) / (CC SS - CS^2)

The sums at all frequencies come from two transforms of the rows put into the nearest of many equal bins: n + M log M
in place of n M. A bin shifts a phase by at most 0.2, which takes 2% from a peak; the peaks are searched again exactly.

References: Zechmeister & Kürster (2009), doi:10.1051/0004-6361:200811296; the sums by transforms: Press & Rybicki
(1989), doi:10.1086/167197.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.rows import Rows

STEPS = 4  # frequencies per 1 / range: neighbours cannot miss a peak between them
BINS = 16  # per period of the highest frequency
DENSEST = 2  # cycles per row, at most: even rows tell 1/2, uneven ones more


def highest(z: Float[ndarray, "n"]) -> float:
    """The frequency up to which rows at z tell waves apart: half a cycle per small distance of neighbours."""
    apart = np.diff(np.unique(z))
    if not apart.size:
        return 1.0
    return float(min(0.5 / np.quantile(apart, 0.1), DENSEST * (apart.size + 1)))


def peaks(rows: Rows, most: int) -> Float[ndarray, "k"]:
    """The frequencies (cycles per range) of the highest peaks, of y and of y less a straight line."""
    y, w = rows.y / rows.root, rows.root**2
    bent = rows.y - (rows.y @ rows.basis.T) @ rows.basis
    found = [_local_maxima(power(rows.z, each, w))[:most] for each in (y, bent / rows.root)]
    return np.unique(np.concatenate(found)) / STEPS


def power(z: Float[ndarray, "n"], y: Float[ndarray, "n"], w: Float[ndarray, "n"]) -> Float[ndarray, "m"]:
    """P at the frequencies 0, 1, 2, ... / STEPS; 0 where the rows cannot tell a sine from a cosine."""
    count = int(np.ceil(STEPS * highest(z))) + 1
    bins = 1 << int(np.ceil(np.log2(BINS * count)))
    w = w / w.sum()
    y = y - w @ y
    at = np.rint(z * bins / STEPS).astype(np.int64) % bins
    weights = np.fft.rfft(np.bincount(at, w, bins))
    values = np.fft.rfft(np.bincount(at, w * y, bins))[:count]
    one, two = weights[:count], weights[: 2 * count : 2]
    c, s = one.real, -one.imag
    cc, ss, cs = (1 + two.real) / 2 - c * c, (1 - two.real) / 2 - s * s, -two.imag / 2 - c * s
    yc, ys = values.real, -values.imag
    determinant = cc * ss - cs * cs
    explained = ss * yc * yc + cc * ys * ys - 2 * cs * yc * ys
    return np.where(determinant > 1e-6, explained / np.maximum(determinant, 1e-6), 0.0)


def _local_maxima(power: ndarray) -> ndarray:
    """Places of local maxima, the highest first."""
    padded = np.concatenate([[-np.inf], power, [-np.inf]])
    at = np.flatnonzero((padded[1:-1] >= padded[:-2]) & (padded[1:-1] > padded[2:]))
    return at[np.argsort(-power[at], kind="stable")]
