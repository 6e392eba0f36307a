"""The text of a frame: step, loss, parameters, each at its own place so that nothing jumps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, final

from thalweg.show.numbers import elide, magnitude
from thalweg.show.plots.names import short_name
from thalweg.show.plots.run import Run
from thalweg.show.plots.style import CAPTION_SIZE, DPI, LABEL_SIZE, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_MOST_NAMED, _MANY = 4, 20  # parameters whose values are written; of how many none is
LINE_HEIGHT = 21  # pixels of a line of text
_DIGITS, _MOST_DECIMALS = 4, 4
_LARGE, _SMALL = 1e5, 1e-3  # outside of these a loss is written with an exponent
_SECOND = 0.36  # of the width: where the loss stands
_LEFT = 0.015
_VALUE_SIZE = LABEL_SIZE - 0.5
_GAP = 22  # pixels between two parameters
_MOST_LINES = 2  # of parameters
_LONG, _SHORT = 22, 11  # characters of a name, of up to two parameters and of more
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
    """Step, loss, and the parameters by name: as many as have room in two lines.

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
        self.run, self.title, self.width = run, title, width
        size = len(run.names)
        named = min(size, _MOST_NAMED) if size <= _MANY else 0
        columns = run.path[:, :named].T.tolist()
        self.decimals = [_decimals(column) for column in columns]
        self.names = [short_name(name, _LONG if size <= 2 else _SHORT) for name in run.names[:named]]
        values = zip(self.names, self.decimals, columns, strict=True)
        widths = [_pixels(f"{name} {_longest(column, d)}") for name, d, column in values]
        for fewer in range(named, -1, -1):  # as many as have room with what is said of the others
            self.names, left = self.names[:fewer], size - fewer
            self.rest = "" if not left else f"and {left:,} more" if fewer else f"{size:,} parameters"
            self.places, self.lines = _placed([*widths[:fewer], *([_pixels(self.rest)] if left else [])], width)
            if self.lines <= _MOST_LINES:
                break

    def room(self, height: int) -> float:
        return ((2 + self.lines) * LINE_HEIGHT + 8) / height

    def draw(self, figure: Figure, height: int) -> list[Artist]:
        line = LINE_HEIGHT / height
        first, second, *others = (1.0 - 0.012 - (i + 0.5) * line for i in range(2 + self.lines))
        title = elide(self.title, int(figure.get_figwidth() * 13))
        figure.text(_LEFT, first, title, fontsize=CAPTION_SIZE, color=NEUTRAL, va="center")
        self.step = figure.text(_LEFT, second, "", fontsize=LABEL_SIZE + 0.5, fontweight="bold", va="center")
        self.loss = figure.text(_SECOND, second, "", fontsize=LABEL_SIZE + 0.5, fontweight="bold", va="center")
        texts = [figure.text(at, others[i], "", fontsize=_VALUE_SIZE, va="center") for at, i in self.places]
        self.values = texts[: len(self.names)]
        if self.rest:
            texts[-1].set_text(self.rest)
        return [self.step, self.loss, *self.values]

    def move(self, frame: int) -> None:
        self.step.set_text(f"step {self.run.steps[frame]:,}")
        self.loss.set_text(f"loss {loss_text(float(self.run.value[frame]))}")
        for j, (text, name) in enumerate(zip(self.values, self.names, strict=True)):
            text.set_text(f"{name} {number_text(float(self.run.path[frame, j]), self.decimals[j])}")


def _placed(widths: list[float], width: int) -> tuple[list[tuple[float, int]], int]:
    """Where texts of these widths stand, as a share of the width and a line, and how many lines they take."""
    if len(widths) == 2 and widths[0] + _GAP <= (_SECOND - _LEFT) * width and widths[1] <= (1 - _SECOND) * width:
        return [(_LEFT, 0), (_SECOND, 0)], 1  # below the step and the loss
    places: list[tuple[float, int]] = []
    at, line = _LEFT * width, 0
    for each in widths:
        if places and at + each > width * (1 - _LEFT):
            at, line = _LEFT * width, line + 1
        places.append((at / width, line))
        at += each + _GAP
    return places, line + 1


def _longest(values: list[float], decimals: int) -> str:
    return max((number_text(value, decimals) for value in values), key=len)


def _pixels(text: str) -> float:
    """The width of a parameter's text."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(size=_VALUE_SIZE)))
    font.set_size(_VALUE_SIZE, DPI)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64


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
