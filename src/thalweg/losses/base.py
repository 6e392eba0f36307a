"""What a loss and a family of distributions must offer.

A loss is a function of one row's response y and predictor eta; the sum over rows, weights and penalties are written
once, in `thalweg.objective`. Everything here is elementwise over tensors of one shape, in float64 or float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor


class Loss(ABC):
    """A loss per row, in eta, with its derivatives by hand."""

    name: str

    @abstractmethod
    def value(self, y: Float[Tensor, "n"], eta: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """loss(y, eta); 0 at a perfect fit, +inf outside the domain of eta."""

    @abstractmethod
    def gradient(self, y: Float[Tensor, "n"], eta: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """d loss / d eta."""

    @abstractmethod
    def curvature(self, y: Float[Tensor, "n"], eta: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """d2 loss / d eta2 as observed: Newton's curvature; may be negative away from the optimum."""

    @abstractmethod
    def fisher(self, y: Float[Tensor, "n"], eta: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """Expectation of the curvature over y given eta: Fisher scoring's weight, never negative."""

    def terms(self, y: Tensor, eta: Tensor, order: int, *, expected: bool = False) -> tuple[Tensor, ...]:
        """(value,), (value, gradient) or (value, gradient, curvature) of one reading of eta.

        The plain twin of the faster ones in subclasses, which share the exponentials between the three.
        """
        parts = [self.value(y, eta)]
        if order >= 1:
            parts.append(self.gradient(y, eta))
        if order >= 2:
            parts.append(self.fisher(y, eta) if expected else self.curvature(y, eta))
        return tuple(parts)

    def inside(self, eta: Float[Tensor, "n"]) -> Bool[Tensor, "n"] | None:
        """Where eta lies in the domain of the loss; None when every real eta does."""
        return None


class Link(ABC):
    """eta = g(mu), mu = h(eta), with the first two derivatives of h."""

    name: str

    @abstractmethod
    def link(self, mu: Tensor) -> Tensor:
        """g(mu)."""

    @abstractmethod
    def inverse(self, eta: Tensor) -> Tensor:
        """h(eta)."""

    @abstractmethod
    def derivative(self, eta: Tensor) -> Tensor:
        """h'(eta) = d mu / d eta."""

    @abstractmethod
    def second_derivative(self, eta: Tensor) -> Tensor:
        """h''(eta)."""

    def inside(self, eta: Tensor) -> Tensor | None:
        """Where eta is in the domain of h; None when every real eta is."""
        return None

    def parameters(self) -> dict[str, float]:
        """What makes this link this one, besides its name (the exponent of a power)."""
        return {}


class Family(Loss):
    """An exponential-dispersion family with a link: the loss is half its unit deviance, d(y, mu) / 2.

    Hence gradient = -(y - mu) / V(mu) h'(eta), fisher = h'(eta)^2 / V(mu), and
    curvature = fisher + (y - mu) [V'(mu) h'(eta)^2 / V(mu)^2 - h''(eta) / V(mu)].
    """

    link: Link
    fixed_dispersion: float | None  # 1.0 for binomial, Poisson, negative binomial; None where it is estimated
    domain: str  # in words, to finish the sentence "a gamma response must be ..."

    @abstractmethod
    def variance(self, mu: Tensor) -> Tensor:
        """V(mu)."""

    @abstractmethod
    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        """d(y, mu) >= 0, exact where y is on the border of the domain (y log y = 0 at 0)."""

    @abstractmethod
    def violations(self, y: Tensor) -> Tensor:
        """True where y is outside the domain of the family."""

    @abstractmethod
    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """A feasible mean per row to start from, as R's `mustart`: (y + 0.5) / 2 for 0/1, y + 0.1 for counts."""

    @abstractmethod
    def log_likelihood(
        self, y: Tensor, mu: Tensor, dispersion: float, weight: Tensor | None = None, trials: Tensor | None = None
    ) -> Tensor:
        """Log density per row, constants included. A weight is a precision weight: dispersion / weight."""

    def mean(self, eta: Tensor) -> Tensor:
        """mu = h(eta)."""
        return self.link.inverse(eta)

    def parameters(self) -> dict[str, float]:
        """What makes this family this one, besides its name and link: `power`, `alpha`."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """What a model file stores; `thalweg.losses.family` reads it back."""
        link = {"name": self.link.name, **self.link.parameters()}
        return {"name": self.name, "link": link, **self.parameters()}
