"""The sums that the statistics of a fit are made of, block by block."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import final

from thalweg.inference.moments import Moments
from thalweg.inference.null_model import ConstantMean
from thalweg.inference.reading import Reading
from thalweg.losses.base import Family


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
            deviance=float(weight @ r.family.unit_deviance(r.y, r.mu)),
            saturated=0.0 if fixed is None else saturated(r, fixed),
            log_weights=float(r.repeat @ r.scale.log()) if r.family.name == "gaussian" else 0.0,
            response=Moments.of(r.y, weight),
            offset=Moments.of(r.offset, weight),
            net=Moments.of(r.y - r.offset, weight),
            constant=ConstantMean.of(r.y, weight, r.family),
        )

    def merge(self, other: Sums, family: Family) -> Sums:
        """Those of both parts."""
        numbers = {
            entry.name: getattr(self, entry.name) + getattr(other, entry.name)
            for entry in fields(self)
            if isinstance(getattr(self, entry.name), float)
        }
        moments = {name: getattr(self, name).merge(getattr(other, name)) for name in ("response", "offset", "net")}
        return Sums(**numbers, **moments, constant=self.constant.merge(other.constant, family))

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
