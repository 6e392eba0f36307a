"""Several peaks at once: found where one after the other goes wrong."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from thalweg.curves.peaks import peaks

SUM = "y = gaussian(x, 'a_') + gaussian(x, 'b_') + slope * x + base"


@pytest.mark.parametrize("seed", range(6))
def test_two_peaks_upon_a_slope_need_no_start(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(0, 10, 150))
    truth = {"a_a": 3.0, "a_mu": 4.0, "a_s": 0.7, "b_a": 2.0, "b_mu": 6.0, "b_s": 0.5, "slope": 0.2, "base": 0.0}
    y = 3 * np.exp(-((x - 4) ** 2) / 0.98) + 2 * np.exp(-((x - 6) ** 2) / 0.5) + 0.2 * x
    y = y + 0.1 * random.normal(size=150)
    from_truth = tw.fit(SUM, {"x": x, "y": y}, start=truth, starts=1)
    assert tw.fit(SUM, {"x": x, "y": y}).statistics.rss <= from_truth.statistics.rss * (1 + 1e-9)


def test_peaks_are_where_they_are() -> None:
    x, truth = np.linspace(-5, 25, 400), [(1.0, 0.0, 1.0), (3.0, 8.0, 0.5), (2.0, 15.0, 2.0)]
    found = peaks(x, sum(h * np.exp(-((x - m) ** 2) / (2 * s**2)) for h, m, s in truth) + 0.1 * x)
    for _, place, s in truth:
        nearest = min(found, key=lambda peak: abs(peak.place - place))
        assert abs(nearest.place - place) < 0.5
        assert nearest.width == pytest.approx(2.355 * s, rel=0.2)
    assert round(found[0].place) == 8


def test_a_dip_is_a_peak() -> None:
    x = np.linspace(0, 10, 200)
    places = [peak.place for peak in peaks(x, 5 - np.exp(-((x - 3) ** 2)) - np.exp(-((x - 8) ** 2)))]
    assert any(abs(place - 3) < 0.1 for place in places)
    assert any(abs(place - 8) < 0.1 for place in places)


@pytest.mark.parametrize("y", [np.zeros(30), np.arange(30.0), np.array([1.0, 2.0])])
def test_none_where_there_is_none(y: np.ndarray) -> None:
    assert peaks(np.arange(float(y.size)), y) == []
