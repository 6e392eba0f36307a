"""Every picture of a curve draws, and what it draws are the fit's own numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from scipy.stats import t as student

import thalweg as tw
from show import curve_cases as cases
from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.plots import plot
from thalweg.show.plots.curve_rows import grid_along, is_log_spread
from thalweg.show.plots.predictors import Predictor

KINDS = ("fit", "residuals", "qq", "scale", "leverage", "diagnostics", "coefficients", "correlation")


def _line(axes: Axes, label: str = "curve") -> tuple[np.ndarray, np.ndarray]:
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def _points(axes: Axes) -> np.ndarray:
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)])


def _bands(axes: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lower and upper edge of each band, along the grid."""
    edges = []
    for band in axes.collections:
        if isinstance(band, PolyCollection):
            x, y = band.get_paths()[0].vertices.T
            n = (len(x) - 3) // 2
            edges.append((y[1 : n + 1], y[n + 2 : 2 * n + 2][::-1]))
    return edges


def _bars(axes: Axes) -> dict[float, tuple[float, float]]:
    """x -> the ends of its error bar."""
    (bars,) = [c for c in axes.collections if isinstance(c, LineCollection)]
    return {float(s[0, 0]): (float(s[:, 1].min()), float(s[:, 1].max())) for s in bars.get_segments()}


def _caption(figure: Figure) -> str:
    return " ".join(str(figure._supxlabel.get_text()).split())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", cases.ALL)
def test_every_kind_draws_for_every_curve(name: str) -> None:
    fit = cases.ALL[name]()
    for kind in KINDS if name == "decay" else ("fit", "diagnostics", "coefficients", "correlation"):
        if kind == "correlation" and len(fit.names) - len(fit.held) < 2:
            continue
        plot(fit, kind).draw_without_rendering()


@pytest.mark.parametrize("name", ["decay", "tied", "dose"])
def test_the_line_and_its_bands_are_the_predictions(name: str) -> None:
    fit = cases.ALL[name]()
    top = plot(fit).axes[0]
    x, y = _line(top)
    np.testing.assert_array_equal(y, fit.predict({"x": x}))
    assert (x[0], x[-1]) == fit.spec.ranges["x"]
    for kind, (low, high) in zip(("prediction", "mean"), _bands(top), strict=True):
        wanted = fit.predict_columns({"x": x}, interval=kind).columns
        np.testing.assert_allclose(low, wanted["lower"], rtol=1e-12)
        np.testing.assert_allclose(high, wanted["upper"], rtol=1e-12)


