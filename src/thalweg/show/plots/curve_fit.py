"""A fitted curve: the data with their error bars, the curve with its bands, and the residuals below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.errors import NotAvailableError, OptionError
from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.statistics import is_least_squares
from thalweg.show.curve import has_precisions
from thalweg.show.links import axis_name
from thalweg.show.numbers import elide, with_error
from thalweg.show.plots.curve_rows import (
    Inputs,
    error_bars,
    grid_along,
    inputs_of,
    levels_of,
    rows_of,
    scale_of,
    set_scale,
)
from thalweg.show.plots.curves import Curve, curve, draw_band
from thalweg.show.plots.grid import as_column
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.sample import Sample
from thalweg.show.plots.style import (
    BAND_ALPHA,
    LINE,
    NEUTRAL,
    PALETTE,
    POINT,
    TICK_SIZE,
    TIED,
    WIDE_BAND_ALPHA,
    caption,
    dress,
    headline,
    limit,
    new_figure,
    opacity,
    scatter,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit

MOST_BARS = 1000  # error bars: of more points they cover each other
MOST_NAMED = 6  # parameters in the caption
MOST_WIDE = 3  # groups with a band for new rows: of more they cover each other


@final
@dataclass(frozen=True)
class Points:
    """Rows as they are drawn: where, how high, their residuals, their error bars, their group."""

    x: Float[np.ndarray, "n"]
    y: Float[np.ndarray, "n"]
    residual: Float[np.ndarray, "n"]
    bars: Float[np.ndarray, "n"] | None
    level: np.ndarray | None

    def of(self, level: Any) -> Points:
        """Those of one group."""
        if level is None or self.level is None:
            return self
        here = self.level == level
        bars = None if self.bars is None else self.bars[here]
        return Points(self.x[here], self.y[here], self.residual[here], bars, self.level[here])

    def heights(self, levels: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
        """y of these groups, and both ends of their error bars."""
        parts = [self.of(level) for level in levels]
        y = np.concatenate([part.y for part in parts])
        bars = [np.zeros_like(part.y) if part.bars is None else np.nan_to_num(part.bars) for part in parts]
        return y, np.concatenate([y - np.concatenate(bars), y + np.concatenate(bars)])


def draw_curve_fit(fit: Fit, x: str | Sequence[str] | None = None, xscale: str | None = None) -> Figure:
    """Along its only number (one colour per category where it reads one), else observed against fitted.

    Parameters
    ----------
    fit : Fit
    x : str, optional
        Of a curve of several numbers: draw it along this one, with the others held at their means.
    xscale : {"linear", "log"}, optional
        Of the axis of that number; by default what suits its values. A logarithmic one holds 0 at a place of its own.
    """
    inputs, shown = inputs_of(fit), rows_of(fit)
    chosen = _chosen(inputs, x)
    if chosen is None and len(inputs.numbers) == 1 and inputs.simple:
        chosen = inputs.numbers[0]
    if chosen is None and shown is None:
        raise NotAvailableError(
            "a picture of a curve of several columns needs the data, which a loaded model does not hold",
            advice="plot('coefficients') still works; for the rest, fit again.",
        )
    if chosen is not None:
        return _draw_along(fit, inputs, chosen, shown, xscale)
    if xscale is not None:
        raise OptionError("xscale without x: observed against fitted values have no such axis", advice="Give x too.")
    return _draw_observed(fit, shown)


def _chosen(inputs: Inputs, x: str | Sequence[str] | None) -> Predictor | None:
    if x is None:
        return None
    names = [x] if isinstance(x, str) else list(x)
    known = {p.name: p for p in inputs.numbers}
    if len(names) != 1 or names[0] not in known:
        advice = f"Use one of {', '.join(known)}." if known else "It reads none: leave x out."
        raise OptionError(f"x = {x!r} is no number column that this curve reads", advice=advice)
    return known[names[0]]


# -------------------------------------------------------------------------------------------------------- one number


def _draw_along(fit: Fit, inputs: Inputs, number: Predictor, shown: Sample | None, xscale: str | None) -> Figure:
    levels = levels_of(fit, shown, inputs.category)
    if not levels:
        raise NotAvailableError(
            f"a picture of this curve needs the categories of {inputs.category}, which a loaded model does not hold",
            advice="plot('coefficients') still works; for the rest, fit again.",
        )
    column = np.array(number.range) if shown is None else number.of(shown.columns)
    scale = scale_of(column, xscale, number.name)
    at = grid_along(number, column, scale=scale)
    held = _held(inputs, number, shown)
    points = None if shown is None else _points(fit, shown, number, inputs.category, held)
    figure, top, below = _frames(points)
    ends: list[np.ndarray] = []
    for colour, level in zip(PALETTE if levels[0] is not None else (LINE,), levels, strict=False):
        here = at if points is None else _own(at, points.of(level).x)
        columns = _columns(here, number, inputs, held, level)
        ends += _draw_one(fit, top, below, columns, level, colour, points, len(levels))
    set_scale(top, scale, column)
    if points is not None:
        limit(top, *points.heights(levels), ends)
        _break_at_poles(top)
    _finish(fit, figure, top, below, number.name, LINE if levels[0] is None else NEUTRAL)
    _key(fit, top, inputs, levels)
    caption(figure, _caption(fit, shown, held, inputs, len(levels)))
    return figure


def _own(at: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The part of a grid over which a group has rows."""
    inside = at[(at >= x.min()) & (at <= x.max())]
    return inside if inside.size > 1 else at


