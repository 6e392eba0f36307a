"""Bootstrap estimates against scipy's fits of the same resampled data, and intervals against scipy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

import thalweg as tw
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError
from thalweg.inference.bootstrap import Bootstrap, acceleration

Array = np.ndarray
RNG = np.random.default_rng(4)
N = 24
X = np.linspace(0, 4, N)
W = RNG.uniform(0.5, 3, N)
Y = 3 * np.exp(-0.8 * X) + 0.5 + 0.1 * RNG.normal(size=N) / np.sqrt(W)
DATA = {"x": X, "y": Y, "w": W}
START = [3.0, 1.0, 0.4]


def curve(x: Array, a: float, b: float, c: float) -> Array:
    return a * np.exp(-b * x) + c


def decay(**options: Any) -> tw.Fit:
    return tw.fit("y = a * exp(-b * x) + c", DATA, start=START, **options)


def scipys(y: Array, weight: Array | None = None) -> Array:
    """The least squares of one replicate."""
    root = np.ones(N) if weight is None else np.sqrt(weight)

    def residuals(theta: Array) -> Array:
        return root * (curve(X, *theta) - y)

    found = optimize.least_squares(residuals, START, xtol=1e-14, ftol=1e-14, gtol=1e-14, jac="3-point", x_scale="jac")
    return found.x


def agree(found: Bootstrap, expected: Any, fit: tw.Fit) -> None:
    """To a hundred-thousandth of a standard error."""
    away = np.abs(found.estimates - np.array(expected)) / np.array(list(fit.std_errors.values()))
    assert away.max() < 1e-5


def leverages(theta: Array, weight: Array) -> Array:
    a, b, _ = theta
    jacobian = np.column_stack([np.exp(-b * X), -a * X * np.exp(-b * X), np.ones(N)]) * np.sqrt(weight)[:, None]
    return np.diag(jacobian @ np.linalg.inv(jacobian.T @ jacobian) @ jacobian.T)


@pytest.mark.parametrize("weighted", [False, True])
def test_residuals(weighted: bool) -> None:
    fit = decay(**({"weights": "w"} if weighted else {}))
    found = fit.bootstrap(8, seed=11)
    theta, weight = np.array(list(fit.coefficients.values())), W if weighted else np.ones(N)
    mean = curve(X, *theta)
    pool = (Y - mean) * np.sqrt(weight) / np.sqrt(1 - leverages(theta, weight))
    pool -= pool.mean()
    chosen = np.random.default_rng(11).integers(0, N, (8, N))
    expected = [scipys(mean + pool[row] / np.sqrt(weight), weight) for row in chosen]
    agree(found, expected, fit)
    assert found.failed == 0


def test_pairs() -> None:
    fit = decay(weights="w")
    found = fit.bootstrap(8, kind="pairs", seed=3)
    counts = np.random.default_rng(3).multinomial(N, np.full(N, 1 / N), 8)
    agree(found, [scipys(Y, W * row) for row in counts], fit)


def test_parametric() -> None:
    fit = decay(weights="w")
    found = fit.bootstrap(8, kind="parametric", seed=5)
    noise = np.random.default_rng(5).standard_normal((8, N))
    mean, sigma = fit.predict(), fit.statistics.sigma
    agree(found, [scipys(mean + sigma / np.sqrt(W) * row, W) for row in noise], fit)


def test_parametric_of_counts() -> None:
    x = np.linspace(0, 3, 20)
    y = np.random.default_rng(0).poisson(30 * np.exp(-x) + 2)
    fit = tw.fit("y = a * exp(-b * x) + c", {"x": x, "y": y}, family="poisson", start=[25, 1, 2])
    found = fit.bootstrap(4, kind="parametric", seed=2)
    draws = np.random.default_rng(2).poisson(fit.predict(), (4, 20))
    for row, estimates in zip(draws, found.estimates, strict=True):

        def score(theta: Array, row: Array = row) -> Array:
            a, b, c = theta
            e = np.exp(-b * x)
            mu = a * e + c
            return np.array([e, -a * x * e, np.ones(20)]) @ (row / mu - 1)

        np.testing.assert_allclose(estimates, optimize.fsolve(score, estimates, xtol=1e-13), rtol=1e-5)


def test_frequencies_are_rows() -> None:
    """The expected multiplicity of a row is its frequency."""
    counts = RNG.integers(1, 4, N)
    fit = tw.fit("y = a * exp(-b * x) + c", {**DATA, "n": counts}, start=START, weights="n", weights_kind="frequency")
    found = fit.bootstrap(4, kind="pairs", seed=1)
    drawn = np.random.default_rng(1).multinomial(int(counts.sum()), counts / counts.sum(), 4)
    agree(found, [scipys(Y, row) for row in drawn], fit)


@pytest.mark.parametrize("kind", ["residual", "pairs"])
def test_lines(kind: str) -> None:
    fit = tw.fit("y ~ x + w", DATA)
    found = fit.bootstrap(6, kind=kind, seed=9)
    design = np.column_stack([np.ones(N), X, W])
    rng = np.random.default_rng(9)
    if kind == "pairs":
        weights = rng.multinomial(N, np.full(N, 1 / N), 6)
        expected = [sm.WLS(Y, design, weights=row).fit().params for row in weights]
    else:
        known = sm.OLS(Y, design).fit()
        pool = known.resid / np.sqrt(1 - known.get_influence().hat_matrix_diag)
        chosen = rng.integers(0, N, (6, N))
        expected = [sm.OLS(known.fittedvalues + (pool - pool.mean())[row], design).fit().params for row in chosen]
    agree(found, expected, fit)


def test_weight_zero_is_no_row() -> None:
    outlier = {name: np.append(values, {"x": 2.0, "y": 99.0, "w": 0.0}[name]) for name, values in DATA.items()}
    fit = tw.fit("y = a * exp(-b * x) + c", outlier, start=START, weights="w")
    expected = decay(weights="w")
    for kind in ("residual", "pairs"):
        np.testing.assert_allclose(
            fit.bootstrap(5, kind=kind).estimates, expected.bootstrap(5, kind=kind).estimates, rtol=1e-6
        )


def test_standard_errors_are_the_fits() -> None:
    """Of a line with the parametric bootstrap they differ by chance alone: sd of an sd of 4,000 is 1.1%."""
    fit = tw.fit("y ~ x", DATA)
    found = fit.bootstrap(4000, kind="parametric", seed=0)
    for name, error in fit.std_errors.items():
        assert found.std_errors[name] == pytest.approx(error, rel=0.05)
        assert abs(found.bias[name]) < 5 * error / math.sqrt(4000)


# ------------------------------------------------------------------------------------------------------- intervals


@pytest.mark.parametrize(("kind", "scipys_name"), [("bca", "BCa"), ("percentile", "percentile"), ("basic", "basic")])
def test_intervals_of_a_mean(kind: str, scipys_name: str) -> None:
    y = np.random.default_rng(8).gamma(1.0, 1.0, 25)
    found = tw.fit("y ~ 1", {"y": y}).bootstrap(999, kind="pairs", seed=4)
    known = stats.bootstrap((y,), np.mean, n_resamples=2, method="percentile", vectorized=True)
    known.bootstrap_distribution = found.estimates[:, 0]
    expected = stats.bootstrap(
        (y,), np.mean, n_resamples=0, method=scipys_name, bootstrap_result=known, confidence_level=0.9
    ).confidence_interval
    assert found.intervals(0.9, kind)["Intercept"] == pytest.approx(tuple(expected), rel=1e-9)


def jackknifed(refit: Callable[[Array], Array]) -> Array:
    """c from the fits without each row."""
    theta = np.array([refit(np.arange(N) != i) for i in range(N)])
    d = theta.mean(axis=0) - theta
    return (d**3).sum(axis=0) / (6 * (d**2).sum(axis=0) ** 1.5)


def test_acceleration() -> None:
    """One step is exact for lines but for the mean that is taken off; for curves it is close."""
    design = np.column_stack([np.ones(N), X])
    expected = jackknifed(lambda kept: np.linalg.lstsq(design[kept], Y[kept], rcond=None)[0])
    np.testing.assert_allclose(acceleration(tw.fit("y ~ x", DATA)), expected, atol=0.01)
    expected = jackknifed(lambda kept: scipys(Y, kept.astype(float)))
    np.testing.assert_allclose(acceleration(decay()), expected, atol=0.02)


def test_intervals_by_the_formula() -> None:
    rng = np.random.default_rng(1)
    estimates = rng.gamma(4.0, 1.0, (501, 1))
    found = Bootstrap(("a",), np.array([3.5]), estimates, 0, "pairs", 0, 0.95, np.array([0.07]))
    z0 = stats.norm.ppf((estimates < 3.5).mean())
    ends = []
    for tail in (0.025, 0.975):
        z = z0 + stats.norm.ppf(tail)
        ends.append(np.quantile(estimates, stats.norm.cdf(z0 + z / (1 - 0.07 * z))))
    assert found.intervals()["a"] == pytest.approx(tuple(ends), rel=1e-12)
    low, high = np.quantile(estimates, [0.025, 0.975])
    assert found.intervals(kind="basic")["a"] == pytest.approx((7 - high, 7 - low), rel=1e-12)


def test_by_method() -> None:
    fit = decay()
    found = fit.intervals(0.9, method="bootstrap", replicates=50, seed=3, kind="pairs", interval="percentile")
    assert dict(found) == fit.bootstrap(50, kind="pairs", seed=3).intervals(0.9, "percentile")
    assert found.method == "bootstrap"


def test_all_on_one_side() -> None:
    found = Bootstrap(("a",), np.array([3.5]), np.full((9, 1), 3.0), 0, "pairs", 0, 0.95, np.array([0.05]))
    assert all(map(math.isnan, found.intervals()["a"]))
    assert found.intervals(kind="percentile")["a"] == (3.0, 3.0)


# ------------------------------------------------------------------------------------------------------ parameters


def test_held_tied_and_bounded() -> None:
    fit = tw.fit(
        "y = a * exp(-b * x) + c",
        DATA,
        start=[3.0, 0.8, 0.5],
        fixed={"c": 0.5},
        tied={"a": "4 * b"},
        bounds={"b": (0.75, 0.8)},
    )
    found = fit.bootstrap(50)
    a, b, c = found.estimates.T
    np.testing.assert_allclose(a, 4 * b, rtol=1e-14)
    assert (c == 0.5).all()
    assert b.min() >= 0.75
    assert b.max() <= 0.8
    assert all(map(math.isnan, found.intervals()["c"]))
    assert math.isnan(found.std_errors["c"])


def test_robust_losses_one_by_one() -> None:
    fit = decay(family={"name": "huber", "scale": 0.1})
    found = fit.bootstrap(3, kind="pairs", seed=7)
    counts = np.random.default_rng(7).multinomial(N, np.full(N, 1 / N), 3)
    for row, estimates in zip(counts, found.estimates, strict=True):

        def gradient(theta: Array, row: Array = row) -> Array:
            a, b, _ = theta
            e = np.exp(-b * X)
            return np.array([e, -a * X * e, np.ones(N)]) @ (row * np.clip(curve(X, *theta) - Y, -0.1, 0.1))

        assert np.abs(gradient(estimates)).max() < 1e-5


def test_seeds() -> None:
    fit = decay()
    assert (fit.bootstrap(5, seed=1).estimates == fit.bootstrap(5, seed=1).estimates).all()
    assert (fit.bootstrap(5, seed=1).estimates != fit.bootstrap(5, seed=2).estimates).all()


def test_failures_are_told() -> None:
    """Four rows and three parameters: many a draw of rows has two different ones."""
    fit = tw.fit("y = a * exp(-b * x) + c", {"x": [0, 1, 2, 3], "y": [4, 2.4, 1.9, 1.3]}, start=[3, 1, 1])
    with pytest.warns(ConvergenceWarning, match="of 100 replicates could not be fitted"):
        found = fit.bootstrap(100, kind="pairs")
    assert found.failed > 0
    assert len(found.estimates) == 100 - found.failed
    assert f"{found.failed} more failed" in repr(found)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kind": "wild"}, OptionError, "'wild'"),
        ({"replicates": 0}, OptionError, "replicates is 0"),
        ({"seed": -1}, OptionError, "seed is -1"),
    ],
)
def test_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        decay().bootstrap(**options)


def test_refusals() -> None:
    frequency = tw.fit("y ~ x", {**DATA, "n": np.full(N, 2)}, weights="n", weights_kind="frequency")
    with pytest.raises(NotAvailableError, match="kind='pairs'"):
        frequency.bootstrap(10)
    clustered = tw.fit("y ~ x", {**DATA, "g": np.arange(N) % 6}, cluster="g")
    with pytest.raises(NotAvailableError, match="cluster"):
        clustered.bootstrap(10)
    saturated = tw.fit("y ~ x", {"x": [1.0, 2.0], "y": [1.0, 3.0]})
    with pytest.raises(NotAvailableError, match="no residual degrees of freedom"):
        saturated.bootstrap(10)
    counts = tw.fit("n ~ x", {"n": np.arange(N), "x": X}, family="poisson")
    with pytest.raises(NotAvailableError, match="poisson"):
        counts.bootstrap(10)
    with pytest.raises(NotAvailableError, match="not alike"):
        decay(family={"name": "huber", "scale": 0.1}).bootstrap(10)
    with pytest.raises(OptionError, match="intervals' kind"):
        decay().bootstrap(10).intervals(kind="normal")
