"""The negative binomial's alpha, estimated with the coefficients, against statsmodels and the likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

import thalweg as tw


@pytest.fixture(scope="module")
def counts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    x, z = rng.normal(size=400), rng.integers(0, 2, 400).astype(float)
    mean = np.exp(0.4 + 0.5 * x - 0.3 * z)
    return {"y": rng.negative_binomial(2, 2 / (2 + mean)).astype(float), "x": x, "z": z}


def test_alpha_and_coefficients_are_the_joint_maximum(counts):
    fit = tw.fit("y ~ x + z", counts, family="negative_binomial")
    alpha = fit.family.parameters()["alpha"]
    top = fit.statistics.log_likelihood
    design = sm.add_constant(np.column_stack([counts["x"], counts["z"]]))
    peer = sm.NegativeBinomial(counts["y"], design).fit(disp=0, method="newton", tol=1e-12, maxiter=200)
    assert fit.theta.tolist() == pytest.approx(peer.params[:-1].tolist(), rel=1e-6)
    assert alpha == pytest.approx(peer.params[-1], rel=1e-6)
    assert top == pytest.approx(peer.llf, rel=1e-10)
    assert fit.statistics.aic == pytest.approx(peer.aic, rel=1e-9)
    assert fit.statistics.bic == pytest.approx(peer.bic, rel=1e-9)
    for factor in (1 - 1e-3, 1 + 1e-3):
        beside = tw.fit("y ~ x + z", counts, family="negative_binomial", alpha=alpha * factor)
        assert beside.statistics.log_likelihood < top
        assert top - beside.statistics.log_likelihood < 1e-4


def test_a_given_alpha_is_not_counted(counts):
    fit = tw.fit("y ~ x + z", counts, family="negative_binomial", alpha=0.5)
    assert fit.statistics.aic == pytest.approx(-2 * fit.statistics.log_likelihood + 2 * 3)


def test_counts_without_overdispersion_say_so():
    rng = np.random.default_rng(5)
    data = {"x": rng.normal(size=300)}
    data["y"] = rng.binomial(20, 1 / (1 + np.exp(1 - 0.1 * data["x"]))).astype(float)
    fit = tw.fit("y ~ x", data, family="negative_binomial")
    poisson = tw.fit("y ~ x", data, family="poisson")
    assert fit.theta.tolist() == pytest.approx(poisson.theta.tolist(), rel=1e-7)
    assert "family='poisson'" in fit.notes[0]
