"""Two pictures, one related to the other pixel by pixel: y = w x + b with a weight for each pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from thalweg.data.simulate.base import Draws, Kind, Made, number

BRIGHTER = 0.1  # b: how much brighter the second picture is everywhere
DARK, LIGHT = 0.2, 1.0  # of the first picture: never 0, or its weight would have no effect there


def _pictures(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    """A lit ball, and the same behind a striped glass. One draw of 2 for its place, then (height, width) of noise."""
    height, width = options["height"], options["width"]
    x, w = _ball(draws, height, width), _stripes(height, width)
    y = w * x + BRIGHTER
    if noise:
        y = y + noise * draws.normal(height, width)
    added = f" + noise of standard deviation {number(noise)}" if noise else ""
    return Made(
        {"x": x, "y": y},
        ("y",),
        noise or 0.1,
        {"w": w.numpy(), "b": BRIGHTER},
        "",
        f"pictures of {height} x {width}, y = w x + {BRIGHTER:g}{added} with a weight w for each pixel",
    )


def _places(count: int) -> Float64[Tensor, "count"]:
    """The middles of pixels, in (-1, 1)."""
    return (2 * torch.arange(count, dtype=torch.float64) + 1) / count - 1


def _ball(draws: Draws, height: int, width: int) -> Float64[Tensor, "h w"]:
    down, across = (draws.uniform(2) - 0.5).tolist()
    squares = (_places(height)[:, None] - down) ** 2 + (_places(width)[None, :] - across) ** 2
    return DARK + (LIGHT - DARK) * torch.exp(-squares / 0.4)


def _stripes(height: int, width: int) -> Float64[Tensor, "h w"]:
    """In [0.5, 1.5]: four waves from corner to corner."""
    return 1 + 0.5 * torch.sin(4 * math.pi * (_places(height)[:, None] + _places(width)[None, :]))


PICTURES = Kind(
    "pictures",
    "two pictures x and y of a height and a width, y = w x + b with a weight for each pixel",
    None,
    0.0,
    {"height": 32, "width": 32},
    _pictures,
)
