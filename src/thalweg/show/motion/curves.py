"""A line or curve that moves over the data; one for each level where there is a category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.show.motion.scene import Scene, near, padded
from thalweg.show.motion.subject import Subject
from thalweg.show.numbers import elide
from thalweg.show.plots.style import LINE, PALETTE, POINT, TICK_SIZE, dress, scatter

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PLACES = 200
_SPREAD = 0.05  # of the height of an axis of 0 and 1, so that points can be told apart


@final
class Curves(Scene):
    """The mean along one column.

    Parameters
    ----------
    subject : Subject
    path : array, (m, p)
        The parameters of each frame.
    x : str
        The column; others are held.
    """

    def __init__(self, subject: Subject, path: Float[np.ndarray, "m p"], x: str) -> None:
        self.subject, self.x = subject, x
        column = subject.column(x)
        self.at = np.linspace(*padded(column, 0.02), PLACES)
        category = subject.category
        self.levels: tuple[Any, ...] = (None,) if category is None else category.levels[: len(PALETTE)]
        self.means = [subject.mean(subject.along(path, self._places(level))) for level in self.levels]
        self.y = _spread(subject.y) if subject.probability and subject.labelled else subject.y
        self.limits = (-0.06, 1.06) if subject.probability else padded(subject.y, 0.1)
        others = [name for name in subject.numbers if name != x]
        self.note = f"{', '.join(others)} held at the mean." if others else ""

    def _places(self, level: Any) -> dict[str, np.ndarray]:
        columns = {self.x: self.at}
        if level is not None and self.subject.category is not None:
            columns[self.subject.category.column] = _column(level, len(self.at))
        return columns

    def draw(self, axes: Axes) -> list[Artist]:
        title = "" if not self.subject.probability else f"P({self.subject.response} = {self.subject.classes[1]})"
        dress(axes, "", self.x, title or self.subject.response)
        axes.set_xlim(self.at[0], self.at[-1])
        axes.set_ylim(*self.limits)
        self.lines = []
        for colour, level in zip(self._colours(), self.levels, strict=False):
            self._points(axes, level, colour)
            label = None if level is None else elide(show_level(level), 16)
            (line,) = axes.plot([], [], color=LINE if level is None else colour, linewidth=2.6, zorder=4, label=label)
            self.lines.append(line)
        if len(self.levels) > 1:
            axes.legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="upper left")
        return list(self.lines)

    def _colours(self) -> tuple[str, ...]:
        return (POINT,) if len(self.levels) == 1 else PALETTE

    def _points(self, axes: Axes, level: Any, colour: str) -> None:
        x, y = self.subject.column(self.x), self.y
        if level is not None and self.subject.category is not None:
            here = self.subject.column(self.subject.category.column) == level
            x, y = x[here], y[here]
        scatter(axes, x, y, colour=colour, among=len(self.y))

    def move(self, frame: int) -> None:
        for line, means in zip(self.lines, self.means, strict=True):
            line.set_data(self.at, near(means[frame], *self.limits))


def _column(level: Any, rows: int) -> np.ndarray:
    from thalweg.show.plots.grid import as_column

    return as_column([level] * rows)


def _spread(y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """0 and 1 moved apart a little, the same way every time."""
    return y + np.random.default_rng(2).uniform(-_SPREAD, _SPREAD, len(y))
