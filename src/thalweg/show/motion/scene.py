"""What a moving picture is made of: scenes that draw once what stays and move what moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.plots.style import LABEL_SIZE, LINE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WIDEST = 2.0  # times the height of the data: what axes grow to for the sake of the start
_SEEN = 0.1  # of the fit of the first frame: in the picture, that is enough
FAR = 50.0  # axes' heights beyond which a point is brought nearer: the renderer overflows at 2^31 pixels


class Scene(ABC):
    """One panel of a moving picture.

    Attributes
    ----------
    note : str
        What must be said below the picture; empty where nothing must.
    """

    note: str = ""

    @abstractmethod
    def draw(self, axes: Axes) -> list[Artist]:
        """Draw what stays, fix the axes, and give the artists that move, in the order of drawing."""

    @abstractmethod
    def move(self, frame: int) -> None:
        """Bring the artists to a frame, counted from 0."""


def near(values: Float[np.ndarray, "*n"], low: float, high: float) -> Float[np.ndarray, "*n"]:
    """Values that axes from low to high can be asked to draw: those that have left are drawn leaving."""
    reach = FAR * (high - low)
    return np.clip(np.nan_to_num(values, nan=high + reach), low - reach, high + reach)


def padded(values: Float[np.ndarray, "*n"], margin: float = 0.06) -> tuple[float, float]:
    """Limits of an axis that holds these values."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = margin * (high - low) or max(abs(high), 1.0) * margin
    return low - room, high + room


def widened(limits: tuple[float, float], first: Float[np.ndarray, "*n"], margin: float = 0.04) -> tuple[float, float]:
    """Limits of an axis for data, with room for the fit of the first frame where it would be outside.

    An axis grows to twice its height at most. Where that is too little for all of the fit, it grows for a part of it if
    next to nothing would be seen else; where it is too little to see any, it stays as it is.

    Examples
    --------
    >>> widened((4.0, 24.0), np.array([0.0, 0.0]), margin=0.0)
    (0.0, 24.0)
    >>> widened((4.0, 24.0), np.array([-100.0, -90.0]))
    (4.0, 24.0)
    """
    low, high = limits
    height = high - low
    first = first[np.isfinite(first)]
    if first.size:
        whole = _reaching(limits, first, margin * height)
        if whole[1] - whole[0] <= WIDEST * height:
            return whole
    if not first.size or ((first >= low) & (first <= high)).mean() > _SEEN:
        return low, high
    pad, reach = margin * height, (WIDEST - 1.0) * height
    lowest, highest = max(float(first.min()) - pad, low - reach), min(float(first.max()) + pad, high + reach)
    wide = (min(low, lowest), max(high, highest))
    if wide[1] - wide[0] > WIDEST * height:  # one side only: the one where more of the fit is
        wide = (wide[0], high) if (first < low).sum() >= (first > high).sum() else (low, wide[1])
    return wide if ((first >= wide[0]) & (first <= wide[1])).any() else (low, high)


def _reaching(limits: tuple[float, float], first: Float[np.ndarray, "*n"], pad: float) -> tuple[float, float]:
    """Limits that hold all of the fit, with some room on the sides where they had to grow."""
    least, most = float(first.min()), float(first.max())
    return least - pad if least < limits[0] else limits[0], most + pad if most > limits[1] else limits[1]


def absence(values: Float[np.ndarray, "*n"], low: float, high: float) -> str:
    """Where a fit is of which nothing is between low and high: "above", "below" or "outside"; else empty."""
    above, below = bool((values > high).any()), bool((values < low).any())
    if ((values >= low) & (values <= high)).any():
        return ""
    return "outside" if above == below else "above" if above else "below"


class Notice:
    """A line of text inside axes that says what is not to be seen there.

    Parameters
    ----------
    axes : Axes
    """

    def __init__(self, axes: Axes) -> None:
        box = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        self.artist = axes.text(
            0.5, 0.5, "", transform=axes.transAxes, ha="center", va="center", fontsize=LABEL_SIZE, color=LINE, zorder=8,
            bbox=box,
        )  # fmt: skip

    def say(self, text: str, height: float = 0.5) -> None:
        """Show this, or nothing where it is empty, at this share of the height."""
        self.artist.set_visible(bool(text))
        self.artist.set_text(text)
        self.artist.set_y(height)

    def say_absence(self, where: str) -> None:
        """That the fit is "above", "below" or "outside"."""
        words = {"above": "the fit is above the picture", "below": "the fit is below the picture"}
        height = {"above": 0.93, "below": 0.07}.get(where, 0.5)
        self.say(words.get(where, where and "the fit is outside the picture"), height)
