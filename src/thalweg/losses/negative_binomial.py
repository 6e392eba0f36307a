"""The negative binomial family: counts that vary more than Poisson counts."""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.losses.base import Family, Link, Rule
from thalweg.losses.links import POWERS
from thalweg.losses.negative_binomial_alpha import alpha_derivatives
from thalweg.losses.special import NEAR, largest_exponent, log1p_expm1, log1p_remainders, ratio_excess, stirling_error


@final
class NegativeBinomial(Family):
    """V(mu) = mu + alpha mu^2 for a given alpha > 0 (R's 1 / theta); default link log.

    loss = y log(y / mu) - (y + 1 / alpha) log((1 + alpha y) / (1 + alpha mu)). As for Poisson, any finite y >= 0 is
    accepted. As alpha goes to 0 everything goes to the Poisson family's.

    Parameters
    ----------
    alpha : float
        Above 0.

    Raises
    ------
    OptionError
        An alpha that is not above 0 and finite.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("negative_binomial", alpha=0.5).variance(torch.tensor([2.0]))
    tensor([4.])
    """

    name = "negative_binomial"
    title = "negative binomial"
    domain = ">= 0"
    links = POWERS
    default_link = "log"
    mean_range = (0.0, torch.inf)
    fixed_dispersion = 1.0

    def __init__(self, link: Link, alpha: float) -> None:
        if not 0 < alpha < math.inf:
            raise OptionError(
                f"alpha of a negative binomial family must be above 0, not {alpha!r}",
                advice="In the limit alpha = 0 it is the family 'poisson'.",
            )
        self.alpha = float(alpha)
        super().__init__(link)

    def parameters(self) -> dict[str, float]:
        return {"alpha": self.alpha}

    def variance(self, mu: Tensor) -> Tensor:
        return mu * (1 + self.alpha * mu)

    def variance_slope(self, mu: Tensor) -> Tensor:
        return 1 + 2 * self.alpha * mu

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        """By the two forms of `_balanced`, with x = expm1(v) taken from the difference of y and mu."""
        count, swap, k, scale = self._balanced(y)
        a, b = torch.where(swap, count, mu), torch.where(swap, mu, count)
        x = (a - b) / b
        near = log1p_remainders(k * x)[0] / k + ratio_excess(a, b)
        half = scale * torch.where(x.abs() < NEAR, near, torch.log1p(k * x) / k - torch.log(a / b))
        return 2 * torch.where(y > 0, half, torch.log1p(self.alpha * mu) / self.alpha)

    def violations(self, y: Tensor) -> Tensor:
        return ~((y >= 0) & torch.isfinite(y))

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y + 0.1."""
        return y + 0.1

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        count, n = torch.where(y > 0, y, 1), torch.as_tensor(1 / self.alpha, dtype=y.dtype, device=y.device)
        stirling = stirling_error(count + n) - stirling_error(n) - stirling_error(count)
        return torch.where(y > 0, stirling - 0.5 * torch.log(2 * math.pi * count * (1 + self.alpha * count)), 0)

    @property
    def canonical(self) -> bool:
        return False

    def alpha_score(
        self, y: Float[Tensor, "*n"], mu: Float[Tensor, "*n"], weight: Float[Tensor, "*n"] | None = None
    ) -> tuple[Tensor, Tensor]:
        """First and second derivative in alpha of the weighted log-likelihood at means mu: two sums.

        Good to about 12 digits for every alpha: in the limit 0 the first is sum w [(y - mu)^2 - y] / 2.
        """
        first, second = alpha_derivatives(self.alpha, y, mu)
        return (first.sum(), second.sum()) if weight is None else ((weight * first).sum(), (weight * second).sum())

    def rule(self) -> Rule:
        return self._log_terms if self.link.exponent == 0 else self.plain_terms

    def _balanced(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """count, swap, k, scale such that loss = scale [log(1 + k expm1(v)) / k - v] without cancellation, for y > 0.

        (1) v = log(mu / y), k = alpha y / (1 + alpha y), scale = y where alpha y <= 1 (k <= 1/2);
        (2) v = log(y / mu), k = 1 / (1 + alpha y), scale = 1 / alpha elsewhere: `swap`.
        The two are equal; each would cancel as its k goes to 1.
        """
        count = torch.where(y > 0, y, 1)
        size = self.alpha * count
        swap = size > 1
        k = torch.where(swap, 1, size) / (1 + size)
        return count, swap, k, torch.where(swap, 1 / self.alpha, count)

    def _log_value(self, y: Tensor, eta: Tensor) -> Tensor:
        count, swap, k, scale = self._balanced(y)
        v = eta - torch.log(count)
        v = torch.where(swap, -v, v)
        half = scale * (log1p_expm1(k, v) / k - v)
        low = eta.clamp(max=largest_exponent(eta))
        zero = (torch.log1p(self.alpha * torch.exp(low)) + (eta - low)) / self.alpha
        return torch.where(y > 0, half, zero)

    def _log_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """With low = exp(min(eta, 0)), high = exp(-max(eta, 0)), mu = low / high, D = high + alpha low:

        gradient = (low - y high) / D,  fisher = low / D,  curvature = fisher high (1 + alpha y) / D.
        """
        parts = [self._log_value(y, eta)]
        if order >= 1:
            low, high = torch.exp(eta.clamp(max=0)), torch.exp(-eta.clamp(min=0))
            total = high + self.alpha * low
            parts.append((low - y * high) / total)
        if order >= 2:
            fisher = low / total
            parts.append(fisher if expected else fisher * high * (1 + self.alpha * y) / total)
        return tuple(parts)
