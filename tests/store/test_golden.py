"""A file of schema 1 that stays in the tests for ever: every later version must read it and predict the same numbers.

It was written once, by `tw.fit(FORMULA, "diabetes").save("tests/store/model_schema1.safetensors")`, and is never
written again: a new schema gets a file of its own. The numbers are the truth, not that version's output: the
least-squares fit of progression on 1, bmi, bp, [sex = 2], s5 and s5^2 (poly(s5, 2) spans the same space) to the 442
rows of scikit-learn's diabetes data, solved in rational arithmetic (Python's `fractions`) and rounded at the end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import thalweg as tw

FILE = Path(__file__).with_name("model_schema1.safetensors")
FORMULA = "progression ~ bmi + bp + C(sex) + poly(s5, 2)"
NEW = {"bmi": [32.1, 21.6, 24.0], "bp": [101.0, 87.0, 70.5], "sex": [2.0, 1.0, 2.0], "s5": [4.8598, 3.8918, 5.5]}
PREDICTIONS = [200.2537274518184, 80.61888127863861, 147.97890045125928]
STD_ERRORS = [5.346276010452154, 5.941477575153805, 9.731460085633234]
COEFFICIENTS = {"bmi": 6.427808211108422, "bp": 1.007998855816381}
SIGMA = 55.533208120258272
RANGES = {"bmi": (18.0, 42.2), "bp": (62.0, 133.0), "s5": (3.2581, 6.107)}


def test_predictions():
    columns = tw.load(FILE).predict_columns(NEW, interval="mean").columns
    assert columns["prediction"] == pytest.approx(PREDICTIONS, rel=1e-13)
    assert columns["standard_error"] == pytest.approx(STD_ERRORS, rel=1e-12)


def test_what_the_file_says():
    fit = tw.load(FILE)
    assert fit.formula == FORMULA
    assert {name: fit.coefficients[name] for name in COEFFICIENTS} == pytest.approx(COEFFICIENTS, rel=1e-13)
    assert (fit.statistics.n, fit.df) == (442, 436)
    assert fit.statistics.sigma == pytest.approx(SIGMA, rel=1e-13)
    assert {name: tuple(fit.spec.ranges[name]) for name in RANGES} == RANGES
    assert fit.options["solver"]["status"] == "converged"


def test_this_version_still_means_the_same():
    """A model fitted today has the coefficients that the file has, under the same names."""
    today, then = tw.fit(FORMULA, "diabetes"), tw.load(FILE)
    assert today.names == then.names
    assert today.theta.tolist() == pytest.approx(then.theta.tolist(), rel=1e-12)
