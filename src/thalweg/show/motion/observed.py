"""Fitted values against observed ones, for predictors that no plane can hold; and bars, for a few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float

from thalweg.show.motion.scene import Notice, Scene, absence, near, padded, widened
from thalweg.show.motion.subject import Subject
from thalweg.show.plots.key import key_above
from thalweg.show.plots.style import LINE, NEUTRAL, POINT, dress, opacity, point_size

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST_BARS = 16


@final
class Observed(Scene):
    """Fitted against observed: a perfect fit lies on the diagonal.

    Parameters
    ----------
    subject : Subject
    path : array, (m, p)
        The parameters of each frame.
    """

    note = "Dashed: where fitted equals observed."

    def __init__(self, subject: Subject, path: Float[np.ndarray, "m p"]) -> None:
        self.subject = subject
        self.shown = np.arange(len(subject.y))
        self.means = subject.mean(subject.fitted(path))
        self.across = padded(subject.y, 0.1)
        self.limits = widened(self.across, self.means[0])

    def draw(self, axes: Axes) -> list[Artist]:
        n = len(self.subject.y)
        dress(axes, "", f"{self.subject.response}, observed", f"{self.subject.response}, fitted")
        axes.axline((0, 0), slope=1, color=NEUTRAL, linestyle="--", linewidth=1.2, zorder=1)
        axes.set_xlim(*self.across)
        axes.set_ylim(*self.limits)
        self.points = axes.scatter(
            self.subject.y, self.subject.y, s=point_size(n), alpha=opacity(n), color=LINE, linewidths=0, zorder=2
        )
        self.notice = Notice(axes)
        return [self.points, self.notice.artist]

    def move(self, frame: int) -> None:
        self.notice.say_absence(absence(self.means[frame], *self.limits))
        self.points.set_offsets(np.column_stack([self.subject.y, near(self.means[frame], *self.limits)]))


@final
class Bars(Scene):
    """Prediction beside truth, entry by entry.

    Parameters
    ----------
    subject : Subject
    path : array, (m, p)
        The parameters of each frame.
    """

    def __init__(self, subject: Subject, path: Float[np.ndarray, "m p"]) -> None:
        self.subject, self.means = subject, subject.mean(subject.fitted(path))
        held = np.concatenate([subject.y, self.means[0], self.means[-1], [0.0]])
        low, high = padded(np.clip(held, *_around(subject.y)), 0.12)
        self.limits = (0.0 if held.min() >= 0 else low, high)

    def draw(self, axes: Axes) -> list[Artist]:
        places = np.arange(len(self.subject.y))
        dress(axes, "", "entry", self.subject.response)
        axes.bar(places - 0.2, self.subject.y, width=0.38, color=POINT, label="truth", zorder=2)
        axes.set_ylim(*self.limits)
        axes.set_xlim(-0.6, len(places) - 0.4)
        axes.set_xticks(places)
        self.bars = axes.bar(places + 0.2, self.means[0], width=0.38, color=LINE, label="prediction", zorder=2)
        axes.axhline(0, color=NEUTRAL, linewidth=0.8)
        key_above(axes)
        return list(self.bars)

    def move(self, frame: int) -> None:
        for bar, height in zip(self.bars, near(self.means[frame], *self.limits), strict=True):
            bar.set_height(float(height))


def _around(y: Float[np.ndarray, "n"]) -> tuple[float, float]:
    """What the axis of bars may grow to for the sake of predictions."""
    reach = 1.5 * float(np.abs(y).max() or 1.0)
    return -reach, reach
