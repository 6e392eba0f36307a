"""The gamma family: positive amounts whose spread grows with their mean."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from thalweg.losses.base import Rule
from thalweg.losses.power_variance import PowerVariance
from thalweg.losses.special import ratio_excess, stirling_error


@final
class Gamma(PowerVariance):
    """V(mu) = mu^2, loss y / mu - 1 - log(y / mu); default link inverse (canonical), as in R and statsmodels.

    The log link is often the better choice: its means are positive for every eta.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("gamma", link="log").terms(torch.tensor([1.0]), torch.tensor([0.0]), 2)
    (tensor([0.]), tensor([-0.]), tensor([1.]))
    """

    name = "gamma"
    title = "gamma"
    domain = "> 0"
    power = 2.0
    default_link = "inverse"
    fixed_dispersion = None

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * ratio_excess(y, mu)

    def violations(self, y: Tensor) -> Tensor:
        return ~((y > 0) & torch.isfinite(y))

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y."""
        return y

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        return 0.5 * torch.log(precision / (2 * math.pi)) - stirling_error(precision) - torch.log(y)

    def rule(self) -> Rule:
        return _log_terms if self.link.exponent == 0 else self._power_terms


def _log_terms(y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
    """With u = log y - eta: loss expm1(u) - u, gradient -expm1(u), curvature exp(u), fisher 1."""
    u = torch.log(y) - eta
    excess = torch.expm1(u)
    parts = [excess - u]
    if order >= 1:
        parts.append(-excess)
    if order >= 2:
        parts.append(torch.ones_like(u) if expected else torch.exp(u))
    return tuple(parts)
