"""Columns far from 0: what overflows is told of, with the origin to subtract, and what does not is left alone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.errors import CollinearityWarning, ConvergenceWarning

YEAR = np.arange(1950, 2021.0)
Y = 80 * np.exp(-0.4 * (YEAR - 1950)) + 5 + np.random.default_rng(1).normal(size=71)


def test_years_overflow_and_it_is_told() -> None:
    with pytest.warns((CollinearityWarning, ConvergenceWarning)) as told:
        fit = tw.fit("y = a * exp(-k * year) + c", {"year": YEAR, "y": Y})
    assert any("subtract an origin from year, as in (year - 1950)" in str(each.message) for each in told)
    assert not [each for each in told if issubclass(each.category, RuntimeWarning)]
    assert any("subtract an origin" in note for note in fit.notes)


def test_the_advice_helps() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = tw.fit("y = a * exp(-k * (year - 1950)) + c", {"year": YEAR, "y": Y})
    expected, _ = curve_fit(lambda x, a, k, c: a * np.exp(-k * x) + c, YEAR - 1950, Y, [80, 0.4, 5])
    np.testing.assert_allclose(fit.theta.numpy(), expected, rtol=1e-5)
    assert not any("origin" in note for note in fit.notes)


def test_slow_decay_over_years_is_no_reason() -> None:
    y = 80 * np.exp(-0.02 * (YEAR - 1950)) + np.random.default_rng(1).normal(size=71)
    fit = tw.fit("y = a * exp(-k * year)", {"year": YEAR, "y": y})
    assert not any("origin" in note for note in fit.notes)


def test_residuals_that_follow_the_years_are_a_note() -> None:
    y = 80 * np.exp(-0.02 * (YEAR - 1950)) + 3 * np.sin(YEAR / 5)
    fit = tw.fit("y = a * exp(-k * year)", {"year": YEAR, "y": y})
    assert any("year lies far from 0" in note for note in fit.notes)


def test_a_peak_that_can_stand_anywhere_needs_no_origin() -> None:
    x = np.linspace(490, 510, 80)
    y = np.exp(-((x - 500) ** 2) / 8) + 0.05 * np.sin(x)
    fit = tw.fit("y = gaussian(x)", {"x": x, "y": y})
    assert not any("origin" in note for note in fit.notes)
