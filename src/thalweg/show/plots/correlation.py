"""Correlations of the estimates as a map: which parameters the data tell apart badly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import NotAvailableError
from thalweg.inference.correlation import correlations
from thalweg.show.plots.names import short_name
from thalweg.show.plots.style import LINE, POINT, TICK_SIZE, caption, dress, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit

MOST_WRITTEN = 14  # parameters up to which each number has room
MOST = 60
_STRONG = 0.6  # from which on white text is read better


def draw_correlation(fit: Fit) -> Figure:
    """The correlation matrix of the estimates; parameters without a standard error are left out.

    Raises
    ------
    NotAvailableError
        No covariance, or fewer than two parameters that have one.
    """
    every = correlations(fit).numpy(force=True)
    known = np.flatnonzero(np.isfinite(every.diagonal()))
    if known.size < 2:
        raise NotAvailableError("correlations need two parameters with standard errors", advice="See fit.summary().")
    shown = known[:MOST]
    matrix = every[np.ix_(shown, shown)]
    size = min(max(4.4, 1.9 + 0.52 * len(shown)), 12.0)
    figure = new_figure(size + 1.4, size + 0.2)
    axes = figure.subplots()
    _draw(axes, matrix, [short_name(fit.names[j], 18) for j in shown])
    headline(figure, fit.spec.formula)
    caption(figure, _caption(len(fit.names), known.size, len(shown)))
    return figure


def _draw(axes: Axes, matrix: np.ndarray, names: list[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("correlation", [POINT, "#F7F7F7", LINE])
    image = axes.imshow(matrix, cmap=colours, vmin=-1, vmax=1, aspect="auto")  # a fixed aspect cuts long names off
    dress(axes)
    axes.grid(False)
    places = np.arange(len(names))
    long = max(map(len, names)) > 5
    axes.set_xticks(places, names, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(places, names)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.ax.tick_params(labelsize=TICK_SIZE, length=0)
    bar.outline.set_visible(False)
    if len(names) <= MOST_WRITTEN:
        _write(axes, matrix)


def _write(axes: Axes, matrix: np.ndarray) -> None:
    for i, j in np.ndindex(*matrix.shape):
        if i != j:
            colour = "white" if abs(matrix[i, j]) > _STRONG else "black"
            axes.text(j, i, _figure(float(matrix[i, j])), ha="center", va="center", fontsize=TICK_SIZE, color=colour)


def _figure(value: float) -> str:
    """Two decimals, more where it is nearly 1: 0.9996 is not 1.00."""
    decimals = 2
    while decimals < 6 and abs(float(f"{value:.{decimals}f}")) == 1.0 and abs(value) < 1.0:
        decimals += 1
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _caption(every: int, known: int, shown: int) -> str:
    parts = ["Correlations of the estimates. Near 1 or −1 the data determine a combination of two, and each badly."]
    if every > known:
        parts.append(f"{every - known} without a standard error left out.")
    if known > shown:
        parts.append(f"The first {shown} of {known}.")
    return " ".join(parts)
