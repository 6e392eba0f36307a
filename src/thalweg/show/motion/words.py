"""The text of a frame: iteration, loss, parameters, each at its own place so that nothing jumps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, final

import numpy as np

from thalweg.show.numbers import elide, magnitude
from thalweg.show.plots.names import short_name
from thalweg.show.plots.run import Run
from thalweg.show.plots.style import CAPTION_SIZE, LABEL_SIZE, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_MOST_NAMED, _MANY = 4, 20  # parameters whose values are written; of how many none is
LINE_HEIGHT = 21  # pixels of a line of text
_DIGITS, _MOST_DECIMALS = 4, 4
_LARGE, _SMALL = 1e5, 1e-3  # outside of these a loss is written with an exponent
_SECOND = 0.36  # of the width: where the loss stands
_LEFT = 0.015
_CHARACTER = 9.2  # pixels, of the parameters' text
_GAP, _MORE = 3, 12  # characters between two of them, and of "and 12 more"
_MINUS = "\N{MINUS SIGN}"


class Words(Protocol):
    """Text above a moving picture."""

    def room(self, height: int) -> float:
        """The share of a frame of this height that it takes."""

    def draw(self, figure: Figure, height: int) -> list[Artist]:
        """Make the texts; those that change come back."""

    def move(self, frame: int) -> None:
        """Bring the texts to a frame."""


@final
class Telling(Words):
    """Iteration, loss, and the parameters by name: as many as have room.

    Parameters
    ----------
    run : Run
        Its states are the frames.
    title : str
        Above everything.
    width : int
        Of a frame in pixels.
    """

    def __init__(self, run: Run, title: str, width: int = 600) -> None:
        self.run, self.title, self.room_across = run, title, width / _CHARACTER
        size = len(run.names)
        self.decimals = [_decimals(column) for column in run.path[:, :_MOST_NAMED].T.tolist()]
        names = [short_name(name, 22 if size <= 2 else 11) for name in run.names[:_MOST_NAMED]]
        values = zip(names, self.decimals, run.path[:, :_MOST_NAMED].T.tolist(), strict=True)
        self.widths = [len(name) + _GAP + max(len(number_text(v, d)) for v in column) for name, d, column in values]
        self.names = names[: _fitting(self.widths, size, self.room_across)]
        left = size - len(self.names)
        self.rest = "" if not left else f"and {left} more" if self.names else f"{size:,} parameters"

    def room(self, height: int) -> float:
        return (3 * LINE_HEIGHT + 8) / height

    def draw(self, figure: Figure, height: int) -> list[Artist]:
        line = LINE_HEIGHT / height
        first, second, third = (1.0 - 0.012 - (i + 0.5) * line for i in range(3))
        title = elide(self.title, int(figure.get_figwidth() * 13))
        figure.text(_LEFT, first, title, fontsize=CAPTION_SIZE, color=NEUTRAL, va="center")
        self.step = figure.text(_LEFT, second, "", fontsize=LABEL_SIZE + 0.5, fontweight="bold", va="center")
        self.loss = figure.text(_SECOND, second, "", fontsize=LABEL_SIZE + 0.5, fontweight="bold", va="center")
        *places, end = self._places()
        self.values = [figure.text(at, third, "", fontsize=LABEL_SIZE - 0.5, va="center") for at in places]
        figure.text(end, third, self.rest, fontsize=LABEL_SIZE - 0.5, va="center")
        return [self.step, self.loss, *self.values]

    def _places(self) -> list[float]:
        """Where the parameters are written, and what follows them, as shares of the width."""
        widths = self.widths[: len(self.names)]
        if len(widths) == 2 and not self.rest and widths[0] <= _SECOND * self.room_across:
            return [_LEFT, _SECOND, 1.0]  # below the iteration and the loss
        return [_LEFT + float(end) / self.room_across for end in np.cumsum([0, *widths])]

    def move(self, frame: int) -> None:
        self.step.set_text(f"iteration {self.run.steps[frame]:,}")
        self.loss.set_text(f"loss {loss_text(float(self.run.value[frame]))}")
        for j, (text, name) in enumerate(zip(self.values, self.names, strict=True)):
            text.set_text(f"{name} {number_text(float(self.run.path[frame, j]), self.decimals[j])}")


def _fitting(widths: list[int], size: int, room: float) -> int:
    """How many parameters are written: none of very many."""
    if size > _MANY:
        return 0
    ends = np.cumsum(widths)
    if len(widths) == size and ends[-1] <= room + _GAP:
        return size
    return int((ends + _MORE <= room).sum())


def loss_text(value: float) -> str:
    """A loss to four digits: "0.6023", "12.34", "4.2e+17".

    Examples
    --------
    >>> [loss_text(v) for v in (0.60234, 132.5, 0.0, 4.2e17, 3e-7, float("inf"))]
    ['0.6023', '132.5', '0', '4.200e+17', '3.000e-07', 'inf']
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if not _SMALL <= abs(value) < _LARGE:
        return f"{value:.{_DIGITS - 1}e}"
    return f"{value:.{max(_DIGITS - 1 - magnitude(value), 0)}f}"


def number_text(value: float, decimals: int) -> str:
    """A parameter with these decimals, its sign always there; with an exponent where it has run away."""
    text = f"{abs(value):.{decimals}f}" if abs(value) < _LARGE else f"{abs(value):.3e}"
    return f"{_MINUS if value < 0 else '+'}{text}"


def _decimals(values: list[float]) -> int:
    """Decimals that show the digits of a parameter where it ends, the same in all frames."""
    end = next((abs(v) for v in reversed(values) if math.isfinite(v) and v), 1.0)
    return min(max(_DIGITS - 1 - magnitude(end), 0), _MOST_DECIMALS) if end < _LARGE else 3