def _held(inputs: Inputs, number: Predictor, shown: Sample | None) -> dict[str, float]:
    """Means of the other numbers."""
    others = [p for p in inputs.numbers if p.name != number.name]
    return {p.name: sum(p.range or ()) / 2 if shown is None else float(shown.means[p.name]) for p in others}


def _columns(at: np.ndarray, number: Predictor, inputs: Inputs, held: dict[str, float], level: Any) -> dict[str, Any]:
    columns = {number.name: at, **{name: np.full(len(at), value) for name, value in held.items()}}
    if inputs.category is not None:
        columns[inputs.category] = as_column([level] * len(at))
    return columns


def _points(fit: Fit, shown: Sample, number: Predictor, category: str | None, held: dict[str, float]) -> Points:
    """The data; where other numbers are held, the curve at each row's x plus the row's residual."""
    level = None if category is None else shown.columns[category]
    x, y = number.of(shown.columns), shown.rows.y
    if held:
        columns = {number.name: x, **{name: np.full(len(x), value) for name, value in held.items()}}
        if category is not None and level is not None:
            columns[category] = level
        y = curve(fit, columns).mean + shown.rows.response
    return Points(x, y, _residuals(fit, shown), error_bars(fit, shown), level)


def _residuals(fit: Fit, shown: Sample) -> Float[np.ndarray, "n"]:
    """In the unit of the response, where rows have one variance; else standardised by the family."""
    return shown.rows.response if _in_units(fit) else shown.rows.deviance


def _in_units(fit: Fit) -> bool:
    return fit.family.link.name == "identity" and (is_least_squares(fit.family) or bool(fit.family.dispersion_reason))


def _draw_one(
    fit: Fit,
    top: Axes,
    below: Axes | None,
    columns: dict[str, Any],
    level: Any,
    colour: str,
    points: Points | None,
    many: int,
) -> list[np.ndarray]:
    """One curve with its bands and its points; what the axis should hold of the bands comes back."""
    alone, at = level is None, next(iter(columns.values()))
    if points is not None:
        _draw_points(top, below, points.of(level), POINT if alone else colour, "data" if alone else None, len(points.x))
    wide = _new_rows(fit, columns) if many <= MOST_WIDE else None
    if wide is not None:
        label, alpha = _band_names(fit)[1] if alone else None, WIDE_BAND_ALPHA if alone else WIDE_BAND_ALPHA / 2
        top.fill_between(at, wide.low, wide.high, color=colour, alpha=alpha, linewidth=0, label=label, zorder=1)
    found = curve(fit, columns)
    alpha = BAND_ALPHA if alone else WIDE_BAND_ALPHA + 0.06
    draw_band(top, at, found, colour, _band_names(fit)[0] if alone else None, alpha=alpha)
    top.lines[-1].set_label("curve" if alone else elide(show_level(level), 24))
    return [found.mean, *([] if wide is None else [wide.low, wide.high]), found.low, found.high]


