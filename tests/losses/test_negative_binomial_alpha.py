"""Derivatives of the negative binomial log-likelihood in alpha, in 60-digit arithmetic."""

from __future__ import annotations

import mpmath as mp
import pytest
import torch

from thalweg.losses.families import NegativeBinomial
from thalweg.losses.links import Log

ROWS = [(0.0, 0.3), (1.0, 0.3), (2.0, 5.0), (7.0, 7.0), (40.0, 55.0), (3000.0, 2500.0), (0.5, 0.4), (0.0, 900.0)]


def _density(alpha: mp.mpf, y: float, mu: float) -> mp.mpf:
    n = 1 / alpha
    return mp.loggamma(y + n) - mp.loggamma(n) + y * mp.log(alpha) - (y + n) * mp.log1p(alpha * mp.mpf(mu))


@pytest.mark.parametrize("alpha", [1e-12, 1e-8, 1e-5, 1e-3, 0.0999, 0.1001, 0.7, 4.0, 300.0])
@pytest.mark.parametrize(("y", "mu"), ROWS)
def test_score_and_its_slope(alpha: float, y: float, mu: float) -> None:
    with mp.workdps(80):
        first, second = (
            float(mp.diff(lambda a: _density(a, y, mu), alpha, k, h=mp.mpf(alpha) / 10**15)) for k in (1, 2)
        )
        parts = [
            float(abs(mp.digamma(y + 1 / mp.mpf(alpha)) - mp.digamma(1 / mp.mpf(alpha)))) / alpha**2
            if alpha > 0.1
            else 0
        ]
    at = [torch.tensor([value], dtype=torch.float64) for value in (y, mu)]
    got = NegativeBinomial(Log(), alpha).alpha_score(*at)
    size = max(y, mu) / max(alpha, 1 / max(y, mu)) + max(y, mu) + parts[0]
    assert float(got[0]) == pytest.approx(first, rel=1e-11, abs=2e-14 * size)
    assert float(got[1]) == pytest.approx(
        second, rel=1e-10, abs=1e-13 * size * max(y, mu, 1) / (1 + alpha * max(y, mu))
    )


def test_the_limit_of_no_overdispersion() -> None:
    y, mu = torch.tensor([0.0, 2.0, 9.0], dtype=torch.float64), torch.tensor([0.5, 3.0, 4.0], dtype=torch.float64)
    weight = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64)
    score, _ = NegativeBinomial(Log(), 1e-14).alpha_score(y, mu, weight)
    assert float(score) == pytest.approx(float((weight * ((y - mu) ** 2 - y) / 2).sum()), rel=1e-10)


def test_the_score_is_the_slope_of_the_log_likelihood() -> None:
    y, mu = torch.tensor([0.0, 2.0, 9.0], dtype=torch.float64), torch.tensor([0.5, 3.0, 4.0], dtype=torch.float64)
    low, high = (float(NegativeBinomial(Log(), a).log_likelihood(y, mu, 1.0).sum()) for a in (0.3 - 1e-6, 0.3 + 1e-6))
    assert (high - low) / 2e-6 == pytest.approx(float(NegativeBinomial(Log(), 0.3).alpha_score(y, mu)[0]), rel=1e-7)
