"""Every picture draws, and what it draws are the fit's own numbers."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

import thalweg as tw
from thalweg.inference.coefficients import coefficient_table
from thalweg.show.plots import KINDS, plot
from thalweg.show.plots.diagnostics import normal_band
from thalweg.show.plots.labels import _box, _free_place, _overlap
from thalweg.show.plots.sample import MOST_POINTS, sample
from thalweg.show.plots.smooth import lowess


def _axes(figure: Figure) -> Axes:
    return figure.axes[0]


def _line(axes: Axes, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The one drawn line of this many points."""
    (found,) = [line for line in axes.lines if len(line.get_xdata()) == length]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


FITS = ["line", "linear", "logistic", "boundary", "counts", "species", "groups"]
DRAWN = [(kind, name) for kind in ("fit", "diagnostics", "coefficients") for name in FITS]


@pytest.mark.parametrize(("kind", "name"), [*DRAWN, *((kind, "counts") for kind in KINDS if kind not in dict(DRAWN))])
def test_every_kind_draws_for_every_fit(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    figure = plot(request.getfixturevalue(name), kind)
    figure.draw_without_rendering()  # the layout, too, without a warning
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_the_curve_and_its_bands_are_the_predictions(line: tw.Fit) -> None:
    axes = _axes(plot(line))
    x, y = _line(axes, 200)
    np.testing.assert_array_equal(y, line.predict({"bmi": x}))
    low, high = line.spec.ranges["bmi"]
    assert (x[0], x[-1]) == (low, high)
    for kind, band in zip(("prediction", "mean"), axes.collections[1:], strict=True):
        wanted = line.predict_columns({"bmi": x}, interval=kind).columns
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(wanted["lower"].min(), rel=1e-12)
        assert heights.max() == pytest.approx(wanted["upper"].max(), rel=1e-12)


def test_the_points_are_the_data(line: tw.Fit) -> None:
    points = _axes(plot(line)).collections[0].get_offsets()
    frame = line.augment()
    np.testing.assert_array_equal(points[:, 0], frame["bmi"])
    np.testing.assert_array_equal(points[:, 1], frame["progression"])


def test_a_probability_stays_between_its_outcomes(logistic: tw.Fit) -> None:
    axes = _axes(plot(logistic))
    x, y = _line(axes, 200)
    np.testing.assert_array_equal(y, logistic.predict({"mean_texture": x}))
    points = axes.collections[0].get_offsets()
    assert points[:, 1].min() >= 0
    assert points[:, 1].max() <= 1
    assert axes.get_ylabel() == "P(diagnosis = malignant)"


def test_the_boundary_is_where_the_probability_is_a_half(boundary: tw.Fit) -> None:
    axes = _axes(plot(boundary))
    lines = [c for c in axes.collections if getattr(c, "levels", None) is not None and list(c.levels) == [0.5]]
    (contour,) = lines
    at = np.concatenate([path.vertices for path in contour.get_paths()])
    p = boundary.predict({"mean_texture": at[:, 0], "mean_smoothness": at[:, 1]})
    np.testing.assert_allclose(p, 0.5, atol=2e-3)  # contours are interpolated


def test_a_curve_per_level(species: tw.Fit) -> None:
    axes = _axes(plot(species))
    curves = [line for line in axes.lines if len(line.get_xdata()) == 200]
    assert len(curves) == 3
    for level, curve in zip(species.spec.levels["species"], curves, strict=True):
        columns = {"sepal_length": curve.get_xdata(), "species": [level] * 200}
        np.testing.assert_array_equal(curve.get_ydata(), species.predict(columns))


def test_means_of_levels_with_their_intervals(groups: tw.Fit) -> None:
    axes = _axes(plot(groups))
    levels = list(groups.spec.levels["species"])
    wanted = groups.predict_columns({"species": levels}, interval="mean").columns
    container = axes.containers[0]
    np.testing.assert_array_equal(container.lines[0].get_ydata(), wanted["prediction"])
    segments = np.array(container.lines[2][0].get_segments())
    np.testing.assert_allclose(segments[:, 0, 1], wanted["lower"], rtol=1e-12)
    np.testing.assert_allclose(segments[:, 1, 1], wanted["upper"], rtol=1e-12)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == levels


def test_panels_hold_the_others_at_mean_and_reference(linear: tw.Fit) -> None:
    figure = plot(linear)
    frame = linear.augment()
    panels = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_visible()}
    assert set(panels) == {"bmi", "bp", "sex", "s5"}
    x, y = _line(panels["s5"], 200)
    at = {"bmi": frame["bmi"].mean(), "bp": frame["bp"].mean(), "sex": linear.spec.levels["sex"][0]}
    held = {name: [value] * 200 for name, value in at.items()}
    np.testing.assert_allclose(y, linear.predict({**held, "s5": x}), rtol=1e-12)
    assert "sex" in figure.get_supxlabel()


