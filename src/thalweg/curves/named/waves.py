"""Waves: sine, and sine that dies away."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import NamedCurve, Parameters
from thalweg.curves.named.grids import crossed, rate
from thalweg.curves.named.periodogram import highest, peaks
from thalweg.curves.named.rows import Rows
from thalweg.curves.named.starts import Shape, even, exponential, forms

FREQUENCY, DAMPING = 0.15, 0.7  # steps: in cycles per range, and in the coordinate of rates
SLOW = np.arange(0.25, 1.6, 0.125)  # cycles per range that a periodogram cannot tell apart
PEAKS = 10
DAMPINGS = np.array([-5.0, -4.0, -3.0, 0.0, 2.0, 3.0, 3.7, 4.4, 5.1, 5.8, 6.5, 7.2])


def _frequencies(rows: Rows) -> Float[ndarray, "m 1"]:
    return np.union1d(peaks(rows, PEAKS), SLOW)[:, None]


def _damped_grid(rows: Rows) -> Float[ndarray, "m 2"]:
    """The peaks, and frequencies in even ratios: a wave that is gone after few cycles has a wide peak or none."""
    wide = np.geomspace(0.5, max(highest(rows.z), 1.0), 40)
    return crossed(np.union1d(_frequencies(rows)[:, 0], wide), DAMPINGS)


def _columns(rows: Rows, points: Float[ndarray, "m d"]) -> Float[ndarray, "m 2 n"]:
    """Sine and cosine, times a decay where there is one."""
    angle = 2 * np.pi * points[:, :1] * rows.z
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    if points.shape[1] == 1:
        return waves
    kappa = rate(points[:, 1:])
    return waves * np.exp(-kappa * (rows.z - (kappa < 0)))[:, None, :]


def _sine(rows: Rows, point: Float[ndarray, "1"], linear: Float[ndarray, "2"]) -> Parameters:
    """a > 0, f > 0 and phi in [-pi, pi]: A sin(w) + B cos(w) = a sin(w + atan2(B, A))."""
    sine, cosine, f = float(linear[0]), float(linear[1]), float(point[0]) / rows.span
    phase = float(np.arctan2(cosine, sine)) - 2 * np.pi * f * rows.low
    if f < 0:  # sin(-u) = sin(u + pi) seen from the other side
        f, phase = -f, np.pi - phase
    return {"a": float(np.hypot(sine, cosine)), "f": f, "phi": float(np.remainder(phase + np.pi, 2 * np.pi) - np.pi)}


def _damped_sine(rows: Rows, point: Float[ndarray, "2"], linear: Float[ndarray, "2"]) -> Parameters:
    wave = _sine(rows, point[:1], linear)
    kappa = float(rate(point[1:])[0])
    k = kappa / rows.span
    a = wave["a"] * exponential(k * rows.low + kappa * (kappa < 0))
    return {"a": a, "k": k, "f": wave["f"], "phi": wave["phi"]}


WAVES: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "sine",
        ("x", "a", "f", "phi"),
        "a * sin(2 * pi * f * x + phi)",
        Shape(_frequencies, even(FREQUENCY), _columns, _sine, most=2000, averaged=False),
        "A wave of amplitude a and f cycles per unit of x, with the phase phi (in radians) at x = 0.",
    ),
    forms(
        "damped_sine",
        ("x", "a", "k", "f", "phi"),
        "a * exp(-k * x) * sin(2 * pi * f * x + phi)",
        Shape(_damped_grid, even(FREQUENCY, DAMPING), _columns, _damped_sine, most=1000, averaged=False),
        "A wave that dies away with the rate k: amplitude a and phase phi (in radians) at x = 0, frequency f.",
    ),
)
