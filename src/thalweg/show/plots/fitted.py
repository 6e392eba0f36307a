"""The fit itself: its curve or boundary over the data, with the band of the mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thalweg.data.contrasts import show_level
from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.curve import is_curve
from thalweg.show.links import axis_name
from thalweg.show.numbers import elide
from thalweg.show.plots.curve_fit import draw_curve_fit
from thalweg.show.plots.curves import Curve, caveat, curve, draw_band, draw_means, draw_strips, is_binary, outcome
from thalweg.show.plots.grid import grid, held, named, places
from thalweg.show.plots.panels import draw_panels
from thalweg.show.plots.plane import draw_plane
from thalweg.show.plots.predictors import Predictor, beside, predictors
from thalweg.show.plots.sample import Sample, sample
from thalweg.show.plots.style import (
    BAND_ALPHA,
    LINE,
    PALETTE,
    TICK_SIZE,
    WIDE_BAND_ALPHA,
    caption,
    dress,
    headline,
    new_figure,
    scatter,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit

MOST_CURVES = len(PALETTE)  # levels of a category that are drawn into one picture: one colour each


def draw_fit(fit: Fit, x: str | Sequence[str] | None = None, xscale: str | None = None) -> Figure:
    """The picture that suits the predictors: a curve, a curve per level, a boundary, or a panel per predictor.

    Parameters
    ----------
    fit : Fit
    x : str or list of str, optional
        Draw a panel for each of these predictors, the others held; of a curve, the one that it is drawn along.
    xscale : {"linear", "log"}, optional
        Of a curve: the axis of that number.
    """
    if is_curve(fit):
        return draw_curve_fit(fit, x, xscale)
    if xscale is not None:
        raise OptionError('xscale is for curves, as "y = a * x / (b + x)"', advice="Leave it out.")
    every = predictors(fit)
    shown = sample(fit) if fit.rows is not None else None
    if not every:
        raise NotAvailableError("a fit without predictors has no picture", advice="See fit.summary().")
    numbers, categories = [p for p in every if p.numeric], [p for p in every if not p.numeric]
    alone = x is None and not beside(fit) and all(p.index is None for p in every[1:])
    if alone and not categories and len(numbers) == 1:
        return _draw_curve(fit, numbers[0], shown)
    if alone and not numbers and len(categories) == 1:
        return _draw_levels(fit, categories[0], shown)
    if alone and len(numbers) == len(categories) == 1 and len(categories[0].levels) <= MOST_CURVES:
        return _draw_curves(fit, numbers[0], categories[0], shown)
    if alone and not categories and len(numbers) == 2 and fit.family.name == "binomial":
        return draw_plane(fit, numbers[0], numbers[1], shown)
    if shown is None:
        raise NotAvailableError(
            "a picture of a model with several predictors needs the data, which a loaded model does not hold",
            advice='plot("coefficients") still works; for the rest, fit again.',
        )
    return draw_panels(fit, every if x is None else named(every, x), shown)


def _draw_curve(fit: Fit, predictor: Predictor, shown: Sample | None) -> Figure:
    """One number."""
    figure = new_figure(7.2, 5.0)
    axes = figure.subplots()
    at = places(predictor)
    columns = grid(held(fit, shown), {predictor: at})
    if shown is not None:
        scatter(axes, predictor.of(shown.columns), outcome(fit, shown), label="data")
    wide = _new_observation(fit, columns)
    if wide is not None:
        axes.fill_between(
            at, wide.low, wide.high, color=LINE, alpha=WIDE_BAND_ALPHA, linewidth=0, label=_band(fit, "new rows")
        )
    draw_band(axes, at, curve(fit, columns), LINE, _band(fit, "mean"))
    _finish(fit, figure, axes, predictor.name, shown)
    axes.legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")
    return figure


def _band(fit: Fit, of: str) -> str:
    return f"{100 * fit.level:g}% interval of {'the mean' if of == 'mean' else of}"


def _new_observation(fit: Fit, columns: dict[str, Any]) -> Curve | None:
    """The band for new rows; only least squares has one worth drawing."""
    if fit.family.name != "gaussian" or fit.covariance is None:
        return None
    return curve(fit, columns, interval="prediction")


def _draw_curves(fit: Fit, number: Predictor, category: Predictor, shown: Sample | None) -> Figure:
    """One number and one category: a curve per level."""
    figure = new_figure(7.6, 5.0)
    axes = figure.subplots()
    y = outcome(fit, shown) if shown is not None else None
    at = places(number)
    alpha = BAND_ALPHA if len(category.levels) <= 3 else WIDE_BAND_ALPHA  # of bands that lie over each other
    for colour, level in zip(PALETTE, category.levels, strict=False):
        if shown is not None and y is not None:
            here = category.of(shown.columns) == level
            scatter(axes, number.of(shown.columns)[here], y[here], colour=colour, among=len(y))
        columns = grid({category.column: level, number.column: 0.0}, {number: at})
        draw_band(axes, at, curve(fit, columns), colour, alpha=alpha)
        axes.plot([], [], color=colour, linewidth=2, label=elide(show_level(level), 24))
    _finish(fit, figure, axes, number.name, shown)
    axes.legend(title=elide(category.name, 24), fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")
    return figure


def _draw_levels(fit: Fit, category: Predictor, shown: Sample | None) -> Figure:
    """One category: the mean of each level with its interval."""
    figure = new_figure(max(5.5, min(14.0, 2.0 + 0.75 * len(category.levels))), 5.0)
    axes = figure.subplots()
    if shown is not None:
        draw_strips(axes, category, category.of(shown.columns), outcome(fit, shown))
    draw_means(axes, category, curve(fit, {category.column: places(category)}))
    _finish(fit, figure, axes, category.name, shown)
    return figure


def _finish(fit: Fit, figure: Figure, axes: Axes, x: str, shown: Sample | None) -> None:
    dress(axes, "", x, axis_name(fit))
    if fit.family.name == "binomial":
        axes.set_ylim(-0.04, 1.04)
    headline(figure, fit.spec.formula)
    notes = [shown.caption if shown is not None else "A model file holds no data: the points are missing."]
    if shown is not None and is_binary(fit, shown):
        notes.append("Points are the outcomes 0 and 1, spread so that they can be told apart.")
    notes.append(caveat(fit))
    caption(figure, " ".join(note for note in notes if note))
