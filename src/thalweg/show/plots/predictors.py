"""Which columns a fit predicts from, as the pictures need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.show.plots.grid import Predictor

if TYPE_CHECKING:
    from thalweg.result import Fit


def predictors(fit: Fit) -> tuple[Predictor, ...]:
    """Columns that can be varied, numbers and categories, in the order of the formula's columns."""
    spec = fit.spec
    found = []
    for name in spec.predictor_columns:
        if name in spec.levels:
            found.append(Predictor(name, None, tuple(spec.levels[name])))
        elif name in spec.ranges and name not in beside(fit):
            low, high = spec.ranges[name]
            found.append(Predictor(name, (float(low), float(high))))
    return tuple(found)


def beside(fit: Fit) -> dict[str, float]:
    """Columns that are read but have no coefficient (offsets, exposures), with the middle of their range."""
    return {}
