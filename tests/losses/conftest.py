"""The grid of every family with every link, made from the registry, and the truth in 80-digit arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import mpmath as mp
import pytest
import torch

from thalweg.losses import Family, family
from thalweg.losses.families import FAMILIES, PARAMETERS

# What a parameter of a family or link is tried at. A new parameter needs an entry here.
TRIED: dict[str, tuple[float, ...]] = {
    "alpha": (1e-9, 0.3, 20.0),
    "power": (-1.0, 1.01, 1.5, 2.5),  # 0, 1, 2 and 3 are tested to be the families that they name
    "scale": (0.37, 1.345, 70.0),  # no residual of the grid is one of these: a Huber loss has no curvature there
    "exponent": (-0.5, 1.5),
}


def _choices(parameter: str | None) -> list[dict[str, float]]:
    return [{}] if parameter is None else [{parameter: value} for value in TRIED[parameter]]


def all_pairs() -> list[Family]:
    """Every family with every one of its links."""
    pairs = []
    for name, kind in FAMILIES.items():
        for link, own in product(kind.links, _choices(PARAMETERS.get(name))):
            pairs += [family(name, link, **own, **more) for more in _choices("exponent" if link == "power" else None)]
    return pairs


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", all_pairs(), ids=str)


def responses(pair: Family) -> torch.Tensor:
    """Responses that the family can have, its border included."""
    tried = torch.tensor([-2.5, 0.0, 1e-3, 0.25, 0.97, 1.0, 1.7, 3.0, 40.0, 2.5e4], dtype=torch.float64)
    return tried[~pair.violations(tried)]


def grid(pair: Family) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of y and eta, in the middle and near mu = y, inside the domain of eta."""
    y = responses(pair)
    means = torch.tensor([-3.0, 1e-3, 0.02, 0.4, 0.9, 1.3, 6.0, 150.0, 3e4], dtype=torch.float64)
    low, high = pair.mean_range
    means = torch.cat([means, y * (1 + 1e-6), y * (1 - 3e-3), y * 1.2])
    means = means[(means > low) & (means < high)]
    eta = pair.link.link(means)
    eta = eta[torch.isfinite(eta)]
    inside = pair.inside(eta)
    eta = eta if inside is None else eta[inside]
    y, eta = torch.meshgrid(y, eta, indexing="ij")
    return y.reshape(-1), eta.reshape(-1)


def mp_mean(link: Any, eta: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    """(mu, 1 - mu), the second without cancellation."""
    match link.name:
        case "logit":
            return 1 / (1 + mp.exp(-eta)), 1 / (1 + mp.exp(eta))
        case "probit":
            return mp.ncdf(eta), mp.ncdf(-eta)
        case "cloglog":
            return -mp.expm1(-mp.exp(eta)), mp.exp(-mp.exp(eta))
        case "loglog":
            return mp.exp(-mp.exp(-eta)), -mp.expm1(-mp.exp(-eta))
        case "cauchit":
            return mp.atan2(1, -eta) / mp.pi, mp.atan2(1, eta) / mp.pi
    mu = mp.exp(eta) if link.exponent == 0 else eta ** (mp.mpf(1) / mp.mpf(link.exponent))
    return mu, -mp.expm1(eta) if link.exponent == 0 else 1 - mu


def _xlog(y: mp.mpf, ratio: mp.mpf) -> mp.mpf:
    return mp.mpf(0) if y == 0 else y * mp.log(ratio)


MP_RHO: dict[str, Callable[[mp.mpf], mp.mpf]] = {
    "huber": lambda z: z if z <= 1 else 2 * mp.sqrt(z) - 1,
    "soft_l1": lambda z: 2 * (mp.sqrt(1 + z) - 1),
    "cauchy": lambda z: mp.log(1 + z),
}


def mp_half_deviance(pair: Family, y: mp.mpf, mu: mp.mpf, other: mp.mpf) -> mp.mpf:
    """Textbook formulas (McCullagh and Nelder 1989, table 2.1; Jorgensen 1997 for any power), and scipy's rho."""
    if pair.name == "binomial":
        return _xlog(y, y / mu) + _xlog(1 - y, (1 - y) / other)
    if pair.name == "negative_binomial":
        a = mp.mpf(pair.alpha)
        return _xlog(y, y / mu) - (y + 1 / a) * mp.log((1 + a * y) / (1 + a * mu))
    if pair.name in MP_RHO:
        c = mp.mpf(pair.scale)
        return c**2 / 2 * MP_RHO[pair.name](((y - mu) / c) ** 2)
    p = mp.mpf(pair.power)
    if p == 0:
        return (y - mu) ** 2 / 2
    if p == 1:
        return _xlog(y, y / mu) - y + mu
    if p == 2:
        return y / mu - 1 - mp.log(y / mu)
    own = y ** (2 - p) / ((1 - p) * (2 - p)) if y > 0 else mp.mpf(0)
    return own - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)


@cache
def _mp_terms(pair: Family, y: float, eta: float) -> tuple[float, float, float]:
    def loss(e: mp.mpf) -> mp.mpf:
        return mp_half_deviance(pair, mp.mpf(y), *mp_mean(pair.link, e))

    with mp.workdps(80):
        step = mp.mpf(10) ** -20 * max(abs(mp.mpf(eta)), mp.mpf(10) ** -3)
        below, here, above = (loss(mp.mpf(eta) + k * step) for k in (-1, 0, 1))
        return float(here), float((above - below) / (2 * step)), float((above - 2 * here + below) / step**2)


@pytest.fixture(scope="session")
def truth() -> Callable[[Family, torch.Tensor, torch.Tensor], list[torch.Tensor]]:
    """Value, gradient and curvature in 80-digit arithmetic, the derivatives by central differences of step 1e-20."""

    def terms(pair: Family, y: torch.Tensor, eta: torch.Tensor) -> list[torch.Tensor]:
        rows = [_mp_terms(pair, float(a), float(b)) for a, b in zip(y, eta, strict=True)]
        return list(torch.tensor(rows, dtype=torch.float64).T)

    return terms


@pytest.fixture
def points(pair: Family) -> tuple[torch.Tensor, torch.Tensor]:
    """The grid of one pair."""
    return grid(pair)


@pytest.fixture(scope="session")
def exact_mean() -> Callable[..., mp.mpf]:
    """h(eta) of a link in the working precision of mpmath."""
    return lambda link, eta: mp_mean(link, mp.mpf(eta))[0]
