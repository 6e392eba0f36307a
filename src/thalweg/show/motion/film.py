"""A moving picture: what stays is drawn once, and over it, frame by frame, what moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import UInt8

from thalweg.show.motion.scene import Scene
from thalweg.show.motion.words import Words
from thalweg.show.plots.style import CAPTION_SIZE, DPI, NEUTRAL, new_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Image = UInt8[np.ndarray, "h w 3"]
WIDTH, HEIGHT = 600, 400  # pixels
_FOOT = 0.055  # of the height, where something must be said below


@final
@dataclass(frozen=True)
class Panel:
    """A scene and the share of the width that it gets."""

    scene: Scene
    share: float = 1.0


@final
class Film:
    """Frames of panels side by side under lines of text.

    Parameters
    ----------
    panels : sequence of Panel
    words : Words
        The text of each frame.
    frames : int
    width, height : int
        Of a frame in pixels.
    """

    def __init__(
        self, panels: Sequence[Panel], words: Words, frames: int, width: int = WIDTH, height: int = HEIGHT
    ) -> None:
        self.panels, self.words, self.frames, self.size = panels, words, frames, (width, height)

    def images(self) -> Iterator[Image]:
        """The frames, one after the other, as colours of pixels."""
        figure, moving = self._stage()
        canvas: Any = figure.canvas
        for artist, _ in moving:
            artist.set_animated(True)
            artist.set_in_layout(False)  # what moves must not push the panels about
        canvas.draw()  # lays out, and draws what stays
        figure.set_layout_engine("none")
        stage = canvas.copy_from_bbox(figure.bbox)
        for frame in range(self.frames):
            canvas.restore_region(stage)
            self._move(frame)
            for artist, axes in moving:
                (figure if axes is None else axes).draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def _move(self, frame: int) -> None:
        for panel in self.panels:
            panel.scene.move(frame)
        self.words.move(frame)

    def _stage(self) -> tuple[Any, list[tuple[Artist, Axes | None]]]:
        """The figure, and what moves with the axes it moves in."""
        width, height = self.size
        figure = new_figure(width / DPI, height / DPI)
        note = " ".join(panel.scene.note for panel in self.panels if panel.scene.note)
        foot = _FOOT * 400 / height if note else 0.0
        head = self.words.room(height)
        engine: Any = figure.get_layout_engine()
        engine.set(rect=(0.0, foot, 1.0, 1.0 - head - foot), w_pad=0.06, h_pad=0.04)
        axes = figure.subplots(1, len(self.panels), squeeze=False, width_ratios=[p.share for p in self.panels])[0]
        moving: list[tuple[Artist, Axes | None]] = []
        for panel, each in zip(self.panels, axes, strict=True):
            moving += [(artist, each) for artist in panel.scene.draw(each)]
        if note:
            figure.text(0.012, 0.012, note, fontsize=CAPTION_SIZE - 1, color=NEUTRAL, va="bottom")
        moving += [(text, None) for text in self.words.draw(figure, height)]
        return figure, moving
