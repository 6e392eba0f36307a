"""Frames: names, numbers and the library of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import statsmodels.formula.api as smf

import thalweg as tw
from thalweg.show.whole import figures

Maker = Callable[[dict[str, Any]], Any]
LIBRARIES: dict[str, tuple[Maker, type]] = {
    "pandas": (pd.DataFrame, pd.DataFrame),
    "polars": (pl.DataFrame, pl.DataFrame),
    "pyarrow": (pa.table, pa.Table),
}
ADDED = ["fitted", "residual", "std_residual", "leverage", "cooks_distance", "lower", "upper"]


@pytest.fixture(scope="module")
def diabetes(columns_of: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return columns_of("diabetes")


@pytest.mark.parametrize("library", LIBRARIES)
def test_answers_come_in_the_callers_library(library: str, diabetes: dict[str, Any]) -> None:
    make, kind = LIBRARIES[library]
    fit = tw.fit("progression ~ bmi + C(sex)", make(diabetes))
    interval = fit.predict(make(diabetes), interval=0.9)
    for answer in (fit.tidy(), fit.glance(), fit.augment(), fit.augment(make(diabetes)), interval):
        assert isinstance(answer, kind)


def test_tidy_holds_the_table(linear: tw.Fit) -> None:
    table = linear.tidy()
    expected = ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "note"]
    assert list(table.columns) == expected
    assert tuple(table["term"]) == linear.names
    np.testing.assert_array_equal(table["estimate"], linear.theta)
    np.testing.assert_allclose(table["statistic"], table["estimate"] / table["std_error"], rtol=1e-14)
    assert (table["conf_low"] < table["estimate"]).all()


def test_glance_is_one_row(any_fit: tw.Fit) -> None:
    table = any_fit.glance()
    assert len(table) == 1
    assert table["aic"][0] == any_fit.statistics.aic
    assert table["nobs"][0] == any_fit.statistics.n


def test_augment_agrees_with_statsmodels(diabetes: dict[str, Any]) -> None:
    frame = pd.DataFrame(diabetes)
    ours = tw.fit("progression ~ bmi + bp + C(sex)", frame).augment()
    theirs = smf.ols("progression ~ bmi + bp + C(sex)", frame).fit()
    influence, mean = theirs.get_influence(), theirs.get_prediction().summary_frame(alpha=0.05)
    np.testing.assert_allclose(ours["fitted"], theirs.fittedvalues, rtol=1e-10)
    np.testing.assert_allclose(ours["residual"], theirs.resid, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours["std_residual"], influence.resid_studentized_internal, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours["leverage"], influence.hat_matrix_diag, rtol=1e-8)
    np.testing.assert_allclose(ours["cooks_distance"], influence.cooks_distance[0], rtol=1e-7, atol=1e-14)
    np.testing.assert_allclose(ours["lower"], mean["mean_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(ours["upper"], mean["mean_ci_upper"], rtol=1e-9)


def test_augment_keeps_the_callers_columns_and_index(diabetes: dict[str, Any]) -> None:
    frame = pd.DataFrame(diabetes).iloc[::-1].assign(id=range(442), day=pd.Timestamp("2026-01-01"))
    fit = tw.fit("progression ~ bmi", frame[["progression", "bmi"]])
    augmented = fit.augment(frame)
    pd.testing.assert_frame_equal(augmented[frame.columns], frame)
    assert list(augmented.columns[len(frame.columns) :]) == ADDED
    np.testing.assert_allclose(augmented["fitted"], fit.predict(frame), rtol=1e-14)


def test_augment_without_the_response_gives_what_it_can(line: tw.Fit) -> None:
    new = pl.DataFrame({"bmi": [20.0, 30.0]})
    augmented = line.augment(new)
    assert augmented.columns == ["bmi", "fitted", "lower", "upper"]
    np.testing.assert_array_equal(augmented["fitted"], line.predict(new))


def test_augment_marks_rows_that_were_left_out() -> None:
    data = {"x": [1.0, 2, np.nan, 4, 5], "y": [1.0, 2.5, 2.9, 4.2, 5]}
    augmented = tw.fit("y ~ x", data, missing="drop").augment()
    assert np.isnan(augmented["fitted"]).tolist() == [False, False, True, False, False]
    assert np.isnan(augmented["cooks_distance"]).tolist() == [False, False, True, False, False]


def test_augment_never_overwrites_a_column() -> None:
    data = {"x": [1.0, 2, 3, 4, 5], "y": [1.0, 2.5, 2.9, 4.2, 5], "fitted": [9.0] * 5}
    augmented = tw.fit("y ~ x", pd.DataFrame(data)).augment()
    assert augmented["fitted"].tolist() == [9.0] * 5
    assert "fitted_" in augmented.columns


def test_predictions_without_an_interval_are_an_array(line: tw.Fit) -> None:
    assert isinstance(line.predict({"bmi": [25.0]}), np.ndarray)
    assert line.predict().shape == (442,)
    assert list(line.predict({"bmi": [25.0]}, interval="mean").columns) == [
        "prediction",
        "lower",
        "upper",
        "standard_error",
    ]


def test_predictions_keep_the_index_of_a_pandas_frame(line: tw.Fit) -> None:
    new = pd.DataFrame({"bmi": [20.0, 30.0, 25.0]}, index=["c", "a", "a"])
    answer = line.predict(new, interval=0.9)
    pd.testing.assert_index_equal(answer.index, new.index)
    np.testing.assert_array_equal(answer["prediction"], line.predict(new))


def test_whole_counts_are_integers(line: tw.Fit) -> None:
    assert isinstance(figures(line)["n"], int)
    assert isinstance(figures(line)["n_dropped"], int)
    assert line.glance()["nobs"].dtype == np.int64
    assert figures(line)["f_statistic"] == line.statistics.f_statistic
