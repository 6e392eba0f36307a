"""What a picture of a curve is drawn along, and the rows that it shows."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.curves.groups import Grouped
from thalweg.errors import OptionError
from thalweg.show.curve import curve_spec, has_precisions
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.sample import Sample, sample
from thalweg.show.plots.style import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from thalweg.curves.spec import CurveSpec
    from thalweg.result import Fit

SCALES = ("linear", "log")
PLACES = 400  # of a curve's grid
MOST_OWN = 2000  # places of the data that the grid holds too, so that no narrow peak is missed
MOST_LEVELS = len(PALETTE)  # categories: one colour each
_DECADES, _CROWDED = 100.0, 0.15  # a logarithmic axis: from this ratio on, with the median in this part of a linear one
_ZERO = 0.6  # decades that the way from 0 to the smallest positive value is long, on an axis with both
_MARGIN, _MOST_TICKS = 0.04, 8


@final
@dataclass(frozen=True)
class Inputs:
    """The columns that a curve reads.

    Attributes
    ----------
    numbers : tuple of Predictor
    category : str or None
        The only column of categories, where there is one.
    simple : bool
        Whether nothing else is read: then one number can be drawn along.
    """

    numbers: tuple[Predictor, ...]
    category: str | None
    simple: bool


def numbers_of(spec: CurveSpec) -> tuple[str, ...]:
    """The number columns that a curve and its offset read; a column of groups is none, whatever it holds."""
    kinds, group = spec.base.learned.kinds, getattr(spec.curve, "by", None)
    return tuple(name for name in spec.predictor_columns if kinds.get(name) == "number" and name != group)


def inputs_of(fit: Fit) -> Inputs:
    """What a curve is a function of."""
    spec = curve_spec(fit)
    assert spec is not None
    added = {*spec.roles.columns("offset"), *spec.roles.columns("exposure")}
    names = [name for name in spec.predictor_columns if name not in added]
    numbers = tuple(Predictor(name, name, range=spec.ranges[name]) for name in numbers_of(spec) if name not in added)
    rest = [name for name in names if name not in {p.name for p in numbers}]
    return Inputs(numbers, rest[0] if len(rest) == 1 else None, len(rest) <= 1 and not added)


def rows_of(fit: Fit) -> Sample | None:
    """The rows that are drawn; None of a model that was loaded."""
    return None if fit.rows is None else sample(fit)


def levels_of(fit: Fit, shown: Sample | None, category: str | None) -> tuple[Any, ...]:
    """The categories, those with the most rows where there are too many; (None,) without a category."""
    if category is None:
        return (None,)
    known = getattr(fit.spec, "curve", None)
    if shown is None:
        return known.levels[:MOST_LEVELS] if isinstance(known, Grouped) else ()
    column = shown.columns[category].tolist()
    counts = Counter(column)
    order = known.levels if isinstance(known, Grouped) else sorted(counts, key=str)
    kept = sorted(counts, key=lambda level: -counts[level])[:MOST_LEVELS]
    return tuple(level for level in order if level in kept)


def is_log_spread(x: Float[np.ndarray, "n"]) -> bool:
    """Whether positive values spread evenly over decades, as doses and frequencies do.

    Examples
    --------
    >>> is_log_spread(np.geomspace(0.01, 1e3, 20)), is_log_spread(np.linspace(0.01, 1e3, 20))
    (True, False)
    """
    x = x[np.isfinite(x)]
    if not x.size or x.min() <= 0 or x.max() < _DECADES * x.min():
        return False
    return bool((np.median(x) - x.min()) / np.ptp(x) < _CROWDED)


def scale_of(x: Float[np.ndarray, "n"], wanted: str | None = None, name: str = "x") -> str:
    """The axis that suits a column: "linear", "log", or "symlog" where a logarithmic one has to hold 0 too.

    Parameters
    ----------
    x : ndarray
    wanted : {"linear", "log"}, optional
    name : str
        Of the column, for messages.

    Raises
    ------
    OptionError
        Another word, or a logarithmic axis for negative values or none above 0.

    Examples
    --------
    >>> doses = np.append(0.0, np.geomspace(0.01, 100, 9))
    >>> scale_of(doses), scale_of(doses[1:]), scale_of(doses, "linear"), scale_of(np.arange(5.0), "log")
    ('symlog', 'log', 'linear', 'symlog')
    """
    x = x[np.isfinite(x)]
    positive = x[x > 0]
    possible = bool(positive.size) and not (x < 0).any()
    if wanted not in (None, *SCALES):
        raise OptionError(f"xscale is {wanted!r}", advice="It is 'linear' or 'log'.")
    if wanted == "log" and not possible:
        what = f"{name} has no logarithm: it goes from {x.min():g} to {x.max():g}"
        raise OptionError(what, advice="Leave xscale out.")
    if wanted == "linear" or not possible or (wanted is None and not is_log_spread(positive)):
        return "linear"
    return "log" if positive.size == x.size else "symlog"


def set_scale(axes: Axes, scale: str, x: Float[np.ndarray, "n"]) -> None:
    """Give axes this scale; a symlog one is linear below the smallest positive value."""
    if scale == "log":
        axes.set_xscale("log")
    if scale != "symlog":
        return
    least, most = float(x[x > 0].min()), float(x.max())
    axes.set_xscale("symlog", linthresh=least, linscale=_ZERO)
    decades = 10.0 ** np.arange(math.ceil(math.log10(least) - 1e-9), math.floor(math.log10(most) + 1e-9) + 1)
    axes.set_xticks([0.0, *decades[:: max(1, math.ceil(len(decades) / _MOST_TICKS))]])
    axes.set_xticks([k * d for d in (*decades, decades[-1] * 10, decades[0] / 10) for k in range(2, 10)
                     if least <= k * d <= most], minor=True)  # fmt: skip
    axes.set_xlim(-0.25 * least, most * (most / least) ** _MARGIN)


def grid_along(predictor: Predictor, x: Float[np.ndarray, "n"], *, scale: str) -> Float[np.ndarray, "m"]:
    """Places from the least to the greatest value in training, those of the data among them where they are not many."""
    assert predictor.range is not None
    return grid_over(*predictor.range, x, scale)


def grid_over(low: float, high: float, x: Float[np.ndarray, "n"], scale: str) -> Float[np.ndarray, "m"]:
    """Places from low to high, evenly on an axis of this scale, and those of the data where they are not many."""
    if scale == "symlog" and low < high:
        least = float(x[x > 0].min())
        even = np.union1d(np.linspace(low, max(least, low), PLACES // 8), np.geomspace(max(least, low), high, PLACES))
    else:
        even = np.geomspace(low, high, PLACES) if scale == "log" else np.linspace(low, high, PLACES)
    even[0], even[-1] = low, high
    own = np.unique(x)
    return even if own.size > MOST_OWN else np.union1d(even, own[(own >= low) & (own <= high)])


def error_bars(fit: Fit, shown: Sample) -> Float[np.ndarray, "n"] | None:
    """1 / sqrt(weight), where weights are precisions: a standard deviation if they are 1 / variance.

    None without such weights; NaN for a row of weight 0, which does not count.
    """
    if not has_precisions(fit):
        return None
    weight = np.where(shown.rows.weight > 0, shown.rows.weight, np.nan)
    return 1 / np.sqrt(weight)
