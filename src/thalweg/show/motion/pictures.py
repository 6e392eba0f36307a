"""Pictures side by side: what went in, what should come out, what does, and the error that is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.show.motion.scene import Scene
from thalweg.show.motion.subject import TensorSubject
from thalweg.show.plots.style import LABEL_SIZE, TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LEAST_SIDE = 4  # pixels: what is smaller is a matrix and not a picture
_COLOURS = (3, 4)  # in the last dimension of a colour picture


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape is looked at rather than read."""
    sides = shape[:-1] if len(shape) == 3 and shape[-1] in _COLOURS else shape
    return len(sides) == 2 and min(sides) >= LEAST_SIDE


@final
class Pictures(Scene):
    """x, y, prediction and error.

    Parameters
    ----------
    subject : TensorSubject
    path : array, (m, p)
        The parameters of each frame.
    """

    def __init__(self, subject: TensorSubject, path: Float[np.ndarray, "m p"]) -> None:
        shape = tuple(subject.problem.y.shape)
        self.x = subject.problem.x.detach().double().cpu().numpy()
        self.y = subject.y.reshape(shape)
        self.means = subject.mean(subject.fitted(path)).reshape(-1, *shape)
        self.colour = len(shape) == 3
        self.low, self.high = float(self.y.min()), float(self.y.max())
        self.worst = float(np.abs(self.means[0] - self.y).max()) or 1.0

    def draw(self, axes: Axes) -> list[Artist]:
        axes.set_axis_off()
        places = [(0.0, 0.52), (0.51, 0.52), (0.0, 0.0), (0.51, 0.0)]
        panels = [axes.inset_axes((x, y, 0.49, 0.4)) for x, y in places]
        self._still(panels[0], self.x, "x")
        self._still(panels[1], self.y, "y")
        self.prediction = self._still(panels[2], self.means[0], "prediction", limits=(self.low, self.high))
        self.error = self._error(panels[3])
        return [self.prediction, self.error]

    def _still(self, axes: Axes, picture: np.ndarray, title: str, limits: tuple[float, float] | None = None) -> Any:
        low, high = (float(picture.min()), float(picture.max())) if limits is None else limits
        axes.set_title(title, fontsize=LABEL_SIZE, pad=3)
        axes.set_xticks([])
        axes.set_yticks([])
        if self.colour:
            return axes.imshow(_as_colours(picture, low, high), interpolation="nearest")
        return axes.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")

    def _error(self, axes: Axes) -> Any:
        """|prediction - y|, from white to black blue; the scale is that of the first frame."""
        axes.set_title("error", fontsize=LABEL_SIZE, pad=3)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.tick_params(labelsize=TICK_SIZE)
        return axes.imshow(self._errors(0), cmap="cividis", vmin=0, vmax=self.worst, interpolation="nearest")

    def _errors(self, frame: int) -> np.ndarray:
        error = np.abs(self.means[frame] - self.y)
        return error.mean(axis=-1) if self.colour else error

    def move(self, frame: int) -> None:
        picture = self.means[frame]
        self.prediction.set_data(_as_colours(picture, self.low, self.high) if self.colour else picture)
        self.error.set_data(self._errors(frame))


def _as_colours(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((picture - low) / ((high - low) or 1.0), 0.0, 1.0)
