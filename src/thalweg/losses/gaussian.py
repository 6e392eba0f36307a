"""The Gaussian family: least squares."""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from thalweg.losses.base import Rule
from thalweg.losses.links import POWERS
from thalweg.losses.power_variance import PowerVariance, positive
from thalweg.losses.probabilities import ProbabilityLink


@final
class Gaussian(PowerVariance):
    """V(mu) = 1, loss (y - mu)^2 / 2; default link identity.

    With the link logit or probit it is the squared error of a probability. That loss is bounded, and not convex: where
    the binomial loss says "wrong and sure" the louder the surer, this one falls silent.

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
    links: ClassVar[tuple[str, ...]] = (*POWERS, "logit", "probit")
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
        """y, moved into (0, 1) or made positive where the link needs that."""
        if self.link.exponent is None:
            return (y.clamp(0, 1) + 0.5) / 2
        return y if self.link.exponent == 1 else positive(y, weight)

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        return 0.5 * torch.log(precision / (2 * math.pi)).expand_as(y)

    def rule(self) -> Rule:
        others = self._power_terms if self.link.exponent is not None else self._probability_terms
        return {"identity": _identity_terms, "log": _log_terms}.get(self.link.name, others)

    def _probability_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """F and 1 - F each from its own tail: mu - y = (1 - y) F - y (1 - F) keeps its digits at y = 0 and 1."""
        assert isinstance(self.link, ProbabilityLink)
        residual = (1 - y) * self.link.inverse(eta) - y * self.link.inverse(-eta)  # F(-eta) = 1 - F(eta)
        parts = [(residual * residual).mul_(0.5)]
        if order >= 1:
            density = self.link.derivative(eta)
            parts.append(residual * density)
        if order >= 2:
            fisher = density * density
            parts.append(fisher if expected else fisher + residual * self.link.second_derivative(eta))
        return tuple(parts)


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
