"""Links whose means are probabilities: the inverse link is a distribution function F.

A binomial likelihood needs log F and log(1 - F) with their derivatives, and it needs them in both tails, where F or
1 - F is rounded away. Each link therefore gives these two directly (`log_tails`), without forming F.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.losses.base import Link
from thalweg.losses.special import largest_exponent, log1m_exp, polynomial

Tails = list[tuple[Tensor, Tensor]]
"""Per order of derivative: (that of log F, that of log(1 - F))."""

_SQRT_HALF = math.sqrt(0.5)
_HAZARD = (1.0, -2.0, 10.0, -74.0, 706.0, -8162.0, 110410.0, -1708394.0, 29752066.0)  # OEIS A000698
_CLOGLOG = (-1 / 2, -1 / 12, 0.0, 1 / 720, 0.0, -1 / 30240, 0.0, 1 / 1209600, 0.0, -1 / 47900160)


class ProbabilityLink(Link):
    """A link that can carry probabilities."""

    @abstractmethod
    def log_tails(self, eta: Float[Tensor, "*n"], order: int) -> Tails:
        """Entry k holds the k-th derivatives in eta of log F and of log(1 - F); `order` + 1 entries."""


@final
class Logit(ProbabilityLink):
    """eta = log(mu / (1 - mu)).

    Examples
    --------
    >>> import torch
    >>> Logit().link(torch.tensor([0.5, 0.75]))
    tensor([0.0000, 1.0986])
    """

    name = "logit"

    def link(self, mu: Tensor) -> Tensor:
        return torch.logit(mu)

    def inverse(self, eta: Tensor) -> Tensor:
        return torch.sigmoid(eta)

    def derivative(self, eta: Tensor) -> Tensor:
        return torch.sigmoid(eta) * torch.sigmoid(-eta)

    def second_derivative(self, eta: Tensor) -> Tensor:
        return -self.derivative(eta) * torch.tanh(eta / 2)

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        rest = torch.log1p(torch.exp(-eta.abs()))
        mu, other = torch.sigmoid(eta), torch.sigmoid(-eta)
        tails = [(eta.clamp(max=0) - rest, (-eta).clamp(max=0) - rest), (other, -mu), (-mu * other, -mu * other)]
        return tails[: order + 1]


@final
class Probit(ProbabilityLink):
    """eta = Phi^-1(mu), Phi the standard normal distribution function."""

    name = "probit"

    def link(self, mu: Tensor) -> Tensor:
        return torch.special.ndtri(mu)

    def inverse(self, eta: Tensor) -> Tensor:
        return torch.special.ndtr(eta)

    def derivative(self, eta: Tensor) -> Tensor:
        return torch.exp(-0.5 * eta * eta) / math.sqrt(2 * math.pi)

    def second_derivative(self, eta: Tensor) -> Tensor:
        return -eta * self.derivative(eta)

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        tails = [(torch.special.log_ndtr(eta), torch.special.log_ndtr(-eta))]
        if order >= 1:
            lower, upper = _hazard(-eta), _hazard(eta)
            tails.append((lower, -upper))
        if order >= 2:
            tails.append((-lower * _hazard_excess(-eta, lower), -upper * _hazard_excess(eta, upper)))
        return tails


def _hazard(t: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """phi(t) / (1 - Phi(t)), the inverse of Mills' ratio."""
    return math.sqrt(2 / math.pi) / torch.special.erfcx(t * _SQRT_HALF)


def _hazard_excess(t: Float[Tensor, "*n"], hazard: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """hazard - t, which is about 1 / t: by its asymptotic series where the difference would cancel.

    t (hazard - t) = 1 - 2 / t^2 + 10 / t^4 - ..., Abramowitz & Stegun 26.2.12 inverted.
    """
    cut = (6e6 / torch.finfo(t.dtype).eps) ** (1 / 18)  # the first term left out is 100 roundings there: t = 18 or 6
    far = t.clamp(min=cut)
    return torch.where(t > cut, polynomial(1 / (far * far), _HAZARD) / far, hazard - t)


@final
class CLogLog(ProbabilityLink):
    """eta = log(-log(1 - mu)), the complementary log-log link: proportional hazards of grouped times."""

    name = "cloglog"

    def link(self, mu: Tensor) -> Tensor:
        return torch.log(-torch.log1p(-mu))

    def inverse(self, eta: Tensor) -> Tensor:
        return -torch.expm1(-torch.exp(eta))

    def derivative(self, eta: Tensor) -> Tensor:
        return torch.exp(eta - torch.exp(eta))

    def second_derivative(self, eta: Tensor) -> Tensor:
        return self.derivative(eta) * -torch.expm1(eta.clamp(max=largest_exponent(eta)))

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        # Not beyond the largest number: 0 * inf would spoil rows whose y is exactly 0 or 1.
        z = torch.exp(eta.clamp(max=largest_exponent(eta)))
        lowest = math.log(torch.finfo(eta.dtype).eps)
        f = torch.where(eta < lowest, eta - z / 2, log1m_exp(z.clamp(min=math.exp(lowest))))
        tails = [(f, -z)]
        if order >= 1:
            a = torch.where(z > 0, z / torch.expm1(z), 1)
            tails.append((a, -z))
        if order >= 2:
            bend = torch.where(z < 0.25, z * polynomial(z.clamp(max=0.25), _CLOGLOG), 1 - z - a)
            tails.append((a * bend, -z))
        return tails


@final
class LogLog(ProbabilityLink):
    """eta = -log(-log(mu)): the complementary log-log link of 1 - mu with the sign of eta turned."""

    name = "loglog"
    _mirror = CLogLog()

    def link(self, mu: Tensor) -> Tensor:
        return -torch.log(-torch.log(mu))

    def inverse(self, eta: Tensor) -> Tensor:
        return torch.exp(-torch.exp(-eta))

    def derivative(self, eta: Tensor) -> Tensor:
        return self._mirror.derivative(-eta)

    def second_derivative(self, eta: Tensor) -> Tensor:
        return -self._mirror.second_derivative(-eta)

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        mirrored = self._mirror.log_tails(-eta, order)
        return [(s, f) if k != 1 else (-s, -f) for k, (f, s) in enumerate(mirrored)]


@final
class Cauchit(ProbabilityLink):
    """eta = tan(pi (mu - 1/2)), the inverse of the Cauchy distribution function: forgiving of outliers."""

    name = "cauchit"

    def link(self, mu: Tensor) -> Tensor:
        return -1 / torch.tan(math.pi * mu)

    def inverse(self, eta: Tensor) -> Tensor:
        return torch.atan2(torch.ones_like(eta), -eta) / math.pi

    def derivative(self, eta: Tensor) -> Tensor:
        return 1 / (math.pi * (1 + eta * eta))

    def second_derivative(self, eta: Tensor) -> Tensor:
        return -2 * eta * self.derivative(eta) / (1 + eta * eta)

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        mu, other = self.inverse(eta), self.inverse(-eta)
        tails = [(_log_of(mu, other), _log_of(other, mu))]
        if order >= 1:
            density = self.derivative(eta)
            a, b = density / mu, density / other
            tails.append((a, -b))
        if order >= 2:
            score = -2 * eta / (1 + eta * eta)
            tails.append((a * (score - a), -b * (score + b)))
        return tails


def _log_of(probability: Tensor, other: Tensor) -> Tensor:
    """log of a probability, given what it lacks of 1."""
    return torch.where(other < 0.5, torch.log1p(-other.clamp(max=0.5)), torch.log(probability))
