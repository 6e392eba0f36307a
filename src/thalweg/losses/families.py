"""All families, by name."""

from __future__ import annotations

from thalweg.losses.base import Family
from thalweg.losses.binomial import Binomial
from thalweg.losses.gamma import Gamma
from thalweg.losses.gaussian import Gaussian
from thalweg.losses.inverse_gaussian import InverseGaussian
from thalweg.losses.negative_binomial import NegativeBinomial
from thalweg.losses.poisson import Poisson
from thalweg.losses.tweedie import Tweedie

FAMILIES: dict[str, type[Family]] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "poisson": Poisson,
    "gamma": Gamma,
    "inverse_gaussian": InverseGaussian,
    "negative_binomial": NegativeBinomial,
    "tweedie": Tweedie,
}
ALIASES = {"logistic": "binomial", "bernoulli": "binomial"}
PARAMETERS = {"negative_binomial": "alpha", "tweedie": "power"}

__all__ = [
    "ALIASES",
    "FAMILIES",
    "PARAMETERS",
    "Binomial",
    "Gamma",
    "Gaussian",
    "InverseGaussian",
    "NegativeBinomial",
    "Poisson",
    "Tweedie",
]
