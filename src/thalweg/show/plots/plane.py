"""A probability over two predictors: shading, the boundary, and the outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.links import mean_name
from thalweg.show.plots.curves import caveat, curve, is_binary
from thalweg.show.plots.grid import places
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.style import TICK_SIZE, caption, dress, headline, new_figure, point_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from thalweg.result import Fit
    from thalweg.show.plots.sample import Sample

PLACES = 120  # along each side
# Violet and orange are told apart with every common kind of colour blindness; the shading is the paler of each, so that
# points stay visible on it.
_SHADES = ("#AB9BD1", "#FBFAFC", "#F2B272")
LOW, HIGH = "#3F2379", "#A34D00"


def draw_plane(fit: Fit, across: Predictor, up: Predictor, shown: Sample | None) -> Figure:
    """P over the ranges of two numbers, with the contours 0.1, 0.5 (the boundary) and 0.9."""
    figure = new_figure(7.4, 5.6)
    axes = figure.subplots()
    x, y, p = surface(fit, across, up)
    shade = axes.contourf(x, y, p, levels=np.linspace(0, 1, 21), cmap=shading())
    _boundary(axes, x, y, p)
    if shown is not None:
        _outcomes(fit, axes, shown, across, up)
    dress(axes, "", across.name, up.name)
    axes.grid(False)
    bar = figure.colorbar(shade, ax=axes, ticks=[0, 0.25, 0.5, 0.75, 1], pad=0.02)
    bar.set_label(mean_name(fit), fontsize=TICK_SIZE + 1)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    headline(figure, fit.spec.formula)
    caption(
        figure,
        " ".join(
            filter(None, ["Line: the boundary, probability 0.5; dashed: 0.1 and 0.9.", _rows(shown), caveat(fit)])
        ),
    )
    return figure


def shading() -> Colormap:
    """From violet, probability 0, to orange, probability 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("probability", _SHADES)


def _rows(shown: Sample | None) -> str:
    return "A model file holds no data: the points are missing." if shown is None else shown.caption


def surface(
    fit: Fit, across: Predictor, up: Predictor
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"], Float[np.ndarray, "k k"]]:
    """Places across and up, and the probability at each pair of them."""
    x, y = places(across, PLACES), places(up, PLACES)  # no further: beyond the data the fit is a guess
    right, high = np.meshgrid(x, y)
    found = curve(fit, {across.column: right.ravel(), up.column: high.ravel()})
    return x, y, found.mean.reshape(right.shape)


def _boundary(axes: Axes, x: np.ndarray, y: np.ndarray, p: np.ndarray) -> None:
    for level, style, width in ((0.1, "--", 1.0), (0.5, "-", 2.0), (0.9, "--", 1.0)):
        if p.min() < level < p.max():
            axes.contour(x, y, p, levels=[level], colors="black", linestyles=style, linewidths=width)


def _outcomes(fit: Fit, axes: Axes, shown: Sample, across: Predictor, up: Predictor) -> None:
    x, y, value = across.of(shown.columns), up.of(shown.columns), shown.rows.y
    size = point_size(len(x))
    if not is_binary(fit, shown):
        axes.scatter(x, y, c=value, cmap=shading(), vmin=0, vmax=1, edgecolors="black", linewidths=0.5, s=size)
        return
    levels = (fit.spec.response.levels if fit.spec.response is not None else None) or (0, 1)
    for outcome, colour, marker in ((0.0, LOW, "o"), (1.0, HIGH, "^")):
        here = value == outcome
        axes.scatter(
            x[here], y[here], s=size, c=colour, marker=marker, edgecolors="white", linewidths=0.4,
            label=str(levels[int(outcome)]),
        )  # fmt: skip
    axes.legend(fontsize=TICK_SIZE, framealpha=0.85, edgecolor="none", loc="best")
