"""The sums that the statistics of a fit are made of, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any, final

from thalweg.inference.moments import Moments
from thalweg.inference.null_model import ConstantMean
from thalweg.inference.reading import Reading
from thalweg.losses.base import Family

NUMBERS = ("n", "user_weight", "rss", "chi2", "deviance", "saturated", "log_weights")
MOMENTS = ("response", "offset", "net")
HELD = 512  # parts that are joined at a time


@final
@dataclass(frozen=True)
class Sums:
    """What the first pass over the rows adds up.

    Attributes
    ----------
    n, user_weight : float
        sum_i r_i, and the sum of the user's weights.
    rss, chi2, deviance : float
        Residual sum of squares, Pearson's chi-squared, deviance.
    saturated : float
        Log-likelihood at mu = y; 0 where that waits for the dispersion.
    log_weights : float
        sum_i r_i log(s_i), of the gaussian log-likelihood.
    response, offset, net : Moments
        Of y, of the offset, and of y - offset.
    constant : ConstantMean
        Deviance of y from its mean.
    """

    n: float
    user_weight: float
    rss: float
    chi2: float
    deviance: float
    saturated: float
    log_weights: float
    response: Moments
    offset: Moments
    net: Moments
    constant: ConstantMean

    @classmethod
    def of(cls, r: Reading) -> Sums:
        """Those of one block."""
        weight, error = r.weight, (r.y - r.mu).square()
        fixed = r.family.fixed_dispersion
        return cls(
            n=float(r.repeat.sum()),
            user_weight=float(r.user_weight.sum()),
            rss=float(weight @ error),
            chi2=float(weight @ r.family.pearson(r.y, r.mu).square()),
            deviance=2 * float(weight @ r.family.value(r.y, r.eta)),
            saturated=0.0 if fixed is None else saturated(r, fixed),
            log_weights=float(r.repeat @ r.scale.log()) if r.family.name == "gaussian" else 0.0,
            response=Moments.of(r.y, weight),
            offset=Moments.of(r.offset, weight),
            net=Moments.of(r.y - r.offset, weight),
            constant=ConstantMean.of(r.y, weight, r.family),
        )

    @classmethod
    def joined(cls, parts: Sequence[Sums], family: Family) -> Sums:
        """Those of all parts together."""
        numbers: dict[str, Any] = {name: math.fsum(getattr(part, name) for part in parts) for name in NUMBERS}
        moments = {name: reduce(Moments.merge, (getattr(part, name) for part in parts)) for name in MOMENTS}
        return cls(**numbers, **moments, constant=ConstantMean.joined([part.constant for part in parts], family))

    @classmethod
    def gathered(cls, parts: Iterable[Sums], family: Family) -> Sums:
        """The same for any number of parts, of which a few hundred are held at a time."""
        rest = iter(parts)
        total = cls.joined(list(islice(rest, HELD)), family)
        while more := list(islice(rest, HELD)):
            total = cls.joined([total, *more], family)
        return total

    @property
    def has_offset(self) -> bool:
        """Whether any offset is not 0."""
        return self.offset.mean != 0.0 or self.offset.squares != 0.0


def saturated(r: Reading, dispersion: float) -> float:
    """Log-likelihood of the rows at mu = y: what half the scaled deviance is taken off from."""
    if r.family.fixed_dispersion is not None:
        each = r.precision * r.family.saturated(r.y, r.precision, r.trials)
    else:
        each = r.family.saturated(r.y, r.precision / dispersion, r.trials)
    return float(r.repeat @ each)
