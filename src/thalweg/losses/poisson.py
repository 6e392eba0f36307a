"""The Poisson family: counts."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from thalweg.losses.base import Rule
from thalweg.losses.power_variance import PowerVariance
from thalweg.losses.special import poisson_excess, stirling_error


@final
class Poisson(PowerVariance):
    """V(mu) = mu, loss y log(y / mu) - y + mu; default link log (canonical).

    Any finite y >= 0 is accepted, whole or not: the estimates of a rate need only the mean to be right (a quasi-Poisson
    model). The log-likelihood of a fraction is that of the density continued by the gamma function.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("poisson").terms(torch.tensor([0.0]), torch.tensor([0.0]), 2)
    (tensor([1.0000]), tensor([1.0000]), tensor([1.0000]))
    """

    name = "poisson"
    title = "Poisson"
    domain = ">= 0"
    power = 1.0
    default_link = "log"
    fixed_dispersion = 1.0

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * poisson_excess(y, mu)

    def violations(self, y: Tensor) -> Tensor:
        return ~((y >= 0) & torch.isfinite(y))

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y + 0.1."""
        return y + 0.1

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        count = torch.where(y > 0, y, 1)
        return torch.where(y > 0, -stirling_error(count) - 0.5 * torch.log(2 * math.pi * count), 0)

    def rule(self) -> Rule:
        return _log_terms if self.link.exponent == 0 else self._power_terms


def _log_terms(y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
    """One exponential for value and gradient, and no cancellation at mu = y.

    (1) With u = eta - log y: mu - y = y expm1(u).
    (2) The loss is (mu - y) - y u.
    (3) A count of 0 takes a tiny c in place of y inside the logarithm: mu = c expm1(u) + c. Only a mean below 1e-16 c
        is rounded to 0 by this. Rejected: exp(eta) and a mask, which costs a third more in a pass over counts.
    """
    c = 1e-27 if y.dtype == torch.float64 else 1e-12
    count = y.clamp(min=c)
    u = eta - torch.log(count)
    gradient = torch.addcmul(count - y, count, torch.expm1(u))
    parts = [torch.addcmul(gradient, y, u, value=-1), gradient]
    if order >= 2:
        parts.append(gradient + y)
    return tuple(parts[: order + 1])
