"""Pictures of fits by group, axes that hold a dose of 0, titles and captions that break where they may."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure

import thalweg as tw
from show import curve_cases as cases
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError
from thalweg.show.motion.scene import widened
from thalweg.show.plots import plot
from thalweg.show.plots.curve_rows import scale_of
from thalweg.show.plots.style import TIED, caption, formula_lines, headline, new_figure

RATE = "rate = vmax * conc / (km + conc)"


def words(figure: Figure) -> str:
    return str(figure._supxlabel.get_text())  # type: ignore[attr-defined]


def points(axes: Axes) -> np.ndarray:
    return np.concatenate([np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)])


def bands(axes: Axes) -> list[PolyCollection]:
    return [c for c in axes.collections if isinstance(c, PolyCollection)]


def many(groups: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(groups), 8), np.tile(np.linspace(0, 3, 8), groups)
    return {"g": g, "x": x, "y": (1 + g) * np.exp(-0.8 * x) + 0.05 * rng.normal(size=len(x))}


# --------------------------------------------------------------------------------------------------------- by group


def test_a_panel_for_each_group(tmp_path: Any) -> None:
    fits: Any = tw.fit(RATE, "puromycin", by="state")
    figure = fits.plot(tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000
    data = pd.DataFrame(tw.load_dataset("puromycin"))
    one, other = figure.axes
    assert one.get_shared_x_axes().joined(one, other)
    assert one.get_shared_y_axes().joined(one, other)
    for axes, group in zip(figure.axes, fits, strict=True):
        own = data[data["state"] == group]
        assert axes.get_title(loc="left") == group
        np.testing.assert_array_equal(points(axes), own[["conc", "rate"]])
        (line,) = axes.lines
        x = np.asarray(line.get_xdata())
        assert (x[0], x[-1]) == (own["conc"].min(), own["conc"].max())
        np.testing.assert_allclose(line.get_ydata(), fits.predict({"conc": x, "state": [group] * len(x)}), rtol=1e-12)
        upper = fits.predict({"conc": x, "state": [group] * len(x)}, "mean")["upper"]
        assert np.isin(upper.round(9), bands(axes)[0].get_paths()[0].vertices[:, 1].round(9)).all()


def test_of_many_groups_sixteen_panels() -> None:
    fits: Any = tw.fit("y = a * exp(-b * x)", many(20), by="g", start=[1, 1])
    figure = fits.plot()
    assert sum(axes.get_visible() for axes in figure.axes) == 16
    assert "The first 16 of 20 groups." in words(figure)
    low, high = figure.axes[0].get_ylim()
    drawn = np.concatenate([points(axes)[:, 1] for axes in figure.axes if axes.get_visible()])
    assert drawn.min() - low > 0.02 * (high - low)
    assert high - drawn.max() > 0.02 * (high - low)


def test_a_group_that_was_not_fitted_has_its_data() -> None:
    data = {name: column[:17] for name, column in many(3).items()}
    with pytest.warns(ConvergenceWarning):
        fits: Any = tw.fit("y = a * exp(-b * x)", data, by="g", start=[1, 1])
    axes = fits.plot().axes[2]
    assert not axes.lines
    assert len(points(axes)) == 1
    assert [text.get_text() for text in axes.texts] == ["not fitted"]


def test_along_one_of_several_columns() -> None:
    data = many(2)
    fits: Any = tw.fit("y = a * exp(-b * x) + c * z", {**data, "z": np.tile([0.0, 1.0], 8)}, by="g", start=[1, 1, 0])
    with pytest.raises(OptionError, match="x='x'"):
        fits.plot()
    with pytest.raises(OptionError, match="'w' is no number column"):
        fits.plot(x="w")
    figure = fits.plot(x="x")
    (line,) = figure.axes[1].lines
    x = np.asarray(line.get_xdata())
    there = {"x": x, "z": np.full(len(x), 0.5), "g": np.full(len(x), 1)}
    np.testing.assert_allclose(line.get_ydata(), fits.predict(there), rtol=1e-12)
    assert "held at the means" in words(figure)


# -------------------------------------------------------------------------------------------------------- the axis


def with_controls() -> tw.Fit:
    rng = np.random.default_rng(0)
    dose = np.r_[0, 0, np.repeat([0.03, 0.1, 0.3, 1, 3, 10, 30, 100], 2)]
    y = 5 + 95 * dose / (2 + dose) + 3 * rng.normal(size=18)
    return tw.fit("y = low + michaelis_menten(dose, top, k)", {"dose": dose, "y": y})


def test_a_dose_of_zero_has_a_place_on_a_logarithmic_axis() -> None:
    fit = with_controls()
    for axes in fit.plot().axes:
        assert axes.get_xscale() == "symlog"
        there = axes.transData.transform([(dose, 1.0) for dose in (0.0, 0.03, 0.3, 3.0, 30.0)])[:, 0]
        steps = np.diff(there)
        np.testing.assert_allclose(steps[1:], steps[1], rtol=1e-9)  # decades
        assert 0.3 < steps[0] / steps[1] < 1
        assert 0.0 in axes.get_xticks()
    top = fit.plot().axes[0]
    (line,) = [line for line in top.lines if line.get_label() == "curve"]
    x = np.asarray(line.get_xdata())
    assert x[0] == 0
    assert len(x[x < 0.03]) > 20
    np.testing.assert_array_equal(line.get_ydata(), fit.predict({"dose": x}))


def test_the_axis_that_is_asked_for() -> None:
    fit, plain = with_controls(), cases.decay()
    assert fit.plot(xscale="linear").axes[0].get_xscale() == "linear"
    assert plain.plot(xscale="log").axes[0].get_xscale() == "log"
    assert plain.plot(x="x", xscale="log").axes[0].get_xscale() == "log"
    with pytest.raises(OptionError, match="xscale is 'sqrt'"):
        plain.plot(xscale="sqrt")
    with pytest.raises(OptionError, match="x has no logarithm: it goes from -1 to 2"):
        tw.fit("y = a * exp(x)", {"x": [-1.0, 0, 2], "y": [0.4, 1, 7]}).plot(xscale="log")
    with pytest.raises(OptionError, match="xscale is for curves"):
        tw.fit("y ~ x", cases.decaying()).plot(xscale="log")
    with pytest.raises(OptionError, match="xscale without x"):
        cases.two_columns().plot(xscale="log")
    assert scale_of(np.array([-1.0, 1e-3, 1, 1e3])) == "linear"


def test_the_bands_of_groups_are_named() -> None:
    three, four = cases.grouped(), tw.fit("y = a * exp(-b * x)", many(4), by="g", shared="b")
    names = [["95% interval of the curve", "95% interval of new rows"], ["95% interval of the curve"]]
    for fit, wanted, per_group in ((three, names[0], 2), (four, names[1], 1)):
        figure = plot(fit)
        legend = figure.axes[0].get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()][-len(wanted) :] == wanted
        groups = len(legend.get_texts()) - len(wanted)
        assert len(bands(figure.axes[0])) == per_group * groups
    assert "Intervals of new rows are drawn for up to 3 groups." in " ".join(words(plot(four)).split())


# ------------------------------------------------------------------------------------------------------------ words


def test_a_long_formula_breaks_before_an_operator() -> None:
    text = "response = bottom + (top - bottom) / (1 + 10 ** ((logec50 - x) * hillslope)) ** symmetry"
    assert formula_lines(text, 200) == [text]
    lines = formula_lines(text, 72)
    assert " ".join(line.strip() for line in lines) == text
    assert all(len(line) <= 72 for line in lines)
    assert lines[1].startswith("    / (1 + 10")
    (line,) = formula_lines(text, 72, most=1)
    assert line.endswith(("+ ...", "/ ..."))
    assert text.startswith(line.removesuffix(" ..."))
    assert len(line) <= 72
    wordy = formula_lines("y ~ " + "z" * 200, 50)
    assert all(len(line) <= 50 for line in wordy)
    figure = new_figure(7.2, 5.0)
    headline(figure, text)
    assert "…" not in figure._suptitle.get_text()  # type: ignore[attr-defined]


def test_an_estimate_stays_with_its_error() -> None:
    names = [f"a{i}" for i in range(6)]
    for width in np.linspace(3, 8, 40):
        figure = new_figure(float(width), 3.0)
        caption(figure, ", ".join(f"{name} = 1.0 ± 0.1".replace(" ", TIED) for name in names))
        for line in words(figure).split("\n"):
            assert line.count("=") == line.count("±") == line.count("0.1")
    said = words(plot(tw.fit("y = a * exp(-b * x)", many(5), by="g", shared="b"))).partition(" Intervals")[0]
    assert TIED not in said
    assert len(said.split("\n")) > 1
    for line in said.split("\n"):
        assert line.removeprefix("Estimates ± standard errors").count("±") == line.count("=") > 0


# ---------------------------------------------------------------------------------------------- minima and the way


def test_contours_are_round_at_the_optimum() -> None:
    """The place on the innermost contour is where the loss has its height, to a tenth of its distance."""
    from thalweg.show.plots.run import run_of
    from thalweg.show.plots.surface import surface_of
    from thalweg.show.plots.valley import levels

    surface = surface_of(run_of(cases.decay()), finer=True)
    plain = surface_of(run_of(cases.decay()))
    assert surface.best is not None
    cells = []
    for each in (surface, plain):
        height = levels(each)[1]
        cells.append(int((each.z < height).sum()))
        assert (np.diff(each.x) > 0).all()
        assert each.z.shape == (len(each.y), len(each.x))
    assert cells[0] > 8 * max(cells[1], 1)
    np.testing.assert_allclose([surface.x[0], surface.x[-1]], [plain.x[0], plain.x[-1]])


def test_no_profile_of_what_is_no_minimum() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        early = tw.fit(RATE, "puromycin", start=[1, 1], stop=tw.MaxSteps(2))
    with pytest.raises(NotAvailableError, match=r"ended elsewhere \(stopped by its rule\)"):
        early.plot("profile")
    x = np.linspace(0, 6, 60)
    data = {"x": x, "y": np.sin(2 * x) + 0.1 * np.cos(37 * x)}
    beside = tw.fit("y = a * sin(b * x)", data, start={"a": 1, "b": 1.4}, starts=1)
    with pytest.raises(NotAvailableError, match=r"a lower minimum than the fit's.*Fit again with start=\{'a': 1.00"):
        beside.plot("profile")


@pytest.mark.parametrize(("first", "wanted"), [([-0.5, 0.5], -0.5), ([-0.9, 0.95], -0.9), ([0.2, 0.8], 0.0)])
def test_the_axis_holds_all_of_the_first_frame(first: list[float], wanted: float) -> None:
    """Also where most of it is in the picture; but never more than twice the height."""
    low, high = widened((0.0, 1.0), np.linspace(*first, 50))
    assert wanted - 0.05 <= low <= wanted
    assert high == 1.0
    assert widened((0.0, 1.0), np.linspace(-5, 0.8, 50)) == (0.0, 1.0)