def _band_names(fit: Fit) -> tuple[str, str]:
    """Of the curve, and of new rows."""
    per_cent = f"{100 * fit.level:g}% interval of"
    return f"{per_cent} the curve", f"{per_cent} new rows"


def _new_rows(fit: Fit, columns: dict[str, Any]) -> Curve | None:
    """The band for new rows, where they have one variance."""
    return curve(fit, columns, interval="prediction") if _has_new_rows(fit) else None


def _has_new_rows(fit: Fit) -> bool:
    possible = is_least_squares(fit.family) and fit.covariance is not None and fit.spec.roles.weights is None
    return possible and bool(np.isfinite(fit.statistics.dispersion))


def _draw_points(top: Axes, below: Axes | None, points: Points, colour: str, label: str | None, among: int) -> None:
    scatter(top, points.x, points.y, colour=colour, label=label, among=among)
    _bars(top, points.x, points.y, points.bars, colour, among)
    if below is not None:
        scatter(below, points.x, points.residual, colour=colour, among=among)
        _bars(below, points.x, points.residual, points.bars, colour, among)


def _bars(
    axes: Axes,
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "n"],
    bars: Float[np.ndarray, "n"] | None,
    colour: str,
    among: int,
) -> None:
    if bars is not None and among <= MOST_BARS:
        known = np.isfinite(bars)
        axes.errorbar(
            x[known], y[known], bars[known], fmt="none", ecolor=colour, elinewidth=1.0, alpha=opacity(among), zorder=1.9
        )


# --------------------------------------------------------------------------------------------------- several numbers


def _draw_observed(fit: Fit, shown: Sample | None) -> Figure:
    """Observed against fitted values, which fall on the diagonal where the curve is right."""
    assert shown is not None
    rows = shown.rows
    points = Points(rows.mu, rows.y, _residuals(fit, shown), error_bars(fit, shown), None)
    figure, top, below = _frames(points)
    low, high = float(rows.mu.min()), float(rows.mu.max())
    top.plot([low, high], [low, high], color=LINE, linewidth=2, zorder=3, label="observed = fitted")
    _draw_points(top, below, points, POINT, "data", len(points.x))
    limit(top, *points.heights((None,)), [])
    _finish(fit, figure, top, below, "fitted")
    top.set_ylabel(f"observed {axis_name(fit)}")
    top.legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")
    names = [p.name for p in inputs_of(fit).numbers]
    along = f"With x={names[0]!r} the curve is drawn along {names[0]}." if names else ""
    caption(figure, " ".join(filter(None, [_caption(fit, shown, {}), along])))
    return figure


# ------------------------------------------------------------------------------------------------------------ frames


def _frames(points: Points | None) -> tuple[Figure, Axes, Axes | None]:
    """The picture and below it the residuals, along one axis; without data only the first."""
    if points is None:
        figure = new_figure(7.2, 5.0)
        return figure, figure.subplots(), None
    figure = new_figure(7.2, 6.2)
    top, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    return figure, top, below


def _break_at_poles(axes: Axes) -> None:
    """Where a curve leaves at the top and comes back at the bottom, from one place to the next, it has no value."""
    low, high = axes.get_ylim()
    for line in axes.lines:
        y = np.array(line.get_ydata(), dtype=np.float64)
        side = (y > high).astype(int) - (y < low)
        y[:-1][side[:-1] * side[1:] < 0] = np.nan
        line.set_ydata(y)