def test_the_points_are_the_data_and_below_them_the_residuals() -> None:
    fit, data = cases.decay(), cases.decaying()
    top, below = plot(fit).axes
    np.testing.assert_array_equal(_points(top), np.column_stack([data["x"], data["y"]]))
    np.testing.assert_array_equal(_points(below), np.column_stack([data["x"], fit.residuals()]))
    low, high = below.get_ylim()
    assert low == -high
    assert top.get_shared_x_axes().joined(top, below)
    assert (top.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("y", "residual", "x")


def test_error_bars_are_one_over_the_root_of_the_weight() -> None:
    """A row of weight 0 has none, though it is drawn; both panels have the same ones."""
    fit, data = cases.weighted(), cases.decaying()
    figure = plot(fit)
    for axes, middle in zip(figure.axes, (data["y"], fit.residuals()), strict=True):
        bars = _bars(axes)
        counted = np.arange(40) != 7
        np.testing.assert_array_equal(sorted(bars), data["x"][counted])
        for i in np.flatnonzero(counted):
            low, high = bars[data["x"][i]]
            assert (high - low) / 2 == pytest.approx(data["sigma"][i], rel=1e-12)
            assert (high + low) / 2 == pytest.approx(middle[i], rel=1e-9)
        assert len(_points(axes)) == 40
    assert "Error bars are 1 / sqrt(weight)." in _caption(figure)
    assert len(_bands(figure.axes[0])) == 1  # new rows have no one variance


def test_frequencies_are_no_error_bars() -> None:
    data = {**cases.decaying(), "n": np.full(40, 2.0)}
    fit = tw.fit(cases.DECAY, data, start=cases.START, weights="n", weights_kind="frequency")
    assert not [c for c in plot(fit).axes[0].collections if isinstance(c, LineCollection)]


def test_a_spread_over_decades_gets_a_logarithmic_axis() -> None:
    axes = plot(cases.dose()).axes
    assert [each.get_xscale() for each in axes] == ["log", "log"]
    x, _ = _line(axes[0])
    assert np.diff(np.log(x)).max() < 0.05  # as fine at the left end as at the right
    assert plot(cases.decay()).axes[0].get_xscale() == "linear"
    assert is_log_spread(np.geomspace(1, 1e4, 30))
    assert not is_log_spread(np.linspace(1, 1e4, 30))
    assert not is_log_spread(np.array([-1.0, 1e-3, 1.0, 1e4]))


def test_the_grid_holds_the_places_of_the_data() -> None:
    """A peak narrower than the grid, over one row, is drawn."""
    x = np.sort(np.append(np.linspace(0, 1000, 101), 501.2345))
    at = grid_along(Predictor("x", "x", range=(0.0, 1000.0)), x, scale="linear")
    assert np.isin(x, at).all()
    assert (np.diff(at) > 0).all()


def test_many_rows_are_thinned_and_have_no_error_bars() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 4, 8000)
    data = {"x": x, "y": 3 * np.exp(-x) + 0.1 * rng.normal(size=8000), "w": np.full(8000, 100.0)}
    fit = tw.fit("y = a * exp(-b * x)", data, start={"a": 1, "b": 1}, weights="w")
    figure = plot(fit)
    assert len(_points(figure.axes[0])) == 5000
    assert not [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert "5,000 of 8,000 rows" in _caption(figure)
    assert "No error bars for more than 1,000 rows." in _caption(figure)


def test_several_columns_are_observed_against_fitted() -> None:
    fit = cases.two_columns()
    figure = plot(fit)
    points = _points(figure.axes[0])
    np.testing.assert_array_equal(points[:, 0], fit.predict())
    np.testing.assert_allclose(points[:, 1] - points[:, 0], fit.residuals(), atol=1e-14)
    x, y = _line(figure.axes[0], "observed = fitted")
    np.testing.assert_array_equal(x, y)
    assert figure.axes[0].get_ylabel() == "observed y"


def test_along_one_of_several_columns() -> None:
    fit = cases.two_columns()
    figure = plot(fit, x="v")
    x, y = _line(figure.axes[0])
    frame = fit.augment()
    mean = float(np.mean(frame["u"]))
    np.testing.assert_allclose(y, fit.predict({"u": np.full(len(x), mean), "v": x}), rtol=1e-14)
    points = _points(figure.axes[0])
    there = fit.predict({"u": np.full(60, mean), "v": np.asarray(frame["v"])})
    np.testing.assert_allclose(points[:, 1], there + fit.residuals(), rtol=1e-13)
    assert f"Held at their means: u {mean:.3g}" in _caption(figure)
    with pytest.raises(OptionError, match="Use one of u, v"):
        plot(fit, x="w")


def test_a_colour_for_each_group_over_its_own_rows() -> None:
    fit = cases.grouped()
    top, below = plot(fit).axes
    for level, first in ((1, 0.0), (2, 0.5), (7, 1.0)):
        x, y = _line(top, str(level))
        assert (x[0], x[-1]) == (first, first + 3.0)
        np.testing.assert_array_equal(y, fit.predict({"x": x, "run": np.full(len(x), level)}))
    assert len({line.get_color() for line in top.lines}) == 3
    assert len(_points(below)) == 36


def test_counts_have_deviance_residuals_and_no_band_for_new_rows() -> None:
    fit = cases.counts()
    top, below = plot(fit).axes
    assert len(_bands(top)) == 1
    np.testing.assert_allclose(_points(below)[:, 1], fit.residuals("deviance"), rtol=1e-13)
    assert below.get_ylabel() == "deviance residual"


def test_a_band_that_runs_away_leaves_the_data_large() -> None:
    """Three parameters and little to tell them apart: the band is a hundred times as high as the data."""
    rng = np.random.default_rng(2)
    x = np.append(np.linspace(0, 0.2, 9), 4.0)
    y = np.exp(-x) + 0.2 * rng.normal(size=10)
    fit = tw.fit("y = a * exp(b * x) + c * x**2", {"x": x, "y": y}, start={"a": 1, "b": -1, "c": 0})
    top = plot(fit).axes[0]
    points, curve = _points(top)[:, 1], _line(top)[1]
    height = max(points.max(), curve.max()) - min(points.min(), curve.min())
    assert np.ptp(top.get_ylim()) < 2.5 * height


def test_a_pole_and_a_huge_error_bar_leave_the_data_large() -> None:
    x = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 0.0])
    y = np.array([-0.5, -1.1, -2.0, 2.1, 0.9, 0.6, 0.3])
    weight = np.array([1.0, 1, 1, 1, 1, 1e-12, 0])
    fit = tw.fit("y = a / where(x == 0, 1, x)", {"x": x, "y": y, "w": weight}, weights="w", start=[0.5])
    figure = plot(fit)
    figure.draw_without_rendering()
    assert np.ptp(figure.axes[0].get_ylim()) < 2.6 * np.ptp(y)
    with np.errstate(divide="ignore"):
        fit = tw.fit("y = a / x", {"x": x[:6], "y": y[:6]}, start=[0.5])
    top = plot(fit).axes[0]
    curve, (low, high) = _line(top)[1], top.get_ylim()
    assert np.isnan(curve).sum() == 1  # no line from the bottom to the top
    assert not ((curve[:-1] < low) & (curve[1:] > high)).any()