def test_partial_residuals_are_the_fit_plus_the_residual(linear: tw.Fit) -> None:
    axes = {axes.get_xlabel(): axes for axes in plot(linear).axes}["bmi"]
    frame = linear.augment()
    points = axes.collections[0].get_offsets()
    held = {"bp": frame["bp"].mean(), "sex": linear.spec.levels["sex"][0], "s5": frame["s5"].mean()}
    columns = {name: [value] * len(frame) for name, value in held.items()} | {"bmi": frame["bmi"].to_numpy()}
    np.testing.assert_allclose(points[:, 1], linear.predict(columns) + frame["residual"], rtol=1e-9)


def test_the_slope_of_partial_residuals_is_the_coefficient(linear: tw.Fit) -> None:
    axes = {axes.get_xlabel(): axes for axes in plot(linear, x=["bmi"]).axes}["bmi"]
    x, y = np.asarray(axes.collections[0].get_offsets()).T
    slope = np.polyfit(x, y, 1)[0]
    assert slope == pytest.approx(linear.coefficients["bmi"], rel=1e-8)


def test_panels_of_counts_are_on_the_scale_of_the_link(counts: tw.Fit) -> None:
    figure = plot(counts)
    axes = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_visible()}
    assert set(axes) == {"age", "region"}
    assert axes["age"].get_ylabel() == "log of E[claims]"
    x, y = _line(axes["age"], 200)
    assert np.polyfit(x, y, 1)[0] == pytest.approx(counts.coefficients["age"], rel=1e-10)


def test_diagnostic_pictures_hold_the_rows_numbers(linear: tw.Fit) -> None:
    frame = linear.augment()
    residuals, qq, scale, leverage = (axes.collections for axes in plot(linear, "diagnostics").axes)
    np.testing.assert_allclose(residuals[0].get_offsets(), frame[["fitted", "residual"]], rtol=1e-9)
    std = frame["std_residual"].to_numpy()
    np.testing.assert_allclose(qq[1].get_offsets()[:, 1], np.sort(std), rtol=1e-9)
    np.testing.assert_allclose(scale[0].get_offsets()[:, 1], np.sqrt(np.abs(std)), rtol=1e-9)
    np.testing.assert_allclose(leverage[0].get_offsets(), frame[["leverage", "std_residual"]], rtol=1e-9)


def test_the_most_extreme_rows_are_labelled(linear: tw.Fit) -> None:
    std = np.abs(linear.augment()["std_residual"].to_numpy())
    wanted = {str(i + 1) for i in np.argsort(std)[-3:]}
    for kind in ("residuals", "qq", "scale"):
        assert {text.get_text() for text in _axes(plot(linear, kind)).texts} == wanted
    cooks = linear.augment()["cooks_distance"].to_numpy()
    wanted = {str(i + 1) for i in np.argsort(cooks)[-3:]}
    assert {text.get_text() for text in _axes(plot(linear, "leverage")).texts} == wanted


