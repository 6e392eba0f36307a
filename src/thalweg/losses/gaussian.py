"""The Gaussian family: least squares."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from thalweg.losses.base import Rule
from thalweg.losses.power_variance import PowerVariance, positive


@final
class Gaussian(PowerVariance):
    """V(mu) = 1, loss (y - mu)^2 / 2; default link identity.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("gaussian").terms(torch.tensor([3.0]), torch.tensor([1.0]), 2)
    (tensor([2.]), tensor([-2.]), tensor([1.]))
    """

    name = "gaussian"
    title = "Gaussian"
    domain = "a finite number"
    power = 0.0
    default_link = "identity"
    mean_range = (-torch.inf, torch.inf)
    fixed_dispersion = None

    def variance(self, mu: Tensor) -> Tensor:
        return torch.ones_like(mu)

    def variance_slope(self, mu: Tensor) -> Tensor:
        return torch.zeros_like(mu)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        residual = y - mu
        return residual * residual

    def violations(self, y: Tensor) -> Tensor:
        return ~torch.isfinite(y)

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y, made positive where the link needs that."""
        return y if self.link.exponent == 1 else positive(y, weight)

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        return 0.5 * torch.log(precision / (2 * math.pi)).expand_as(y)

    def rule(self) -> Rule:
        return {"identity": _identity_terms, "log": _log_terms}.get(self.link.name, self._power_terms)


def _identity_terms(y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
    residual = eta - y
    parts = [(residual * residual).mul_(0.5)]
    if order >= 1:
        parts.append(residual)
    if order >= 2:
        parts.append(torch.ones_like(residual))
    return tuple(parts)


def _log_terms(y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
    mu = torch.exp(eta)
    residual = mu - y
    parts = [(residual * residual).mul_(0.5)]
    if order >= 1:
        parts.append(residual * mu)
    if order >= 2:
        parts.append(mu * mu if expected else mu * (mu + residual))
    return tuple(parts)
