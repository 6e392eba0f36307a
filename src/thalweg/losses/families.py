"""All families, by name."""

from __future__ import annotations

from thalweg.losses.base import Family
from thalweg.losses.binomial import Binomial
from thalweg.losses.gamma import Gamma
from thalweg.losses.gaussian import Gaussian
from thalweg.losses.inverse_gaussian import InverseGaussian
from thalweg.losses.negative_binomial import NegativeBinomial
from thalweg.losses.poisson import Poisson
from thalweg.losses.robust import Cauchy, Huber, SoftL1
from thalweg.losses.tweedie import Tweedie

FAMILIES: dict[str, type[Family]] = {
    "gaussian": Gaussian,
    "binomial": Binomial,
    "poisson": Poisson,
    "gamma": Gamma,
    "inverse_gaussian": InverseGaussian,
    "negative_binomial": NegativeBinomial,
    "tweedie": Tweedie,
    "huber": Huber,
    "soft_l1": SoftL1,
    "cauchy": Cauchy,
}
ALIASES = {
    "logistic": "binomial",
    "bernoulli": "binomial",
    "softl1": "soft_l1",
    "pseudo_huber": "soft_l1",
    "lorentz": "cauchy",
    "lorentzian": "cauchy",
}
PARAMETERS = {
    "negative_binomial": "alpha",
    "tweedie": "power",
    "huber": "scale",
    "soft_l1": "scale",
    "cauchy": "scale",
}

__all__ = [
    "ALIASES",
    "FAMILIES",
    "PARAMETERS",
    "Binomial",
    "Cauchy",
    "Gamma",
    "Gaussian",
    "Huber",
    "InverseGaussian",
    "NegativeBinomial",
    "Poisson",
    "SoftL1",
    "Tweedie",
]
