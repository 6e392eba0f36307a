"""The questions that a Fit answers, against its parts and against statsmodels' numbers."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.formula.api as smf

import thalweg as tw
from thalweg.errors import NotAvailableError, OptionError
from thalweg.foreign import RESULTS

FORMULA = "progression ~ bmi + bp + s5"


@pytest.fixture(scope="module")
def frame() -> Any:
    import pandas as pd

    return pd.DataFrame(tw.load_dataset("diabetes"))


@pytest.fixture(scope="module")
def fit(frame: Any) -> tw.Fit:
    return tw.fit(FORMULA, frame)


def test_the_short_properties_are_those_of_statsmodels(fit: tw.Fit, frame: Any) -> None:
    truth = smf.ols(FORMULA, frame).fit()
    assert fit.n == truth.nobs
    assert fit.r_squared == pytest.approx(truth.rsquared, rel=1e-10)
    assert fit.log_likelihood == pytest.approx(truth.llf, rel=1e-10)
    assert fit.aic == pytest.approx(truth.aic, rel=1e-10)
    assert fit.bic == pytest.approx(truth.bic, rel=1e-10)
    assert fit.p_values == pytest.approx(dict(truth.pvalues), rel=1e-6)
    assert fit.intervals(0.9)["bmi"] == pytest.approx(tuple(truth.conf_int(0.1).loc["bmi"]), rel=1e-9)


def test_r_squared_is_of_least_squares_only(frame: Any) -> None:
    assert math.isnan(tw.fit("progression ~ bmi", frame, family="poisson").r_squared)


def test_options_reach_their_answers(fit: tw.Fit) -> None:
    assert fit.equation(digits=7) != fit.equation(digits=2)
    assert fit.equation("sql", table="people").endswith("FROM people")
    assert "low 80%" in fit.summary(level=0.8)
    narrow, wide = (fit.tidy(level=level)["conf_high"] for level in (0.5, 0.99))
    assert (narrow < wide).all()
    assert fit.summary_html() == fit._repr_html_()
    assert "low 80%" in fit.summary_html(level=0.8)
    with pytest.raises(OptionError, match="no option 'intercept'"):
        fit.plot("qq", intercept=True)


def test_predict_hands_on_each_option(fit: tw.Fit, tmp_path: Any) -> None:
    path = tmp_path / "new.txt"
    path.write_text("bmi;bp;s5\n21,5;90;4,2\n33;110;5,1\n;100;4,5\n")
    mean = fit.predict(path, delimiter=";", decimal=",", missing="null")
    rows = {"bmi": [21.5, 33.0], "bp": [90.0, 110.0], "s5": [4.2, 5.1]}
    np.testing.assert_allclose(mean[:2], fit.predict(rows), rtol=1e-14)
    assert math.isnan(mean[2])
    at_90, at_99 = (fit.predict(rows, "mean", level=level)["upper"] for level in (0.9, 0.99))
    assert (np.asarray(at_90) < np.asarray(at_99)).all()
    counts = tw.fit("y ~ x", {"y": [1, 3, 2, 6], "x": [0.0, 1.0, 2.0, 3.0]}, family="poisson", exposure=[1, 2, 1, 2])
    one, two = (counts.predict({"x": [1.5]}, exposure=[size])[0] for size in (1.0, 2.0))
    assert two == pytest.approx(2 * one, rel=1e-12)
    eta = counts.predict({"x": [1.5]}, exposure=[1.0], kind="link")[0]
    assert math.exp(eta) == pytest.approx(one, rel=1e-12)


def test_unseen_levels_by_option() -> None:
    levels = tw.fit("y ~ g", {"y": [1.0, 2.0, 4.0, 3.0], "g": ["a", "b", "a", "b"]})
    assert math.isnan(levels.predict({"g": ["z"]}, unseen="null")[0])
    assert levels.predict({"g": ["z"]}, unseen="reference")[0] == levels.predict({"g": ["a"]})[0]


@pytest.mark.parametrize(("there", "here"), RESULTS.items())
def test_attributes_of_other_programs_lead_to_ours(there: str, here: str, fit: tw.Fit) -> None:
    with pytest.raises(AttributeError, match=f"a Fit has no attribute '{there}'. Here it is fit."):
        getattr(fit, there)
    assert hasattr(fit, here.split("(")[0].split(".")[0])


def test_other_attributes_are_absent_as_usual(fit: tw.Fit) -> None:
    assert not hasattr(fit, "nonsense")
    assert not hasattr(fit, "__array__")


@pytest.mark.parametrize(
    "solver", [None, tw.GradientDescent(0.02, 2000), tw.TorchOptimizer("Adam", lr=0.1, steps=2000)]
)
def test_a_fit_goes_to_another_process(solver):
    fit = tw.fit("y ~ x", tw.simulate("line", n=20, seed=1), solver=solver)
    again = pickle.loads(pickle.dumps(fit))
    assert again.coefficients == fit.coefficients
    assert again.summary() == fit.summary()
    assert again.residuals().tolist() == fit.residuals().tolist()
    assert again.history.equals(fit.history)


def test_a_property_that_has_no_value_says_why(fit: tw.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "m.safetensors")
    loaded = tw.load(tmp_path / "m.safetensors")
    with pytest.raises(NotAvailableError, match="loaded from a file, which holds no history"):
        _ = loaded.history
    assert not hasattr(loaded, "history")
