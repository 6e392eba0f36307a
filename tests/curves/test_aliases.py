"""Waves on even rows: the frequency below Nyquist's, above 0, with a phase within half a turn."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from thalweg.curves.confined import searched
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.sample import Sample
from thalweg.curves.scales import Angle, Frequency, Place, scales_of
from thalweg.curves.symmetries import plainest

ROWS, RANGE = 150, 8.0
RATE = (ROWS - 1) / RANGE


def wave(seed: int, damping: float = 0.0, jitter: float = 0.0) -> tuple[dict[str, np.ndarray], float]:
    rng = np.random.default_rng(seed)
    f = float(rng.uniform(0.3, 5))
    x = np.linspace(0, RANGE, ROWS) + jitter * rng.standard_normal(ROWS) / RATE
    y = 2 * np.exp(-damping * x) * np.sin(2 * np.pi * f * x + rng.uniform(-3, 3))
    return {"x": x, "y": y + 0.1 * rng.standard_normal(ROWS)}, f


def estimate(fit: tw.Fit, name: str) -> float:
    return fit.coefficients[name]


def test_the_frequency_that_a_newcomer_meant() -> None:
    x = np.linspace(0, 8, 150)
    y = 2 * np.sin(2 * np.pi * 1.7 * x + 1) + 0.1 * np.random.default_rng(3).normal(size=150)
    fit = tw.fit("y = sine(x)", {"x": x, "y": y})
    assert estimate(fit, "f") == pytest.approx(1.7, abs=2e-3)
    assert estimate(fit, "phi") == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize(
    ("equation", "name", "unit", "damping"),
    [
        ("y = sine(x)", "f", 1.0, 0.0),
        ("y = a * sin(2 * pi * f * x + p) + c", "f", 1.0, 0.0),
        ("y = a * cos(w * x + p) + c", "w", 2 * np.pi, 0.0),
        ("y = a * sin(w * (x - x0)) + c", "w", 2 * np.pi, 0.0),
        ("y = a * sin(2 * pi * (f * x + p))", "f", 1.0, 0.0),
        ("y = a * sin(2 * pi * f * x) + b * cos(2 * pi * f * x)", "f", 1.0, 0.0),
        ("y = damped_sine(x)", "f", 1.0, 0.2),
        ("y = a * exp(-k * x) * sin(2 * pi * f * x + p) + c", "f", 1.0, 0.2),
    ],
)
def test_below_nyquist_and_above_zero(equation: str, name: str, unit: float, damping: float) -> None:
    for seed in range(5, 9):
        data, f = wave(seed, damping)
        assert estimate(tw.fit(equation, data), name) / unit == pytest.approx(f, rel=0.02), seed


@pytest.mark.parametrize("equation", ["y = a * sin(2 * pi * (x - x0) / T)", "y = a * sin(2 * pi / T * x + p)"])
def test_periods(equation: str) -> None:
    for seed in range(5, 8):
        data, f = wave(seed)
        assert estimate(tw.fit(equation, data), "T") == pytest.approx(1 / f, rel=0.02), seed


def test_rows_that_are_nearly_even() -> None:
    for seed in range(4):
        data, f = wave(seed, jitter=0.01)
        assert estimate(tw.fit("y = sine(x)", data), "f") == pytest.approx(f, rel=0.02), seed


def test_uneven_rows_show_more_than_their_average_rate() -> None:
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(0, 8, 100))  # Nyquist's frequency of even ones: 6.2
    y = 2 * np.sin(2 * np.pi * 8.7 * x + 1) + 0.1 * rng.standard_normal(100)
    assert estimate(tw.fit("y = a * sin(2 * pi * f * x + p)", {"x": x, "y": y}), "f") == pytest.approx(8.7, rel=0.01)


def test_the_users_start_beyond_nyquist_is_where_the_search_goes() -> None:
    data, f = wave(5)
    alias = RATE - f
    assert alias > RATE / 2
    whole = tw.fit("y = a * sin(2 * pi * f * x + p)", data, start={"a": 2.0, "f": alias + 0.005, "p": 0.0})
    assert estimate(whole, "f") == pytest.approx(alias, rel=1e-3)


def test_scales_carry_the_numbers_before_a_frequency() -> None:
    x = np.linspace(0, RANGE, ROWS)
    nyquist = RATE / 2
    for text, inverse in (("2 * pi * f * x", False), ("2 * pi * (f * x)", False), ("2 * pi * x / f", True)):
        curve = Expression.of(read_equation(f"y = sin({text} + p)", ["x", "y"]))
        found = scales_of(curve.graph, curve.root, curve.parameters, {"x": x}, x)
        (scale,) = found["f"]
        assert isinstance(scale, Frequency)
        assert scale.inverse == inverse
        assert scale.most == pytest.approx(nyquist)
        assert found["p"] == (Angle(1.0),)


def test_the_bounds_of_a_search() -> None:
    """Nyquist's frequency, the user's bounds where they are narrower or beyond it, and twice the user's start."""
    x = np.linspace(0, RANGE, ROWS)
    nyquist, free = RATE / 2, np.full(2, np.inf)
    curve = Expression.of(read_equation("y = sin(2 * pi * f * x + p)", ["x", "y"]))
    period = Expression.of(read_equation("y = sin(2 * pi * x / f + p)", ["x", "y"]))
    sample, slow = (Sample(each, {"x": x}, x, None) for each in (curve, period))
    at = list(curve.parameters).index("f")

    def ends(some: Sample, start: dict[str, float], lower: np.ndarray, upper: np.ndarray) -> tuple[float, float]:
        low, high = searched(some, start, lower, upper)
        return float(low[at]), float(high[at])

    assert ends(sample, {}, -free, free) == pytest.approx((-nyquist, nyquist))
    assert ends(sample, {}, np.zeros(2), free) == pytest.approx((0.0, nyquist))
    assert ends(sample, {}, np.full(2, 12.0), np.full(2, 15.0)) == (12.0, 15.0)
    assert ends(sample, {"f": 30.0}, -free, free) == pytest.approx((-60.0, 60.0))
    assert ends(slow, {}, -free, free) == pytest.approx((1 / nyquist, np.inf))
    assert ends(slow, {"f": 0.02}, -free, free) == pytest.approx((0.01, np.inf))
    assert ends(slow, {"f": -0.02}, -free, free) == pytest.approx((-np.inf, -0.01))


def test_rows_that_are_missing_leave_nyquist_where_it_is() -> None:
    x = np.delete(np.linspace(0, RANGE, ROWS), np.random.default_rng(1).permutation(ROWS)[:90])
    curve = Expression.of(read_equation("y = sin(w * (x - x0))", ["x", "y"]))
    found = scales_of(curve.graph, curve.root, curve.parameters, {"x": x}, x)
    (scale,) = found["w"]
    assert isinstance(scale, Frequency)
    assert scale.most == pytest.approx(np.pi * RATE)
    assert any(isinstance(each, Place) for each in found["x0"])


def test_a_frequency_above_zero_comes_before_an_amplitude_above_zero() -> None:
    same = np.array([[2.0, -3.0], [-2.0, 3.0]])
    assert plainest(same, [0], {}, [1]) == 1
    assert plainest(same, [0]) == 0
