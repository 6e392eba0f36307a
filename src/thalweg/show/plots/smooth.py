"""A smooth line through a cloud of points, to guide the eye over residuals."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "n"]


def lowess(
    x: Vector, y: Vector, *, fraction: float = 2 / 3, robust_steps: int = 3, places: int = 80
) -> tuple[Vector, Vector]:
    """Locally weighted linear regression, robust against outliers, at places spread over the points.

    1. At each place, the distance to the r-th nearest point (r = fraction n) is the width of a tricube weight.
    2. A line is fitted with these weights, times the robustness weights (1 at first); its value there is the smooth.
    3. Residuals over six times their median absolute value give bisquare robustness weights; go to 2, `robust_steps`
       times.

    Parameters
    ----------
    x, y : arrays, (n,)
        The points; in no order.
    fraction : float
        Of the points that each place looks at.
    robust_steps : int
        0 for no robustness.
    places : int
        How many places, at most.

    Returns
    -------
    at, smooth : arrays
        Increasing places and the smooth there; empty where x has fewer than three distinct values.

    References
    ----------
    Cleveland (1979), Robust locally weighted regression and smoothing scatterplots. https://doi.org/10.2307/2286407

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(20.0)
    >>> at, smooth = lowess(x, 2 * x + 1)
    >>> bool(np.allclose(smooth, 2 * at + 1))
    True
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if np.unique(x).size < 3:
        return x[:0], y[:0]
    at = np.unique(np.quantile(x, np.linspace(0, 1, places)))
    tricube = _tricube(x, at, fraction)
    robust = np.ones_like(x)
    smooth = _local_lines(x, y, at, tricube)
    for _ in range(robust_steps):
        residual = np.abs(y - np.interp(x, at, smooth))
        scale = 6 * np.median(residual)
        if scale <= 1e-12 * np.abs(y).max():
            break
        robust = np.square(np.clip(1 - np.square(residual / scale), 0, None))
        smooth = _local_lines(x, y, at, tricube * robust)
    return at, smooth


def _tricube(x: Vector, at: Vector, fraction: float) -> Float[np.ndarray, "k n"]:
    """Step 1. A width of zero (many equal x) is widened to the next distinct point."""
    distance = np.abs(at[:, None] - x[None, :])
    nearest = min(x.size - 1, max(2, int(fraction * x.size) - 1))
    width = np.partition(distance, nearest, axis=1)[:, nearest]
    next_point = np.where(distance > 0, distance, np.inf).min(axis=1)
    width = np.maximum(width, 1.001 * next_point)
    return np.clip(1 - (distance / width[:, None]) ** 3, 0, None) ** 3


def _local_lines(x: Vector, y: Vector, at: Vector, weight: Float[np.ndarray, "k n"]) -> Vector:
    """Step 2: the weighted mean, plus the weighted slope times the distance from the weighted mean of x."""
    total = np.maximum(weight.sum(axis=1), 1e-300)
    mean_x, mean_y = weight @ x / total, weight @ y / total
    dx = x[None, :] - mean_x[:, None]
    spread = (weight * dx**2).sum(axis=1)
    together = (weight * dx * (y[None, :] - mean_y[:, None])).sum(axis=1)
    slope = np.divide(together, spread, out=np.zeros_like(spread), where=spread > 1e-14 * total * np.ptp(x) ** 2)
    return mean_y + slope * (at - mean_x)
