"""Responses so small, or so large, that the squares of residuals leave the range of float64."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from thalweg.errors import DataError

SMALL = 1e-280  # sums of squares below are looked at: the response is constant, or
HUGE = 1e150  # responses above this have no finite square
TINY = 1e-140  # responses below this, of which a residual of the last digit has no normal square


def check_large(sizes: Iterable[np.ndarray]) -> None:
    """Refuse a response, times the roots of its weights, whose squares are beyond 1e308.

    Raises
    ------
    DataError

    Examples
    --------
    >>> check_large([np.array([1.0, 2.0])])
    """
    for size in sizes:
        largest = float(np.abs(size).max(initial=0.0))
        if largest > HUGE:
            raise DataError(
                "the sum of squared residuals is beyond the range of float64",
                where=f"a response of size {largest:.2g}",
                advice="Divide the response by a power of ten.",
            )


def check_squares(squares: float, sizes: Iterable[np.ndarray]) -> None:
    """Refuse a response whose residuals have squares that are lost below 1e-308.

    Parameters
    ----------
    squares : float
        Of the residuals, or of the response about its mean, where they are known; else 0.
    sizes : iterable of ndarray
        The response, times the roots of its weights; only read where the squares are small.

    Raises
    ------
    DataError

    Examples
    --------
    >>> check_squares(0.0, [np.array([1.0, 2.0])])
    """
    if not squares < SMALL:
        return
    largest = max((float(np.abs(size).max(initial=0.0)) for size in sizes), default=0.0)
    if 0.0 < largest < TINY:
        raise DataError(
            "the sum of squared residuals is beyond the range of float64",
            where=f"a response of size {largest:.2g}",
            advice="Divide the response by a power of ten.",
        )
