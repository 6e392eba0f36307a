"""What a picture of a curve is drawn along, and the rows that it shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Float

from thalweg.curves.groups import Grouped
from thalweg.show.curve import curve_spec, has_precisions
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.sample import Sample, sample
from thalweg.show.plots.style import PALETTE

if TYPE_CHECKING:
    from thalweg.curves.spec import CurveSpec
    from thalweg.result import Fit

PLACES = 400  # of a curve's grid
MOST_OWN = 2000  # places of the data that the grid holds too, so that no narrow peak is missed
MOST_LEVELS = len(PALETTE)  # categories: one colour each
_DECADES, _CROWDED = 100.0, 0.15  # a logarithmic axis: from this ratio on, with the median in this part of a linear one


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


def grid_along(predictor: Predictor, x: Float[np.ndarray, "n"], *, logarithmic: bool) -> Float[np.ndarray, "m"]:
    """Places from the least to the greatest value in training, those of the data among them where they are not many."""
    assert predictor.range is not None
    low, high = predictor.range
    even = np.geomspace(low, high, PLACES) if logarithmic else np.linspace(low, high, PLACES)
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
