"""From a formula and real data to inference, against statsmodels: the same numbers by another road."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import thalweg as tw
from thalweg.errors import (
    CollinearityWarning,
    ExtrapolationWarning,
    FormulaError,
    NotAvailableError,
    OptionError,
    SeparationWarning,
)
from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.hypotheses import term_tests
from thalweg.inference.residuals import diagnostics

FORMULA = "progression ~ C(sex) + bmi + bp + bmi:s5"  # categories first: patsy orders columns so


@pytest.fixture(scope="module")
def diabetes() -> pd.DataFrame:
    frame = pd.DataFrame({name: np.asarray(column) for name, column in _columns("diabetes").items()})
    rng = np.random.default_rng(11)
    return frame.assign(w=rng.integers(1, 5, len(frame)).astype(float), ward=rng.integers(0, 12, len(frame)))


@pytest.fixture(scope="module")
def cancer() -> pd.DataFrame:
    columns = {name: np.asarray(column) for name, column in _columns("breast_cancer").items()}
    frame = pd.DataFrame(columns)
    rng = np.random.default_rng(12)
    return frame.assign(
        sick=(frame["diagnosis"] == "malignant").astype(float),
        w=rng.integers(1, 5, len(frame)).astype(float),
        ward=rng.integers(0, 12, len(frame)),
        nodes=np.floor(frame["mean_radius"] / 3),
    )


def _columns(name: str) -> Any:
    table = tw.load_dataset(name)
    return {column: table[column] for column in table.columns} if hasattr(table, "columns") else table


def same(fit: Any, truth: Any, rtol: float = 1e-8) -> None:
    rows = coefficient_table(fit)
    np.testing.assert_allclose([row.estimate for row in rows], truth.params, rtol=rtol)
    np.testing.assert_allclose([row.std_error for row in rows], truth.bse, rtol=rtol)
    np.testing.assert_allclose([(row.low, row.high) for row in rows], truth.conf_int(), rtol=rtol)
    np.testing.assert_allclose([row.p_value for row in rows], truth.pvalues, rtol=1e-6, atol=0)


@pytest.mark.parametrize("covariance", ["model", "HC0", "HC1", "HC2", "HC3", "cluster"])
def test_least_squares(covariance: str, diabetes: pd.DataFrame) -> None:
    clustered = covariance == "cluster"
    fit = tw.fit(FORMULA, diabetes, covariance=covariance, cluster="ward" if clustered else None)
    truth = smf.ols(FORMULA, diabetes).fit(
        cov_type="nonrobust" if covariance == "model" else covariance,
        cov_kwds={"groups": diabetes["ward"]} if clustered else None,
        use_t=True,
    )
    same(fit, truth)
    for ours, theirs in {"aic": "aic", "bic": "bic", "log_likelihood": "llf", "r2_adjusted": "rsquared_adj"}.items():
        assert getattr(fit.statistics, ours) == pytest.approx(getattr(truth, theirs), rel=1e-9)


@pytest.mark.parametrize("covariance", ["model", "HC0", "cluster"])
@pytest.mark.parametrize(
    ("formula", "family", "maker"),
    [
        ("sick ~ mean_texture + mean_smoothness", "binomial", sm.families.Binomial()),
        ("nodes ~ C(diagnosis) + mean_texture", "poisson", sm.families.Poisson()),
        ("mean_radius ~ C(diagnosis) + mean_texture", "gamma", sm.families.Gamma(sm.families.links.Log())),
        ("sick ~ mean_texture", "probit", sm.families.Binomial(sm.families.links.Probit())),
    ],
)
def test_families(covariance: str, formula: str, family: str, maker: Any, cancer: pd.DataFrame) -> None:
    clustered = covariance == "cluster"
    family, link = {"gamma": ("gamma", "log"), "probit": ("binomial", "probit")}.get(family, (family, None))
    fit = tw.fit(
        formula, cancer, family=family, link=link, covariance=covariance, cluster="ward" if clustered else None
    )
    truth = smf.glm(formula, cancer, family=maker).fit(
        tol=1e-14,
        maxiter=100,
        cov_type="nonrobust" if covariance == "model" else covariance,
        cov_kwds={"groups": cancer["ward"]} if clustered else None,
        use_t=family == "gamma",
    )
    same(fit, truth)
    for ours, theirs in {"aic": "aic", "log_likelihood": "llf", "null_deviance": "null_deviance"}.items():
        assert getattr(fit.statistics, ours) == pytest.approx(getattr(truth, theirs), rel=1e-9)


@pytest.mark.parametrize("kind", ["model", "HC1", "HC3", "cluster"])
@pytest.mark.parametrize(
    ("formula", "family", "link"),
    [
        ("mean_radius ~ mean_texture", "gaussian", None),
        ("nodes ~ mean_texture", "poisson", None),
        ("mean_radius ~ mean_texture", "gamma", "log"),  # not canonical: the bread is observed
    ],
)
def test_frequency_weights_are_repeated_rows(
    kind: str, formula: str, family: str, link: str | None, cancer: pd.DataFrame
) -> None:
    often = cancer.loc[cancer.index.repeat(cancer["w"].astype(int))].reset_index(drop=True)
    options = {"family": family, "link": link, "covariance": kind, "cluster": "ward" if kind == "cluster" else None}
    once = tw.fit(formula, cancer, weights="w", weights_kind="frequency", **options)
    repeated = tw.fit(formula, often, **options)
    np.testing.assert_allclose(once.covariance, repeated.covariance, rtol=1e-9)
    assert once.statistics.aic == pytest.approx(repeated.statistics.aic, rel=1e-11)
    assert once.df == repeated.df


def test_sampling_weights(diabetes: pd.DataFrame) -> None:
    fit = tw.fit(FORMULA, diabetes, weights="w", weights_kind="sampling")
    assert fit.covariance_kind == "linearized"
    truth = smf.wls(FORMULA, diabetes, weights=diabetes["w"]).fit(cov_type="HC0")
    errors = fit.covariance.diagonal().sqrt().numpy()
    np.testing.assert_allclose(errors, truth.bse * math.sqrt(442 / 441), rtol=1e-8)
    refused = tw.fit(FORMULA, diabetes, weights="w", weights_kind="sampling", covariance="model")
    assert refused.covariance is None
    assert "sampling weights say" in str(refused.covariance_reason)


def test_weight_zero_is_absence(cancer: pd.DataFrame) -> None:
    weighted = cancer.assign(w=np.where(cancer["w"] == 1, 0, cancer["w"]))
    for kind in ("model", "HC3", "cluster"):
        options = {"family": "binomial", "weights": "w", "covariance": kind}
        options["cluster"] = "ward" if kind == "cluster" else None
        fits = [tw.fit("sick ~ mean_texture", frame, **options) for frame in (weighted, weighted[weighted["w"] > 0])]
        np.testing.assert_allclose(fits[0].covariance, fits[1].covariance, rtol=1e-9)
        assert fits[0].statistics.n == fits[1].statistics.n


def test_links_that_are_not_canonical_have_leverages_that_add_up(cancer: pd.DataFrame) -> None:
    for link in ("probit", "cloglog"):
        fit = tw.fit("sick ~ mean_texture + mean_smoothness", cancer, family="binomial", link=link)
        assert diagnostics(fit, ["leverage"])["leverage"].sum() == pytest.approx(3, rel=1e-9)


def test_a_file_in_batches_is_the_frame_in_memory(diabetes: pd.DataFrame, tmp_path: Path) -> None:
    half = len(diabetes) // 2
    diabetes[:half].to_csv(tmp_path / "a.csv", index=False)
    diabetes[half:].to_csv(tmp_path / "b.csv", index=False)
    for kind in ("HC3", "cluster"):
        options = {"weights": "w", "covariance": kind, "cluster": "ward" if kind == "cluster" else None}
        memory, files = tw.fit(FORMULA, diabetes, **options), tw.fit(FORMULA, str(tmp_path / "*.csv"), **options)
        np.testing.assert_allclose(files.covariance, memory.covariance, rtol=1e-8)
        np.testing.assert_allclose(files.residuals("studentized"), memory.residuals("studentized"), rtol=1e-8)
    few, whole = (fit.predict_columns(str(tmp_path / "a.csv"), 0.9).columns for fit in (files, memory))
    np.testing.assert_allclose(few["lower"], whole["lower"], rtol=1e-9)
    assert len(few["lower"]) == half


def test_hypotheses_and_terms(diabetes: pd.DataFrame) -> None:
    fit, truth = tw.fit(FORMULA, diabetes), smf.ols(FORMULA, diabetes).fit()
    for text in ("bmi = bp", "C(sex)[T.2] = -10, bp = 1", "2*bmi:s5 - bp = 3"):
        matrix, right = _by_hand(text, list(fit.names))
        expected = truth.f_test((matrix, right))
        found = fit.wald(text)
        assert found.statistic == pytest.approx(float(expected.fvalue), rel=1e-8)
        assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-7)
    third = {test.text: test.p_value for test in term_tests(fit)}
    wald = truth.wald_test_terms(scalar=True).table["pvalue"]
    assert third["C(sex)"] == pytest.approx(wald["C(sex)"], rel=1e-7)
    with pytest.raises(FormulaError, match="'age' is not a coefficient"):
        fit.wald("age = 0")


def _by_hand(text: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """R and r, written out."""
    rows = {
        "bmi = bp": [({"bmi": 1, "bp": -1}, 0)],
        "C(sex)[T.2] = -10, bp = 1": [({"C(sex)[T.2]": 1}, -10), ({"bp": 1}, 1)],
        "2*bmi:s5 - bp = 3": [({names[-1]: 2, "bp": -1}, 3)],
    }[text]
    matrix = np.array([[row.get(name, 0) for name in names] for row, _ in rows], dtype=float)
    return matrix, np.array([right for _, right in rows], dtype=float)


def test_prediction(diabetes: pd.DataFrame) -> None:
    fit, truth = tw.fit(FORMULA, diabetes), smf.ols(FORMULA, diabetes).fit()
    new = diabetes.head(20).drop(columns="progression")
    expected = truth.get_prediction(new).summary_frame(0.05)
    found = fit.predict_columns(new, interval=0.95)
    np.testing.assert_allclose(found.columns["lower"], expected["obs_ci_lower"], rtol=1e-8)
    np.testing.assert_allclose(found.columns["standard_error"], expected["mean_se"], rtol=1e-8)
    with pytest.warns(ExtrapolationWarning, match="of 20 rows, .*: 20 in bmi"):
        assert fit.predict_columns(new.assign(bmi=99.0)).outside == {"bmi": 20}


def test_unseen_levels_at_prediction(cancer: pd.DataFrame) -> None:
    fit = tw.fit("mean_radius ~ diagnosis", cancer)
    new = pd.DataFrame({"diagnosis": ["benign", "unclear"]})
    found = fit.predict_columns(new, interval="mean", unseen="null").columns
    assert np.isnan(found["upper"]).tolist() == [False, True]


def test_aliased_columns(diabetes: pd.DataFrame) -> None:
    with pytest.warns(CollinearityWarning):
        fit = tw.fit("progression ~ bmi + double + bp", diabetes.assign(double=2 * diabetes["bmi"]), covariance="HC1")
    table = {row.name: row for row in coefficient_table(fit)}
    assert table["double"].note.startswith("aliased: = ")
    assert math.isnan(table["double"].estimate)
    truth = smf.ols("progression ~ bmi + bp", diabetes).fit(cov_type="HC1")
    assert table["bp"].std_error == pytest.approx(truth.bse["bp"], rel=1e-9)
    with pytest.raises(NotAvailableError, match="'double' has no estimate"):
        fit.wald("double = 0")


def test_separated(cancer: pd.DataFrame) -> None:
    iris = pd.DataFrame(_columns("iris"))
    iris["setosa"] = (iris["species"] == "setosa").astype(float)
    with pytest.warns(SeparationWarning):
        fit = tw.fit("setosa ~ petal_length", iris, family="binomial")
    rows = coefficient_table(fit)
    assert all(math.isnan(row.std_error) for row in rows)
    assert rows[1].note.startswith("separated")
    with pytest.raises(NotAvailableError, match="separated"):
        fit.wald("petal_length = 0")
    with pytest.raises(NotAvailableError, match="no interval"):
        fit.predict_columns(iris, interval=0.95)


def test_as_many_coefficients_as_rows(diabetes: pd.DataFrame) -> None:
    fit = tw.fit("progression ~ bmi + bp", diabetes.head(3))
    for row in coefficient_table(fit):
        assert math.isnan(row.std_error)
        assert "no residual degrees of freedom: 3 rows, 3 coefficients" in row.note
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        wider = tw.fit("progression ~ bmi + bp + s5 + s6", diabetes.head(3))
    assert all(row.note for row in coefficient_table(wider))
    assert wider.statistics.df_residual == 0


def test_refused_options(diabetes: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match="HC9"):
        tw.fit(FORMULA, diabetes, covariance="HC9")
    with pytest.raises(OptionError, match="clusters"):
        tw.fit(FORMULA, diabetes, covariance="cluster")


def test_certified_analysis_of_variance(reference: Path, reference_json: Any) -> None:
    """NIST's R2, sums of squares and F of the linear sets: 9 digits or more where float64 sums of y hold them."""
    for problem in reference_json("strd.json"):
        if problem["kind"] != "linear":
            continue
        names, degree = problem["x_names"], problem["degree"]
        right = " + ".join(names) if degree in (None, 1) else f"poly({names[0]}, {degree}, raw=True)"
        formula = f"y ~ {right}" if problem["intercept"] else f"y ~ 0 + {right}"
        s = tw.fit(formula, str(reference / "nist" / f"{problem['name']}.dat")).statistics
        anova = problem["anova"]
        assert s.df_residual == anova["res_df"]
        assert s.df_model == anova["reg_df"]
        assert s.r2 == pytest.approx(problem["r_squared"], rel=1e-13), problem["name"]
        assert s.tss - s.rss == pytest.approx(anova["reg_ss"], rel=1e-9), problem["name"]
        assert s.sigma == pytest.approx(problem["residual_sd"], rel=1e-10, abs=1e-9), problem["name"]
        if anova["F"] is not None:
            assert s.f_statistic == pytest.approx(anova["F"], rel=1e-9), problem["name"]
        else:
            assert s.f_statistic > 1e20
