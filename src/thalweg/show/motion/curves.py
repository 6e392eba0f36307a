"""A line or curve that moves over the data; one for each level where there is a category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.show.motion.scene import Notice, Scene, absence, near, padded, widened
from thalweg.show.motion.subject import Subject
from thalweg.show.numbers import elide
from thalweg.show.plots.key import key_above
from thalweg.show.plots.style import LINE, PALETTE, POINT, dress, scatter

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
        self.logarithmic = subject.logarithmic(x)
        self.at = self.places(PLACES)
        category = subject.category
        self.levels: tuple[Any, ...] = (None,) if category is None else category.levels[: len(PALETTE)]
        self.means = [subject.mean(subject.along(path, self._places(level))) for level in self.levels]
        self.y = _spread(subject.y) if subject.probability and subject.labelled else subject.y
        self.limits = widened(subject.view, np.concatenate([means[0] for means in self.means]))
        others = [name for name in subject.numbers if name != x]
        self.note = f"{', '.join(others)} held at the mean." if others else ""

    def places(self, n: int) -> Float[np.ndarray, "n"]:
        """So many along the column, evenly on its axis."""
        column = self.subject.column(self.x).astype(np.float64)
        if self.logarithmic:
            low, high = padded(np.log10(column), 0.02)
            return np.logspace(low, high, n)
        return np.linspace(*padded(column, 0.02), n)

    def _places(self, level: Any) -> dict[str, np.ndarray]:
        columns = {self.x: self.at}
        if level is not None and self.subject.category is not None:
            columns[self.subject.category.column] = _column(level, len(self.at))
        return columns

    def draw(self, axes: Axes) -> list[Artist]:
        title = "" if not self.subject.probability else f"P({self.subject.response} = {self.subject.classes[1]})"
        dress(axes, "", self.x, title or self.subject.response)
        if self.logarithmic:
            axes.set_xscale("log")
        axes.set_xlim(self.at[0], self.at[-1])
        axes.set_ylim(*self.limits)
        self.lines = []
        for colour, level in zip(self._colours(), self.levels, strict=False):
            self._points(axes, level, colour)
            label = None if level is None else elide(show_level(level), 16)
            (line,) = axes.plot([], [], color=LINE if level is None else colour, linewidth=2.6, zorder=4, label=label)
            self.lines.append(line)
        if len(self.levels) > 1:
            key_above(axes, self.lines)
        self.notice = Notice(axes)
        return [*self.lines, self.notice.artist]

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
        self.notice.say_absence(self.absence(frame))

    def absence(self, frame: int) -> str:
        """Where the curves are when nothing of them is in the picture: "above", "below", "outside"; else empty."""
        low, high = self.limits
        found = [absence(means[frame], low, high) for means in self.means]
        through = any(_passes(means[frame], low, high) for means in self.means)
        return "" if through or "" in found else found[0] if len(set(found)) == 1 else "outside"


def _passes(values: Float[np.ndarray, "m"], low: float, high: float) -> bool:
    """Whether a steep curve goes through from one place to the next."""
    side = np.sign(np.clip(np.nan_to_num(values, nan=high + 1), low, high) - (low + high) / 2)
    return bool((side[1:] * side[:-1] < 0).any())


def _column(level: Any, rows: int) -> np.ndarray:
    from thalweg.show.plots.grid import as_column

    return as_column([level] * rows)


def _spread(y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """0 and 1 moved apart a little, the same way every time."""
    return y + np.random.default_rng(2).uniform(-_SPREAD, _SPREAD, len(y))
