"""Correlations of estimates against the covariance, scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from scipy import optimize

import thalweg as tw
from thalweg.errors import NotAvailableError

RNG = np.random.default_rng(2)
X = np.linspace(0, 4, 30)
Y = 3 * np.exp(-0.8 * X) + 0.5 + 0.05 * RNG.normal(size=30)
DECAY = "y = a * exp(-b * x) + c"


def correlations(covariance: np.ndarray) -> np.ndarray:
    errors = np.sqrt(np.diag(covariance))
    return covariance / np.outer(errors, errors)


def test_of_a_line() -> None:
    data = pd.DataFrame({"x": X, "z": RNG.normal(size=30), "y": Y})
    found = tw.fit("y ~ x + z", data).correlation()
    expected = correlations(sm.OLS(Y, sm.add_constant(data[["x", "z"]])).fit().cov_params().to_numpy())
    assert found["term"].to_list() == ["Intercept", "x", "z"]
    np.testing.assert_allclose(found[["Intercept", "x", "z"]].to_numpy(), expected, rtol=1e-9)


def test_of_a_curve() -> None:
    found = tw.fit(DECAY, {"x": X, "y": Y}, start=[3, 1, 0]).correlation()
    _, covariance = optimize.curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, X, Y, [3, 1, 0], ftol=1e-14)
    np.testing.assert_allclose(found[["a", "b", "c"]].to_numpy(), correlations(covariance), rtol=1e-5)
    assert (np.diag(found[["a", "b", "c"]]) == 1).all()


def test_in_the_library_of_the_data() -> None:
    found = tw.fit("y ~ x", pl.DataFrame({"x": X, "y": Y})).correlation()
    assert isinstance(found, pl.DataFrame)
    assert found.columns == ["term", "Intercept", "x"]


def test_held_and_tied() -> None:
    """NaN for what is held; what is computed from one other parameter is as sure as that one."""
    fit = tw.fit(DECAY, {"x": X, "y": Y}, start=[3, 1, 0], fixed={"c": 0.5}, tied={"a": "4 * b"})
    found = fit.correlation().set_index("term")
    assert found["c"].isna().all()
    assert found.loc["c"].isna().all()
    assert found.loc["a", "b"] == pytest.approx(1)
    assert np.isnan(fit.vcov().numpy()[2]).all()


def test_a_column_named_term() -> None:
    found = tw.fit("y ~ term", {"term": X, "y": Y}).correlation()
    assert list(found.columns) == ["term_", "Intercept", "term"]


def test_none() -> None:
    with pytest.raises(NotAvailableError, match="no covariance"):
        tw.fit("y ~ x", {"x": [1.0, 2.0], "y": [1.0, 3.0]}).correlation()