def test_of_many_groups_eight_are_drawn() -> None:
    run, x = np.repeat(np.arange(11), 6), np.tile(np.arange(6.0), 11)
    y = (1 + 10.0 ** (run - 5)) * np.exp(-0.5 * x) + 1e-3 * np.cos(7 * x + run)
    fit = tw.fit("y = a * exp(-b * x)", {"x": x, "run": run, "y": y}, by="run", shared="b", start={"a": 1, "b": 1})
    figure = plot(fit)
    assert [line.get_label() for line in figure.axes[0].lines] == [str(level) for level in range(8)]
    assert figure.axes[0].get_ylim()[1] < 200  # the axis is that of what is drawn
    assert "8 of 11 levels are drawn" in _caption(figure)


def test_a_loaded_curve_is_drawn_without_its_data(tmp_path: Path) -> None:
    for name in ("decay", "grouped"):
        cases.ALL[name]().save(tmp_path / "m.safetensors")
        figure = plot(tw.load(tmp_path / "m.safetensors"))
        (axes,) = figure.axes
        assert axes.lines
        assert "holds no data" in _caption(figure)
    cases.two_columns().save(tmp_path / "m.safetensors")
    again = tw.load(tmp_path / "m.safetensors")
    with pytest.raises(NotAvailableError, match="needs the data"):
        plot(again)
    assert _line(plot(again, x="u").axes[0])[0].size == 400


def test_the_caption_has_the_estimates() -> None:
    fit = cases.decay()
    said = _caption(plot(fit))
    assert said.startswith("Estimates ± standard errors: a = ")
    a, error = fit.coefficients["a"], fit.std_errors["a"]
    shown = said.partition("a = ")[2].partition(",")[0].split(" ± ")
    assert float(shown[0]) == pytest.approx(a, abs=0.06 * error)
    assert float(shown[1]) == pytest.approx(error, rel=0.06)


