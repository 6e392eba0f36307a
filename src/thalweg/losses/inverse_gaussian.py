"""The inverse Gaussian family: positive amounts with a long right tail."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from thalweg.losses.power_variance import PowerVariance


@final
class InverseGaussian(PowerVariance):
    """V(mu) = mu^3, loss (y - mu)^2 / (2 y mu^2); default link 1 / mu^2 (canonical)."""

    name = "inverse_gaussian"
    title = "inverse Gaussian"
    domain = "> 0"
    power = 3.0
    default_link = "inverse_squared"
    fixed_dispersion = None

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return ((y - mu) / mu) ** 2 / y

    def violations(self, y: Tensor) -> Tensor:
        return ~((y > 0) & torch.isfinite(y))

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y."""
        return y

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        return 0.5 * torch.log(precision / (2 * math.pi)) - 1.5 * torch.log(y)
