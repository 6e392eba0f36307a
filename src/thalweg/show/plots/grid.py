"""Where a fitted curve is evaluated: some predictors varied over their ranges, the others held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.nodes import Name, column_names
from thalweg.errors import OptionError
from thalweg.show.numbers import elide, significant
from thalweg.show.plots.predictors import Designed, Predictor, beside, computed_from, predictors
from thalweg.show.plots.sample import Sample

if TYPE_CHECKING:
    from thalweg.result import Fit

PLACES = 200  # of a curve


def places(predictor: Predictor, n: int = PLACES) -> np.ndarray:
    """Numbers spread over the range in training and no further, or the levels."""
    if predictor.range is not None:
        return np.linspace(*predictor.range, n)
    return as_column(predictor.levels)


def as_column(levels: Sequence[Any]) -> np.ndarray:
    """Levels as a column: numbers as float64, anything else as objects."""
    if all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels):
        return np.array(levels, dtype=np.float64)
    column = np.empty(len(levels), dtype=object)
    column[:] = levels
    return column


def held(fit: Fit, shown: Sample | None) -> dict[str, Any]:
    """The value of each column that a prediction reads, where it is not varied.

    A category is held at its reference level, a number at its mean (without the data: at the middle of its range), and
    a column of which a category is computed at its value in some row. An exposure is held at 1: what is drawn is then
    the rate.
    """
    at = {p.column: p.reference if p.range is None else sum(p.range) / 2 for p in predictors(fit)}
    if shown is None:
        return at
    categories, computed = {p.column for p in predictors(fit) if not p.numeric}, computed_from(fit)
    for name in fit.spec.predictor_columns:
        if name not in categories:
            at[name] = shown.columns[name][0] if name in computed else shown.means[name]
    exposure = fit.spec.roles.exposure
    if exposure is not None and isinstance(exposure.node, Name) and exposure.node.name in added(fit):
        at[exposure.node.name] = 1.0
    return at


def added(fit: Designed) -> dict[str, str]:
    """Columns that only add to eta, each as "Exposure" or "Offset"."""
    formula = [name for reading in fit.spec.parsed.offsets for name in column_names(reading.node)]
    words = dict.fromkeys([*formula, *fit.spec.roles.columns("offset")], "Offset")
    words |= dict.fromkeys(fit.spec.roles.columns("exposure"), "Exposure")
    apart = set(beside(fit)) - computed_from(fit)
    return {name: word for name, word in words.items() if name in apart}


def grid(at: Mapping[str, Any], varied: Mapping[Predictor, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns for a prediction: some predictors with these values, the rest of `at` held."""
    rows = len(next(iter(varied.values())))
    columns = {name: _repeated(value, rows) for name, value in at.items()}
    for predictor, values in varied.items():
        if predictor.index is None:
            columns[predictor.column] = values
        else:
            columns[predictor.column][:, predictor.index] = values
    return columns


def _repeated(value: Any, rows: int) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return np.tile(value, (rows, 1))
    return as_column([value] * rows)


def held_text(at: Mapping[str, Any]) -> str:
    """'bmi 26.4, sex 1', for a caption; at most six of them."""
    parts = [f"{elide(name, 24)} {_value_text(value)}" for name, value in at.items()]
    more = len(parts) - 6
    return ", ".join(parts[:6]) + (f" and {more} more" if more > 0 else "")


def _value_text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "(its means)"
    return significant(value, 3) if isinstance(value, float) else elide(str(value), 24)


def named(predictors: Sequence[Predictor], names: str | Sequence[str]) -> tuple[Predictor, ...]:
    """The predictors with these names.

    Raises
    ------
    OptionError
        A name that is none of them.
    """
    known = {p.name: p for p in predictors}
    for name in [names] if isinstance(names, str) else names:
        if name not in known:
            raise OptionError(f"x = {name!r} is no predictor of this fit", advice=f"Use one of {', '.join(known)}.")
    return tuple(known[name] for name in ([names] if isinstance(names, str) else names))
