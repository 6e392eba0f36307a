"""Log densities against scipy.stats, and their identities."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from thalweg.losses import Family, family

PHI = 0.37
MU = torch.tensor([0.05, 0.7, 2.0, 30.0, 4e5], dtype=torch.float64)
COUNTS = torch.tensor([0.0, 1.0, 4.0, 33.0, 400123.0], dtype=torch.float64)
AMOUNTS = torch.tensor([0.2, 1.0, 4.5, 33.0, 401234.5], dtype=torch.float64)
WEIGHT = torch.tensor([1.0, 0.5, 2.0, 3.0, 1.5], dtype=torch.float64)

Density = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]  # of y, mu and dispersion / weight
CASES: dict[str, tuple[Family, Tensor, Density]] = {
    "gaussian": (family("gaussian"), COUNTS - 3, lambda y, mu, phi: stats.norm.logpdf(y, mu, np.sqrt(phi))),
    "gamma": (family("gamma"), AMOUNTS, lambda y, mu, phi: stats.gamma.logpdf(y, 1 / phi, scale=mu * phi)),
    "inverse_gaussian": (
        family("inverse_gaussian"),
        AMOUNTS,
        lambda y, mu, phi: stats.invgauss.logpdf(y, mu * phi, scale=1 / phi),
    ),
    "tweedie 0": (
        family("tweedie", power=0),
        COUNTS - 3,
        lambda y, mu, phi: stats.norm.logpdf(y, mu, np.sqrt(phi)),
    ),
    "tweedie 2": (
        family("tweedie", power=2),
        AMOUNTS,
        lambda y, mu, phi: stats.gamma.logpdf(y, 1 / phi, scale=mu * phi),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_densities_with_a_dispersion_and_precision_weights(name: str) -> None:
    one, y, density = CASES[name]
    got = one.log_likelihood(y, MU, PHI, WEIGHT)
    expected = density(y.numpy(), MU.numpy(), PHI / WEIGHT.numpy())
    torch.testing.assert_close(got, torch.as_tensor(expected), rtol=1e-9, atol=1e-12)
    alone = one.log_likelihood(y, MU, PHI)
    torch.testing.assert_close(
        alone, torch.as_tensor(density(y.numpy(), MU.numpy(), np.full(5, PHI))), rtol=1e-9, atol=0
    )


@pytest.mark.parametrize("alpha", [1e-8, 0.2, 1.0, 30.0])
def test_counts(alpha: float) -> None:
    poisson = family("poisson").log_likelihood(COUNTS, MU, 1.0)
    torch.testing.assert_close(poisson, torch.as_tensor(stats.poisson.logpmf(COUNTS, MU)), rtol=1e-9, atol=1e-13)
    got = family("negative_binomial", alpha=alpha).log_likelihood(COUNTS, MU, 1.0)
    with mp.workdps(40):
        exact = [_mp_negative_binomial(float(y), float(mu), alpha) for y, mu in zip(COUNTS, MU, strict=True)]
    torch.testing.assert_close(got, torch.tensor(exact, dtype=torch.float64), rtol=1e-11, atol=1e-12)
    weighted = family("poisson").log_likelihood(COUNTS, MU, 1.0, WEIGHT)
    torch.testing.assert_close(weighted, poisson * WEIGHT)


def _mp_negative_binomial(y: float, mu: float, alpha: float) -> float:
    n, y, m = 1 / mp.mpf(alpha), mp.mpf(y), mp.mpf(mu)
    constant = mp.loggamma(y + n) - mp.loggamma(n) - mp.loggamma(y + 1)
    return float(constant + y * mp.log(m / (n + m)) + n * mp.log(n / (n + m)))


def test_a_negative_binomial_agrees_with_scipy() -> None:
    got = family("negative_binomial", alpha=0.5).log_likelihood(COUNTS[:4], MU[:4], 1.0)
    torch.testing.assert_close(got, torch.as_tensor(stats.nbinom.logpmf(COUNTS[:4], 2, 1 / (1 + 0.5 * MU[:4]))))


def test_binomial_with_trials_holds_the_coefficient() -> None:
    n = torch.tensor([1.0, 1.0, 10.0, 500.0, 7.0, 3.0], dtype=torch.float64)
    k = torch.tensor([0.0, 1.0, 3.0, 499.0, 7.0, 0.0], dtype=torch.float64)
    mu = torch.tensor([0.2, 0.3, 0.4, 0.97, 0.9, 1e-9], dtype=torch.float64)
    got = family("binomial").log_likelihood(k / n, mu, 1.0, trials=n)
    torch.testing.assert_close(got, torch.as_tensor(stats.binom.logpmf(k, n, mu)), rtol=1e-11, atol=1e-14)
    single = family("binomial").log_likelihood(k[:2], mu[:2], 1.0)
    torch.testing.assert_close(single, torch.tensor([0.8, 0.3], dtype=torch.float64).log(), rtol=1e-14, atol=0)


def test_a_weight_of_zero_counts_nothing(pair: Family, points: tuple[Tensor, Tensor]) -> None:
    y, eta = points
    got = pair.log_likelihood(y, pair.mean(eta), PHI, torch.zeros_like(y))
    assert torch.equal(got, torch.zeros_like(y))


def test_the_saturated_model_is_the_best(pair: Family, points: tuple[Tensor, Tensor]) -> None:
    y, eta = points
    if pair.likelihood_reason is not None:
        assert torch.isnan(pair.log_likelihood(y, pair.mean(eta), PHI)).all()
        return
    positive = (y > 0) & (y < (1 if pair.name == "binomial" else torch.inf))
    y, mu = y[positive], pair.mean(eta[positive])
    best, at = pair.log_likelihood(y, y, PHI), pair.log_likelihood(y, mu, PHI)
    assert (at <= best + 1e-9 * best.abs()).all()
    phi = pair.fixed_dispersion or PHI
    torch.testing.assert_close(2 * phi * (best - at), pair.unit_deviance(y, mu), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("power", [1.05, 1.3, 1.5, 1.8, 1.97])
def test_tweedie_is_a_sum_of_gammas(power: float) -> None:
    """The compound Poisson definition, summed in 40 digits."""
    y = torch.tensor([0.0, 0.02, 0.9, 3.0, 25.0], dtype=torch.float64)
    mu = torch.tensor([0.5, 0.4, 1.5, 3.0, 60.0], dtype=torch.float64)
    weight = torch.tensor([1.0, 1.0, 0.4, 3.0, 20.0], dtype=torch.float64)
    got = family("tweedie", power=power).log_likelihood(y, mu, 1.7, weight)
    with mp.workdps(40):
        exact = [_mp_tweedie(*map(float, row), power) for row in zip(y, mu, 1.7 / weight, strict=True)]
    torch.testing.assert_close(got, torch.tensor(exact, dtype=torch.float64), rtol=1e-10, atol=1e-11)


def _mp_tweedie(y: float, mu: float, phi: float, p: float) -> float:
    y, mu, phi, p = map(mp.mpf, (y, mu, phi, p))
    rate = mu ** (2 - p) / (phi * (2 - p))
    if y == 0:
        return float(-rate)
    shape, scale = (2 - p) / (p - 1), phi * (p - 1) * mu ** (p - 1)
    total, n, term = mp.mpf(0), 1, mp.mpf(1)
    while n < 20 or term > total * mp.mpf(10) ** -25 or n < 2 * (rate + y / scale):
        gamma = (n * shape - 1) * mp.log(y) - y / scale - n * shape * mp.log(scale) - mp.loggamma(n * shape)
        term = mp.exp(n * mp.log(rate) - rate - mp.loggamma(n + 1) + gamma)
        total, n = total + term, n + 1
    return float(mp.log(total))


@pytest.mark.parametrize("power", [1.1, 1.5, 1.9])
def test_the_two_forms_of_a_tweedie_density_meet(power: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from thalweg.losses import tweedie_density

    y = torch.tensor([1.0, 2.0], dtype=torch.float64)
    precision = 2.5e4 * (2 - power) / y ** (2 - power)
    saddle = tweedie_density.tweedie_saturated(y, precision, power)
    monkeypatch.setattr(tweedie_density, "SADDLEPOINT", 1e9)
    torch.testing.assert_close(tweedie_density.tweedie_saturated(y, precision, power), saddle, rtol=0, atol=3e-9)


def test_tweedie_1_is_a_scaled_poisson() -> None:
    got = family("tweedie", power=1).log_likelihood(COUNTS, MU, 1.0)
    torch.testing.assert_close(got, family("poisson").log_likelihood(COUNTS, MU, 1.0))
    scaled = family("tweedie", power=1).log_likelihood(COUNTS / 2, MU / 2, 0.5)
    torch.testing.assert_close(scaled, got)


def test_powers_without_a_density_say_why() -> None:
    one = family("tweedie", power=2.5)
    assert "2.5" in str(one.likelihood_reason)
    assert torch.isnan(one.log_likelihood(AMOUNTS, MU, 1.0)).all()
    assert family("tweedie", power=3).likelihood_reason is None
    assert math.isfinite(float(family("tweedie", power=3).log_likelihood(AMOUNTS, MU, 1.0).sum()))