def test_the_contours_are_those_of_cooks_distance() -> None:
    x = np.array([0.0, 1, 2, 3, 4, 20])
    fit = tw.fit("y ~ x", {"x": x, "y": np.array([0.1, 0.9, 2.2, 2.8, 4.1, 10])})
    axes = _axes(plot(fit, "leverage"))
    h, r = next(
        (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for line in axes.lines
        if line.get_label() == "Cook's distance 0.5"
    )
    np.testing.assert_allclose(r**2 * h / (2 * (1 - h)), 0.5)


def test_the_forest_is_the_table(linear: tw.Fit) -> None:
    axes = _axes(plot(linear, "coefficients"))
    rows = [row for row in coefficient_table(linear) if row.name != "Intercept"]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() > 2]
    for row, bar in zip(rows, bars, strict=True):
        assert tuple(bar.get_xdata()) == (row.low, row.high)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [row.name for row in rows]
    with_intercept = plot(linear, "coefficients", intercept=True)
    assert _axes(with_intercept).get_yticklabels()[0].get_text() == "Intercept"


def test_of_many_rows_the_same_few_are_drawn_with_the_true_extremes() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=20_000)
    y = x + rng.normal(size=20_000)
    y[[17, 9_999, 19_998]] += [30, -40, 50]
    fit = tw.fit("y ~ x", {"x": x, "y": y})
    first, second = sample(fit), sample(fit)
    np.testing.assert_array_equal(first.numbers, second.numbers)
    assert len(first.numbers) == MOST_POINTS
    np.testing.assert_array_equal(first.columns["x"], x[first.numbers])
    assert set(first.outlying[1]) == {17, 9_999, 19_998}
    figure = plot(fit, "residuals")
    assert {text.get_text() for text in _axes(figure).texts} == {"18", "10000", "19999"}
    assert "5,000 of 20,000 rows" in figure.get_supxlabel()
    assert first.means["x"] == pytest.approx(x.mean(), rel=1e-12)


def test_thirty_predictors_make_twelve_panels_and_say_so() -> None:
    rng = np.random.default_rng(5)
    data: dict[str, Any] = {f"x{i}": rng.normal(size=200) for i in range(30)}
    data["y"] = sum((i + 1) * data[f"x{i}"] for i in range(30)) + rng.normal(size=200)
    fit = tw.fit("y ~ " + " + ".join(f"x{i}" for i in range(30)), data)
    figure = plot(fit)
    visible = [axes.get_xlabel() for axes in figure.axes if axes.get_visible()]
    assert len(visible) == 12
    assert "x29" in visible
    assert "12 of 30 predictors" in figure.get_supxlabel().replace("\n", " ")
    assert [axes.get_xlabel() for axes in plot(fit, x="x0").axes] == ["x0"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "jpg"])
