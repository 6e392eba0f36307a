"""Families whose variance is a power of the mean: V(mu) = mu^p."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.losses.base import Family, Rule
from thalweg.losses.links import POWERS


class PowerVariance(Family):
    """V(mu) = mu^power: Gaussian 0, Poisson 1, gamma 2, inverse Gaussian 3, Tweedie any.

    With A = y mu^(1-p) and B = mu^(2-p), d loss / d mu = (B - A) / mu, so that for the log link

        gradient = B - A,    curvature = (2 - p) B + (p - 1) A,    fisher = B

    and for mu = eta^k

        gradient = k (B - A) / eta,    curvature = k [(k (2 - p) - 1) B - (k (1 - p) - 1) A] / eta^2,
        fisher = k^2 B / eta^2.
    """

    power: float
    links: ClassVar[tuple[str, ...]] = POWERS
    mean_range = (0.0, torch.inf)

    def variance(self, mu: Tensor) -> Tensor:
        return mu**self.power

    def pearson(self, y: Tensor, mu: Tensor) -> Tensor:
        """By the relative error, so that mu^p, which leaves the range of float64 before mu does, is not needed."""
        if self.power == 0:
            return y - mu
        return torch.where(y == mu, 0.0, (y - mu) / mu * mu ** (1 - self.power / 2))

    def variance_slope(self, mu: Tensor) -> Tensor:
        return self.power * mu ** (self.power - 1)

    @property
    def canonical(self) -> bool:
        return self.link.exponent == 1 - self.power

    def rule(self) -> Rule:
        return self._log_terms if self.link.exponent == 0 else self._power_terms

    def _log_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """The log link, where exp(eta) alone might overflow."""
        p = self.power
        b = torch.exp((2 - p) * eta)
        a = y * torch.exp((1 - p) * eta)
        parts = [self._log_value(y, eta, a, b)]
        if order >= 1:
            parts.append(b - a)
        if order >= 2:
            parts.append(b if expected else (2 - p) * b + (p - 1) * a)
        return tuple(parts)

    def _log_value(self, y: Tensor, eta: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """y^(2-p) [E(2-p) - E(1-p)] with E(c) = expm1(c v) / c and v = eta - log y: nothing large cancels at mu = y.

        Where y is not positive there is no logarithm, and no cancellation either: -A / (1 - p) + B / (2 - p).
        """
        p = self.power
        logarithm = torch.log(torch.where(y > 0, y, 1))
        v = eta - logarithm
        positive = torch.exp((2 - p) * logarithm) * (
            torch.expm1((2 - p) * v) / (2 - p) - torch.expm1((1 - p) * v) / (1 - p)
        )
        return torch.where(y > 0, positive, b / (2 - p) - a / (1 - p))

    def _power_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """Identity, inverse and the other powers."""
        assert self.link.exponent is not None
        p, k = self.power, 1 / self.link.exponent
        mu = self.link.inverse(eta)
        parts = [self.unit_deviance(y, mu) / 2]
        if order >= 1:
            scale = k * mu ** (1 - p) / eta
            parts.append(scale * (mu - y))
        if order >= 2:
            bend = k * mu if expected or self.canonical else (k * (2 - p) - 1) * mu - (k * (1 - p) - 1) * y
            parts.append(scale * bend / eta)
        return tuple(parts)


def positive(y: Float[Tensor, "*n"], weight: Float[Tensor, "*n"] | None = None) -> Float[Tensor, "*n"]:
    """y, raised where it is not positive to a tenth of the mean size of y: a start for a mean that must be positive."""
    size = y.abs()
    typical = size.mean() if weight is None else (weight * size).sum() / weight.sum()
    return torch.where(y > 0, y, torch.where(typical > 0, 0.1 * typical, 0.1))
