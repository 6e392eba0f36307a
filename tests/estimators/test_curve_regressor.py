"""`CurveRegressor` within scikit-learn, beside `thalweg.fit`, numpy and scikit-learn's own line."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import thalweg as tw
from thalweg.errors import FormulaError, NotAvailableError, OptionError
from thalweg.estimators.curve import CurveRegressor

rng = np.random.default_rng(3)
X = np.linspace(0, 4, 60)[:, None]
Y = 2.5 * np.exp(-1.3 * X[:, 0]) + 0.5 + 0.02 * rng.standard_normal(60)
START = {"a": 1.0, "b": 1.0, "c": 0.0}
DECAY = "a * exp(-b * x) + c"


@pytest.mark.filterwarnings("ignore::thalweg.errors.CollinearityWarning")  # more columns than rows
@parametrize_with_checks([CurveRegressor()])
def test_what_scikit_learn_asks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_numbers_are_those_of_the_fit() -> None:
    curve = CurveRegressor(DECAY, start=START).fit(X, Y)
    fit = tw.fit(f"y = {DECAY}", {"x": X[:, 0], "y": Y}, start=START)
    assert curve.parameters_ == dict(fit.coefficients)
    assert list(curve.parameters_) == ["a", "b", "c"]
    np.testing.assert_array_equal(curve.coef_, list(fit.coefficients.values()))
    np.testing.assert_array_equal(curve.std_errors_, list(fit.std_errors.values()))
    np.testing.assert_array_equal(curve.covariance_, fit.vcov().numpy())
    np.testing.assert_array_equal(curve.predict(X), fit.predict({"x": X[:, 0]}))
    assert curve.fit_.summary()


@pytest.mark.parametrize("columns", [1, 4])
def test_by_default_it_is_a_line(columns: int) -> None:
    x = rng.standard_normal((50, columns))
    y = x @ np.arange(1.0, columns + 1) - 2 + 0.1 * rng.standard_normal(50)
    w = rng.random(50)
    line = LinearRegression().fit(x, y, w)
    curve = CurveRegressor().fit(x, y, w)
    np.testing.assert_allclose(curve.coef_, [line.intercept_, *line.coef_], rtol=1e-9)
    np.testing.assert_allclose(curve.predict(x), line.predict(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("expression", ["a * exp(-b * x) + c", "a * exp(-b * x0) + c", "signal = a * exp(-b * x) + c"])
def test_how_columns_and_response_are_written(expression: str) -> None:
    expected = CurveRegressor(DECAY, start=START).fit(X, Y).coef_
    np.testing.assert_array_equal(CurveRegressor(expression, start=START).fit(X, Y).coef_, expected)


def test_columns_by_name() -> None:
    expected = CurveRegressor(DECAY, start=START).fit(X, Y)
    frame = pd.DataFrame({"other": 0.0, "t": X[:, 0]})
    curve = CurveRegressor("a * exp(-b * t) + c", start=START).fit(frame, Y)
    np.testing.assert_array_equal(curve.coef_, expected.coef_)
    assert list(curve.feature_names_in_) == ["other", "t"]
    np.testing.assert_array_equal(curve.predict(frame[:5]), expected.predict(X[:5]))
    named = CurveRegressor("a * exp(-b * t) + c", start=START, columns=["t"]).fit(X, Y)
    np.testing.assert_array_equal(named.coef_, expected.coef_)
    two = CurveRegressor("a * exp(-b * x1) + c", start=START).fit(frame.to_numpy(), Y)
    np.testing.assert_array_equal(two.coef_, expected.coef_)


def test_a_response_may_be_called_as_nothing_else_is() -> None:
    frame = pd.DataFrame({"y": X[:, 0]})
    expected = CurveRegressor(DECAY, start=START).fit(X, Y).coef_
    np.testing.assert_array_equal(CurveRegressor("a * exp(-b * y) + c", start=START).fit(frame, Y).coef_, expected)


def test_weights_are_repetitions() -> None:
    w = rng.integers(0, 4, 60)
    weighted = CurveRegressor(DECAY, start=START).fit(X, Y, sample_weight=w)
    repeated = CurveRegressor(DECAY, start=START).fit(np.repeat(X, w, axis=0), np.repeat(Y, w))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-12)


def test_parameters_held_bounded_and_tied() -> None:
    options: dict[str, Any] = {"start": {"a": 1.0, "b": 1.0}, "bounds": {"a": (0, 2)}}
    held = CurveRegressor(DECAY, fixed={"c": 0.4}, **options).fit(X, Y)
    assert held.parameters_["c"] == 0.4
    assert held.parameters_["a"] == 2.0
    tied = CurveRegressor(DECAY, tied={"c": "a / 5"}, start={"a": 1.0, "b": 1.0}).fit(X, Y)
    assert tied.parameters_["c"] == pytest.approx(tied.parameters_["a"] / 5, rel=1e-14)
    np.testing.assert_allclose(tied.predict(X), tied.coef_[0] * np.exp(-tied.coef_[1] * X[:, 0]) + tied.coef_[2])


def test_a_robust_loss_forgets_outliers() -> None:
    y = Y.copy()
    y[::10] += 5.0
    plain = CurveRegressor(DECAY, start=START).fit(X, y)
    robust = CurveRegressor(DECAY, start=dict(zip("abc", (2.0, 1.0, 0.3), strict=True)), loss="cauchy", scale=0.1).fit(
        X, y
    )
    truth = [2.5, 1.3, 0.5]
    assert np.abs(robust.coef_ - truth).max() < 0.1 < np.abs(plain.coef_ - truth).max()


def decay(x: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * x) + c


def test_a_function() -> None:
    expected = CurveRegressor(DECAY, start=START).fit(X, Y)
    curve = CurveRegressor(decay, start=START).fit(X, Y)
    np.testing.assert_allclose(curve.coef_, expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(curve)).predict(X), expected.predict(X), rtol=1e-10)


def test_copies() -> None:
    curve = CurveRegressor(DECAY, start=START, bounds={"b": (0, None)}, loss="huber")
    again = clone(curve)
    assert again.get_params() == curve.get_params()
    assert clone(curve.fit(X, Y)).set_params(loss="squared").loss == "squared"
    kept = pickle.loads(pickle.dumps(curve))
    np.testing.assert_array_equal(kept.predict(X), curve.predict(X))
    np.testing.assert_array_equal(kept.covariance_, curve.covariance_)


def test_pipelines_searches_and_cross_validation() -> None:
    pipeline = make_pipeline(FunctionTransformer(np.log1p), CurveRegressor("a + b * x + c * x**2"))
    design = np.log1p(X[:, 0])[:, None] ** np.arange(3)
    np.testing.assert_allclose(pipeline.fit(X, Y)[-1].coef_, np.linalg.lstsq(design, Y)[0], rtol=1e-9)
    grid = {"expression": ["a + b * x", DECAY], "start": [None]}
    search = GridSearchCV(CurveRegressor(), grid, cv=4).fit(rng.permutation(X), Y)
    assert search.best_params_["expression"] in grid["expression"]
    order = rng.permutation(60)
    scores = cross_val_score(CurveRegressor(DECAY, start=START), X[order], Y[order], cv=5)
    assert scores.min() > 0.95
    scaled = make_pipeline(StandardScaler(), CurveRegressor()).fit(X, Y)
    np.testing.assert_allclose(scaled.predict(X), LinearRegression().fit(X, Y).predict(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"expression": "log(y) = a * x"}, "is no name"),
        ({"expression": "x = a * x"}, "is the response, and a column"),
        ({"expression": 3}, "expression is 3"),
        ({"expression": "a * t", "columns": ["t", "u"]}, "X has 1"),
        ({"expression": DECAY, "start": {"d": 1}}, "'d' in start= is no parameter"),
        ({"loss": "squares"}, "squares"),
    ],
)
def test_what_is_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        CurveRegressor(**options).fit(X, Y)


def test_a_column_of_an_array_is_no_parameter() -> None:
    with pytest.raises(OptionError, match="reads 'x', and the columns of X are x0, x1"):
        CurveRegressor("a * x + b * x1").fit(np.hstack([X, X]), Y)
    with pytest.raises(FormulaError, match="'x1'"):
        CurveRegressor("a * x1 + b").fit(X, Y)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_the_scale_is_found_as_by_the_fit(loss: str) -> None:
    """Residuals of 0.02: with a scale of 1 the loss would be that of squares."""
    y = Y.copy()
    y[::10] += 0.5
    curve = CurveRegressor(DECAY, start=START, loss=loss).fit(X, y)
    fit = tw.fit(f"y = {DECAY}", {"x": X[:, 0], "y": y}, start=START, family=loss)
    np.testing.assert_array_equal(curve.coef_, list(fit.coefficients.values()))
    given = CurveRegressor(DECAY, start=START, loss=loss, scale=1.0).fit(X, y)
    assert abs(given.coef_ - [2.5, 1.3, 0.5]).max() > 2 * abs(curve.coef_ - [2.5, 1.3, 0.5]).max()


def test_squared_error_is_the_squares() -> None:
    expected = CurveRegressor(DECAY, start=START).fit(X, Y).coef_
    np.testing.assert_array_equal(CurveRegressor(DECAY, start=START, loss="squared_error").fit(X, Y).coef_, expected)


def test_a_pickle_says_what_it_lacks() -> None:
    curve = CurveRegressor(DECAY, start=START)
    with pytest.raises(NotFittedError):
        _ = curve.fit_
    kept = pickle.loads(pickle.dumps(curve.fit(X, Y)))
    assert not hasattr(kept, "fit_")
    with pytest.raises(NotAvailableError, match=r"no part of a pickle; predict.*beside the estimator"):
        _ = kept.fit_
    again = pickle.loads(pickle.dumps(curve.fit_))
    assert again.summary() == curve.fit_.summary()
    np.testing.assert_array_equal(again.predict({"x": [0.5, 1.5]}), kept.predict([[0.5], [1.5]]))


@pytest.mark.parametrize(
    "text",
    [
        f"y = {DECAY}",
        "y = exponential_decay(x) + c",
        "log(y + 1) = a * exp(-b * x)",
        "y = (a + d * (g == 'p')) * exp(-b * x)",
    ],
)
def test_a_fit_of_a_curve_is_pickled(text: str) -> None:
    """Its curve is compiled again: values, slopes and text are the same."""
    data = {"x": X[:, 0], "y": Y, "g": np.repeat(["p", "q"], 30)}
    fit = tw.fit(text, data, fixed={"b": 1.3} if "d" in text.split() else None)
    again = pickle.loads(pickle.dumps(fit))
    assert again.summary() == fit.summary()
    rows = {"x": [0.3, 2.0], "g": ["p", "q"]}
    for interval in (None, "mean"):
        np.testing.assert_array_equal(
            np.asarray(again.predict(rows, interval)), np.asarray(fit.predict(rows, interval))
        )
    assert again.equation() == fit.equation()
