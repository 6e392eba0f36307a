"""How pictures look: one palette, one size of type, no global state of matplotlib."""

from __future__ import annotations

import io
import os
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.errors import OptionError
from thalweg.show.numbers import elide

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

# Okabe & Ito (2008): told apart with every common kind of colour blindness. The first is for data, the second for fits.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D00", "#000000")
POINT, LINE, NEUTRAL = PALETTE[0], PALETTE[1], "#5F5F5F"
BAND_ALPHA, WIDE_BAND_ALPHA = 0.28, 0.12
DPI = 120
TITLE_SIZE, LABEL_SIZE, TICK_SIZE, CAPTION_SIZE = 11.5, 10, 9, 8.5
_ROOM, _WIDEST = 0.05, 0.6  # of the height of the data: margin, and how far a band may make the axis grow
TIED = "\u00a0"  # a space at which no line ends
_OPERATOR = re.compile(r"(?:\*\*|[<>=!]=|[-+*/^<>=|~])(?=\s)")
_FORMATS = ("png", "svg", "pdf", "jpg", "webp")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, drawn by Agg and known to no window."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _shown_in_notebooks()(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


@cache
def _shown_in_notebooks() -> type[Figure]:
    """A Figure that a notebook shows by itself; matplotlib's own needs pyplot to have been imported."""
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream, format="png")
            return stream.getvalue()

    return Picture


def dress(axes: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Title, labels, light grid; no box."""
    axes.set_title(elide(title, 70), fontsize=TITLE_SIZE, loc="left")
    axes.set_xlabel(elide(x, 60), fontsize=LABEL_SIZE)
    axes.set_ylabel(elide(y, 50), fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=TICK_SIZE)
    axes.grid(True, color="#E6E6E6", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def point_size(n: int) -> float:
    """Area of each of this many points: fewer are larger."""
    return 26.0 if n <= 200 else 16.0 if n <= 1000 else 8.0


def opacity(n: int) -> float:
    """Of each of this many points: many must not cover each other."""
    return 0.75 if n <= 200 else 0.45 if n <= 1000 else 0.3


def scatter(
    axes: Axes, x: ArrayLike, y: ArrayLike, *, colour: str = POINT, label: str | None = None, among: int | None = None
) -> None:
    """Data points, of a size that suits their number, or the number of all where they are some `among` others."""
    n = among if among is not None else np.size(x)
    axes.scatter(x, y, color=colour, linewidths=0, label=label, zorder=2, s=point_size(n), alpha=opacity(n))


def limit(axes: Axes, y: Float[np.ndarray, "n"], bars: Float[np.ndarray, "m"], ends: list[np.ndarray]) -> None:
    """All of the data; of error bars, curves and bands that run away only so much that the data stay large."""
    low, high = float(y.min()), float(y.max())
    every = np.concatenate([bars, *ends])
    every = every[np.isfinite(every)]
    room = _WIDEST * (high - low)
    low, high = max(float(every.min()), low - room), min(float(every.max()), high + room)
    margin = _ROOM * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def caption(figure: Figure, text: str) -> None:
    """Small print below everything, wrapped to the figure's width; `TIED` spaces end no line."""
    if text:
        lines = textwrap.wrap(text, int(figure.get_figwidth() * 14), break_on_hyphens=False)
        words = "\n".join(lines).replace(TIED, " ")
        figure.supxlabel(words, fontsize=CAPTION_SIZE, color=NEUTRAL, x=0.01, ha="left")


def headline(figure: Figure, text: str) -> None:
    """A title over several panels."""
    lines = formula_lines(text, int(figure.get_figwidth() * 10))
    figure.suptitle("\n".join(lines), fontsize=TITLE_SIZE + 1, x=0.01, ha="left")


def formula_lines(text: str, width: int, most: int = 2) -> list[str]:
    """A formula in lines of at most so many characters, broken before operators, rather outside of brackets.

    What is more than `most` lines is left out, and the last one ends in "...".

    Examples
    --------
    >>> formula_lines("y = bottom + (top - bottom) / (1 + 10 ** ((logec50 - x) * hill))", 50)
    ['y = bottom + (top - bottom)', '    / (1 + 10 ** ((logec50 - x) * hill))']
    >>> formula_lines("y = bottom + (top - bottom) / (1 + 10 ** ((logec50 - x) * hill))", 50, most=1)
    ['y = bottom + (top - bottom) / ...']
    """
    lines: list[str] = []
    rest = text
    while len(rest) > width:
        if len(lines) == most - 1:
            end = _break(rest, width - 4)
            return [*lines, rest[:end].rstrip() + f" {rest[end:].split()[0]} ..." if end else elide(rest, width)]
        end = _break(rest, width) or width
        lines.append(rest[:end].rstrip())
        rest = "    " + rest[end:].lstrip()
    return [*lines, rest]


def _break(text: str, width: int) -> int:
    """Where a line of at most this width ends best: in its second half, outside of brackets, before a sum; or 0."""
    depth = 0
    found: list[tuple[int, bool, bool, int]] = []
    for at, sign in enumerate(text[: width + 1]):
        depth += (sign in "([") - (sign in ")]")
        if at > width / 3 and sign == " " and (operator := _OPERATOR.match(text, at + 1)):
            found.append((depth, "+-".find(operator[0]) < 0, operator[0] == "**", -at))
    return -min(found)[-1] if found else 0


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a picture, all or nothing; the suffix says the format.

    Raises
    ------
    OptionError
        A suffix that is no format of pictures.
    OutputError
        The file cannot be written.
    """
    from thalweg.store.atomic import atomic_write

    suffix = Path(os.fsdecode(path)).suffix.lower().lstrip(".")
    if suffix == "jpeg":
        suffix = "jpg"
    if suffix not in _FORMATS:
        raise OptionError(
            f"a picture cannot be written as '{Path(os.fsdecode(path)).name}'",
            advice=f"End its name in one of .{', .'.join(_FORMATS)}.",
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix)
    atomic_write(path, buffer.getvalue())
