"""Coefficients with their intervals, one line each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import NotAvailableError
from thalweg.inference.coefficients import Row, coefficient_table
from thalweg.show.curve import is_curve
from thalweg.show.numbers import elide_column, with_error
from thalweg.show.plots.style import LINE, NEUTRAL, POINT, TICK_SIZE, caption, dress, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit

_WORD = ("coefficient", "parameter")
MOST_LINES = 60
_ROOM = 0.06  # of the width, between the longest intervals and the border
_UNEVEN = 60.0  # beyond this ratio of the widest to the median extent, a linear axis would hide most of the intervals


def draw_coefficients(fit: Fit, *, intercept: bool = False) -> Figure:
    """Estimates and intervals; coefficients without an estimate are left out and counted in the caption."""
    every = [row for row in coefficient_table(fit, fit.level) if intercept or row.name != "Intercept"]
    rows = [row for row in every if math.isfinite(row.estimate) and row.name not in fit.aliased]
    if not rows:
        raise NotAvailableError("this fit has no coefficient to draw", advice=_advice(fit, bool(every)))
    shown = _most_certain(rows)
    figure = new_figure(8.2, 1.7 + 0.29 * len(shown))
    axes = figure.subplots()
    _draw(axes, shown)
    dress(axes, "", f"{_WORD[is_curve(fit)]}, with its {100 * fit.level:g}% interval")
    axes.grid(False, axis="y")
    uneven = _uneven(shown)
    if uneven:
        axes.set_xscale("symlog", linthresh=uneven)
    _set_limits(axes, shown)
    if uneven:
        _few_ticks(axes, uneven)
    headline(figure, fit.spec.formula)
    said = _caption(not all(map(_clear, shown)), len(every), len(rows), len(shown), uneven)
    hidden = not intercept and not is_curve(fit) and fit.spec.has_intercept
    left_out = "The intercept is left out." if hidden else ""
    caption(figure, " ".join(part for part in (_without_intervals(fit), said, left_out) if part))
    return figure


def _advice(fit: Fit, any_row: bool) -> str:
    if fit.separation is not None:
        return fit.separation.sentence
    return "All of them are aliased." if any_row else "Use intercept=True for the intercept."


def _most_certain(rows: list[Row]) -> list[Row]:
    """In the order of the formula; of too many, those with the largest |t|."""
    if len(rows) <= MOST_LINES:
        return rows
    keep = sorted(rows, key=lambda row: -abs(row.statistic) if math.isfinite(row.statistic) else 0.0)[:MOST_LINES]
    return [row for row in rows if row in keep]


def _draw(axes: Axes, rows: list[Row]) -> None:
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows, strict=True):
        colour = POINT if _clear(row) else NEUTRAL
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=2)
        axes.plot([row.estimate], [place], "o", color=colour, markersize=5.5, zorder=3)
        axes.text(1.015, place, _figures(row), transform=axes.get_yaxis_transform(), fontsize=TICK_SIZE, va="center")
    axes.axvline(0, color=LINE, linewidth=1.1, zorder=1)
    axes.set_yticks(places, [elide_column(row.name, 34) for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.3)


def _clear(row: Row) -> bool:
    """Whether no interval holds 0."""
    return not row.low <= 0 <= row.high  # True without an interval


def _figures(row: Row) -> str:
    estimate, _, low, high = with_error(row.estimate, row.std_error, row.low, row.high, digits=3)
    return f"{estimate}  [{low}, {high}]" if math.isfinite(row.low) else estimate


def _uneven(rows: list[Row]) -> float | None:
    """Where an axis stops being linear, if some coefficients are far larger than others; None for a linear axis."""
    extents = np.array([max(abs(row.estimate), abs(row.low), abs(row.high)) for row in rows])
    extents = extents[np.isfinite(extents) & (extents > 0)]
    if extents.size < 3:
        return None
    middle = np.median(extents)
    even = extents.max() < _UNEVEN * middle and middle < _UNEVEN * extents.min()
    return None if even else float(10.0 ** math.floor(math.log10(extents.min())))


def _set_limits(axes: Axes, rows: list[Row]) -> None:
    """Room beyond the outermost ends and 0, in the units of the axis' own scale."""
    ends = np.array([value for row in rows for value in (row.estimate, row.low, row.high)] + [0.0])
    scale = axes.xaxis.get_transform()
    low, high = scale.transform(np.array([np.nanmin(ends), np.nanmax(ends)]))
    room = _ROOM * (high - low) if high > low else 1.0
    axes.set_xlim(*scale.inverted().transform(np.array([low - room, high + room])))


def _few_ticks(axes: Axes, threshold: float) -> None:
    """Powers of ten on both sides of zero, not so many that they touch."""
    low, high = axes.get_xlim()
    first = math.log10(threshold)
    top = math.ceil(math.log10(max(abs(low), abs(high), threshold)))
    both = low < 0 < high
    step = max(1, math.ceil((top - first) * (2 if both else 1) / 7))
    powers = [10.0**k for k in range(round(first), top + 1, step)]
    ticks = [-p for p in powers[::-1] if -p >= low] + [0.0] + [p for p in powers if p <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _without_intervals(fit: Fit) -> str:
    return f"No intervals: {fit.covariance_reason}." if fit.covariance is None and fit.covariance_reason else ""


def _caption(grey: bool, every: int, usable: int, shown: int, uneven: float | None) -> str:
    parts = ["Grey: the interval holds 0."] if grey else []
    if every > usable:
        parts.append(f"{every - usable} without an estimate left out.")
    if usable > shown:
        parts.append(f"The {shown} with the largest |t| of {usable}.")
    if uneven is not None:
        parts.append(f"The axis is logarithmic beyond ±{uneven:g}, because the coefficients differ much in size.")
    return " ".join(parts)
