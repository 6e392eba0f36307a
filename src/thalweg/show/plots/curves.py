"""Pieces of a picture of a fit: the data, a curve with its band, the means of levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.style import BAND_ALPHA, LINE, scatter
from thalweg.show.plots.ticks import name_levels
from thalweg.show.rowwise import predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from thalweg.result import Fit
    from thalweg.show.plots.sample import Sample

_JITTER = 0.07  # of the height of a 0/1 axis
_STRIP = 0.18  # of the distance between two levels
_ACROSS, _UP = 1, 2  # seeds


@dataclass(frozen=True)
class Curve:
    """Predictions along a grid, with their interval: NaN where the fit has none."""

    mean: Float[np.ndarray, "n"]
    low: Float[np.ndarray, "n"]
    high: Float[np.ndarray, "n"]


def curve(fit: Fit, columns: Mapping[str, Any], *, interval: str = "mean", kind: str = "mean") -> Curve:
    """Predictions at these columns."""
    from thalweg.data.sources import open_source

    found = predicted(fit, open_source(dict(columns)), interval, kind)
    return Curve(found["prediction"], found["lower"], found["upper"])


def caveat(fit: Fit) -> str:
    """What a caption must say of a fit whose coefficients are infinite."""
    return "The data are separated: how steep the fit is drawn means nothing." if fit.separation is not None else ""


def draw_band(
    axes: Axes,
    at: Float[np.ndarray, "n"],
    found: Curve,
    colour: str,
    label: str | None = None,
    *,
    alpha: float = BAND_ALPHA,
) -> None:
    """A curve and its band; only the curve where there is no interval."""
    if np.isfinite(found.low).any():
        axes.fill_between(at, found.low, found.high, color=colour, alpha=alpha, linewidth=0, label=label, zorder=2)
    axes.plot(at, found.mean, color=colour, linewidth=2, zorder=3)


def draw_strips(axes: Axes, category: Predictor, levels: np.ndarray, y: Float[np.ndarray, "n"]) -> None:
    """The data of each level side by side, spread a little."""
    place = {level: i for i, level in enumerate(category.levels)}
    at = np.array([place[level] for level in levels], dtype=float)
    scatter(axes, at + _spread(len(at), _STRIP, _ACROSS), y)


def draw_means(axes: Axes, category: Predictor, found: Curve) -> None:
    """The mean of each level and its interval, and the levels' names."""
    places = np.arange(len(category.levels))
    error = np.nan_to_num(np.stack([found.mean - found.low, found.high - found.mean])).clip(0)  # rounding
    axes.errorbar(places, found.mean, error, fmt="o", color=LINE, markersize=6, capsize=5, linewidth=2, zorder=4)
    name_levels(axes, [show_level(level) for level in category.levels])
    axes.grid(False, axis="x")


def outcome(fit: Fit, shown: Sample) -> Float[np.ndarray, "n"]:
    """The response as drawn: 0 and 1 are spread inwards a little, so that points do not hide each other."""
    y = shown.rows.y
    if not is_binary(fit, shown):
        return y
    inwards = np.abs(_spread(len(y), _JITTER, _UP))
    return np.where(y > 0, y - inwards, y + inwards)


def is_binary(fit: Fit, shown: Sample) -> bool:
    """Whether every response is 0 or 1 and means a class."""
    return fit.family.name == "binomial" and bool(np.isin(shown.rows.y, (0, 1)).all())


def _spread(n: int, width: float, seed: int) -> Float[np.ndarray, "n"]:
    """The same displacements every time; across and up they are independent, so that points fill their place."""
    return np.random.default_rng(seed).uniform(-width, width, n)
