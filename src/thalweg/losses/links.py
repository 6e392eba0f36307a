"""Links that are powers of the mean, and the list of all links."""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.losses.base import Link
from thalweg.losses.probabilities import Cauchit, CLogLog, Logit, LogLog, ProbabilityLink, Probit, Tails
from thalweg.losses.special import log1m_exp


@final
class Identity(ProbabilityLink):
    """eta = mu."""

    name = "identity"
    exponent = 1.0

    def link(self, mu: Tensor) -> Tensor:
        return mu

    def inverse(self, eta: Tensor) -> Tensor:
        return eta

    def derivative(self, eta: Tensor) -> Tensor:
        return torch.ones_like(eta)

    def second_derivative(self, eta: Tensor) -> Tensor:
        return torch.zeros_like(eta)

    def interval(self, low: float, high: float) -> tuple[float, float]:
        return low, high

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        p, q = 1 / eta, 1 / (1 - eta)
        return [(torch.log(eta), torch.log1p(-eta)), (p, -q), (-p * p, -q * q)][: order + 1]


@final
class Log(ProbabilityLink):
    """eta = log(mu)."""

    name = "log"
    exponent = 0.0

    def link(self, mu: Tensor) -> Tensor:
        return torch.log(mu)

    def inverse(self, eta: Tensor) -> Tensor:
        return torch.exp(eta)

    def derivative(self, eta: Tensor) -> Tensor:
        return torch.exp(eta)

    def second_derivative(self, eta: Tensor) -> Tensor:
        return torch.exp(eta)

    def interval(self, low: float, high: float) -> tuple[float, float]:
        return (math.log(low) if low > 0 else -math.inf), (math.log(high) if high < math.inf else math.inf)

    def log_tails(self, eta: Tensor, order: int) -> Tails:
        odds = 1 / torch.expm1(-eta)  # F / (1 - F)
        tails = [(eta, log1m_exp(-eta)), (torch.ones_like(eta), -odds)]
        return [*tails, (torch.zeros_like(eta), -odds * (1 + odds))][: order + 1]


class PowerLink(Link):
    """eta = mu^exponent for positive means; mu = eta^k with k = 1 / exponent."""

    exponent: float

    def link(self, mu: Tensor) -> Tensor:
        return mu**self.exponent

    def inverse(self, eta: Tensor) -> Tensor:
        return eta ** (1 / self.exponent)

    def derivative(self, eta: Tensor) -> Tensor:
        k = 1 / self.exponent
        return k * eta ** (k - 1)

    def second_derivative(self, eta: Tensor) -> Tensor:
        k = 1 / self.exponent
        return k * (k - 1) * eta ** (k - 2)

    def interval(self, low: float, high: float) -> tuple[float, float]:
        return 0.0, math.inf


@final
class Inverse(PowerLink):
    """eta = 1 / mu. Means of either sign are possible where the family has them; eta = 0 has no mean."""

    name = "inverse"
    exponent = -1.0

    def interval(self, low: float, high: float) -> tuple[float, float]:
        return (0.0 if low >= 0 else -math.inf), math.inf

    def inside(self, eta: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"] | None:
        return eta != 0


@final
class InverseSquared(PowerLink):
    """eta = 1 / mu^2."""

    name = "inverse_squared"
    exponent = -2.0


@final
class Sqrt(PowerLink):
    """eta = sqrt(mu)."""

    name = "sqrt"
    exponent = 0.5


@final
class Power(PowerLink):
    """eta = mu^exponent, for any exponent but 0.

    Raises
    ------
    OptionError
        An exponent that is 0 or not finite.

    Examples
    --------
    >>> import torch
    >>> Power(exponent=3).inverse(torch.tensor([8.0, 27.0]))
    tensor([2., 3.])
    """

    name = "power"

    def __init__(self, exponent: float) -> None:
        if not math.isfinite(exponent) or exponent == 0:
            raise OptionError(
                f"the exponent of a power link must be a number other than 0, not {exponent!r}",
                advice="The limit of exponent 0 is the link 'log'.",
            )
        self.exponent = float(exponent)

    def parameters(self) -> dict[str, float]:
        return {"exponent": self.exponent}


POWERS = ("identity", "log", "inverse", "inverse_squared", "sqrt", "power")
LINKS: dict[str, type[Link]] = {
    "identity": Identity,
    "log": Log,
    "logit": Logit,
    "probit": Probit,
    "cloglog": CLogLog,
    "loglog": LogLog,
    "cauchit": Cauchit,
    "inverse": Inverse,
    "inverse_squared": InverseSquared,
    "sqrt": Sqrt,
    "power": Power,
}
