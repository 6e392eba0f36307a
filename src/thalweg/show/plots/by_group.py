"""Fits by group: a panel for each group, along the same axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.errors import NotAvailableError, OptionError, ThalwegError
from thalweg.show.numbers import elide
from thalweg.show.plots.curve_rows import grid_over, numbers_of, scale_of, set_scale
from thalweg.show.plots.curves import Curve, curve, draw_band
from thalweg.show.plots.grid import as_column
from thalweg.show.plots.style import (
    LINE,
    NEUTRAL,
    POINT,
    TICK_SIZE,
    caption,
    dress,
    headline,
    limit,
    new_figure,
    scatter,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.curves.fits import Fits

MOST_PANELS = 16
MOST_POINTS = 2000  # in a panel


@final
@dataclass(frozen=True)
class _Rows:
    """The rows of one group: the column that is drawn along, the response, and the means of other columns."""

    x: Float[np.ndarray, "n"]
    y: Float[np.ndarray, "n"]
    means: dict[str, float]


def draw_groups(fits: Fits, x: str | None = None) -> Figure:
    """The data of each group with its curve and the band of it.

    Parameters
    ----------
    fits : Fits
    x : str, optional
        The column along which a curve of several is drawn; the others are held at the means of each group.

    Raises
    ------
    OptionError
        x is no number column of the curve, or has to be named.
    NotAvailableError
        A curve of no number.
    """
    along = _along(fits, x)
    shown = range(min(MOST_PANELS, len(fits)))
    rows = [_rows_of(fits, i, along) for i in shown]
    every = np.concatenate([each.x for each in rows])
    scale = scale_of(every)
    figure, frames, across = _frames(len(rows))
    ends = []
    for i, axes, each in zip(shown, frames, rows, strict=False):
        at = grid_over(float(each.x.min()), float(each.x.max()), each.x, scale)
        ends += _draw(fits, axes, i, each, at, along)
        last = i + across >= len(rows)
        dress(axes, elide(show_level(fits.groups[i]), 26), along if last else "", "" if i % across else _response(fits))
        axes.tick_params(labelbottom=last)
    for axes in frames[len(rows) :]:
        axes.set_visible(False)
    set_scale(frames[0], scale, every)
    heights = np.concatenate([each.y for each in rows])
    limit(frames[0], heights, heights, ends)
    headline(figure, f"{fits.formula} for each {fits.by}")
    caption(figure, _caption(fits, len(rows), max(len(each.x) for each in rows), len(rows[0].means)))
    return figure


def _along(fits: Fits, x: str | None) -> str:
    names = numbers_of(fits.spec)
    if not names:
        raise NotAvailableError("this curve reads no number column to be drawn along", advice="See fits.summary().")
    if x is None and len(names) > 1:
        raise OptionError(f"the curve is one of {', '.join(names)}", advice=f"Say which to draw along: x={names[0]!r}.")
    if x is not None and x not in names:
        raise OptionError(f"x = {x!r} is no number column that this curve reads", advice=f"Use {', '.join(names)}.")
    return names[0] if x is None else x


def _response(fits: Fits) -> str:
    return fits.spec.response.name


def _rows_of(fits: Fits, group: int, along: str) -> _Rows:
    """All rows of a group, as the fit reads them."""
    x, y, others = [], [], []
    names = [name for name in numbers_of(fits.spec) if name != along]
    for batch in fits.rows.of(group, "").batches(fits.spec.columns):
        block = fits.spec.base.block(batch).double()
        assert block.y is not None
        y.append(block.y.numpy(force=True))
        x.append(_numbers(batch.columns[along]))
        others.append([_numbers(batch.columns[name]) for name in names])
    means = {name: float(np.concatenate([part[j] for part in others]).mean()) for j, name in enumerate(names)}
    return _Rows(np.concatenate(x), np.concatenate(y), means)


def _numbers(column: Any) -> Float[np.ndarray, "n"]:
    return np.asarray(column.numpy(force=True), dtype=np.float64)


def _draw(fits: Fits, axes: Axes, group: int, rows: _Rows, at: Float[np.ndarray, "m"], along: str) -> list[np.ndarray]:
    """One panel; what the axes should hold of its curve and band comes back."""
    every = max(1, math.ceil(len(rows.x) / MOST_POINTS))
    scatter(axes, rows.x[::every], rows.y[::every], colour=POINT)
    if not fits.converged[group]:
        axes.text(0.5, 0.93, "not fitted", transform=axes.transAxes, ha="center", color=NEUTRAL, fontsize=TICK_SIZE)
        return []
    columns = {along: at} | {name: np.full(len(at), value) for name, value in rows.means.items()}
    found = _curve(fits, group, columns)
    draw_band(axes, at, found, LINE)
    return [found.mean, found.low, found.high]


def _curve(fits: Fits, group: int, columns: dict[str, Any]) -> Curve:
    """With its band where the group's own fit has one."""
    try:
        return curve(fits[fits.groups[group]], columns)
    except ThalwegError:
        nothing = np.full(len(next(iter(columns.values()))), np.nan)
        label = as_column([fits.groups[group]] * len(nothing))
        return Curve(fits.predict({**columns, fits.by: label}), nothing, nothing)


def _frames(n: int) -> tuple[Figure, list[Axes], int]:
    across = n if n <= 3 else 2 if n == 4 else 3 if n <= 9 else 4
    down = math.ceil(n / across)
    figure = new_figure(max(3.0 * across, 5.4), 2.6 * down + 0.9)
    return figure, list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat), across


def _caption(fits: Fits, drawn: int, most: int, held: int) -> str:
    parts = [f"Bands: {100 * fits.level:g}% intervals of the curves."]
    if drawn < len(fits):
        parts.append(f"The first {drawn} of {len(fits):,} groups.")
    if held:
        parts.append("Other columns are held at the means of each group.")
    if most > MOST_POINTS:
        parts.append(f"At most {MOST_POINTS:,} rows of a group are drawn.")
    return " ".join(parts)
