"""The null model: an intercept and the offset, nothing else.

Its score equation in the intercept b is

    sum_i w_i loss'(y_i, b + offset_i) = 0.                                             (1)

Without an offset every mean is the same, loss' = -(y - mu) h' / V gives sum_i w_i (y_i - mu) = 0, and mu is the
weighted mean of y whatever the family and the link: its deviance comes out of the same pass as the fit's
(`ConstantMean`). With an offset (1) is solved by Newton's method, safeguarded by
step halving; its passes read the response and the offset but never multiply by the design.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.losses.base import Family

STEPS = 60
SMALL = 1e-14  # size of the score, relative to the sum of its terms' sizes, at which it is rounding


@final
@dataclass(frozen=True)
class ConstantMean:
    """Weighted mean of a response and its deviance from that mean, without knowing the mean beforehand.

    The unit deviance is a Bregman divergence, so that for the mean m_a of some rows and any m

        sum_a w_i d(y_i, m) = sum_a w_i d(y_i, m_a) + W_a d(m_a, m),

    which joins two parts to a whole by adding terms that are never negative. With d(y, m) = (y - m)^2 it is the
    pairwise rule of `Moments`.

    References
    ----------
    A. Banerjee, S. Merugu, I. Dhillon, J. Ghosh, "Clustering with Bregman divergences", JMLR 6 (2005), section 3.1,
    https://jmlr.org/papers/v6/banerjee05b.html.
    """

    weight: float = 0.0
    mean: float = math.nan
    deviance: float = 0.0

    @classmethod
    def of(cls, y: Float[Tensor, "n"], weight: Float[Tensor, "n"], family: Family) -> ConstantMean:
        """That of one block."""
        w = float(weight.sum())
        if w == 0.0:
            return cls()
        mean = float(weight @ y) / w
        low, high = float(y.min()), float(y.max())
        if low == high:
            return cls(w, low, 0.0)
        mean = min(max(mean, low), high)  # rounding must not leave the response's range
        return cls(w, mean, float(weight @ deviance_from(y, mean, family)))

    @classmethod
    def joined(cls, parts: Sequence[ConstantMean], family: Family) -> ConstantMean:
        """That of all parts together."""
        filled = [part for part in parts if part.weight > 0]
        if len(filled) < 2:
            return filled[0] if filled else cls()
        weights, means, within = (
            torch.tensor([getattr(part, name) for part in filled], dtype=torch.float64)
            for name in ("weight", "mean", "deviance")
        )
        total = float(weights.sum())
        first = means[0]
        mean = float(first + weights @ (means - first) / total)  # from the first, so that equal means stay exact
        between = family.unit_deviance(means, torch.full_like(means, mean))
        return cls(total, mean, float(within.sum() + weights @ between))


def deviance_from(y: Float[Tensor, "n"], mean: float, family: Family) -> Float[Tensor, "n"]:
    """d(y, m) of each row for one m: by the family's fast loss where m has a finite eta."""
    eta = family.link.link(torch.tensor(mean, dtype=y.dtype, device=y.device)).expand_as(y).contiguous()
    fast = 2 * family.value(y, eta)
    return fast if bool(torch.isfinite(fast).all()) else family.unit_deviance(y, torch.full_like(y, mean))


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