def _finish(fit: Fit, figure: Figure, top: Axes, below: Axes | None, x: str, zero: str = LINE) -> None:
    dress(top, "", "" if below is not None else x, axis_name(fit))
    headline(figure, fit.spec.formula)
    if below is None:
        return
    below.axhline(0, color=zero, linewidth=1.4, zorder=3)
    dress(below, "", x, "residual" if _in_units(fit) else "deviance residual")
    reach = 1.08 * max(map(abs, below.get_ylim()))
    below.set_ylim(-reach, reach)
    below.locator_params(axis="y", nbins=5)
    figure.align_ylabels([top, below])


def _key(fit: Fit, top: Axes, inputs: Inputs, levels: tuple[Any, ...]) -> None:
    """What is what; where each group has a colour, the bands are named once, in grey."""
    from matplotlib.patches import Patch

    handles, labels = top.get_legend_handles_labels()
    title = None
    if levels[0] is not None:
        title = elide(inputs.category or "", 24)
        drawn = [fit.covariance is not None, len(levels) <= MOST_WIDE and _has_new_rows(fit)]
        for name, alpha, shown in zip(_band_names(fit), (0.45, 0.2), drawn, strict=True):
            if shown:
                handles.append(Patch(facecolor=NEUTRAL, alpha=alpha, linewidth=0))
                labels.append(name)
    top.legend(handles, labels, title=title, fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")


# ------------------------------------------------------------------------------------------------------------- words


def _caption(
    fit: Fit, shown: Sample | None, held: dict[str, float], inputs: Inputs | None = None, groups: int = 1
) -> str:
    parts = [_estimates(fit)]
    if held:
        others = ", ".join(f"{name} {value:.3g}" for name, value in held.items())
        parts.append(f"Held at their means: {others}; points are the curve there plus each row's residual.")
    if shown is None:
        parts.append("A model file holds no data: the points are missing.")
    else:
        parts += [shown.caption, _bars_text(fit, len(shown.numbers))]
        parts.append(_levels_text(fit, shown, inputs))
    if groups > MOST_WIDE and _has_new_rows(fit):
        parts.append(f"Intervals of new rows are drawn for up to {MOST_WIDE} groups.")
    if fit.covariance is None and fit.covariance_reason:
        parts.append(f"No bands: {fit.covariance_reason}.")
    return " ".join(part for part in parts if part)


def _estimates(fit: Fit) -> str:
    """'Estimates ± standard errors: a = 3.01 ± 0.04, b = 1.38 ± 0.04.'"""
    rows = coefficient_table(fit, fit.level)
    told = []
    for row in rows[:MOST_NAMED]:
        estimate, error, *_ = with_error(row.estimate, row.std_error, row.low, row.high, digits=2)
        told.append(
            f"{row.name} = {estimate} ± {error}" if np.isfinite(row.std_error) else f"{row.name} = {row.estimate:.6g}"
        )
    told = [text.replace(" ", TIED) for text in told]  # a line of the caption ends between two of them
    more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
    errors = "Estimates ± standard errors: " if any("±" in text for text in told) else ""
    return f"{errors}{', '.join(told)}{more}."


def _bars_text(fit: Fit, drawn: int) -> str:
    if not has_precisions(fit):
        return ""
    if drawn > MOST_BARS:
        return f"No error bars for more than {MOST_BARS:,} rows."
    return f"Error bars are {'1 / sqrt(weight).'.replace(' ', TIED)}"


def _levels_text(fit: Fit, shown: Sample, inputs: Inputs | None) -> str:
    if inputs is None or inputs.category is None:
        return ""
    every = len(set(shown.columns[inputs.category].tolist()))
    drawn = len(levels_of(fit, shown, inputs.category))
    return f"{drawn} of {every} levels are drawn: those with the most rows." if drawn < every else ""