def test_a_path_writes_the_picture(line: tw.Fit, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"fit.{suffix}"
    plot(line, path=path)
    assert path.stat().st_size > 3000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_wrong_words_are_refused(line: tw.Fit, tmp_path: Path) -> None:
    with pytest.raises(tw.errors.OptionError, match=r"residuals.*qq.*coefficients"):
        plot(line, "residual plot of mine")
    with pytest.raises(tw.errors.OptionError, match=r"\.png"):
        plot(line, path=tmp_path / "fit.docx")
    with pytest.raises(tw.errors.OptionError, match="no option 'x'"):
        plot(line, "qq", x="bmi")
    with pytest.raises(tw.errors.OptionError, match="bmi"):
        plot(line, x="weight")
    assert list(tmp_path.iterdir()) == []


def test_a_fit_without_rows_draws_what_it_can(line: tw.Fit, linear: tw.Fit, logistic: tw.Fit) -> None:
    for fit in (line, logistic):
        loaded = replace(fit, rows=None, solution=None, trace=None)
        assert not [c for c in _axes(plot(loaded)).collections if len(c.get_offsets()) > 1]
        plot(loaded, "coefficients")
    loaded = replace(linear, rows=None)
    for kind in ("fit", "residuals", "qq", "scale", "leverage", "diagnostics"):
        with pytest.raises(tw.errors.NotAvailableError, match="coefficients"):
            plot(loaded, kind)


def test_a_saved_model_draws_its_curve_from_its_ranges(line: tw.Fit, tmp_path: Path) -> None:
    line.save(tmp_path / "m.safetensors")
    loaded = tw.load(tmp_path / "m.safetensors")
    x, y = _line(_axes(plot(loaded)), 200)
    np.testing.assert_array_equal((x, y), _line(_axes(plot(line)), 200))


def test_a_matrix_column_has_a_panel_for_each_of_its_columns() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 3))
    fit = tw.fit("y ~ X", {"X": x, "y": x @ [1.0, 2, 3] + rng.normal(size=50)})
    panels = {axes.get_xlabel(): axes for axes in plot(fit).axes}
    assert list(panels) == ["X[0]", "X[1]", "X[2]"]
    at, y = _line(panels["X[1]"], 200)
    held = np.tile(x.mean(axis=0), (200, 1))
    held[:, 1] = at
    np.testing.assert_allclose(y, fit.predict({"X": held}), rtol=1e-12)
    np.testing.assert_array_equal(panels["X[1]"].collections[0].get_offsets()[:, 0], x[:, 1])


def test_what_a_fit_lacks_is_said_in_the_caption() -> None:
    saturated = tw.fit("y ~ x", {"x": [1.0, 2], "y": [1.0, 3]})
    assert "No standardised residuals: no residual degrees" in plot(saturated, "diagnostics").get_supxlabel()
    assert "No intervals" in plot(saturated, "coefficients").get_supxlabel()
    plot(saturated)


