"""What a descent did step by step: its loss, its gradient, its learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.errors import NotAvailableError
from thalweg.show.numbers import significant
from thalweg.show.plots.key import key_above
from thalweg.show.plots.optimum import optimum_of
from thalweg.show.plots.run import GONE
from thalweg.show.plots.style import LINE, NEUTRAL, POINT, caption, dress, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.show.plots.run import Run

DECADES = 1.5  # from which on a logarithmic axis shows more than a linear one
_PLAIN = 3.0  # decades up to which ticks are written as plain numbers
_LOG_MARGIN = 0.06
_TICKS, _STRIDES = 7, (1, 2, 3, 5, 10, 20, 50, 100)  # of decades
MARKED = 40  # states of so short a run get a dot each


def spans_decades(values: Float[np.ndarray, "k"]) -> bool:
    """Whether positive values are better seen on a logarithmic axis."""
    if not len(values) or not (values > 0).all():
        return False
    return bool(np.log10(values.max()) - np.log10(values.min()) > DECADES)


def decades(axes: Axes, values: Float[np.ndarray, "k"]) -> None:
    """A logarithmic axis for these positive values, with few and readable ticks."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

    low, high = np.log10(values.min()), np.log10(values.max())
    margin = min(_LOG_MARGIN * (high - low), 2.0)
    axes.set_yscale("log")
    axes.set_ylim(10 ** (low - margin), 10 ** (high + margin))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if high - low < _PLAIN:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        stride = next(each for each in _STRIDES if (high - low) / each <= _TICKS or each == _STRIDES[-1])
        first, last = np.ceil((low - margin) / stride), np.floor((high + margin) / stride)
        axes.yaxis.set_major_locator(FixedLocator((10.0 ** (stride * np.arange(first, last + 1))).tolist()))
        if stride > 1:
            axes.yaxis.set_minor_locator(NullLocator())


def draw_loss(run: Run, *, excess: bool = False) -> Figure:
    """The loss against the steps, with its least value where that is known.

    Parameters
    ----------
    run : Run
    excess : bool
        Draw the loss minus its least value.
    """
    finite, best = run.finite(), optimum_of(run)
    if excess and best is None:
        raise NotAvailableError("the least loss is not known, so its excess cannot be drawn", advice="Draw the loss.")
    values = finite.value
    figure, axes = _panel(run)
    if excess and best is not None:
        values = values - best.value
        values = np.where(values > np.finfo(float).eps * abs(best.value), values, np.nan)  # the rest is rounding
    _line(axes, finite.steps, values)
    positive = values[np.isfinite(values)]
    least = None if excess or best is None else best.value
    if spans_decades(positive):
        decades(axes, positive)
    if least is not None and (axes.get_yscale() == "linear" or least > positive.min() / 1e6):
        axes.axhline(least, color=NEUTRAL, linestyle="--", linewidth=1.2, zorder=1, label=f"least {significant(least)}")
    dress(axes, "", "step", f"excess of the {run.loss_name}" if excess else run.loss_name)
    _finish(figure, axes, run, finite)
    return figure


def draw_gradient(run: Run) -> Figure:
    """The Euclidean norm of the gradient against the steps."""
    finite = run.finite()
    figure, axes = _panel(run)
    sizes = np.where(finite.gradient_size > 0, finite.gradient_size, np.nan)
    _line(axes, finite.steps, sizes)
    if spans_decades(sizes[np.isfinite(sizes)]):
        decades(axes, sizes[np.isfinite(sizes)])
    dress(axes, "", "step", "norm of the gradient")
    _finish(figure, axes, run, finite)
    return figure


def draw_rate(run: Run) -> Figure:
    """The learning rate against the steps."""
    finite = run.finite()
    if not np.isfinite(finite.rate).any():
        raise NotAvailableError("this solver has no learning rate", advice='Draw the "loss" or the "traces".')
    figure, axes = _panel(run)
    axes.step(finite.steps, finite.rate, where="pre", color=POINT, linewidth=2)
    if spans_decades(finite.rate[np.isfinite(finite.rate)]):
        decades(axes, finite.rate[np.isfinite(finite.rate)])
    else:
        axes.set_ylim(bottom=0)
    dress(axes, "", "step", "learning rate")
    _finish(figure, axes, run, finite)
    return figure


def _panel(run: Run) -> tuple[Figure, Axes]:
    figure = new_figure(7.2, 4.6)
    headline(figure, run.title)
    return figure, figure.subplots()


def _line(axes: Axes, steps: np.ndarray, values: np.ndarray) -> None:
    marker = "o" if len(steps) <= MARKED else ""
    axes.plot(steps, values, color=POINT, linewidth=2, marker=marker, markersize=4, zorder=3)


def _finish(figure: Figure, axes: Axes, run: Run, finite: Run) -> None:
    """The end marked, and said in words."""
    from matplotlib.ticker import MaxNLocator

    (line, *_) = axes.lines
    at, height = np.asarray(line.get_xdata())[-1], np.asarray(line.get_ydata())[-1]
    axes.plot([at], [height], "o", color=LINE, markersize=7, zorder=4, label=f"step {finite.steps[-1]}: {run.ending}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    key_above(axes)
    if len(finite) < len(run):
        caption(figure, f"From step {run.steps[len(finite)]} on the loss is above {GONE:g}, or no number.")
