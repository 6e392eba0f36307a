"""The table of coefficients against statsmodels, and its notes where numbers are absent."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch

from thalweg.errors import OptionError
from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.covariance import covariance, degrees_of_freedom
from thalweg.inference.intervals import intervals


def inferred(fitted: Any, kind: str = "model", groups: int | None = None, clusters: Any = None) -> Any:
    """The fit with a covariance of this kind."""
    fitted.covariance, fitted.covariance_reason = covariance(
        kind,
        unscaled=fitted.unscaled,
        statistics=fitted.statistics,
        rows=fitted.rows,
        family=fitted.family,
        theta=fitted.theta,
        weights_kind=fitted.weights_kind,
        clusters=clusters,
    )
    fitted.df = degrees_of_freedom(kind, fitted.family, fitted.statistics, groups)
    return fitted


def same_table(fitted: Any, truth: Any, level: float = 0.95) -> None:
    rows = coefficient_table(fitted, level)
    assert [row.name for row in rows] == list(fitted.names)
    close = {"rtol": 1e-8, "atol": 0}
    np.testing.assert_allclose([row.estimate for row in rows], truth.params, **close)
    np.testing.assert_allclose([row.std_error for row in rows], truth.bse, **close)
    np.testing.assert_allclose([row.statistic for row in rows], truth.tvalues, **close)
    np.testing.assert_allclose([row.p_value for row in rows], truth.pvalues, rtol=1e-7, atol=0)
    np.testing.assert_allclose([(row.low, row.high) for row in rows], truth.conf_int(1 - level), **close)
    assert {row.note for row in rows} == {""}


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_ols(level: float, diabetes: Any, tools: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit()
    same_table(inferred(tools.least_squares(diabetes)), truth, level)


def test_hc3_keeps_t(diabetes: Any, tools: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit(cov_type="HC3", use_t=True)
    same_table(inferred(tools.least_squares(diabetes), "HC3"), truth)


def test_clusters_take_t_with_their_number_less_one(diabetes: Any, tools: Any) -> None:
    codes = np.random.default_rng(1).integers(0, 9, 442)
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit(
        cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
    )
    same_table(inferred(tools.least_squares(diabetes), "cluster", 9, torch.tensor(codes)), truth)


@pytest.mark.parametrize("name", ["cancer", "wine"])
def test_fixed_dispersion_takes_the_normal(name: str, request: pytest.FixtureRequest, tools: Any) -> None:
    fitted, model = tools.any(request.getfixturevalue(name))
    same_table(inferred(fitted), model.fit(tol=1e-14))
    assert fitted.df is None


def test_sampling_weights_take_t(cancer: Any, tools: Any) -> None:
    fitted, _ = tools.any(cancer)
    fitted.weights_kind = "sampling"
    assert inferred(fitted, "linearized").df == 565


def test_aliased_and_separated(diabetes: Any, tools: Any) -> None:
    fitted = inferred(tools.aliased(tools.least_squares(diabetes)))
    *kept, last = coefficient_table(fitted)
    assert last.note == "aliased: = 2 * bmi"
    assert math.isnan(last.estimate)
    assert not any(math.isnan(row.std_error) for row in kept)
    fitted.separation = SimpleNamespace(direction={"bmi": 1.0}, sentence="The data are separated.")
    table = {row.name: row for row in coefficient_table(fitted)}
    assert table["bmi"].note.startswith("separated")
    assert math.isnan(table["bmi"].estimate)


def test_no_covariance_says_why(diabetes: Any, tools: Any) -> None:
    fitted = inferred(tools.least_squares(diabetes.take(slice(0, 4))))
    for row in coefficient_table(fitted):
        assert not math.isnan(row.estimate)
        assert math.isnan(row.std_error)
        assert math.isnan(row.p_value)
        assert "no residual degrees of freedom" in row.note


def test_perfect_fit(diabetes: Any, tools: Any) -> None:
    fitted = inferred(tools.least_squares(diabetes))
    fitted.covariance = torch.zeros(4, 4, dtype=torch.float64)
    fitted.theta = torch.tensor([1.0, -2.0, 0.0, 3.0], dtype=torch.float64)
    rows = coefficient_table(fitted)
    assert [row.statistic for row in rows][:2] == [math.inf, -math.inf]
    assert rows[0].p_value == 0
    assert math.isnan(rows[2].p_value)  # 0 / 0: nothing is known
    assert rows[3].low == rows[3].high == 3.0


def test_a_variance_below_zero_is_no_standard_error(diabetes: Any, tools: Any) -> None:
    fitted = inferred(tools.least_squares(diabetes))
    fitted.covariance[1, 1] = -1.0
    row = coefficient_table(fitted)[1]
    assert math.isnan(row.std_error)
    assert "not at a minimum" in row.note


def test_intervals_and_levels(diabetes: Any, tools: Any) -> None:
    fitted = inferred(tools.least_squares(diabetes))
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit().conf_int(0.1)
    np.testing.assert_allclose(list(intervals(fitted, 0.9).values()), truth, rtol=1e-8)
    assert list(intervals(fitted)) == list(fitted.names)
    with pytest.raises(OptionError, match="confidence level"):
        coefficient_table(fitted, 95)
