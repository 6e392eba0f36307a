"""Parameters against steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.errors import OptionError
from thalweg.show.plots.key import key_above
from thalweg.show.plots.names import short_name
from thalweg.show.plots.optimum import Optimum, optimum_of
from thalweg.show.plots.style import PALETTE, caption, dress, headline, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.show.plots.run import Run

MOST = len(PALETTE)  # traces in one picture: a colour each
MARGIN = 0.07
_FURTHEST = 4.0  # how many times the way from start to optimum an axis shows of a path that runs away


def draw_traces(run: Run, parameters: Sequence[str] | None = None) -> Figure:
    """Each parameter against the steps, and its optimum dashed where that is known."""
    finite, best = run.finite(), optimum_of(run)
    chosen = chosen_parameters(run, parameters)
    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    draw_optima(axes, chosen, best)
    for colour, j in zip(PALETTE, chosen, strict=False):
        name = short_name(run.names[j], 24)
        axes.plot(finite.steps, finite.path[:, j], color=colour, linewidth=2, label=name, zorder=3)
    low, high = limits(finite.path[:, chosen], None if best is None else best.theta[chosen])
    axes.set_ylim(low, high)
    shown = in_sight(finite.path[:, chosen], low, high)
    if shown < len(finite):
        axes.set_xlim(finite.steps[0] - 0.04 * finite.steps[shown], finite.steps[shown])
    dress(axes, "", "step", "parameters")
    key_above(axes)
    headline(figure, run.title)
    caption(figure, _caption(run, chosen, best, shown))
    return figure


def in_sight(path: Float[np.ndarray, "k m"], low: float, high: float) -> int:
    """States before the first that is far outside of these limits: from there on only noise would be drawn."""
    room = high - low
    outside = ((path < low - room) | (path > high + room)).any(axis=1)
    return int(outside.argmax()) if outside.any() else len(path)


def _caption(run: Run, chosen: Sequence[int], best: Optimum | None, shown: int) -> str:
    notes = ["Dashed: the optimum."] if best is not None else []
    if shown < len(run):
        notes.append(f"From step {run.steps[shown]} on the parameters are far outside.")
    if len(chosen) < len(run.names):
        notes.append(f"{len(chosen)} of {len(run.names)} parameters are drawn.")
    return " ".join(notes)


def draw_optima(axes: Axes, chosen: Sequence[int], best: Optimum | None) -> None:
    """A dashed line at the optimum of each parameter."""
    if best is not None:
        for colour, j in zip(PALETTE, chosen, strict=False):
            axes.axhline(best.theta[j], color=colour, linestyle="--", linewidth=1.1, zorder=1)


def chosen_parameters(run: Run, parameters: Sequence[str] | None) -> list[int]:
    """The places of these parameters; without a choice, of the first few.

    Raises
    ------
    OptionError
        A name that is no parameter's, or more names than colours.
    """
    if parameters is None:
        return list(range(min(MOST, len(run.names))))
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    for name in names:
        if name not in run.names:
            raise OptionError(f"there is no parameter {name!r}", advice=f"There are {', '.join(run.names[:20])}.")
    if len(names) > MOST:
        raise OptionError(f"{len(names)} parameters in one picture", advice=f"Choose at most {MOST}: a colour each.")
    return [run.names.index(name) for name in names]


def limits(path: Float[np.ndarray, "k m"], best: Float[np.ndarray, "m"] | None) -> tuple[float, float]:
    """An axis that holds the path and the optimum; of a path that runs away, only its beginning."""
    low, high = float(path.min()), float(path.max())
    if best is not None:
        start = np.concatenate([path[0], best])
        near, far = float(start.min()), float(start.max())
        reach = _FURTHEST * max(far - near, float(np.abs(path[0] - best).max()), 1e-12)
        low, high = min(near, max(low, near - reach)), max(far, min(high, far + reach))
    margin = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
    return low - margin, high + margin