def test_profiles_meet_the_quantile_where_the_interval_ends() -> None:
    fit = cases.decay()
    figure = plot(fit, "profile")
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b", "c"]
    quantile = student.ppf(0.975, 37)
    for axes, name in zip(figure.axes, fit.names, strict=True):
        x, root = _line(axes, "profile")
        assert (np.diff(root) > 0).all()
        for end, sign in zip(fit.intervals(method="profile")[name], (-1, 1), strict=True):
            assert np.interp(end, x, root) == pytest.approx(sign * quantile, rel=1e-3)
        at, straight = _line(axes, "Wald")
        np.testing.assert_allclose(straight, (at - fit.coefficients[name]) / fit.std_errors[name], rtol=1e-12)
    assert [axes.get_xlabel() for axes in plot(fit, "profile", parameters="b").axes] == ["b"]
    with pytest.raises(OptionError, match="Parameters are a, b, c"):
        plot(fit, "profile", parameters=["d"])


def test_profiles_of_what_was_fitted() -> None:
    assert [axes.get_xlabel() for axes in plot(cases.tied(), "profile").axes] == ["b"]
    with pytest.raises(NotAvailableError, match="robust"):
        plot(cases.robust(), "profile")
    with pytest.raises(NotAvailableError, match="straight line"):
        plot(tw.fit("y ~ x", cases.decaying()), "profile")


def test_the_map_is_the_correlation_matrix() -> None:
    fit = cases.decay()
    axes = plot(fit, "correlation").axes[0]
    covariance = fit.vcov().numpy()
    size = np.sqrt(covariance.diagonal())
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), covariance / np.outer(size, size), atol=1e-12)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    written = {text.get_position(): text.get_text().replace("\N{MINUS SIGN}", "-") for text in axes.texts}
    assert float(written[1, 0]) == pytest.approx(covariance[0, 1] / (size[0] * size[1]), abs=0.005)
    with pytest.raises(NotAvailableError, match="two parameters"):
        plot(tw.fit("y = a * x", cases.decaying(), start=[1]), "correlation")


def test_a_correlation_near_one_is_not_rounded_to_it() -> None:
    from thalweg.show.plots.correlation import _figure

    assert [_figure(v) for v in (0.99964, -0.5, 1.0, math.nextafter(1.0, 0.0))] == [
        "0.9996",
        "−0.50",
        "1.00",
        "1.000000",
    ]


@pytest.mark.parametrize("kind", ["loss", "traces", "surface", "surface3d", "gradient"])
def test_the_way_to_a_curve(kind: str) -> None:
    cases.decay().plot(kind).draw_without_rendering()
    for name in ("grouped", "counts"):
        cases.ALL[name]().plot(kind)


def test_traces_are_those_of_the_free_parameters() -> None:
    fit = cases.tied()
    axes = fit.plot("traces").axes[0]
    x, y = _line(axes, "b")
    assert y[0] == 0.1
    assert y[-1] == pytest.approx(fit.coefficients["b"], rel=1e-12)
    assert [line.get_label() for line in axes.lines if not str(line.get_label()).startswith("_")] == ["b"]
    assert x[-1] == fit.solution.steps  # type: ignore[union-attr]


def test_the_surface_is_half_the_sum_of_squares() -> None:
    from thalweg.show.plots.run import run_of
    from thalweg.show.plots.surface import surface_of

    fit, data = cases.decay(), cases.decaying()
    run = run_of(fit)
    surface = surface_of(run, ("a", "b"))
    a, b, c = fit.theta.tolist()
    i, j = 11, 23
    wanted = np.sum((data["y"] - surface.x[i] * np.exp(-surface.y[j] * data["x"]) - c) ** 2) / 2
    assert surface.z[j, i] == pytest.approx(min(wanted, surface.z.max()), rel=1e-12)
    assert surface.best is not None
    np.testing.assert_allclose(surface.best.theta, [a, b, c], rtol=1e-12)
    assert surface.z.max() <= 2 * run.value[0]  # a rim: beyond it a curve may be astronomically far from the data


def test_unknown_words(recwarn: Any) -> None:
    with pytest.raises(OptionError, match="of a curve profile"):
        plot(cases.decay(), "contour")
    with pytest.raises(OptionError, match="parameters"):
        plot(cases.decay(), "profile", x="a")
