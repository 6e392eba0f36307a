"""A race as a moving picture: the paths on the valley and the excesses, at the same steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Int

from thalweg.errors import OptionError
from thalweg.show.motion.film import Film, Panel
from thalweg.show.motion.frames import choose_frames
from thalweg.show.motion.growing import few_ticks
from thalweg.show.motion.limits import check_numbers, check_target, rate
from thalweg.show.motion.pace import pace_of_race
from thalweg.show.motion.scene import Scene
from thalweg.show.motion.valley import Valley
from thalweg.show.motion.words import LINE_HEIGHT
from thalweg.show.motion.write import write
from thalweg.show.numbers import elide
from thalweg.show.plots.racing import colour, draw_excess, excess_shown
from thalweg.show.plots.style import LABEL_SIZE, TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.show.race import Race

_ABREAST = 4  # names in a row


def animate_race(
    race: Race,
    path: Path,
    *,
    frames: int | None = None,
    every: int | None = None,
    spacing: str = "auto",
    fps: float | None = None,
    seconds: float | None = None,
    title: str | None = None,
    parameters: Sequence[str] | None = None,
    width: int = 600,
    height: int = 400,
) -> None:
    """Write a race; the frames are at steps of the solver that needed the most."""
    check_target(path)
    check_numbers(fps, seconds, width, height)
    if path.suffix.lower() == ".html":
        raise OptionError("a race has no page", advice="End its name in .gif, .webp or .mp4.")
    runs = {name: run.finite() for name, run in race.runs.items()}
    steps = np.unique(np.concatenate([run.steps for run in runs.values()]))
    steps = steps[choose_frames(steps, frames, every, spacing, lambda: pace_of_race(runs, steps))]
    places = [np.searchsorted(run.steps, steps, side="right") - 1 for run in runs.values()]
    panels = [Panel(Excesses(race, places), 0.5)]
    if len(next(iter(runs.values())).names) >= 2:
        panels.insert(0, Panel(Valley(runs, places, parameters, key=False), 0.5))
    loss = next(iter(runs.values())).loss_name
    film = Film(panels, Counter(steps, loss if title is None else title, list(runs)), len(steps), width, height)
    write(film.images(), path, rate(len(steps), fps, seconds))


@final
class Excesses(Scene):
    """The excess of each solver up to each frame.

    Parameters
    ----------
    race : Race
    places : sequence of arrays of int, (m,)
        For each solver its state at each frame.
    """

    def __init__(self, race: Race, places: Sequence[Int[np.ndarray, "m"]]) -> None:
        self.race, self.places = race, places
        self.shown = [excess_shown(race, name) for name in race.runs]
        self.note = f"Dotted: {race.tolerance:g} of the excess at the start."

    def draw(self, axes: Axes) -> list[Artist]:
        draw_excess(axes, self.race)
        few_ticks(axes)
        axes.set_xlabel("step")
        axes.set_ylabel("")
        title = axes.set_title("excess over the least loss", fontsize=TICK_SIZE, loc="right", pad=4)
        title.set_in_layout(False)
        self.lines = [axes.plot([], [], color=colour(i), linewidth=2.2)[0] for i in range(len(self.shown))]
        self.dots = [axes.plot([], [], "o", color=colour(i), markersize=7)[0] for i in range(len(self.shown))]
        return [*self.lines, *self.dots]

    def move(self, frame: int) -> None:
        runs = self.race.runs.values()
        for line, dot, run, places, (step, height) in zip(
            self.lines, self.dots, runs, self.places, self.shown, strict=True
        ):
            known = np.flatnonzero(run.whole[: int(places[frame]) + 1])
            line.set_data(step[known], height[known])
            dot.set_data(step[known[-1:]], height[known[-1:]])


@final
class Counter:
    """The step, beside a title, and below them the names of the solvers in their colours.

    Parameters
    ----------
    steps : array of int, (m,)
        Of the frames.
    title : str
    names : sequence of str
    """

    def __init__(self, steps: Int[np.ndarray, "m"], title: str, names: Sequence[str]) -> None:
        self.steps, self.title, self.names = steps, title, names

    def room(self, height: int) -> float:
        return ((1 + self._rows) * LINE_HEIGHT + 12) / height

    @property
    def _rows(self) -> int:
        return -(-len(self.names) // _ABREAST)

    def draw(self, figure: Figure, height: int) -> list[Artist]:
        from matplotlib.lines import Line2D

        at = 1.0 - 0.012 - 0.5 * LINE_HEIGHT / height
        self.step = figure.text(0.015, at, "", fontsize=LABEL_SIZE + 0.5, fontweight="bold", va="center")
        figure.text(0.36, at, elide(self.title, 50), fontsize=LABEL_SIZE, va="center")
        keys = [Line2D([], [], color=colour(i), marker="o", linewidth=2.2) for i in range(len(self.names))]
        figure.legend(
            keys, [elide(name, 18) for name in self.names], loc="upper left", frameon=False, fontsize=TICK_SIZE,
            ncols=min(_ABREAST, len(self.names)), bbox_to_anchor=(0.0, at - 0.5 * LINE_HEIGHT / height),
            borderpad=0.2, borderaxespad=0.2, handlelength=1.4, columnspacing=1.2, handletextpad=0.5,
        )  # fmt: skip
        return [self.step]

    def move(self, frame: int) -> None:
        self.step.set_text(f"step {self.steps[frame]:,}")
