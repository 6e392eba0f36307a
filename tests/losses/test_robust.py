"""Robust losses: scipy's rho and minima, statsmodels' RLM and MAD, efficiencies by integration, sandwiches by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from scipy import integrate, optimize, stats

import thalweg as tw
from digits import digits
from thalweg.losses import family
from thalweg.losses.families import FAMILIES
from thalweg.losses.robust import NORMAL, Robust, robust_scale
from thalweg.solvers.base import Status

NAMES = [name for name, kind in FAMILIES.items() if issubclass(kind, Robust)]
N = 150


def robust(name: str, scale: float) -> Robust:
    return cast(Robust, family(name, scale=scale))


def data(outliers: int = 15) -> dict[str, np.ndarray]:
    """A plane with normal errors of 1, some rows of which are far above."""
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=N), rng.uniform(-1, 1, N)
    y = 1 + 2 * x - 0.5 * z + rng.normal(size=N)
    y[:outliers] += rng.uniform(5, 30, outliers)
    return {"x": x, "z": z, "y": y}


def design(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.column_stack([np.ones(len(columns["x"])), columns["x"], columns["z"]])


def weight_and_slope(name: str, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """psi / r and psi'."""
    return {
        "huber": (np.minimum(1, 1 / np.maximum(np.abs(u), 1e-300)), np.abs(u) <= 1),
        "soft_l1": ((1 + u**2) ** -0.5, (1 + u**2) ** -1.5),
        "cauchy": (1 / (1 + u**2), (1 - u**2) / (1 + u**2) ** 2),
    }[name]


def minimum(name: str, scale: float, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """scipy's, which compares costs and so stops at 1e-8; a root of the score by MINPACK has the other digits."""
    found = optimize.least_squares(
        lambda b: x @ b - y, start, lambda b: x, loss=name, f_scale=scale, xtol=1e-15, ftol=None, gtol=1e-15
    )

    def score(b: np.ndarray) -> np.ndarray:
        error = x @ b - y
        return x.T @ (error * weight_and_slope(name, error / scale)[0])

    exact = optimize.root(score, found.x, tol=1e-15).x
    assert digits(found.x, exact) > 6
    return exact


def test_there_are_three() -> None:
    assert NAMES == ["huber", "soft_l1", "cauchy"]


@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_the_cost_of_scipy(name: str, scale: float) -> None:
    residuals = np.array([-400.0, -30.0, -1.2, -1e-3, 0.0, 0.04, 0.9, 1.0, 29.0, 1e4])
    one = robust(name, scale)
    got = one.value(torch.from_numpy(residuals), torch.zeros(len(residuals), dtype=torch.float64))
    for r, value in zip(residuals, got.tolist(), strict=True):
        cost = optimize.least_squares(lambda _, r=r: np.array([r]), [0.0], loss=name, f_scale=scale, max_nfev=1).cost
        assert value == pytest.approx(cost, rel=1e-12, abs=1e-15 * scale**2)  # scipy's sqrt(1 + z) - 1 cancels
    mu = torch.tensor([0.5, -2.0], dtype=torch.float64)
    y = torch.tensor([3.0, -2.5], dtype=torch.float64)
    torch.testing.assert_close(one.unit_deviance(y, mu), 2 * one.value(y, mu))


@pytest.mark.parametrize("name", NAMES)
def test_the_parabola_of_the_weight_lies_above_the_loss(name: str) -> None:
    """Hence a step with `fisher` never rises, where one with a negative curvature might."""
    one, grid = robust(name, 0.7), torch.linspace(-9, 9, 181, dtype=torch.float64)
    at, to = (part.reshape(-1) for part in torch.meshgrid(grid, grid, indexing="ij"))
    y = torch.full_like(at, 0.3)
    value, gradient, weight = one.terms(y, at, 2, expected=True)
    above = value + gradient * (to - at) + weight / 2 * (to - at) ** 2
    assert bool((one.value(y, to) <= above + 1e-12 * above + 1e-14).all())
    assert bool((weight > 0).all())
    assert bool((one.curvature(y, at) <= weight).all())
    assert bool((one.curvature(y, at) < 0).any()) == (name == "cauchy")


@pytest.mark.parametrize("name", NAMES)
def test_the_tuning_constant_is_95_percent_efficient_under_normal_errors(name: str) -> None:
    kind = cast(type[Robust], FAMILIES[name])
    one = robust(name, kind.tuning)

    def mean(what: str) -> float:
        def integrand(r: float) -> float:
            _, gradient, curvature = one.terms(*(torch.tensor([v], dtype=torch.float64) for v in (r, 0.0)), 2)
            return float(gradient**2 if what == "square" else curvature) * stats.norm.pdf(r)

        return 2 * sum(integrate.quad(integrand, *ends)[0] for ends in ((0, kind.tuning), (kind.tuning, 9)))

    assert mean("slope") ** 2 / mean("square") == pytest.approx(0.95, abs=2e-5)  # the constant has four digits


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [0.4, 1.345])
@pytest.mark.parametrize("name", NAMES)
def test_a_linear_fit_is_the_minimum_of_scipy(name: str, scale: float, weighted: bool) -> None:
    columns = data()
    count = np.arange(N) % 3 if weighted else np.ones(N, dtype=int)
    more: dict[str, Any] = {"weights": count, "weights_kind": "frequency"} if weighted else {}
    fit = tw.fit("y ~ x + z", columns, family=name, scale=scale, **more)
    assert fit.solution is not None
    assert fit.solution.status is Status.CONVERGED
    x, y = np.repeat(design(columns), count, 0), np.repeat(columns["y"], count)
    truth = minimum(name, scale, x, y, fit.theta.numpy() * 1.001)
    assert digits(fit.theta.tolist(), truth.tolist()) >= 12
    error = torch.from_numpy(x) @ fit.theta - torch.from_numpy(y)
    psi = robust(name, scale).gradient(torch.zeros_like(error), error)
    assert float((torch.from_numpy(x).T @ psi).abs().max()) < 1e-12 * len(y)


