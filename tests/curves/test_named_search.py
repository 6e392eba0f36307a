"""The search for starting values: projection, periodogram, thinning, each against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.curves.named import CURVES
from thalweg.curves.named.periodogram import STEPS, peaks, power
from thalweg.curves.named.projection import residual_squares
from thalweg.curves.named.rows import prepared


@pytest.mark.parametrize("baseline", [0, 1, 2])
def test_projection_is_least_squares(baseline: int) -> None:
    rng = np.random.default_rng(1)
    x, y, w = rng.uniform(3, 9, 25), rng.standard_normal(25), rng.uniform(0.2, 3, 25)
    rows = prepared(x, y, w)
    columns = rng.standard_normal((4, 2, 25))
    found = residual_squares(rows, columns, baseline)
    order = np.argsort(x)
    x, y, w = x[order], y[order], w[order]
    for squares, pair in zip(found, columns, strict=True):
        design = np.column_stack([*pair, *[np.ones(25), x][:baseline]]) * np.sqrt(w)[:, None]
        expected = np.linalg.lstsq(design, y * np.sqrt(w), rcond=None)[1][0]
        assert squares * rows.size**2 * w.max() == pytest.approx(expected, rel=1e-10)


def test_projection_leaves_out_what_is_no_curve() -> None:
    rng = np.random.default_rng(4)
    rows = prepared(rng.uniform(0, 1, 8), rng.standard_normal(8), None)
    nothing, line, broken = np.zeros(8), 0.1 + rows.z / 3, np.full(8, np.nan)
    found = residual_squares(rows, np.stack([nothing, line, broken])[:, None, :], 2)
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[2] == np.inf


@pytest.mark.parametrize("frequency", [2.3, 11.7, 40.2])
def test_the_periodogram_finds_the_frequency_of_uneven_rows(frequency: float) -> None:
    rng = np.random.default_rng(7)
    x = np.concatenate([[0.0, 1.0], rng.uniform(0, 1, 98)])
    y = 4 + np.sin(2 * np.pi * frequency * x + 1) + 0.3 * rng.standard_normal(100)
    assert np.abs(peaks(prepared(x, y, None), 1) - frequency).min() < 0.25


def test_the_periodogram_is_a_fit_at_every_frequency() -> None:
    rng = np.random.default_rng(8)
    z = np.sort(np.concatenate([[0.0, 1.0], rng.uniform(0, 0.4, 20), rng.uniform(0.7, 1, 40)]))
    y, w = rng.standard_normal(62) + 3 * z, rng.uniform(0.2, 3, 62)
    found, root = power(z, y, w), np.sqrt(w / w.sum())
    about = root * (y - np.average(y, weights=w))
    for at in (3, 8, 17, 50, 120):
        angle = 2 * np.pi * z * at / STEPS
        design = np.column_stack([np.ones(62), np.sin(angle), np.cos(angle)]) * root[:, None]
        left = about - design @ np.linalg.lstsq(design, about, rcond=None)[0]
        assert found[at] == pytest.approx(about @ about - left @ left, abs=0.03 * (about @ about))


def test_a_fast_wave_among_many_rows_is_not_taken_for_a_slow_one() -> None:
    """50,000 equal steps, and a frequency that every 25th of them, or their means, would show as 599.5."""
    x = np.arange(50_000) / 50_000
    y = np.sin(2 * np.pi * 1400.5 * x)
    assert CURVES["sine"].start(x, y, None)["f"] == pytest.approx(1400.5, abs=0.05)


def test_means_keep_the_precision_of_all_rows() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.uniform(0, 1, 10_000), rng.uniform(1, 2, 10_000)
    rows = prepared(x, x + rng.standard_normal(10_000), w, most=100)
    assert rows.z.size == 100
    expected = np.average(x, weights=w)
    z = np.average(rows.z, weights=rows.root**2)
    assert rows.low + rows.span * z == pytest.approx(expected, rel=1e-12)
