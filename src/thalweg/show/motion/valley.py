"""The path advancing over the contours of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Int

from thalweg.show.motion.growing import thinned
from thalweg.show.motion.scene import Scene
from thalweg.show.plots.key import key_above
from thalweg.show.plots.run import Run
from thalweg.show.plots.style import LINE, PALETTE
from thalweg.show.plots.surface import surface_of
from thalweg.show.plots.valley import draw_contours, way

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


@final
class Valley(Scene):
    """Contours over two parameters and one path or several.

    Parameters
    ----------
    runs : mapping of str to Run
        By the names of a legend; one run alone has none.
    frames : sequence of arrays of int, (m,)
        For each run the places of the frames among its states.
    parameters : two str, optional
        Across and up.
    key : bool
        Whether several paths have a legend here.
    """

    def __init__(
        self,
        runs: Mapping[str, Run],
        frames: Sequence[Int[np.ndarray, "m"]],
        parameters: Sequence[str] | None = None,
        key: bool = True,
    ) -> None:
        self.key = key and len(runs) > 1
        self.runs = list(runs.values())
        self.labels: list[str | None] = list(runs) if len(runs) > 1 else [None]
        self.surface = surface_of(self.runs, parameters, finer=True)
        kept = [thinned(len(run), at) for run, at in zip(self.runs, frames, strict=True)]
        self.last = [np.searchsorted(k, at) for k, at in zip(kept, frames, strict=True)]
        self.ways = [way(self.surface, run.at(k)) for run, k in zip(self.runs, kept, strict=True)]
        rest = self.surface.rest
        self.note = f"Over two of {len(self.runs[0].names)} parameters, {rest}." if rest else "Star: the optimum."
        self.note = "" if self.surface.best is None and not rest else self.note

    def draw(self, axes: Axes) -> list[Artist]:
        draw_contours(axes, self.surface, self.runs[0].names)
        colours = (LINE,) if len(self.runs) == 1 else PALETTE
        self.lines, self.dots = [], []
        for run, colour, label, (x, y) in zip(self.runs, cycle(colours), self.labels, self.ways, strict=False):
            width = 1.0 if self.labels[0] is not None and run.ran_away else 2.2
            axes.plot(x[:1], y[:1], "o", markersize=8, mfc="white", mec=colour, zorder=4)
            self.lines.append(axes.plot([], [], color=colour, linewidth=width, zorder=3, label=label)[0])
            self.dots.append(axes.plot([], [], "o", color=colour, mec="white", markersize=9, zorder=5)[0])
        if self.key:
            key_above(axes, self.lines, [label or "" for label in self.labels])
        return [*self.lines, *self.dots]

    def move(self, frame: int) -> None:
        for line, dot, last, (x, y) in zip(self.lines, self.dots, self.last, self.ways, strict=True):
            upto = int(last[frame]) + 1
            line.set_data(x[:upto], y[:upto])
            dot.set_data(x[upto - 1 : upto], y[upto - 1 : upto])
