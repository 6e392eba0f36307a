"""The null model: an intercept and the offset, nothing else.

Its score equation in the intercept b is

    sum_i w_i loss'(y_i, b + offset_i) = 0.                                             (1)

Without an offset every mean is the same, loss' = -(y - mu) h' / V gives sum_i w_i (y_i - mu) = 0, and mu is the
weighted mean of y whatever the family and the link. With an offset (1) is solved by Newton's method, safeguarded by
step halving; its passes read the response and the offset but never multiply by the design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.losses.base import Family

STEPS = 60
SMALL = 1e-14  # size of the score, relative to the sum of its terms' sizes, at which it is rounding


def null_intercept(rows: Readable, family: Family, mean: float, offset: float) -> float:
    """The intercept b that solves (1); NaN where no feasible one is found.

    Parameters
    ----------
    rows : Readable
    family : Family
    mean, offset : float
        Weighted means of the response and of the offset: the start is g(mean) - offset.
    """
    b = float(family.link.link(torch.tensor([mean], dtype=torch.float64))) - offset
    value, slope, curvature, size = _sums(rows, family, b)
    for _ in range(STEPS):
        if not math.isfinite(value) or abs(slope) <= SMALL * size:
            break
        step = -slope / curvature if curvature > 0 else -math.copysign(1.0, slope)
        ahead = _sums(rows, family, b + step)
        while not ahead[0] <= value + 1e-12 * abs(value) and abs(step) > 1e-15 * max(1.0, abs(b)):
            step /= 2
            ahead = _sums(rows, family, b + step)
        b, (value, slope, curvature, size) = b + step, ahead
        if abs(step) <= 1e-15 * max(1.0, abs(b)):
            break
    return b if math.isfinite(value) else math.nan


def _sums(rows: Readable, family: Family, b: float) -> tuple[float, float, float, float]:
    """Value, slope and curvature of the objective at b, and the sum of the sizes of the slope's terms."""
    total = [0.0, 0.0, 0.0, 0.0]
    for y, eta, weight in _predictors(rows, b):
        inside = family.inside(eta)
        if inside is not None and not bool(inside.all()):
            return math.inf, math.nan, math.nan, math.nan
        value, slope, curvature = (weight * term for term in family.terms(y, eta, 2))
        for i, part in enumerate((value, slope, curvature, slope.abs())):
            total[i] += float(part.sum())
    return total[0], total[1], total[2], total[3]


def _predictors(rows: Readable, b: float) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """y, eta = b + offset and weight of the rows that are there."""
    for block in rows.blocks():
        assert block.y is not None
        y = block.y.double()
        weight = torch.ones_like(y) if block.loss_weight is None else block.loss_weight.double()
        eta = torch.full_like(y, b) if block.offset is None else b + block.offset.double()
        kept = weight > 0
        yield y[kept], eta[kept], weight[kept]
