"""The normalising function of a Tweedie density with a power between 1 and 2.

Reference: P. K. Dunn and G. K. Smyth, "Series evaluation of Tweedie exponential dispersion model densities",
Statistics and Computing 15 (2005), 267-280, doi:10.1007/s11222-005-4070-y.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

SADDLEPOINT = 2e4  # mean number of summands from which the corrected saddlepoint formula is as good as the series
_CELLS = 2**20  # terms of the series held at once


def tweedie_saturated(y: Float[Tensor, "*n"], precision: Float[Tensor, "*n"], power: float) -> Float[Tensor, "*n"]:
    """Log density of y at mean y with dispersion 1 / precision; 0 for y = 0 (all mass is there).

    (1) j = precision y^(2-p) / (2 - p) is the number of the series' largest term.
    (2) Small j: the series. Large j: the saddlepoint formula -log(2 pi y^p / k) / 2 with its first correction,
        p (p - 3) / (24 k y^(2-p)) (k the precision), whose error is of the order j^-2.
    """
    out = torch.zeros_like(y)
    j = precision * y ** (2 - power) / (2 - power)
    far = j > SADDLEPOINT
    out[far] = _saddlepoint(y[far], precision[far], power)
    near = torch.nonzero((y > 0) & (precision > 0) & ~far)[:, 0]
    near = near[torch.argsort(j[near])]
    while near.numel():
        width = _width(float(j[near[0]]), power)
        rows = near[: max(1, min(1024, _CELLS // (4 * width)))]
        out[rows] = _series(y[rows], precision[rows], power, j[rows])
        near = near[rows.numel() :]
    return out


def _saddlepoint(y: Tensor, k: Tensor, power: float) -> Tensor:
    correction = power * (power - 3) / (24 * k * y ** (2 - power))
    return correction - 0.5 * torch.log(2 * math.pi * y**power / k)


def _width(j: float, power: float) -> int:
    """Terms on each side of the largest that are not negligible: ten standard deviations and some."""
    return math.ceil(10 * math.sqrt(j * (power - 1))) + 25


def _series(y: Tensor, k: Tensor, power: float, largest: Tensor) -> Tensor:
    """log(sum_j W_j / y) + k y^(2-p) [1 / (1-p) - 1 / (2-p)]; with a = (2 - p) / (p - 1),

    log W_j = j log z - log j! - log Gamma(a j),    log z = a log y - a log(p - 1) + (1 + a) log k - log(2 - p).
    """
    a = (2 - power) / (power - 1)
    log_z = a * torch.log(y) - a * math.log(power - 1) + (1 + a) * torch.log(k) - math.log(2 - power)
    width = _width(float(largest.max()), power)
    first = (torch.floor(largest) - width).clamp(min=1)
    steps = torch.arange(2 * width + 1, dtype=y.dtype, device=y.device)
    j = first[:, None] + steps
    terms = j * log_z[:, None] - torch.lgamma(j + 1) - torch.lgamma(a * j)
    exponent = k * y ** (2 - power) * (1 / (1 - power) - 1 / (2 - power))
    return torch.logsumexp(terms, dim=1) - torch.log(y) + exponent
