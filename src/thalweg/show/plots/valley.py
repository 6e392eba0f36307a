"""The loss surface drawn: contours and in three dimensions, with the paths of descents on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from thalweg.show.plots.key import key_above
from thalweg.show.plots.names import short_name
from thalweg.show.plots.run import Run
from thalweg.show.plots.style import LINE, NEUTRAL, TICK_SIZE, caption, dress, headline, new_figure
from thalweg.show.plots.surface import Surface, surface_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

LEVELS = 16
_DEEPEST = 1e-3  # of the height of a window: the lowest contour above the optimum
_COLOURS = ("#3B5B7A", "#8FA9C2", "#DCE6EE", "#F7FAFC")  # the deeper the darker; paths and marks stand out on all
_FAR = 20.0  # windows: what is further out is not drawn
_THIN, _THICK = 0.7, 1.6
_MARKED = 60  # states of so short a path get a dot each


def colours() -> Colormap:
    """From the floor of the valley to its rim."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("valley", _COLOURS)


def levels(surface: Surface) -> Float[np.ndarray, "k"]:
    """Heights of contours, closer together towards the floor."""
    floor = surface.z.min() if surface.best is None else min(surface.best.value, float(surface.z.min()))
    finite = surface.z[np.isfinite(surface.z)]
    height = float(finite.max()) - floor
    return floor + np.concatenate([[0.0], height * np.geomspace(_DEEPEST, 1.0, LEVELS)])


def draw_contours(axes: Axes, surface: Surface, names: Sequence[str]) -> None:
    """The valley from above, with its optimum."""
    at = levels(surface)
    x, y, z = surface.x, surface.y, np.clip(surface.z, at[0], at[-1])
    # Each band has a colour of its own: the levels are far from evenly spaced.
    shades = colours()(np.linspace(0, 1, len(at) - 1))
    axes.contourf(x, y, z, levels=at, colors=shades, zorder=0)
    axes.contour(x, y, z, levels=at[1:-1], colors="white", linewidths=0.6, zorder=1)
    if surface.best is not None:
        across, up = (surface.best.theta[j] for j in surface.pair)
        axes.plot(
            [across], [up], "*", color="black", markersize=13, markeredgecolor="white", zorder=6, label="optimum",
            linestyle="none",
        )  # fmt: skip
    dress(axes, "", *(short_name(names[j], 40) for j in surface.pair))
    axes.grid(False)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def draw_path(
    axes: Axes,
    surface: Surface,
    run: Run,
    colour: str = LINE,
    label: str | None = None,
    *,
    width: float = 1.6,
    above: int = 0,
) -> None:
    """The way of one descent, its start a ring, its end a disc; above so many others."""
    z = 3 + 0.01 * above
    across, up = way(surface, run)
    marker = "." if len(run) <= _MARKED else ""
    axes.plot(across, up, color=colour, linewidth=width, marker=marker, markersize=5, zorder=z, label=label)
    axes.plot(across[:1], up[:1], "o", markersize=8, markerfacecolor="white", markeredgecolor=colour, zorder=z + 1)
    axes.plot(across[-1:], up[-1:], "o", markersize=8, color=colour, markeredgecolor="white", zorder=z + 2)


def way(surface: Surface, run: Run) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """A path across and up, as far as it can be drawn.

    The first state that is far outside of the window is brought nearer along the way to it, so that the path is seen
    leaving in its own direction; what comes after it is not drawn.
    """
    path = run.path[:, list(surface.pair)].copy()
    corner = np.array([surface.x[0], surface.y[0]])
    width = np.array([surface.x[-1], surface.y[-1]]) - corner
    outside = np.abs((path - corner) / width - 0.5).max(axis=1)
    gone = outside > _FAR
    if gone.any():
        first = max(1, int(gone.argmax()))
        step = path[first] - path[first - 1]
        path[first] = path[first - 1] + step * min(1.0, _FAR / float(np.abs(step / width).max()))
        path[first + 1 :] = np.nan
    return path[:, 0], path[:, 1]


def draw_surface(run: Run, parameters: Sequence[str] | None = None) -> Figure:
    """Contours of the loss over two parameters, with the path."""
    finite = run.finite()
    surface = surface_of(run, parameters, finer=True)
    figure = new_figure(7.2, 5.4)
    axes = figure.subplots()
    draw_contours(axes, surface, run.names)
    draw_path(axes, surface, finite, label="descent")
    _key(axes)
    headline(figure, f"{run.loss_name}: {run.title}")
    caption(figure, _notes(run, surface))
    return figure