def test_a_huber_fit_is_that_of_statsmodels() -> None:
    columns = data()
    truth = sm.RLM(columns["y"], design(columns), M=sm.robust.norms.HuberT(1.345)).fit(tol=1e-15, maxiter=2000)
    fit = tw.fit("y ~ x + z", columns, family="huber", scale=1.345 * truth.scale)
    assert digits(fit.theta.tolist(), truth.params.tolist()) >= 8
    np.testing.assert_allclose(list(fit.std_errors.values()), truth.bse, rtol=0.2)  # another convention: see the module


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC3"])
@pytest.mark.parametrize("name", NAMES)
def test_the_covariance_is_the_sandwich_of_an_m_estimator(name: str, kind: str) -> None:
    columns, scale = data(), 1.1
    fit = tw.fit("y ~ x + z", columns, family=name, scale=scale, covariance=kind)
    x = design(columns)
    u = (columns["y"] - x @ fit.theta.numpy()) / scale
    weight, slope = weight_and_slope(name, u)
    psi = scale * u * weight
    bread = np.linalg.inv((x * slope[:, None]).T @ x)
    leverage = weight * np.einsum("ij,jk,ik->i", x, np.linalg.inv((x * weight[:, None]).T @ x), x)
    each = psi**2 * {"HC0": 1.0, "HC1": N / (N - 3), "HC3": (1 - leverage) ** -2.0}[kind]
    truth = bread @ ((x * each[:, None]).T @ x) @ bread
    assert fit.covariance is not None
    np.testing.assert_allclose(fit.covariance.numpy(), truth, rtol=1e-9, atol=1e-14)
    assert fit.df == N - 3


