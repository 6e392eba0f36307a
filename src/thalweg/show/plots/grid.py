"""Where a fitted curve is evaluated: one predictor varied over its range, the others held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import OptionError
from thalweg.show.numbers import elide, significant

if TYPE_CHECKING:
    from thalweg.show.plots.sample import Sample

PLACES = 200  # of a curve


@dataclass(frozen=True)
class Predictor:
    """A column of the data that the model predicts from.

    Attributes
    ----------
    name : str
    range : (low, high) or None
        Of a number in training; None for a category.
    levels : tuple
        Of a category, its reference first; empty for a number.
    """

    name: str
    range: tuple[float, float] | None
    levels: tuple[Any, ...] = ()

    @property
    def numeric(self) -> bool:
        return self.range is not None

    def values(self, places: int = PLACES) -> np.ndarray:
        """Numbers spread over the range, or the levels."""
        if self.range is not None:
            return np.linspace(*self.range, places)
        out = np.empty(len(self.levels), dtype=object)
        out[:] = self.levels
        return out


def held(predictors: Sequence[Predictor], extra: Mapping[str, float], shown: Sample | None) -> dict[str, Any]:
    """The value at which each predictor is held where it is not varied: the mean, or the reference level.

    `extra` are columns that are read but never varied (offsets, exposures).
    """
    means = dict(extra) | dict(shown.means if shown is not None else {})
    return {p.name: means.get(p.name, sum(p.range) / 2) if p.range is not None else p.levels[0] for p in predictors} | {
        name: means[name] for name in extra
    }


def grid(at: Mapping[str, Any], **varied: Any) -> dict[str, Any]:
    """Columns for a prediction: these varied, the rest of `at` held."""
    rows = len(next(iter(varied.values())))
    return {name: varied.get(name, _repeat(value, rows)) for name, value in at.items()} | varied


def _repeat(value: Any, rows: int) -> np.ndarray:
    out = np.empty(rows, dtype=float if isinstance(value, float) else object)
    out[:] = value
    return out


def held_text(at: Mapping[str, Any]) -> str:
    """'bmi 26.4, sex 1', for a caption; at most six of them."""
    parts = [f"{elide(name, 24)} {significant(v, 3) if isinstance(v, float) else v}" for name, v in at.items()]
    more = len(parts) - 6
    return ", ".join(parts[:6]) + (f" and {more} more" if more > 0 else "")


def named(predictors: Sequence[Predictor], names: str | Sequence[str]) -> tuple[Predictor, ...]:
    """The predictors with these names.

    Raises
    ------
    OptionError
        A name that is none of them.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    known = {p.name: p for p in predictors}
    for name in wanted:
        if name not in known:
            raise OptionError(f"x = {name!r} is no predictor of this fit", advice=f"Use one of {', '.join(known)}.")
    return tuple(known[name] for name in wanted)
