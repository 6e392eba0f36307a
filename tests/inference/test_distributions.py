"""Tails and quantiles against closed forms, far out too."""

from __future__ import annotations

import math

import pytest

from thalweg.errors import OptionError
from thalweg.inference.distributions import quantile, two_sided, upper


@pytest.mark.parametrize("t", [1e-9, 0.3, 1.0, 3.0, 40.0, 1e10, 1e150, 1e300])
def test_t_with_one_and_two_degrees(t: float) -> None:
    assert two_sided(t, 1) == pytest.approx(2 / math.pi * math.atan2(1, t), rel=1e-14)
    if t < 1e100:
        root = math.sqrt(2 + t * t)
        assert two_sided(-t, 2) == pytest.approx(2 / (root * (root + t)), rel=1e-14)


def test_t_of_many_degrees_is_normal() -> None:
    for z in (1e-3, 1.0, 5.0, 30.0):
        assert two_sided(z, 1e14) == pytest.approx(two_sided(z, None), rel=1e-8)
    assert two_sided(37.5, None) == pytest.approx(1.0e-307 * 0.92117, rel=0.5)
    # Mills' ratio bounds the tail between z/(z^2+1) and 1/z times the density.
    density = math.exp(-(37.0**2) / 2) / math.sqrt(2 * math.pi)
    assert 2 * density * 37 / (37**2 + 1) < two_sided(37.0, None) < 2 * density / 37


@pytest.mark.parametrize("m", [3.0, 20.0, 1e3])
@pytest.mark.parametrize("f", [1e-8, 0.5, 1.0, 50.0, 1e6])
def test_f_with_two_degrees(f: float, m: float) -> None:
    assert upper(f, 2, m) == pytest.approx(math.exp(-m / 2 * math.log1p(2 * f / m)), rel=1e-11)


@pytest.mark.parametrize("x", [1e-8, 1.0, 100.0, 1400.0])
def test_chi_squared_with_two_degrees(x: float) -> None:
    assert upper(x, 2, None) == pytest.approx(math.exp(-x / 2), rel=1e-12)


def test_f_of_one_degree_is_t_squared() -> None:
    for t in (1e-10, 1e-9, 1e-5, 0.9, 2.5, 1e5):
        assert upper(t**2, 1, 17) == pytest.approx(two_sided(t, 17), rel=1e-13)
        assert upper(t**2, 1, 1) == pytest.approx(two_sided(t, 1), rel=1e-13)
    assert upper(2.5**2, 1, None) == pytest.approx(two_sided(2.5, None), rel=1e-13)


@pytest.mark.parametrize("df", [None, 1.0, 2.5, 441.0])
@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.999999])
def test_quantile_is_the_inverse_of_the_tail(level: float, df: float | None) -> None:
    assert two_sided(quantile(level, df), df) == pytest.approx(1 - level, rel=1e-9)


def test_what_is_not_defined_is_nan() -> None:
    assert math.isnan(two_sided(math.nan, 3))
    assert math.isnan(two_sided(1.0, 0))
    assert math.isnan(upper(math.nan, 1, 3))
    assert math.isnan(quantile(0.95, 0))
    assert two_sided(math.inf, 3) == two_sided(math.inf, None) == upper(math.inf, 1, 3) == 0


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan, True, "0.9"])
def test_levels_outside_zero_to_one(level: float) -> None:
    with pytest.raises(OptionError, match="confidence level"):
        quantile(level, None)
