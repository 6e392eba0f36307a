"""Row numbers beside the points that stand out, without one label over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.plots.style import TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE = TICK_SIZE + 2.0  # points from one label to the next
_USED = 0.75  # of the axes' share of the figure, what is left after titles and labels


def label_points(axes: Axes, x: Float[np.ndarray, "k"], y: Float[np.ndarray, "k"], texts: Sequence[str]) -> None:
    """Write a text beside each point: to its left in the right half of the axes, to its right elsewhere.

    Call it when the limits of the axes are final. Labels of one side that would overlap are moved apart.
    """
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    height = axes.get_position().height * axes.figure.bbox.height / axes.figure.dpi * 72 * _USED
    keep = np.isfinite(x) & np.isfinite(y) & (y >= low) & (y <= high)
    for on_left in (False, True):
        side = np.flatnonzero(keep & ((x > (left + right) / 2) == on_left))
        side = side[np.argsort(y[side])]
        heights = (y[side] - low) / (high - low) * height
        for i, shift in zip(side.tolist(), _apart(heights) - heights, strict=True):
            _annotate(axes, x[i], y[i], texts[i], on_left, shift)


def _apart(heights: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """Increasing heights, moved up and down together until they are a line apart."""
    placed = heights.copy()
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + _LINE)
    return placed - (placed - heights).mean() if len(placed) else placed


def _annotate(axes: Axes, x: float, y: float, text: str, on_left: bool, shift: float) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(-6 if on_left else 6, shift),
        textcoords="offset points",
        ha="right" if on_left else "left",
        va="center",
        fontsize=TICK_SIZE - 0.5,
        zorder=5,
    )
