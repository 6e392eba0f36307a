"""Two clouds of points in the plane, labelled 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from thalweg.data.simulate.base import Draws, Kind, Made, number


def _clouds(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    """The n points of label 0, then the n of label 1: each cloud is one draw of (n, 2)."""
    spread, centers = options["spread"], torch.tensor(options["centers"], dtype=torch.float64)
    points = torch.cat([center + spread * draws.normal(n, 2) for center in centers])
    label = torch.arange(2, dtype=torch.float64).repeat_interleave(n)
    first, second = (f"({number(a)}, {number(b)})" for a, b in options["centers"])
    return Made(
        {"x1": points[:, 0], "x2": points[:, 1], "label": label},
        ("x1", "x2"),
        spread,
        boundary(options["centers"], spread),
        "label ~ x1 + x2",
        f"a cloud of {n} around {first} labelled 0 and one around {second} labelled 1,"
        f" standard deviation {number(spread)}",
    )


def boundary(centers: tuple[tuple[float, float], tuple[float, float]], spread: float) -> dict[str, float]:
    """The coefficients of the true log odds of label 1, by Bayes' rule.

    log p(1 | x) / p(0 | x) = (c1 - c0)'x / s^2 + (|c0|^2 - |c1|^2) / (2 s^2)

    Examples
    --------
    >>> boundary(((2, 2), (-2, -2)), 1.0)
    {'Intercept': 0.0, 'x1': -4.0, 'x2': -4.0}
    """
    (a, b), (c, d) = centers
    square = spread * spread
    return {
        "Intercept": (a * a + b * b - c * c - d * d) / (2 * square),
        "x1": (c - a) / square,
        "x2": (d - b) / square,
    }


CLOUDS = Kind(
    "clouds",
    "two clouds of n points each in the plane (x1, x2), labelled 0 and 1",
    100,
    None,
    {"centers": ((2.0, 2.0), (-2.0, -2.0)), "spread": 1.0},
    _clouds,
)
