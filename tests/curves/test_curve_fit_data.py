"""`curve_fit` with data that are masked, complex, text, or of lengths that do not match."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.errors import DataError


def _line(x: Any, a: Any, b: Any) -> Any:
    return a * x + b


LINE_X = np.arange(12.0)
LINE_Y = 2 * LINE_X + 1 + np.sin(LINE_X)


@pytest.mark.parametrize("masked", ["xdata", "ydata", "both", "sigma"])
def test_masked_values_are_left_out(masked: str) -> None:
    mask, other = LINE_X == 3, LINE_X == 7
    x, y, sigma = LINE_X.copy(), LINE_Y.copy(), np.ones(12)
    hidden = mask | other if masked == "both" else mask
    (x if masked == "xdata" else y)[mask] = 1e6
    given: list[Any] = [x, y, sigma]
    if masked == "both":
        given[:2] = np.ma.masked_array(x, other), np.ma.masked_array(y, mask)
    else:
        place = ["xdata", "ydata", "sigma"].index(masked)
        given[place] = np.ma.masked_array(given[place], mask)
    popt, pcov = tw.curve_fit(_line, *given[:2], sigma=given[2])
    wanted, covariance = curve_fit(_line, LINE_X[~hidden], LINE_Y[~hidden])
    assert popt == pytest.approx(wanted, rel=1e-6)
    assert pcov == pytest.approx(covariance, rel=1e-5)


def test_a_mask_in_what_the_function_returns_is_no_value() -> None:
    with pytest.raises(ValueError, match="not finite in the initial point"):
        tw.curve_fit(lambda x, a, b: np.ma.masked_less(a * x + b, 1e9), LINE_X, LINE_Y)


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (LINE_X, LINE_Y + 1j, "ydata holds complex numbers"),
        (LINE_X + 1j, LINE_Y, "xdata holds complex numbers"),
        (LINE_X, LINE_Y[:-1], "xdata has 12 values and ydata 11"),
        (LINE_X[:-1], LINE_Y, "xdata has 11 values and ydata 12"),
        (LINE_X, ["a"] * 12, "ydata is no array of numbers"),
        (["a"] * 12, LINE_Y, "xdata is no array of numbers"),
        (LINE_X, [[1.0], [2.0, 3.0]], "ydata is no array of numbers"),
    ],
)
def test_data_that_are_no_rows_of_numbers(x: Any, y: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        tw.curve_fit(_line, x, y)


def test_data_of_other_lengths_of_a_function_that_is_called() -> None:
    with pytest.raises(DataError, match="xdata has 12 values and ydata 11"):
        tw.curve_fit(lambda x, a, b: np.array([a * each + b for each in x]), LINE_X, LINE_Y[:-1])


def test_a_function_of_more_values_than_x() -> None:
    """The lengths of xdata and ydata may differ, where the function makes up for it."""
    popt, _ = tw.curve_fit(lambda x, a, b: np.concatenate([a * x, b * x]), LINE_X, np.r_[2 * LINE_X, 3 * LINE_X])
    assert popt == pytest.approx([2, 3], rel=1e-10)
