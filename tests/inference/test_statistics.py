"""Statistics of a fit against statsmodels on real data, and what they say where there is none."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.inference.moments import Moments


def agree(found: float, expected: float, digits: int = 9) -> None:
    assert found == pytest.approx(expected, rel=10.0**-digits)


def same_as_linear(s: Any, truth: Any) -> None:
    """Every number that statsmodels' linear models have."""
    for name, expected in {
        "n": truth.nobs,
        "df_model": truth.df_model,
        "df_residual": truth.df_resid,
        "dispersion": truth.scale,
        "sigma": math.sqrt(truth.scale),
        "rss": truth.ssr,
        "deviance": truth.ssr,
        "tss": truth.centered_tss if truth.k_constant else truth.uncentered_tss,
        "log_likelihood": truth.llf,
        "aic": truth.aic,
        "bic": truth.bic,
        "r2": truth.rsquared,
        "r2_adjusted": truth.rsquared_adj,
        "f_statistic": truth.fvalue,
        "f_pvalue": truth.f_pvalue,
    }.items():
        agree(getattr(s, name), expected)
    assert s.dispersion_method == "residual variance"


def test_ols(diabetes: Any, tools: Any) -> None:
    same_as_linear(tools.least_squares(diabetes).statistics, sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit())


def test_wls(diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442] / 3 + 0.1
    truth = sm.WLS(diabetes.y.numpy(), diabetes.x.numpy(), w.numpy()).fit()
    s = tools.least_squares(diabetes.take(slice(None), weight=w)).statistics
    same_as_linear(s, truth)
    agree(s.weight_sum, float(w.sum()))


def test_no_intercept(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes.take(slice(None), x=diabetes.x[:, 1:], names=()), intercept=False)
    same_as_linear(fitted.statistics, sm.OLS(diabetes.y.numpy(), diabetes.x[:, 1:].numpy()).fit(hasconst=False))


def test_offset_of_least_squares_is_taken_off_the_response(diabetes: Any, tools: Any) -> None:
    offset = 0.3 * diabetes.x[:, 1] ** 2
    s = tools.least_squares(diabetes.take(slice(None), offset=offset)).statistics
    same_as_linear(s, sm.OLS((diabetes.y - offset).numpy(), diabetes.x.numpy()).fit())


def test_frequency_weights_repeat_rows(diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442]
    index = torch.arange(442).repeat_interleave(w.long())
    s = tools.least_squares(diabetes.take(slice(None), weight=w), weights_kind="frequency").statistics
    same_as_linear(s, sm.OLS(diabetes.y[index].numpy(), diabetes.x[index].numpy()).fit())
    agree(s.weight_sum, len(index))


@pytest.mark.parametrize("weights_kind", ["precision", "frequency", "sampling"])
def test_weight_zero_is_absence(weights_kind: str, wine: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:178]
    fitted, _ = tools.any(wine.take(slice(None), weight=w), weights_kind=weights_kind)
    fewer = tools.at(wine.take(w > 0, weight=w[w > 0]), fitted, weights_kind=weights_kind)
    same(fitted.statistics, fewer.statistics)


def same(one: Any, other: Any) -> None:
    for name, value in vars(one).items():
        if isinstance(value, float):
            assert value == pytest.approx(getattr(other, name), rel=1e-12, nan_ok=True), name
    assert one.reasons == other.reasons


def same_as_glm(s: Any, truth: Any) -> None:
    """Every number that statsmodels' generalized linear models have."""
    for name, expected in {
        "n": truth.df_resid + truth.df_model + 1,
        "df_model": truth.df_model,
        "df_residual": truth.df_resid,
        "dispersion": truth.scale,
        "deviance": truth.deviance,
        "null_deviance": truth.null_deviance,
        "pearson_chi2": truth.pearson_chi2,
        "log_likelihood": truth.llf,
        "null_log_likelihood": truth.llnull,
        "aic": truth.aic,
        "bic": truth.bic_llf,
        "r2_deviance": 1 - truth.deviance / truth.null_deviance,
    }.items():
        agree(getattr(s, name), expected)


@pytest.mark.parametrize("weighting", ["none", "freq_weights", "var_weights"])
@pytest.mark.parametrize(
    ("table", "family", "link"),
    [
        ("cancer", "binomial", "logit"),
        ("wine", "poisson", "log"),
        ("diabetes", "gamma", "log"),
        ("diabetes", "gamma", "inverse"),
    ],
)
def test_glm(
    table: str, family: str, link: str, weighting: str, request: pytest.FixtureRequest, tools: Any, weights: Tensor
) -> None:
    rows = request.getfixturevalue(table)
    options = {}
    if weighting != "none":
        rows = rows.take(slice(None), weight=weights[: len(rows.y)] + 1)
        options = {weighting: rows.weight.numpy()}
    kind = "frequency" if weighting == "freq_weights" else "precision"
    fitted, model = tools.glm(rows, family, link, weights_kind=kind, **options)
    truth = model.fit(tol=1e-14, maxiter=200)
    same_as_glm(fitted.statistics, truth)
    if family != "gamma":
        agree(fitted.statistics.r2_mcfadden, truth.pseudo_rsquared("mcf"))


def test_trials(wine: Any, tools: Any) -> None:
    trials = torch.tensor(np.random.default_rng(5).integers(1, 9, 178), dtype=torch.float64)
    rows = wine.take(slice(None), y=(trials * torch.sigmoid(wine.x[:, 2] - 1)).round() / trials, trials=trials)
    fitted, model = tools.glm(rows)
    same_as_glm(fitted.statistics, model.fit(tol=1e-14))