@pytest.mark.parametrize("name", NAMES)
def test_standard_errors_are_those_of_theory_for_long_tails(name: str) -> None:
    """Errors of t with 3 degrees of freedom: n Var = E psi^2 / (E psi')^2 (E x x')^-1, by integration."""
    n, scale = 40_000, 1.5
    rng = np.random.default_rng(2)
    x = rng.normal(size=n)
    fit = tw.fit("y ~ x", {"x": x, "y": 3 + x + rng.standard_t(3, n)}, family=name, scale=scale)
    at = torch.linspace(-400, 400, 800_001, dtype=torch.float64)
    _, gradient, curvature = robust(name, scale).terms(torch.zeros_like(at), at, 2)
    density = torch.from_numpy(stats.t.pdf(at.numpy(), 3)) * 0.001
    truth = math.sqrt(float(gradient**2 @ density) / n) / float(curvature @ density)
    assert list(fit.std_errors.values()) == pytest.approx([truth, truth], rel=0.03)
    assert fit.coefficients["x"] == pytest.approx(1.0, abs=4 * truth)


@pytest.mark.parametrize("name", NAMES)
def test_a_wide_scale_is_least_squares(name: str) -> None:
    wide = tw.fit("y ~ x + z", data(), family=name, scale=1e9)
    squares = tw.fit("y ~ x + z", data(), covariance="HC1")
    torch.testing.assert_close(wide.theta, squares.theta, rtol=1e-12, atol=0)
    torch.testing.assert_close(wide.covariance, squares.covariance, rtol=1e-10, atol=0)
    assert wide.statistics.deviance == pytest.approx(squares.statistics.rss, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_one_row_cannot_carry_a_fit_away(name: str) -> None:
    columns = data(0)
    plain = tw.fit("y ~ x + z", columns, family=name, scale=1.345)
    for size in (1e3, 1e9):
        moved = columns["y"].copy()
        moved[7] = size
        fit = tw.fit("y ~ x + z", {**columns, "y": moved}, family=name, scale=1.345)
        gap = (fit.theta - plain.theta).abs().max()
        assert float(gap) < 0.06  # a few C / n, times how far out its x lies


def test_a_cauchy_loss_has_minima_and_the_start_chooses() -> None:
    y = np.array([-0.1, 0.0, 0.1, 0.05, 9.9, 10.0, 10.1])
    for start in (0.2, 9.8):
        fit = tw.fit("y ~ 1", {"y": y}, family="cauchy", scale=0.5, start=[start])
        truth = minimum("cauchy", 0.5, np.ones((7, 1)), y, np.array([start]))
        assert fit.coefficients["Intercept"] == pytest.approx(truth[0], rel=1e-8)
        assert abs(fit.coefficients["Intercept"] - start) < 0.3


def test_the_default_covariance_is_robust() -> None:
    columns = {**data(), "w": np.linspace(1, 2, N), "g": np.arange(N) % 11}
    options = {"family": "huber", "scale": 1.0}
    assert tw.fit("y ~ x", columns, **options).covariance_kind == "HC1"
    assert tw.fit("y ~ x", columns, weights="w", weights_kind="sampling", **options).covariance_kind == "linearized"
    assert tw.fit("y ~ x", columns, cluster="g", **options).covariance_kind == "cluster"
    model = tw.fit("y ~ x", columns, covariance="model", **options)
    assert model.covariance is None
    assert model.covariance_reason == robust("huber", 1.0).dispersion_reason


def test_coefficients_that_only_far_rows_know_have_no_covariance() -> None:
    """Both rows of group b lie beyond the scale: psi' is 0 there, and any value between them fits as well."""
    columns = {"y": np.array([0.1, -0.1, 0.2, -0.3, 50.0, -50.0]), "g": list("aaaabb")}
    fit = tw.fit("y ~ g", columns, family="huber", scale=1.0)
    assert fit.covariance is None
    assert "beyond the scale" in str(fit.covariance_reason)
    rng = np.random.default_rng(3)  # with covariates the zero is one of rounding: a standard error of 1e20
    x, z, far = rng.normal(1, 1, 40), rng.normal(5, 1, 40), np.arange(40) >= 34
    y = x + 0.1 * rng.normal(size=40) + far * np.resize([80, -80], 40)
    fit = tw.fit("y ~ g + x + z", {"y": y, "x": x, "z": z, "g": far.astype(str)}, family="huber", scale=1.0)
    assert "beyond the scale" in str(fit.covariance_reason)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_robust_fit_does_not_have_it_explains(name: str) -> None:
    columns = data()
    fit = tw.fit("y ~ x + z", columns, family=name, scale=1.2)
    s = fit.statistics
    absent = ("dispersion", "sigma", "log_likelihood", "aic", "bic", "null_deviance", "r2_deviance", "r2", "f_pvalue")
    assert all(math.isnan(getattr(s, number)) for number in absent)
    assert all(any(word in s.reasons[number] for word in ("robust loss", "least squares")) for number in absent)
    r = columns["y"] - design(columns) @ fit.theta.numpy()
    assert s.rss == pytest.approx(float(r @ r))
    assert s.deviance == pytest.approx(2 * float(robust(name, 1.2).value(torch.from_numpy(r), torch.zeros(N)).sum()))
    assert "a robust loss is no likelihood" in " ".join(str(fit.summary()).split())
    assert float(fit.wald("x = 2").p_value) > 0.001


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_fit_comes_back(name: str, tmp_path: Path) -> None:
    fit = tw.fit("y ~ x + z", data(), family=name, scale=1.2)
    fit.save(tmp_path / "fit.safetensors")
    again = tw.load(tmp_path / "fit.safetensors")
    assert again.family == fit.family
    assert again.covariance_kind == "HC1"
    assert torch.equal(again.covariance, fit.covariance)


RESIDUALS = torch.tensor(np.random.default_rng(9).standard_t(2, 101), dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 100, 101])
def test_the_scale_is_the_mad_of_statsmodels(n: int) -> None:
    r = RESIDUALS[:n]
    assert robust_scale(r) == pytest.approx(float(sm.robust.mad(r.numpy(), center=0)), rel=1e-14)
    about = r - r.median() if n % 2 else r - (r.sort().values[n // 2 - 1] + r.sort().values[n // 2]) / 2
    assert robust_scale(about) == pytest.approx(float(sm.robust.mad(r.numpy())), rel=1e-13, abs=1e-14)


def test_the_scale_of_normal_errors_is_their_standard_deviation() -> None:
    assert pytest.approx(1 / stats.norm.ppf(0.75), rel=1e-15) == NORMAL
    quantiles = torch.from_numpy(3 * stats.norm.ppf((np.arange(10_001) + 0.5) / 10_001))
    assert robust_scale(quantiles) == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5, 40, 101])
def test_a_weight_in_the_scale_is_so_many_rows(n: int) -> None:
    r = RESIDUALS[:n].round(decimals=1)  # with ties
    for shift in range(4):
        count = (torch.arange(n) + shift) % 4 + (n == 1)
        if int(count.sum()) > 0:
            assert robust_scale(r, count.double()) == robust_scale(r.repeat_interleave(count))


def test_the_scale_of_what_has_none() -> None:
    assert math.isnan(robust_scale(RESIDUALS[:0]))
    assert math.isnan(robust_scale(torch.tensor([1.0, math.nan, 2.0])))
    assert math.isnan(robust_scale(RESIDUALS, torch.zeros(101)))
    assert robust_scale(torch.tensor([0.0, 0.0, 0.0, 5.0])) == 0
    assert robust_scale(torch.tensor([1.0, math.nan]), torch.tensor([2.0, 0.0])) == pytest.approx(NORMAL)


def test_the_scale_is_named_where_it_is_missing() -> None:
    with pytest.raises(tw.errors.OptionError, match="needs the parameter 'scale'"):
        tw.fit("y ~ x", data(), family="huber")
