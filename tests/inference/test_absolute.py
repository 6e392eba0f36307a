"""Weights that are known inverse variances: scipy's absolute_sigma, chi-squared and its test."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

import thalweg as tw
from thalweg.errors import OptionError

RNG = np.random.default_rng(6)
N = 30
X = np.linspace(0, 4, N)
SIGMA = RNG.uniform(0.05, 0.2, N)
Y = 3 * np.exp(-0.8 * X) + 0.5 + SIGMA * RNG.normal(size=N)
DATA = {"x": X, "y": Y, "sigma": SIGMA}
OPTIONS = {"weights": "1 / sigma**2", "weights_kind": "absolute"}
DESIGN = sm.add_constant(X)


def decay(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a * np.exp(-b * x) + c


def fitted(**options: object) -> tw.Fit:
    return tw.fit("y = a * exp(-b * x) + c", DATA, start=[3, 1, 0.5], **(OPTIONS | options))


def test_scipys_absolute_sigma() -> None:
    fit = fitted()
    theta, covariance = optimize.curve_fit(
        decay, X, Y, [3, 1, 0.5], sigma=SIGMA, absolute_sigma=True, ftol=1e-14, xtol=1e-14
    )
    np.testing.assert_allclose(list(fit.coefficients.values()), theta, rtol=1e-6)
    np.testing.assert_allclose(fit.vcov().numpy(), covariance, rtol=1e-4)


def test_scaled_errors_are_those_of_precisions() -> None:
    """Relative weights multiply them by the square root of the reduced chi-squared."""
    absolute, relative = fitted(), fitted(weights_kind="precision")
    factor = math.sqrt(absolute.statistics.reduced_chi2)
    for name, error in absolute.std_errors.items():
        assert relative.std_errors[name] == pytest.approx(error * factor, rel=1e-9)


def test_chi_squared() -> None:
    known = fitted().statistics
    chi2 = (((Y - fitted().predict()) / SIGMA) ** 2).sum()
    assert known.pearson_chi2 == pytest.approx(chi2, rel=1e-10)
    assert known.reduced_chi2 == pytest.approx(chi2 / 27, rel=1e-10)
    assert known.chi2_pvalue == pytest.approx(stats.chi2.sf(chi2, 27), rel=1e-9)
    assert (known.dispersion, known.dispersion_method) == (1.0, "fixed")
    assert math.isnan(fitted(weights_kind="precision").statistics.chi2_pvalue)


def test_likelihood() -> None:
    fit = fitted()
    expected = stats.norm.logpdf(Y, fit.predict(), SIGMA).sum()
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-10)
    assert fit.aic == pytest.approx(6 - 2 * expected, rel=1e-10)
    mean = np.average(Y, weights=SIGMA**-2)
    assert fit.statistics.null_log_likelihood == pytest.approx(stats.norm.logpdf(Y, mean, SIGMA).sum(), rel=1e-10)


def test_tests_are_normal_ones() -> None:
    fit = fitted()
    for name, (low, high) in fit.intervals(0.9).items():
        half = stats.norm.ppf(0.95) * fit.std_errors[name]
        assert (low, high) == pytest.approx((fit.coefficients[name] - half, fit.coefficients[name] + half))
    assert fit.df is None
    assert fit.wald("b = 1").df_denominator is None


def test_lines_too() -> None:
    fit = tw.fit("y ~ x", DATA, **OPTIONS)
    known = sm.WLS(Y, DESIGN, weights=SIGMA**-2).fit(cov_type="fixed scale")
    np.testing.assert_allclose(fit.vcov().numpy(), known.cov_params(), rtol=1e-9)
    assert math.isnan(fit.statistics.f_statistic)
    assert "chi-squared" in fit.statistics.reasons["f_statistic"]


def test_without_weights_the_variance_is_one() -> None:
    fit = tw.fit("y ~ x", DATA, weights_kind="absolute")
    np.testing.assert_allclose(fit.vcov().numpy(), np.linalg.inv(DESIGN.T @ DESIGN), rtol=1e-9)


def test_as_many_parameters_as_rows() -> None:
    """Nothing is left to estimate a variance from, and nothing needs to be."""
    fit = tw.fit("y ~ x", {"x": [1.0, 2.0], "y": [1.0, 3.0], "w": [4.0, 4.0]}, weights="w", weights_kind="absolute")
    assert fit.std_errors["x"] == pytest.approx(math.sqrt(2 / 4))


def test_prediction_of_a_new_value() -> None:
    """A new value of weight 1 has variance 1."""
    found = tw.fit("y ~ x", DATA, **OPTIONS).predict(interval="prediction")
    half = stats.norm.ppf(0.975) * np.sqrt(found["standard_error"] ** 2 + 1)
    np.testing.assert_allclose(found["upper"] - found["prediction"], half, rtol=1e-9)


def test_studentized_residuals() -> None:
    """The variance is known without the row too: they are the standardized ones for least squares."""
    fit = tw.fit("y ~ x", DATA, **OPTIONS)
    np.testing.assert_allclose(fit.residuals("studentized"), fit.residuals("standardized"), rtol=1e-9)


def test_of_other_families_is_refused() -> None:
    with pytest.raises(OptionError, match="'absolute' for the poisson family"):
        tw.fit("n ~ x", {"n": [1, 2, 3], "x": [1, 2, 4]}, family="poisson", weights_kind="absolute")
