"""The Tweedie family: from counts with a mass at zero to long-tailed amounts, by one power."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.losses.base import Link, Rule
from thalweg.losses.gamma import Gamma
from thalweg.losses.gaussian import Gaussian
from thalweg.losses.inverse_gaussian import InverseGaussian
from thalweg.losses.poisson import Poisson
from thalweg.losses.power_variance import PowerVariance, positive
from thalweg.losses.special import log_ratio
from thalweg.losses.tweedie_density import tweedie_saturated

_NAMED: dict[float, type[PowerVariance]] = {0.0: Gaussian, 1.0: Poisson, 2.0: Gamma, 3.0: InverseGaussian}


@final
class Tweedie(PowerVariance):
    """V(mu) = mu^power, for a power <= 0 or >= 1; default link log.

    Powers between 1 and 2 are sums of a Poisson number of gamma amounts, with exact zeros: pure premiums, rainfall.
    Powers 0, 1, 2 and 3 are the Gaussian, Poisson, gamma and inverse Gaussian families (with a free dispersion).

    The log-likelihood is known for powers 1 to 2 (Dunn and Smyth's series, see `tweedie_density`), 0 and 3, and NaN
    for others.

    Parameters
    ----------
    power : float
        Not between 0 and 1: no such distribution exists.

    Raises
    ------
    OptionError
        A power between 0 and 1, or not finite.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("tweedie", power=1.5).unit_deviance(torch.tensor([0.0, 4.0]), torch.tensor([4.0, 4.0]))
    tensor([8., 0.])
    """

    name = "tweedie"
    title = "Tweedie"
    default_link = "log"
    fixed_dispersion = None

    def __init__(self, link: Link, power: float) -> None:
        if not math.isfinite(power) or 0 < power < 1:
            raise OptionError(
                f"the power of a Tweedie family must be 0 or below, or 1 or above, not {power!r}",
                advice="For amounts with exact zeros choose one between 1 and 2.",
            )
        self.power = float(power)
        self.domain = "a finite number" if power <= 0 else ">= 0" if power < 2 else "> 0"
        self.mean_range = (-math.inf if power == 0 else 0.0, math.inf)
        self._same = _NAMED[self.power](link) if self.power in _NAMED else None
        if self._same is None and not 1 < power < 2:
            self.likelihood_reason = (
                f"the density of a Tweedie distribution of power {self.power:g} has no usable closed form or series"
            )
        super().__init__(link)

    def parameters(self) -> dict[str, float]:
        return {"power": self.power}

    def variance(self, mu: Tensor) -> Tensor:
        return super().variance(mu) if self._same is None else self._same.variance(mu)

    def variance_slope(self, mu: Tensor) -> Tensor:
        return super().variance_slope(mu) if self._same is None else self._same.variance_slope(mu)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        """The form of `_log_value`, with v = log(mu / y)."""
        if self._same is not None:
            return self._same.unit_deviance(y, mu)
        p = self.power
        count = torch.where(y > 0, y, 1)
        v = log_ratio(mu, count)
        inner = count ** (2 - p) * (torch.expm1((2 - p) * v) / (2 - p) - torch.expm1((1 - p) * v) / (1 - p))
        return 2 * torch.where(y > 0, inner, mu ** (2 - p) / (2 - p) - y * mu ** (1 - p) / (1 - p))

    def violations(self, y: Tensor) -> Tensor:
        valid = torch.isfinite(y)
        if self.power > 0:
            valid &= y >= 0 if self.power < 2 else y > 0
        return ~valid

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y, and a tenth of the mean size of y where y is not positive."""
        return positive(y, weight) if self.power != 0 or self.link.exponent != 1 else y

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        if isinstance(self._same, Poisson):  # precision * y is the count
            return self._same.saturated(precision * y, precision, trials)
        if self._same is not None:
            return self._same.saturated(y, precision, trials)
        if self.likelihood_reason is not None:
            return torch.full_like(y, torch.nan)
        return tweedie_saturated(y, precision.expand_as(y), self.power)

    def rule(self) -> Rule:
        return super().rule() if self._same is None else self._same.rule()
