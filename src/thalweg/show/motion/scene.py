"""What a moving picture is made of: scenes that draw once what stays and move what moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

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
