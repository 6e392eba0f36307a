"""The last digits of a curve's minimum: undamped steps with a gradient in long double, and what speeds them up.

    theta <- theta - H g,    H = (F'WF)^-1 + sum_k u_k u_k' / d_k

The second derivatives of f that F'WF leaves out make the steps shrink by a constant factor only; each of them and its
change of gradient gives H one symmetric term more [3 of `thalweg.solvers.levenberg_marquardt`].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from thalweg.solvers.trust_region import Array, Steps


@final
@dataclass(frozen=True)
class Polish:
    """Where step 6 is: at `wide`, whose gradient is `gradient`, by the inverse H = H0 + sum u u' / d.

    Attributes
    ----------
    steps : Steps
        H0.
    wide : ndarray
        theta in the precision of this step.
    best : ndarray
        The one from which the shortest step led on.
    size : float
        Length of that step.
    value : float
        The objective there, with the digits of `wide`: residuals that are small against y have lost them in float64.
    updates : tuple of (ndarray, float)
        u and d in scaled coordinates.
    count, idle : int
        Steps, and those since the shortest.
    last : (ndarray, ndarray) or None
        The last move and the gradient from which it went.
    done : bool
    """

    steps: Steps
    wide: Array
    best: Array
    size: float = np.inf
    value: float = np.inf
    updates: tuple[tuple[Array, float], ...] = ()
    count: int = 0
    idle: int = 0
    last: tuple[Array, Array] | None = None
    done: bool = False


def inverse_times(polish: Polish, gradient: Array) -> Array:
    """H g, on the scale of theta."""
    scaled = np.asarray(gradient / polish.steps.scale, dtype=np.float64)
    return _applied(polish, scaled) / polish.steps.scale


def _applied(polish: Polish, scaled: Array) -> Array:
    result = polish.steps.inverse_times(scaled)
    for u, d in polish.updates:
        result = result + u * (float(u @ scaled) / d)
    return result


def updated(polish: Polish, gradient: Array) -> Polish:
    """The symmetric rank-one update by the last step s and its change of gradient y: u = s - H y, d = u'y."""
    if polish.last is None:
        return polish
    steps, (move, before) = polish.steps, polish.last
    s = np.asarray(move * steps.scale, dtype=np.float64)
    y = np.asarray((gradient - before) / steps.scale, dtype=np.float64) * steps.free
    u = s - _applied(polish, y)
    d = float(u @ y)
    if not np.isfinite(d) or abs(d) <= 1e-8 * float(np.linalg.norm(u)) * float(np.linalg.norm(y)):
        return polish
    return replace(polish, updates=(*polish.updates, (u, d)))
