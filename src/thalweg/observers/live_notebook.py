"""The live view in a notebook: one picture below the cell, drawn by matplotlib and replaced in place."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.observers.live import Watched


@final
class Notebook:
    """Draws through IPython's display.

    Parameters
    ----------
    display : module, optional
        IPython.display by default.

    Raises
    ------
    NotAvailableError
        IPython is not installed.
    """

    def __init__(self, display: Any = None) -> None:
        self._display = _ipython() if display is None else display
        self._handle: Any = None

    def open(self, watched: Watched) -> None:
        importlib.import_module("matplotlib.backends.backend_agg")
        self._handle = None

    def draw(self, watched: Watched) -> None:
        figure = frame_figure(watched)
        if self._handle is None:
            self._handle = self._display.display(figure, display_id=True)
        else:
            self._handle.update(figure)

    def close(self) -> None:
        self._handle = None


def _ipython() -> Any:
    try:
        return importlib.import_module("IPython.display")
    except ImportError as missing:
        raise NotAvailableError(
            "a live view in a notebook needs IPython, which is not installed",
            advice='Install ipython, or use Live("terminal").',
        ) from missing


def frame_figure(watched: Watched) -> Figure:
    """The loss over the steps, with the line of text above it."""
    from thalweg.observers.live_terminal import line_text, second_line
    from thalweg.show.plots.style import LINE, NEUTRAL, dress, new_figure

    figure = new_figure(7.2, 3.2)
    axes = figure.subplots()
    points = [(s, v) for s, v in zip(watched.steps, watched.losses, strict=True) if math.isfinite(v)]
    axes.plot([s for s, _ in points], [v for _, v in points], color=LINE, linewidth=1.6)
    if points:
        axes.plot(*points[-1], "o", color=LINE, markersize=6)
    if points and min(v for _, v in points) > 0:
        axes.set_yscale("log")
    dress(axes, "", "step", "loss")
    lines = "\n".join(filter(None, [line_text(watched), second_line(watched)]))
    axes.set_title(lines, fontsize=9, loc="left", color=NEUTRAL, parse_math=False)
    return figure
