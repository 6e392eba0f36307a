"""What the user says of the parameters: what holds, what is refused, and that nothing is dropped silently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds

import thalweg as tw
from thalweg.errors import OptionError

X = np.linspace(0.1, 6.0, 40)
Y = 3 * np.exp(-0.7 * X) + 0.5 + 0.01 * np.sin(37 * X)
DATA = {"x": X, "y": Y}
DECAY = "y = a * exp(-k * x) + c"
PEAK = {"x": X, "y": 2 * np.exp(-((X - 3) ** 2) / 2)}
START = {"a": 2.0, "k": 0.5, "c": 0.3}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tied": {"a": "k"}, "bounds": {"a": (0, 1)}}, "a is tied, and bounds= names it too"),
        ({"tied": {"a": "k"}, "positive": ["a"]}, "a is tied, and positive= names it too"),
        ({"tied": {"a": "2 * k"}, "start": {"a": 1.0, "k": 1.0}}, "a start of a is given, and a is tied"),
        ({"tied": {"a": "2 * k"}, "start": {"a": 1.0}}, "a start of a is given, and a is tied"),
        ({"tied": {"a": "1/0"}}, "a = 1/0 has no finite value"),
        ({"tied": {"a": "log(k)"}, "start": {"k": -1.0}}, "has no finite value"),
        ({"tied": "a"}, "tied is 'a'"),
        ({"tied": ["a"]}, "tied is"),
        ({"fixed": {"a": -3}, "bounds": {"a": (0, 1)}}, "the fixed a = -3 lies outside its bounds"),
        ({"fixed": {"a": -3}, "positive": ["a"]}, "the fixed a = -3 is not above 0"),
        ({"fixed": 3}, "fixed is 3"),
        ({"start": 5}, "start is 5"),
        ({"start": {"a": 10**400}}, "the start of a is inf"),
        ({"positive": True}, "positive is True"),
        ({"positive": 3}, "positive is 3"),
        ({"shared": True, "by": "x"}, "shared is True"),
        ({"shared": 3, "by": "x"}, "shared is 3"),
        ({"bounds": {"a": ("0", "1")}}, "the bounds of a are"),
        ({"bounds": {"a": (np.inf, None)}}, "the bounds of a hold nothing"),
        ({"bounds": {"a": (None, -np.inf)}}, "the bounds of a hold nothing"),
        ({"bounds": {"a": 3}}, "the bounds of a are 3"),
        ({"bounds": 3}, "bounds is 3"),
        ({"bounds": "ab"}, "bounds is 'ab'"),
        ({"bounds": ([0, 0], [1, 1])}, "2 values on one side, and the curve 3 parameters"),
    ],
)
def test_what_cannot_be_said(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError) as problem:
        tw.fit(DECAY, DATA, **options)
    assert text in str(problem.value)


@pytest.mark.parametrize(
    "bounds",
    [([0, 0, 0], [2, 5, 5]), (0, [2, 5, 5]), Bounds([0, 0, 0], [2, 5, 5]), ((0, None, None), (2, None, np.inf))],
    ids=["lists", "one for all", "Bounds", "None"],
)
def test_bounds_as_scipy_writes_them(bounds: Any) -> None:
    fit = tw.fit(DECAY, DATA, start=[1, 1, 1], bounds=bounds)
    wanted = tw.fit(DECAY, DATA, start=[1, 1, 1], bounds={"a": (0, 2)})
    assert fit.coefficients == pytest.approx(wanted.coefficients, rel=1e-10)
    assert fit.coefficients["a"] == 2.0


def test_bounds_of_groups_as_scipy_writes_them() -> None:
    data = {"x": np.r_[X, X], "y": np.r_[Y, Y], "g": np.repeat(["p", "q"], 40)}
    for shared in (None, ["k"]):
        fit: Any = tw.fit(DECAY, data, by="g", shared=shared, start=[1, 1, 1], bounds=([0, 0, 0], [2, 5, 5]))
        found = fit.coefficients["a[p]"] if shared else fit["p"].coefficients["a"]
        assert found == 2.0


@pytest.mark.parametrize("start", [{"a": 1.0, "k": 0.5, "c": 0.1}, [1.0, 0.5, 0.1]])
def test_a_start_that_says_what_the_tie_says(start: Any) -> None:
    fit = tw.fit(DECAY, DATA, tied={"a": "2 * k"}, start=start)
    assert fit.coefficients["a"] == pytest.approx(2 * fit.coefficients["k"], rel=1e-14)


def test_a_start_in_a_sequence_that_only_holds_its_place() -> None:
    fit = tw.fit(DECAY, DATA, tied={"a": "2 * k"}, start=[1.0, 1.0, 1.0])
    assert fit.coefficients["a"] == pytest.approx(2 * fit.coefficients["k"], rel=1e-14)
    assert "The start of a, which is 2 * k, was not used." in fit.notes
    same = tw.fit(DECAY, DATA, tied={"a": "2 * k"}, start=[2.0, 1.0, 1.0])
    assert not any("was not used" in note for note in same.notes)


def test_the_default_of_a_tied_argument_is_no_start() -> None:
    fit = tw.fit(lambda x, a=5.0, k=1.0, c=0.0: a * np.exp(-k * x) + c, DATA, tied={"a": "4 * k"})
    assert fit.coefficients["a"] == pytest.approx(4 * fit.coefficients["k"], rel=1e-14)


def test_what_is_positive_by_its_nature_and_held() -> None:
    with pytest.raises(OptionError, match="the fixed s = -1 is not above 0"):
        tw.fit("y = gaussian(x, a, mu, s)", PEAK, fixed={"s": -1})


def test_what_is_positive_by_its_nature_and_tied() -> None:
    text = "y = gaussian(x, a, mu, s)"
    with pytest.raises(OptionError, match="s is above 0 by its nature, and its tie s = -1 \\* a is -2 at the start"):
        tw.fit(text, PEAK, tied={"s": "-1 * a"}, start={"a": 2.0, "mu": 3.0})
    fit = tw.fit(text, PEAK, tied={"s": "a / 2"}, start={"a": 1.5, "mu": 2.5})
    assert list(fit.coefficients.values()) == pytest.approx([2, 3, 1], rel=1e-8)
    assert not any("above 0" in note for note in fit.notes)


def test_what_is_positive_by_its_nature_and_comes_out_below() -> None:
    """gaussian() is even in s, so that a tie leads to -1 as well as to 1."""
    fit = tw.fit("y = gaussian(x, a, mu, s)", PEAK, tied={"s": "1 - a"}, starts=1)
    assert fit.coefficients["s"] == pytest.approx(-1, rel=1e-6)
    assert any("s = 1 - a is -1, where it should be above 0" in note for note in fit.notes)