@pytest.mark.parametrize(("table", "family"), [("wine", "poisson"), ("cancer", "binomial"), ("diabetes", "gamma")])
def test_null_model_with_an_offset(table: str, family: str, request: pytest.FixtureRequest, tools: Any) -> None:
    rows = request.getfixturevalue(table)
    rows = rows.take(slice(None), offset=rows.x[:, 2].sin() * 2)
    fitted, model = tools.glm(rows, family, "log" if family == "gamma" else None)
    null = sm.GLM(rows.y.numpy(), np.ones(len(rows.y)), family=model.family, offset=rows.offset.numpy()).fit(tol=1e-14)
    agree(fitted.statistics.null_deviance, null.deviance, 11)
    if family != "gamma":
        agree(fitted.statistics.null_log_likelihood, null.llf, 11)


def test_blocks_are_the_whole(cancer: Any, tools: Any) -> None:
    whole, _ = tools.any(cancer.take(slice(None), size=1000))
    same(tools.at(cancer.take(slice(None), size=7), whole).statistics, whole.statistics)


def test_sampling_weights_have_no_likelihood(diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442] + 1
    s = tools.least_squares(diabetes.take(slice(None), weight=w), weights_kind="sampling").statistics
    truth = sm.WLS(diabetes.y.numpy(), diabetes.x.numpy(), (w / w.mean()).numpy()).fit()
    agree(s.dispersion, truth.scale)  # as Stata: weights scaled to mean 1
    for name in ("log_likelihood", "null_log_likelihood", "aic", "bic"):
        assert math.isnan(getattr(s, name))
        assert "pseudo-likelihood" in s.reasons[name]
    assert math.isnan(s.f_statistic)
    assert "Wald" in s.reasons["f_statistic"]


def test_saturated(diabetes: Any, tools: Any) -> None:
    s = tools.least_squares(diabetes.take(slice(0, 4))).statistics
    for name in ("dispersion", "sigma", "r2_adjusted", "f_statistic", "log_likelihood", "aic"):
        assert math.isnan(getattr(s, name)), name
        assert s.reasons[name] == "no residual degrees of freedom: 4 rows, 4 coefficients"


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3])
def test_constant_response(value: float, diabetes: Any, tools: Any) -> None:
    rows = diabetes.take(slice(None), y=torch.full((442,), value, dtype=torch.float64))
    s = tools.least_squares(rows).statistics
    assert s.tss == 0
    assert math.isnan(s.r2)
    assert s.reasons["r2"] == s.reasons["r2_deviance"] == "the response is constant"


def test_a_mean_on_the_border_counts_nothing(wine: Any, tools: Any) -> None:
    """Counts of zero whose mean underflows to 0: 0 / 0 is no residual."""
    from thalweg.losses import family

    rows = wine.take(slice(None), y=torch.zeros_like(wine.y))
    theta = torch.tensor([-800.0, 0, 0, 0], dtype=torch.float64)
    s = tools.Fitted(rows, family("poisson"), theta, unscaled=torch.eye(4)).statistics
    assert s.pearson_chi2 == s.deviance == s.null_deviance == 0
    assert s.reasons["r2_mcfadden"] == s.reasons["r2_deviance"] == "the response is constant"


def test_intercept_only(diabetes: Any, tools: Any) -> None:
    s = tools.least_squares(diabetes.take(slice(None), x=diabetes.x[:, :1], names=())).statistics
    assert s.r2 == pytest.approx(0, abs=1e-12)
    assert s.reasons == {
        "f_statistic": "no coefficient besides the intercept",
        "f_pvalue": "no coefficient besides the intercept",
        "r2_mcfadden": "it is for discrete responses: a density has no fixed scale; see r2_deviance",
    }


def test_every_absent_number_has_a_reason(cancer: Any, wine: Any, diabetes: Any, tools: Any) -> None:
    fits = [tools.any(cancer)[0], tools.any(wine)[0], tools.glm(diabetes, "gamma", "log")[0]]
    for s in (fitted.statistics for fitted in fits):
        absent = {name for name, value in vars(s).items() if isinstance(value, float) and math.isnan(value)}
        assert set(s.reasons) == absent
        assert all(s.reasons.values())
        assert "least squares" in s.reasons["r2"]


def test_moments_keep_digits_where_the_mean_is_large() -> None:
    values = torch.tensor(np.random.default_rng(1).normal(size=999) + 1e8)
    weights = torch.tensor(np.random.default_rng(2).integers(1, 5, 999).astype(float))
    parts = [Moments.of(values[first : first + 100], weights[first : first + 100]) for first in range(0, 999, 100)]
    moments = reduce(Moments.merge, parts, Moments())
    exact = [(Fraction(v), Fraction(w)) for v, w in zip(values.tolist(), weights.tolist(), strict=True)]
    mean = sum(v * w for v, w in exact) / sum(w for _, w in exact)
    assert moments.mean == pytest.approx(float(mean), rel=1e-15)
    assert moments.squares == pytest.approx(float(sum(w * (v - mean) ** 2 for v, w in exact)), rel=1e-13)


def test_rss_from_the_solver_takes_precedence(diabetes: Any, tools: Any) -> None:
    from thalweg.inference.statistics import compute

    fitted = tools.least_squares(diabetes)
    s = compute(diabetes, fitted.family, fitted.theta, fitted.spec, rank=4, rss=438.0)
    assert s.rss == s.deviance == s.pearson_chi2 == 438.0
    assert s.sigma == 1.0


def test_unknown_weights_kind(diabetes: Any, tools: Any) -> None:
    with pytest.raises(OptionError, match="'analytic'"):
        tools.least_squares(diabetes, weights_kind="analytic")