def test_a_separated_fit_is_drawn_with_its_caveat() -> None:
    with pytest.warns(tw.errors.SeparationWarning):
        fit = tw.fit("y ~ x", {"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]}, family="binomial")
    assert "separated" in plot(fit).get_supxlabel()
    assert "not available" in {text.get_text() for text in _axes(plot(fit, "qq")).texts}
    assert not _axes(plot(fit, "residuals")).texts
    with pytest.raises(tw.errors.NotAvailableError, match="separated"):
        plot(fit, "coefficients")


def test_the_normal_band_is_the_distribution_of_order_statistics() -> None:
    draws = np.sort(np.random.default_rng(0).normal(size=(4000, 25)), axis=1)
    normal, low, high = normal_band(25, 0.9)
    inside = ((draws > low) & (draws < high)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.9, atol=0.02)
    np.testing.assert_allclose(normal, norm.ppf((np.arange(1, 26) - 0.5) / 25))


def test_the_smooth_follows_a_curve_and_not_an_outlier() -> None:
    x = np.linspace(0, 6, 400)
    y = np.sin(x) + np.random.default_rng(0).normal(scale=0.1, size=400)
    y[200] += 100
    at, smooth = lowess(x, y, fraction=0.2)
    np.testing.assert_allclose(smooth, np.sin(at), atol=0.15)


def test_the_smooth_needs_three_places() -> None:
    at, smooth = lowess(np.array([1.0, 1, 2, 2, np.nan]), np.array([1.0, 2, 3, 4, 5]))
    assert at.size == smooth.size == 0


def test_labels_never_cover_each_other() -> None:
    taken = []
    for _ in range(6):
        place = _free_place(200.0, 150.0, 30.0, (400.0, 300.0), taken)
        box = _box(200.0, 150.0, 30.0, place)
        assert not any(_overlap(box, other) for other in taken)
        taken.append(box)


def _interacting(rows: int = 240, levels: int = 4) -> dict[str, Any]:
    """A number whose slope differs between the levels of a category, with another number and an exposure."""
    rng = np.random.default_rng(9)
    x, z, t = rng.uniform(0, 4, rows), rng.normal(size=rows), rng.uniform(1, 3, rows)
    g = rng.integers(0, levels, rows)
    eta = 0.3 * x * (g % 3) - 0.2 * z
    y = eta + rng.normal(size=rows)
    return {
        "x": x, "z": z, "t": t, "g": [f"level {i}" for i in g], "y": y,
        "n": rng.poisson(t * np.exp(eta)), "b": (y > 1).astype(float),
    }  # fmt: skip


def test_jitter_across_and_up_is_independent() -> None:
    data = _interacting(400, 2)
    points = _axes(plot(tw.fit("b ~ g", data, family="binomial"))).collections[0].get_offsets()
    across, up = points[:, 0] - np.round(points[:, 0]), np.minimum(points[:, 1], 1 - points[:, 1])
    assert abs(np.corrcoef(np.abs(across), up)[0, 1]) < 0.2
    assert abs(np.corrcoef(across, up)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("formula", "options", "at"),
    [
        ("y ~ x*g + z", {}, {}),
        ("n ~ x*g", {"family": "poisson", "exposure": "t"}, {"t": 1.0}),
        ("n ~ g:poly(x, 2) + z", {"family": "poisson", "offset": "log(t)"}, {"t": None}),
        ("b ~ x*g + z", {"family": "binomial"}, {}),
    ],
)
def test_an_interaction_has_a_line_per_level(formula: str, options: dict[str, Any], at: dict[str, Any]) -> None:
    data = _interacting()
    fit = tw.fit(formula, data, **options)
    figure = plot(fit)
    panels = {axes.get_xlabel(): axes for axes in figure.axes}
    lines = [line for line in panels["x"].lines if len(line.get_xdata()) == 200]
    kind = "mean" if fit.family.name == "binomial" else "link"
    held = {"z": data["z"].mean()} | {name: data["t"].mean() if value is None else value for name, value in at.items()}
    for level, line in zip(fit.spec.levels["g"], lines, strict=True):
        columns = {name: [value] * 200 for name, value in held.items()} | {"g": [level] * 200, "x": line.get_xdata()}
        np.testing.assert_allclose(line.get_ydata(), fit.predict(columns, kind=kind), rtol=1e-11, atol=1e-13)
    shown = [text.get_text() for text in panels["x"].get_legend().get_texts()]
    assert shown == list(fit.spec.levels["g"])
    said = " ".join(figure.get_supxlabel().split())
    assert "Along x a line per level of g." in said
    assert ("Exposure held at t 1.00." in said) == ("exposure" in options)
    assert ("Offset held at t" in said) == ("offset" in options)
    if "z" in panels:
        assert panels["z"].get_legend() is None


def test_partial_residuals_of_an_interaction_are_those_of_each_row_s_level() -> None:
    data = _interacting()
    fit = tw.fit("y ~ x*g + z", data)
    panel = next(axes for axes in plot(fit).axes if axes.get_xlabel() == "x")
    at = fit.predict({"x": data["x"], "g": data["g"], "z": np.full(240, data["z"].mean())})
    wanted = np.stack([data["x"], at + fit.residuals()], axis=1)
    got = np.concatenate([c.get_offsets() for c in panel.collections if len(c.get_offsets()) > 1])
    np.testing.assert_allclose(got[np.argsort(got[:, 0])], wanted[np.argsort(wanted[:, 0])], rtol=1e-10, atol=1e-12)


def test_an_exposure_given_as_an_array_has_no_made_up_name() -> None:
    data = _interacting()
    fit = tw.fit("n ~ x*g", data, family="poisson", exposure=data["t"])
    assert "Exposure held at 1. " in plot(fit).get_supxlabel()


def test_of_too_many_levels_those_with_the_most_rows_have_a_line() -> None:
    data = _interacting(400, 12)
    figure = plot(tw.fit("y ~ x*g + z", data))
    panel = next(axes for axes in figure.axes if axes.get_xlabel() == "x")
    shown = {text.get_text() for text in panel.get_legend().get_texts()}
    rows = sorted((-data["g"].count(level), level) for level in shown)
    assert len(shown) == 8
    assert -rows[-1][0] >= max(data["g"].count(level) for level in set(data["g"]) - shown)
    assert "the 8 of 12 with the most rows" in " ".join(figure.get_supxlabel().split())


@pytest.mark.parametrize("levels", [3, 20, 36, 90])
@pytest.mark.parametrize("formula", ["y ~ g", "y ~ g + x + z"])
def test_names_of_levels_never_overlap(levels: int, formula: str) -> None:
    data = _interacting(1200, levels)
    data["g"] = [f"at the {level}" for level in data["g"]]
    figure = plot(tw.fit(formula, data))
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "g")
    figure.draw_without_rendering()
    labels = axes.get_xticklabels()
    names = [label.get_text() for label in labels]
    assert len(set(names)) == len(names) > levels / 8
    if labels[0].get_rotation() == 35:
        apart = np.diff([axes.transData.transform((place, 0))[0] for place in axes.get_xticks()]).min()
        height = labels[0].get_fontsize() * figure.dpi / 72
        assert apart * np.sin(np.radians(35)) > 1.1 * height
    else:
        boxes = [label.get_window_extent() for label in labels]
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


def test_forest_intervals_keep_away_from_the_border(linear: tw.Fit) -> None:
    rng = np.random.default_rng(0)
    data: dict[str, Any] = {f"x{i}": rng.normal(size=90) * 10.0 ** (2 - 2 * i) for i in range(3)}
    data["y"] = sum(data[f"x{i}"] * 10.0 ** (2 * i - 2) for i in range(3)) + 0.3 * rng.normal(size=90)
    uneven = tw.fit("y ~ x0 + x1 + x2", data)
    for fit, scale in ((linear, "linear"), (uneven, "symlog")):
        figure = plot(fit, "coefficients")
        axes = _axes(figure)
        assert axes.get_xscale() == scale
        ends = [value for row in coefficient_table(fit) if row.name != "Intercept" for value in (row.low, row.high, 0)]
        place = axes.transAxes.inverted().transform(axes.transData.transform([(end, 0) for end in ends]))[:, 0]
        assert 0.04 < place.min() < 0.07
        assert 0.93 < place.max() < 0.96
        low, high = axes.get_xlim()
        assert len([tick for tick in axes.get_xticks() if low <= tick <= high]) >= 3
        assert "The intercept is left out." in figure.get_supxlabel()
        assert "intercept" not in plot(fit, "coefficients", intercept=True).get_supxlabel()
    assert min(tick for tick in axes.get_xticks() if tick >= low) >= -1e-2  # no powers of ten where nothing is


def test_the_leverage_picture_says_what_lies_outside_its_view(linear: tw.Fit) -> None:
    for kind in ("leverage", "diagnostics"):
        text = " ".join(plot(linear, kind).get_supxlabel().split())
        assert "No Cook's distance above 0.5." in text
        assert "Labels are row numbers of the data, from 1." in text
    assert "Cook" not in plot(linear, "qq").get_supxlabel()
    x = np.array([0.0, 1, 2, 3, 4, 20])
    fit = tw.fit("y ~ x", {"x": x, "y": np.array([0.1, 0.9, 2.2, 2.8, 4.1, 10])})
    figure = plot(fit, "leverage")
    assert {"Cook's distance 0.5", "Cook's distance 1"} <= set(_axes(figure).get_legend_handles_labels()[1])
    assert "No Cook's distance" not in figure.get_supxlabel()


def test_a_notebook_is_given_a_png():
    import thalweg as tw

    assert tw.fit("progression ~ bmi", "diabetes").plot("coefficients")._repr_png_().startswith(b"\x89PNG")
