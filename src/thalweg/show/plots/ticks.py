"""Names of levels below an axis, turned or thinned so that none runs into its neighbour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from thalweg.show.numbers import elide
from thalweg.show.plots.style import TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 16  # characters of a name
_CHARACTER, _LINE = 0.64 * TICK_SIZE, 1.4 * TICK_SIZE  # of a label, in points
_SLANT = 35  # degrees


def name_levels(axes: Axes, levels: Sequence[object]) -> None:
    """Ticks at 0, 1, ... with the levels' names; a tick without a name marks a level between two that have one."""
    places = np.arange(len(levels))
    names = [elide(str(level), LONGEST) for level in levels]
    rotation, step = turned(names, _width(axes) / max(len(names), 1))
    axes.set_xticks(places[::step], names[::step], rotation=rotation, ha="right" if rotation == _SLANT else "center")
    axes.set_xticks(places, minor=True)
    axes.set_xlim(-0.6, len(names) - 0.4)


def turned(names: Sequence[str], room: float) -> tuple[int, int]:
    """By how many degrees names are turned, and every how-many-th is shown, with `room` points for each.

    Examples
    --------
    >>> turned(["north", "south"], 100), turned(["level 10"] * 20, 30), turned(["level 10"] * 60, 7)
    ((0, 1), (35, 1), (90, 2))
    """
    widest = max((len(a) + len(b) for a, b in pairwise(names)), default=0) / 2
    if _CHARACTER * (widest + 1) <= room:
        return 0, 1
    if room * math.sin(math.radians(_SLANT)) >= _LINE:
        return _SLANT, 1
    return 90, math.ceil(_LINE / room)


def _width(axes: Axes) -> float:
    """Of the axes in points, before the layout is final."""
    figure = axes.figure
    return 72 * float(axes.get_position().width * figure.bbox.width / figure.dpi)
