"""Curves that are drawn as the descent goes: its loss, and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Int

from thalweg.show.motion.scene import Scene, padded
from thalweg.show.plots.key import key_above
from thalweg.show.plots.loss_curve import decades, spans_decades
from thalweg.show.plots.names import short_name
from thalweg.show.plots.optimum import optimum_of
from thalweg.show.plots.run import Run
from thalweg.show.plots.style import LINE, PALETTE, POINT, TICK_SIZE, dress
from thalweg.show.plots.traces import chosen_parameters, draw_optima, in_sight, limits

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_DRAWN = 800  # states along a curve: more than there are pixels across
_PALE = "#D5D5D5"


@final
class Loss(Scene):
    """The loss up to each frame, over a pale line of what is still to come.

    Parameters
    ----------
    run : Run
    frames : array of int, (m,)
        Places of the frames among its states.
    small : bool
        Beside another scene: without a name on the axis.
    """

    def __init__(self, run: Run, frames: Int[np.ndarray, "m"], *, small: bool = False) -> None:
        self.run, self.small = run, small
        self.kept = thinned(len(run), frames)
        self.last = np.searchsorted(self.kept, frames)  # of what is kept, by frame
        self.steps, self.value = run.steps[self.kept], run.value[self.kept]

    def draw(self, axes: Axes) -> list[Artist]:
        dress(axes, "", "step", "" if self.small else self.run.loss_name)
        if self.small:  # there is no room for a name along the axis
            title = axes.set_title(self.run.loss_name, fontsize=TICK_SIZE, loc="right", pad=7)
            title.set_in_layout(False)
        if spans_decades(self.value):
            decades(axes, self.value)
        else:
            axes.set_ylim(*padded(np.append(self.value, 0.0) if self.value.min() > 0 else self.value))
        axes.set_xlim(*padded(self.steps.astype(float), 0.04))
        few_ticks(axes)
        axes.plot(self.steps, self.value, color=_PALE, linewidth=1.4, zorder=2)
        (self.line,) = axes.plot([], [], color=POINT, linewidth=2.2, zorder=3)
        (self.dot,) = axes.plot([], [], "o", color=LINE, markersize=7, zorder=4, clip_on=False)
        return [self.line, self.dot]

    def move(self, frame: int) -> None:
        upto = int(self.last[frame]) + 1
        self.line.set_data(self.steps[:upto], self.value[:upto])
        self.dot.set_data(self.steps[upto - 1 : upto], self.value[upto - 1 : upto])


@final
class Traces(Scene):
    """The parameters up to each frame, their optimum dashed.

    Parameters
    ----------
    run : Run
    frames : array of int, (m,)
        Places of the frames among its states.
    """

    def __init__(self, run: Run, frames: Int[np.ndarray, "m"]) -> None:
        self.run, self.best = run, optimum_of(run)
        self.chosen = chosen_parameters(run, None)
        self.kept = thinned(len(run), frames)
        self.last = np.searchsorted(self.kept, frames)
        self.steps, self.path = run.steps[self.kept], run.path[self.kept][:, self.chosen]
        self.note = "Dashed: the optimum." if self.best is not None else ""

    def draw(self, axes: Axes) -> list[Artist]:
        dress(axes, "", "step", "parameters")
        low, high = limits(self.path, None if self.best is None else self.best.theta[self.chosen])
        axes.set_ylim(low, high)
        shown = in_sight(self.path, low, high) + 1  # the first that is far outside is seen leaving
        axes.set_xlim(*padded(self.steps[:shown].astype(float), 0.04))
        few_ticks(axes)
        draw_optima(axes, self.chosen, self.best)
        # Beyond these a point is out of sight whatever it is, and the renderer must not be given infinities.
        self.path = np.clip(self.path, low - 50 * (high - low), high + 50 * (high - low))
        colours = PALETTE[: len(self.chosen)]
        self.lines = [axes.plot([], [], color=c, linewidth=2.2, zorder=3)[0] for c in colours]
        self.dots = [axes.plot([], [], "o", color=c, markersize=6, zorder=4)[0] for c in colours]
        names = [short_name(self.run.names[j], 16) for j in self.chosen]
        key_above(axes, self.lines, names)
        return [*self.lines, *self.dots]

    def move(self, frame: int) -> None:
        upto = int(self.last[frame]) + 1
        for line, dot, values in zip(self.lines, self.dots, self.path.T, strict=True):
            line.set_data(self.steps[:upto], values[:upto])
            dot.set_data(self.steps[upto - 1 : upto], values[upto - 1 : upto])


def thinned(states: int, frames: Int[np.ndarray, "m"]) -> Int[np.ndarray, "k"]:
    """States along a curve: the frames, and between them as many as can be seen."""
    if states <= MOST_DRAWN:
        return np.arange(states)
    return np.union1d(frames, np.linspace(0, states - 1, MOST_DRAWN).round().astype(np.int64))


def few_ticks(axes: Axes) -> None:
    """Whole numbers of steps, few enough for a narrow panel."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
