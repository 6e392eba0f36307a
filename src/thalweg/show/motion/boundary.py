"""A boundary that turns between two classes: the probability as shading over the plane of two columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float

from thalweg.show.motion.scene import Notice, Scene, padded
from thalweg.show.motion.subject import Subject
from thalweg.show.numbers import elide
from thalweg.show.plots.key import key_above
from thalweg.show.plots.plane import HIGH, LOW, shading
from thalweg.show.plots.style import dress, point_size

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PLACES = 61  # along each side
_HAIR = 1e-9  # on the scale of the link: nothing
SHADES = 20  # of probability: areas of one colour, which a GIF stores in little


@final
class Boundary(Scene):
    """P over two columns, the line where it is 1/2, and the outcomes.

    Parameters
    ----------
    subject : Subject
    path : array, (m, p)
        The parameters of each frame.
    across, up : str
        The columns.
    """

    note = "Line: probability 0.5."

    def __init__(self, subject: Subject, path: Float[np.ndarray, "m p"], across: str, up: str) -> None:
        self.subject, self.names = subject, (across, up)
        self.x, self.y = (np.linspace(*padded(subject.column(name)), PLACES) for name in self.names)
        right, high = np.meshgrid(self.x, self.y)
        eta = subject.along(path, {across: right.ravel(), up: high.ravel()})
        shape = (-1, *right.shape)
        self.p = subject.mean(eta).reshape(shape)
        assert subject.link is not None
        middle = subject.link.link(torch.tensor([0.5], dtype=torch.float64))
        self.height = (eta - middle).numpy().reshape(shape)  # on the scale of the link a straight boundary is straight

    def draw(self, axes: Axes) -> list[Artist]:
        from matplotlib.collections import LineCollection

        dress(axes, "", *self.names)
        axes.grid(False)
        extent = (self.x[0], self.x[-1], self.y[0], self.y[-1])
        self.shade = axes.imshow(
            self.p[0], extent=extent, origin="lower", aspect="auto", cmap=shading().resampled(SHADES), vmin=0, vmax=1,
            zorder=0, interpolation="bilinear", interpolation_stage="data",
        )  # fmt: skip
        self.line = LineCollection([], colors="black", linewidths=2.4, zorder=3)
        axes.add_collection(self.line, autolim=False)
        points = [self._points(axes, *each) for each in ((0.0, LOW, "o"), (1.0, HIGH, "^"))]
        if not self.subject.labelled:
            points = [self._shares(axes)]
        axes.set_xlim(*extent[:2])
        axes.set_ylim(*extent[2:])
        if self.subject.labelled:
            key_above(axes, points)
        self.notice = Notice(axes)
        return [self.shade, *points, self.line, self.notice.artist]

    def _points(self, axes: Axes, outcome: float, colour: str, marker: str) -> Artist:
        here = self.subject.y == outcome
        x, y = (self.subject.column(name)[here] for name in self.names)
        label = elide(f"{self.subject.response} = {self.subject.classes[int(outcome)]}", 20)
        return axes.scatter(
            x, y, s=0.8 * point_size(len(self.subject.y)), c=colour, marker=marker, edgecolors="white",
            linewidths=0.4, zorder=2, label=label,
        )  # fmt: skip

    def _shares(self, axes: Axes) -> Artist:
        x, y = (self.subject.column(name) for name in self.names)
        return axes.scatter(x, y, c=self.subject.y, cmap=shading(), vmin=0, vmax=1, edgecolors="black", linewidths=0.5)

    def move(self, frame: int) -> None:
        self.shade.set_data(self.p[frame])
        found = self.lines(frame)
        self.line.set_segments(found)
        self.notice.say("" if found else f"P {self._side(frame)} 0.5 everywhere", 0.93)

    def _side(self, frame: int) -> str:
        """Of 0.5, on which all of the picture is."""
        height = float(self.height[frame].mean())
        return "=" if abs(height) < _HAIR else ">" if height > 0 else "<"

    def lines(self, frame: int) -> list[Float[np.ndarray, "m 2"]]:
        """Where the probability is 1/2."""
        from contourpy import contour_generator

        found: Any = contour_generator(self.x, self.y, self.height[frame]).lines(0.0)
        return found
