"""A step length along a direction of descent that satisfies the strong Wolfe conditions.

With phi(a) = f(theta + a d), the length a is taken where

    phi(a) <= phi(0) + c1 a phi'(0) + noise      and      |phi'(a)| <= c2 |phi'(0)|.                              (1)

1. While (1) fails only because phi still falls steeply, the next trial is further out.
2. Once an interval holds an acceptable length, cubic interpolation, kept away from its ends, shrinks it.

`noise` is the rounding of f: near the optimum differences of f are nothing else, and the slopes alone decide, as in the
approximate conditions of Hager & Zhang (2005), doi:10.1137/030601880. Trials at which f is infinite (outside a family's
domain) are too far.

Reference: Nocedal & Wright (2006), algorithms 3.5 and 3.6, doi:10.1007/978-0-387-40065-5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

SUFFICIENT, CURVATURE = 1e-4, 0.9  # c1 and c2: usual for quasi-Newton directions
FURTHER = 8.0  # the next trial of step 1, times the last
MOST = 60  # trials


@final
@dataclass(frozen=True)
class Point:
    """A trial: its length, phi and phi' there."""

    at: float
    value: float
    slope: float


def strong_wolfe(phi: Callable[[float], Point], start: Point, first: float, noise: float) -> tuple[Point, int]:
    """A point that satisfies (1), or the lowest that was found (the start where none was lower), and the trials.

    Parameters
    ----------
    phi : callable
        From a length to the point there.
    start : Point
        phi(0) and phi'(0) < 0.
    first : float
        The first trial, > 0.
    noise : float
        Rounding of f, >= 0.
    """
    low, high, at = start, None, first
    for count in range(1, MOST + 1):
        new = phi(at)
        if _too_far(new, start, low, noise):
            high = new
        elif abs(new.slope) <= -CURVATURE * start.slope:
            return new, count
        else:
            turned = new.slope > 0 if high is None else new.slope * (high.at - low.at) >= 0
            low, high = new, low if turned else high
        at = at * FURTHER if high is None else interpolated(low, high)
        if high is not None and abs(high.at - low.at) <= 1e-15 * abs(low.at) + 1e-300:
            break
    better = low.value < start.value or abs(low.slope) < abs(start.slope)
    return low if better else start, count


def _too_far(new: Point, start: Point, low: Point, noise: float) -> bool:
    """Whether phi is not lower than it must be, or than it was nearer by."""
    if not (math.isfinite(new.value) and math.isfinite(new.slope)):
        return True
    enough = new.value <= start.value + SUFFICIENT * new.at * start.slope + noise
    return not enough or (low.at > 0 and new.value > low.value + noise)


def interpolated(low: Point, high: Point) -> float:
    """The minimum of the cubic through both points and slopes, in the middle eight tenths; else the middle."""
    width = high.at - low.at
    if not (math.isfinite(high.value) and math.isfinite(high.slope)):
        return low.at + 0.25 * width
    mixed = low.slope + high.slope - 3 * (low.value - high.value) / (low.at - high.at)
    root = mixed * mixed - low.slope * high.slope
    part = 0.5
    if root >= 0:
        root = math.copysign(math.sqrt(root), width)
        below = high.slope - low.slope + 2 * root
        if below != 0:
            part = 1 - (high.slope + root - mixed) / below
    return low.at + min(max(part, 0.1), 0.9) * width
