"""What a loss and a family of distributions must offer.

A loss is a function of one row's response y and predictor eta; the sum over rows, weights and penalties are written
once, in `thalweg.objective`. Everything here is elementwise over tensors of one shape, in float64 or float32.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.errors import OptionError

Rule = Callable[[Tensor, Tensor, int, bool], tuple[Tensor, ...]]
"""(y, eta, order, expected) -> what `Loss.terms` returns: the derivatives of one pair of family and link."""


class Loss(ABC):
    """A loss per row, in eta, with its derivatives by hand."""

    name: str

    @abstractmethod
    def value(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """loss(y, eta); 0 at a perfect fit, +inf outside the domain of eta."""

    @abstractmethod
    def gradient(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """d loss / d eta."""

    @abstractmethod
    def curvature(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """d2 loss / d eta2 as observed: Newton's curvature; may be negative away from the optimum."""

    @abstractmethod
    def fisher(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
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

    def inside(self, eta: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"] | None:
        """Where eta lies in the domain of the loss; None when every real eta does."""
        return None

    def recession(self, y: Float[Tensor, "*n"]) -> tuple[Bool[Tensor, "*n"], Bool[Tensor, "*n"]] | None:
        """Rows whose loss keeps falling as eta goes to +inf, and those for which it does as eta goes to -inf.

        None when no row of this loss ever does: then separation cannot happen.
        """
        return None


class Link(ABC):
    """eta = g(mu), mu = h(eta), with the first two derivatives of h.

    Attributes
    ----------
    name : str
    exponent : float or None
        The exponent of g(mu) = mu^exponent where g is a power, 0 where it is the logarithm, else None.
    """

    name: str
    exponent: float | None = None

    @abstractmethod
    def link(self, mu: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """g(mu)."""

    @abstractmethod
    def inverse(self, eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """h(eta)."""

    @abstractmethod
    def derivative(self, eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """h'(eta) = d mu / d eta."""

    @abstractmethod
    def second_derivative(self, eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """h''(eta)."""

    def interval(self, low: float, high: float) -> tuple[float, float]:
        """The open interval of eta whose means lie in the open interval (low, high)."""
        return -torch.inf, torch.inf

    def inside(self, eta: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"] | None:
        """Where eta is in the domain of h, where `interval` gives all reals; None when every real eta is."""
        return None

    def parameters(self) -> dict[str, float]:
        """What makes this link this one, besides its name (the exponent of a power)."""
        return {}

    def __repr__(self) -> str:
        return _call(type(self).__name__, self.parameters())


class Family(Loss):
    """An exponential-dispersion family with a link: the loss is half its unit deviance, d(y, mu) / 2.

    Hence gradient = -(y - mu) / V(mu) h'(eta), fisher = h'(eta)^2 / V(mu), and
    curvature = fisher + (y - mu) [V'(mu) h'(eta)^2 / V(mu)^2 - h''(eta) / V(mu)].

    These are written once as `plain_terms`. A family that knows a better form for a link (nothing overflows, nothing
    cancels, exponentials are shared) says so in `rule`; the tests compare the two for every pair.

    Parameters
    ----------
    link : Link
        One of `links`.

    Attributes
    ----------
    title : str
        The name in a sentence: "a {title} response must be {domain}".
    domain : str
        Which responses are possible, to finish that sentence.
    links, default_link : tuple of str, str
        The links that give this family a model.
    mean_range : tuple of float
        The open interval in which a mean must lie; eta outside it has the value +inf.
    fixed_dispersion : float or None
        1.0 for binomial, Poisson and negative binomial; None where it is estimated.
    likelihood_reason : str or None
        Why there is no log-likelihood (it is NaN then); None where there is one.
    dispersion_reason : str or None
        Why there is no dispersion (NaN then, as are the null model's numbers; a sandwich is the default covariance);
        None where there is one.

    Raises
    ------
    OptionError
        A link that is not one of `links`.
    """

    title: ClassVar[str]
    domain: str
    advice: ClassVar[str] = "Leave the row out, or choose a family that such responses can come from."
    links: ClassVar[tuple[str, ...]]
    default_link: ClassVar[str]
    mean_range: tuple[float, float]
    fixed_dispersion: float | None
    likelihood_reason: str | None = None
    dispersion_reason: str | None = None
    link: Link

    def __init__(self, link: Link) -> None:
        if link.name not in self.links:
            raise OptionError(
                f"a {self.title} model has no link {link.name!r}", advice=f"Its links are {', '.join(self.links)}."
            )
        self.link = link
        self._interval = link.interval(*self.mean_range)
        self._rule = self.rule()

    @abstractmethod
    def variance(self, mu: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """V(mu)."""

    def pearson(self, y: Float[Tensor, "*n"], mu: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """(y - mu) / sqrt(V(mu)); 0 where y = mu, also on the border of the range, where there is no variance."""
        return torch.where(y == mu, 0.0, (y - mu) / self.variance(mu).sqrt())

    @abstractmethod
    def variance_slope(self, mu: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """V'(mu)."""

    @abstractmethod
    def unit_deviance(self, y: Float[Tensor, "*n"], mu: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """d(y, mu) >= 0, exact where y is on the border of the domain (y log y = 0 at 0)."""

    @abstractmethod
    def violations(self, y: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"]:
        """True where y is outside the domain of the family, or is not finite."""

    @abstractmethod
    def starting_mean(self, y: Float[Tensor, "*n"], weight: Float[Tensor, "*n"] | None = None) -> Float[Tensor, "*n"]:
        """A feasible mean per row to start from, as R's `mustart`: (y + 0.5) / 2 for 0/1, y + 0.1 for counts."""

    @abstractmethod
    def saturated(
        self, y: Float[Tensor, "*n"], precision: Float[Tensor, "*n"], trials: Float[Tensor, "*n"] | None
    ) -> Float[Tensor, "*n"]:
        """Log density at mu = y with dispersion 1 / precision: the most that a row can reach."""

    @property
    @abstractmethod
    def canonical(self) -> bool:
        """Whether the link is the family's own: then the observed curvature is the expected one."""

    def rule(self) -> Rule:
        """The derivatives of this family with its link."""
        return self.plain_terms

    def plain_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """The class docstring's formulas, through the mean."""
        mu = self.link.inverse(eta)
        parts = [self.unit_deviance(y, mu) / 2]
        if order >= 1:
            residual, slope, variance = y - mu, self.link.derivative(eta), self.variance(mu)
            parts.append(-residual * slope / variance)
        if order >= 2:
            fisher = slope**2 / variance
            bend = self.variance_slope(mu) * fisher / variance - self.link.second_derivative(eta) / variance
            parts.append(fisher if expected else fisher + residual * bend)
        return tuple(parts)

    def terms(self, y: Tensor, eta: Tensor, order: int, *, expected: bool = False) -> tuple[Tensor, ...]:
        """(value,), (value, gradient) or (value, gradient, curvature) of one reading of eta.

        Outside the domain of eta the value is +inf and the derivatives mean nothing.
        """
        parts = self._rule(y, eta, order, expected)
        inside = self.inside(eta)
        return parts if inside is None else (torch.where(inside, parts[0], torch.inf), *parts[1:])

    def value(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return self.terms(y, eta, 0)[0]

    def gradient(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return self.terms(y, eta, 1)[1]

    def curvature(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return self.terms(y, eta, 2)[2]

    def fisher(self, y: Float[Tensor, "*n"], eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return self.terms(y, eta, 2, expected=True)[2]

    @property
    def eta_range(self) -> tuple[float, float]:
        """The open interval in which eta must lie."""
        return self._interval

    def inside(self, eta: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"] | None:
        """Where eta gives a mean in `mean_range`; None when every real eta does."""
        low, high = self._interval
        if low == -torch.inf:
            return self.link.inside(eta) if high == torch.inf else eta < high
        return eta > low if high == torch.inf else (eta > low) & (eta < high)

    def recession(self, y: Float[Tensor, "*n"]) -> tuple[Bool[Tensor, "*n"], Bool[Tensor, "*n"]] | None:
        """Rows at or beyond a finite limit of the mean: y = 1 and 0 of a binomial, a count of 0 under a log link."""
        ends = torch.tensor([-torch.inf, torch.inf], dtype=torch.float64)
        if self.inside(ends[:1]) is not None:
            return None
        low, high = self.link.inverse(ends).tolist()
        if low == -torch.inf and high == torch.inf:
            return None
        return y >= high, y <= low

    def mean(self, eta: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """mu = h(eta)."""
        return self.link.inverse(eta)

    def log_likelihood(
        self,
        y: Float[Tensor, "*n"],
        mu: Float[Tensor, "*n"],
        dispersion: float | Tensor,
        weight: Float[Tensor, "*n"] | None = None,
        trials: Float[Tensor, "*n"] | None = None,
    ) -> Float[Tensor, "*n"]:
        """Log density per row, constants included: that of the saturated model less half the scaled deviance.

        A weight is a precision weight: the row's dispersion is dispersion / weight. Where the dispersion is fixed,
        `dispersion` is not read and a weight multiplies the row's log density, as in R and statsmodels. A row of
        weight 0 counts 0. NaN where `likelihood_reason` says why there is none.
        """
        weight = torch.ones_like(mu) if weight is None else weight
        half = self.unit_deviance(y, mu) / 2 if trials is None else self.unit_deviance(y, mu) * (trials / 2)
        if self.fixed_dispersion is None:
            precision = weight / dispersion
            density = self.saturated(y, precision, trials) - precision * half
        else:
            density = weight * (self.saturated(y, weight, trials) - half)
        return torch.where(weight == 0, 0, density)

    def parameters(self) -> dict[str, float]:
        """What makes this family this one, besides its name and link: `power`, `alpha`."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """What a model file stores; `thalweg.losses.family` reads it back."""
        link = {"name": self.link.name, **self.link.parameters()}
        return {"name": self.name, "link": link, **self.parameters()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Family) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.name, self.link.name))

    def __repr__(self) -> str:
        return _call(type(self).__name__, {**self.parameters(), "link": self.link})


def _call(name: str, arguments: dict[str, Any]) -> str:
    """Text of a call: Power(exponent=0.5)."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
