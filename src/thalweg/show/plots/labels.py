"""Row numbers beside the points that stand out, without one label over another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.plots.style import NEUTRAL, TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = TICK_SIZE - 0.5
_LINE, _CHARACTER, _GAP = SIZE + 2.0, 0.66 * SIZE, 6.0  # of a label, in points
_USED = 0.85  # of the axes' share of the figure, what is left after titles and labels

Box = tuple[float, float, float, float]  # left, right, bottom, top


def label_points(axes: Axes, x: Float[np.ndarray, "k"], y: Float[np.ndarray, "k"], texts: Sequence[str]) -> None:
    """Ring each point and write its text beside it, where that covers no other label and no other of these points.

    Call it when the limits of the axes are final: they are kept as they are. A label that had to move away from its
    point is tied to it by a thin line.
    """
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    width, height = _size(axes)
    across, up = _fraction(x, axes.get_xlim()) * width, _fraction(y, axes.get_ylim()) * height
    points = [(a - 3, a + 3, b - 3, b + 3) for a, b in zip(across, up, strict=True)]
    taken: list[Box] = []
    for i, text in enumerate(texts):
        if not (0 <= across[i] <= width and 0 <= up[i] <= height):  # False for NaN too
            continue
        others = points[:i] + points[i + 1 :]
        move = _free_place(across[i], up[i], _CHARACTER * len(text), (width, height), taken + others)
        taken.append(_box(across[i], up[i], _CHARACTER * len(text), move))
        _annotate(axes, x[i], y[i], text, move)
        axes.plot(x[i], y[i], "o", markersize=6.5, fillstyle="none", color="black", markeredgewidth=0.8, zorder=5)


def _size(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes in points, before the layout is final."""
    figure, place = axes.figure, axes.get_position()
    inch = 72 * _USED / figure.dpi
    return place.width * figure.bbox.width * inch, place.height * figure.bbox.height * inch


def _fraction(values: Float[np.ndarray, "k"], limits: tuple[float, float]) -> Float[np.ndarray, "k"]:
    return (values - limits[0]) / (limits[1] - limits[0])


def _free_place(x: float, y: float, width: float, room: tuple[float, float], taken: list[Box]) -> tuple[bool, float]:
    """The first place, as (to the left, shift upwards), that is inside the axes and free; else the first of all."""
    places = list(_places(x > room[0] / 2))
    for place in places:
        left, right, bottom, top = box = _box(x, y, width, place)
        inside = left >= 0 and right <= room[0] and bottom >= 0 and top <= room[1]
        if inside and not any(_overlap(box, other) for other in taken):
            return place
    return places[0]


def _places(left_first: bool) -> Iterator[tuple[bool, float]]:
    for shift in (0, _LINE, -_LINE, 2 * _LINE, -2 * _LINE, 3 * _LINE, -3 * _LINE):
        yield left_first, shift
        yield not left_first, shift


def _box(x: float, y: float, width: float, place: tuple[bool, float]) -> Box:
    to_left, shift = place
    left = x - _GAP - width if to_left else x + _GAP
    return left, left + width, y + shift - _LINE / 2, y + shift + _LINE / 2


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def _annotate(axes: Axes, x: float, y: float, text: str, place: tuple[bool, float]) -> None:
    from matplotlib.patheffects import withStroke

    to_left, shift = place
    axes.annotate(
        text,
        (x, y),
        xytext=(-_GAP if to_left else _GAP, shift),
        textcoords="offset points",
        ha="right" if to_left else "left",
        va="center",
        fontsize=SIZE,
        zorder=6,
        path_effects=[withStroke(linewidth=2.2, foreground="white")],
        arrowprops={"arrowstyle": "-", "color": NEUTRAL, "linewidth": 0.6, "shrinkA": 0} if shift else None,
    )