def draw_race(runs: Mapping[str, Run], colours: Sequence[str], axes: Axes, surface: Surface) -> None:
    """Several paths on one valley."""
    draw_contours(axes, surface, next(iter(runs.values())).names)
    # Those that ran away first and thin: they go to and fro over everything.
    order = sorted(zip(runs.items(), colours, strict=False), key=lambda each: not each[0][1].ran_away)
    for place, ((name, run), colour) in enumerate(order):
        width = _THIN if run.ran_away else _THICK
        draw_path(axes, surface, run.finite(), colour, name, width=width, above=place)


def _key(axes: Axes) -> None:
    axes.plot([], [], "o", markerfacecolor="white", markeredgecolor=LINE, markersize=8, label="start", linestyle="none")
    axes.plot([], [], "o", color=LINE, markersize=8, label="end", linestyle="none")
    key_above(axes)


def _notes(run: Run, surface: Surface) -> str:
    path = run.path[:, list(surface.pair)]
    low, high = np.array([surface.x[0], surface.y[0]]), np.array([surface.x[-1], surface.y[-1]])
    leaves = not bool(((path >= low) & (path <= high)).all())  # NaN leaves too
    notes = [f"Over two of {len(run.names)} parameters, {surface.rest}." if surface.rest else ""]
    notes.append("The path leaves the window." if leaves else "")
    notes.append("" if surface.best is not None else "No optimum is marked: none was found.")
    return " ".join(note for note in notes if note)


def draw_surface3d(run: Run, parameters: Sequence[str] | None = None) -> Figure:
    """The valley in three dimensions, with the path at its own loss."""
    finite, surface = run.finite(), surface_of(run, parameters)
    figure = new_figure(7.4, 6.2)
    axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
    right, high = np.meshgrid(surface.x, surface.y)
    axes.plot_surface(
        right, high, surface.z, cmap=colours(), norm=_norm(surface), alpha=0.9, linewidth=0.25, edgecolor="#7C93A8",
        rcount=30, ccount=30, zorder=1,
    )  # fmt: skip
    _path3d(axes, surface, finite)
    _dress3d(axes, run, surface)
    headline(figure, f"{run.loss_name}: {run.title}")
    above = "" if not surface.rest else "The path is drawn at its own loss, on or above the surface."
    caption(figure, " ".join(filter(None, [_notes(run, surface), above])))
    return figure


def _norm(surface: Surface) -> Any:
    from matplotlib.colors import BoundaryNorm

    at = levels(surface)
    return BoundaryNorm(at, 256)


def _path3d(axes: Any, surface: Surface, run: Run) -> None:
    across, up, height = (run.path[:, surface.pair[0]], run.path[:, surface.pair[1]], run.value)
    top = np.nanmax(np.where(np.isfinite(surface.z), surface.z, np.nan))
    outside = (across < surface.x[0]) | (across > surface.x[-1]) | (up < surface.y[0]) | (up > surface.y[-1])
    height = np.where(outside | (height > top), np.nan, height)  # three-dimensional axes do not cut at their limits
    # Lifted by a hair, or the surface hides half of it.
    lifted = height + 0.008 * (top - surface.z.min())
    axes.plot(across, up, lifted, color=LINE, linewidth=2.2, zorder=4, label="descent")
    axes.plot(across[:1], up[:1], lifted[:1], "o", markersize=8, mfc="white", mec=LINE, zorder=5, label="start")
    axes.plot(across[-1:], up[-1:], lifted[-1:], "o", markersize=8, color=LINE, zorder=6, label="end")
    if surface.best is not None:
        point = [[surface.best.theta[j]] for j in surface.pair]
        axes.plot(
            *point, [surface.best.value], "*", color="black", mec="white", markersize=13, zorder=7, label="optimum"
        )


def _dress3d(axes: Any, run: Run, surface: Surface) -> None:
    axes.set_xlabel(short_name(run.names[surface.pair[0]], 24), labelpad=8)
    axes.set_ylabel(short_name(run.names[surface.pair[1]], 24), labelpad=8)
    axes.set_zlabel("loss", labelpad=6, color=NEUTRAL)
    axes.tick_params(labelsize=TICK_SIZE)
    axes.view_init(elev=38, azim=-58)
    axes.set_xlim(surface.x[0], surface.x[-1])
    axes.set_ylim(surface.y[0], surface.y[-1])
    axes.set_zlim(float(surface.z.min()), float(np.nanmax(surface.z)))
    axes.set_box_aspect(None, zoom=0.92)
    axes.legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="upper left")
