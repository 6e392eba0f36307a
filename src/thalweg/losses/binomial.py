"""The binomial family: yes or no, and proportions of trials."""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.losses.base import Family, Rule
from thalweg.losses.probabilities import ProbabilityLink
from thalweg.losses.special import log1p_expm1, poisson_excess, stirling_error


@final
class Binomial(Family):
    """V(mu) = mu (1 - mu), loss y log(y / mu) + (1 - y) log((1 - y) / (1 - mu)); default link logit (canonical).

    y is 0 or 1, or a proportion; the trials behind a proportion multiply its weight, and their binomial coefficient is
    in the log-likelihood. In terms of the link's distribution function F, with ' for d / d eta,

        loss = -y log(F / y) - (1 - y) log((1 - F) / (1 - y)),    gradient = -y (log F)' - (1 - y) (log(1 - F))',
        curvature likewise with '',    fisher = -(log F)' (log(1 - F))'.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("binomial").gradient(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]))
    tensor([-0.5000,  0.5000])
    """

    name = "binomial"
    title = "binomial"
    domain = "0, 1 or a proportion between them"
    advice = "Give 0 and 1, two labels, a proportion with the option trials, or cbind(successes, failures)."
    links = ("logit", "probit", "cloglog", "loglog", "cauchit", "log", "identity")
    default_link = "logit"
    mean_range = (0.0, 1.0)
    fixed_dispersion = 1.0
    link: ProbabilityLink

    def variance(self, mu: Tensor) -> Tensor:
        return mu * (1 - mu)

    def variance_slope(self, mu: Tensor) -> Tensor:
        return 1 - 2 * mu

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return 2 * (poisson_excess(y, mu) + poisson_excess(1 - y, 1 - mu))

    def violations(self, y: Tensor) -> Tensor:
        return ~((y >= 0) & (y <= 1))

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """(w y + 1/2) / (w + 1), where w is the number of trials times the weight (1 if not given)."""
        return (y + 0.5) / 2 if weight is None else (weight * y + 0.5) / (weight + 1)

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        n = torch.ones_like(y) if trials is None else trials
        inner = (y > 0) & (y < 1) & (n > 0)
        n, p = torch.where(inner, n, 1), torch.where(inner, y, 0.5)
        coefficient = stirling_error(n) - stirling_error(n * p) - stirling_error(n * (1 - p))
        return torch.where(inner, coefficient - 0.5 * torch.log(2 * math.pi * n * p * (1 - p)), 0)

    @property
    def canonical(self) -> bool:
        return self.link.name == "logit"

    def rule(self) -> Rule:
        return _logit_terms if self.canonical else self._tail_terms

    def _tail_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """The class docstring's formulas."""
        tails = self.link.log_tails(eta, min(order, 1) if expected else order)
        sums = [-(y * lower) - (1 - y) * upper for lower, upper in tails]
        if not _labels_only(y):
            sums[0] = _with_proportions(sums[0], y, tails[0][0] - tails[0][1])
        if expected and order >= 2:
            lower, upper = tails[1]
            sums.append(-lower * upper)
        return tuple(sums[: order + 1])


def _logit_terms(y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
    """Labels: with s = 1 - 2 y and z = s eta,

    loss = max(z, 0) + log(1 + exp(-|z|)),    gradient = s / (1 + exp(-z)),    curvature = mu (1 - mu).
    """
    if not _labels_only(y):
        return _logit_proportion_terms(y, eta, order)
    sign = torch.sub(1, y, alpha=2)
    z = sign * eta
    parts = [_positive_part(z).add_(torch.log1p(z.abs().neg_().exp_()))]
    if order >= 1:
        wrong = torch.sigmoid(z)
        parts.append(sign * wrong)
    if order >= 2:
        parts.append(torch.sigmoid(-z).mul_(wrong))
    return tuple(parts)


def _logit_proportion_terms(y: Tensor, eta: Tensor, order: int) -> tuple[Tensor, ...]:
    """gradient = (1 - y) mu - y (1 - mu), with both mu and 1 - mu as exponentials; the values as for any link."""
    mu, other = torch.sigmoid(eta), torch.sigmoid(-eta)
    rest = torch.log1p(torch.exp(-eta.abs()))
    value = _with_proportions(torch.addcmul(_positive_part(eta), y, eta, value=-1) + rest, y, eta)
    gradient = torch.addcmul((1 - y) * mu, y, other, value=-1)
    return (value, gradient, mu * other)[: order + 1]


def _positive_part(z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """max(z, 0), in a form whose derivative by autograd at 0 is 1/2 as the loss needs it; that of `clamp` is 1.

    Descents start at 0 and would take a first gradient of twice its size.
    """
    return z.abs().add_(z).mul_(0.5)


def _labels_only(y: Float[Tensor, "*n"]) -> bool:
    """Whether every y is known to be 0 or 1. Asked on a processor only, where the answer costs no synchronisation."""
    return y.device.type == "cpu" and torch.equal(y * y, y)


def _with_proportions(
    value: Float[Tensor, "*n"], y: Float[Tensor, "*n"], log_odds: Float[Tensor, "*n"]
) -> Float[Tensor, "*n"]:
    """The values of labels, with those of proportions put in their places.

    With v = logit(mu) - logit(y) the loss of a proportion is log(1 + y expm1(v)) - y v, and the same with 1 - y and -v:
    the smaller of y and 1 - y is the one that does not cancel.
    """
    inner = (y > 0) & (y < 1)
    p = torch.where(inner, y, 0.5)
    v = log_odds - torch.logit(p)
    k, v = torch.minimum(p, 1 - p), torch.where(p > 0.5, -v, v)
    return torch.where(inner, log1p_expm1(k, v) - k * v, value)
