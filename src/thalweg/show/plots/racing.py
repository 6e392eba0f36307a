"""A race drawn: the excess of each solver step by step, and the ways they took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.numbers import elide
from thalweg.show.plots.loss_curve import decades
from thalweg.show.plots.style import PALETTE, TICK_SIZE, caption, dress, headline, new_figure
from thalweg.show.plots.surface import surface_of
from thalweg.show.plots.valley import draw_race

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.show.race import Race

HIGHEST = 1e3  # of the excess at the start: what is above it has left
LOWEST = 1e-2  # of the tolerance: what is below it is there
_STYLES = ("-", "--", "-.", ":")  # for more solvers than colours


def draw(race: Race, parameters: Sequence[str] | None = None) -> Figure:
    """Excess against steps; beside it the paths on one surface where there are two parameters or more."""
    runs = race.runs
    two = len(next(iter(runs.values())).names) >= 2
    figure = new_figure(11.0 if two else 7.2, 4.8)
    panels = figure.subplots(1, 2 if two else 1, squeeze=False)[0]
    draw_excess(panels[0], race)
    for i, name in enumerate(runs):
        step, height = (each[runs[name].whole] for each in excess_shown(race, name))
        panels[0].plot(
            step, height, color=colour(i), linestyle=_STYLES[i // len(PALETTE) % len(_STYLES)], linewidth=2, zorder=3,
            label=label(race, name),
        )  # fmt: skip
    panels[0].legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")
    notes = [f"Dotted: {race.tolerance:g} of the excess at the start."]
    if two:
        surface = surface_of(list(runs.values()), parameters, finer=True)
        draw_race(runs, [colour(i) for i in range(len(runs))], panels[1], surface)
        notes.append(f"Surface over two parameters, {surface.rest}." if surface.rest else "Star: the optimum.")
    headline(figure, f"{next(iter(runs.values())).loss_name}: the race")
    caption(figure, " ".join(notes))
    return figure


def colour(i: int) -> str:
    """Of the i-th solver."""
    return PALETTE[i % len(PALETTE)]


def label(race: Race, name: str) -> str:
    """A solver's name and what became of it."""
    steps = race.steps_to(name)
    return f"{elide(name, 22)}: {race.runs[name].ending if steps is None else f'{steps:,} steps'}"


def draw_excess(axes: Axes, race: Race) -> None:
    """The axes of excesses, fixed by all solvers."""
    shown = [excess_shown(race, name) for name in race.runs]
    heights = np.concatenate([height[np.isfinite(height)] for _, height in shown])
    dress(axes, "", "step", "excess over the least loss, at the start 1")
    decades(axes, np.append(heights, [race.tolerance, 1.0]))
    longest = max(float(step[np.isfinite(height)].max(initial=1.0)) for step, height in shown)
    axes.set_xlim(-0.03 * longest, 1.03 * longest)
    axes.axhline(race.tolerance, color="black", linestyle=":", linewidth=1.2, zorder=1)


def excess_shown(race: Race, name: str) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """Steps and excesses that a logarithmic axis can hold: NaN from where a solver has left, and where it is there.

    NaN, too, where only the loss of a mini-batch is known.
    """
    run, excess = race.runs[name], race.excess(name)
    with np.errstate(invalid="ignore"):
        gone = run.whole & ~(excess <= HIGHEST)
        height = np.where(excess > LOWEST * race.tolerance, excess, np.nan)
    if gone.any():
        first = int(gone.argmax())
        height[first:] = np.nan
        if np.isfinite(excess[first]):
            height[first] = min(excess[first], 10 * HIGHEST)
    return run.steps.astype(float), height
