"""What a summary says of a curve."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

import thalweg as tw
from show import curve_cases as cases
from thalweg.show.content import content

TITLES = {
    "decay": "Nonlinear least squares",
    "weighted": "Weighted nonlinear least squares",
    "counts": "Generalized nonlinear model, poisson family, identity link",
    "robust": "Robust nonlinear regression, Huber loss",
}


@pytest.mark.parametrize("name", TITLES)
def test_title(name: str) -> None:
    assert cases.ALL[name]().summary().splitlines()[0] == TITLES[name]


@pytest.mark.parametrize("name", cases.ALL)
def test_header_and_no_figure_without_a_value(name: str) -> None:
    fit = cases.ALL[name]()
    shown = content(fit)
    assert dict(shown.header)["curve"] == fit.formula
    assert "formula" not in dict(shown.header)
    labels = dict(shown.statistics)
    assert not {"F", "adjusted R²"} & labels.keys()
    assert "n/a" not in labels.values()
    assert not [note for note in shown.notes if note.startswith("F:")]
    assert max(map(len, fit.summary().splitlines())) <= 88
    assert fit.formula.replace("'", "&#x27;") in fit.summary_html()


def test_short() -> None:
    assert repr(cases.decay()) == "<Fit 'y = a * exp(-b * x) + c', gaussian, 40 rows: call summary()>"


def test_chi_squared_is_the_weighted_sum_of_squares() -> None:
    fit, data = cases.weighted(), cases.decaying()
    residual = data["y"] - fit.predict({"x": data["x"]})
    weight = 1 / data["sigma"] ** 2
    weight[7] = 0
    figures = dict(content(fit).statistics)
    chi = float(weight @ residual**2)
    assert float(figures["chi²"]) == pytest.approx(chi, rel=1e-4)
    assert float(figures["reduced chi²"]) == pytest.approx(chi / (39 - 3), rel=1e-4)
    assert "residual sum of squares" not in figures


def test_chi_squared_needs_precision_weights() -> None:
    data = cases.decaying()
    fit = tw.fit(cases.DECAY, {**data, "n": np.full(40, 2.0)}, start=cases.START, weights="n", weights_kind="frequency")
    assert "residual sum of squares" in dict(content(fit).statistics)


def test_known_variances_have_a_test_of_the_fit() -> None:
    data = cases.decaying()
    options = {"weights": "1/sigma**2", "weights_kind": "absolute"}
    fit = tw.fit(cases.DECAY, data, start=cases.START, **options)
    chi = float(np.sum(((data["y"] - fit.predict()) / data["sigma"]) ** 2))
    figures = dict(content(fit).statistics)
    assert float(figures["p of chi²"]) == pytest.approx(chi2.sf(chi, 37), rel=0.01)
    assert "sigma" not in figures
    assert "taken as known" in fit.summary().replace("\n    ", " ")


def test_parameters_that_were_not_fitted() -> None:
    fit = cases.tied()
    shown = content(fit)
    assert dict(shown.header)["parameters"] == "1 fitted, 1 held, 1 tied"
    assert "c was held at a value that you gave, and has no standard error." in shown.notes
    assert "Tied, not fitted: a = 2 * b + 1." in shown.notes
    rows = {row[0]: row[1:] for row in shown.coefficients}
    assert rows["c"] == ("0.5", "n/a", "n/a", "n/a", "n/a", "n/a")
    a, b = (float(rows[name][1]) for name in ("a", "b"))
    assert a == pytest.approx(2 * b, rel=1e-3)  # the delta method
    assert "parameters" not in dict(content(cases.decay()).header)


def test_groups() -> None:
    assert dict(content(cases.grouped()).header)["groups"] == "3 of run; b shared by all"


def test_what_is_not_determined_is_said_once() -> None:
    data = cases.decaying()
    with pytest.warns(tw.errors.CollinearityWarning):
        fit = tw.fit("y = a * exp(-b * x) + c + d * where(x > 100, 1, 0)", data, start={**cases.START, "d": 1})
    assert len(re.findall(r"^  \* .*\bd\b", fit.summary(), flags=re.MULTILINE)) == 1


def test_a_loaded_model_says_the_same(tmp_path: Path) -> None:
    fit = cases.decay()
    fit.save(tmp_path / "m.safetensors")
    again = tw.load(tmp_path / "m.safetensors")
    without_data = [line for line in fit.summary().splitlines() if not line.startswith("  data")]
    assert again.summary().splitlines() == without_data
    assert again.equation() == fit.equation()
    assert again.equation("python") == fit.equation("python")
