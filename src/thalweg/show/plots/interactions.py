"""Which numbers have a slope of their own in each level of a category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.learn import category_of
from thalweg.data.nodes import Name, column_names
from thalweg.show.plots.style import PALETTE

if TYPE_CHECKING:
    from thalweg.result import Fit
    from thalweg.show.plots.predictors import Predictor
    from thalweg.show.plots.sample import Sample

MOST_LINES = len(PALETTE)


def partner(fit: Fit, number: Predictor, every: Sequence[Predictor]) -> Predictor | None:
    """The category that a number shares a term with, so that its line differs between the levels.

    Of several, the one with the fewest levels; the others are held, as every predictor is.
    """
    names = set()
    for term in fit.spec.parsed.terms:
        numbers, categories = _parts(fit, term.factors)
        if number.column in numbers:
            names |= categories
    found = [p for p in every if not p.numeric and p.column in names]
    return min(found, key=lambda p: len(p.levels), default=None)


def _parts(fit: Fit, keys: Sequence[str]) -> tuple[set[str], set[str]]:
    """Columns of a term that are used as numbers, and as categories."""
    numbers: set[str] = set()
    categories: set[str] = set()
    for key in keys:
        node = fit.spec.parsed.factors[key]
        category = category_of(key, node, fit.spec.learned.kinds)
        if category is None:
            numbers.update(column_names(node))
        elif isinstance(category.argument, Name):
            categories.add(category.argument.name)
    return numbers, categories


def drawn_levels(category: Predictor, shown: Sample) -> tuple[Any, ...]:
    """All levels of a category; of too many, those with the most rows, in their order."""
    if len(category.levels) <= MOST_LINES:
        return category.levels
    values = category.of(shown.columns)
    rows = np.array([np.sum(values == level) for level in category.levels])
    keep = set(np.argsort(-rows, kind="stable")[:MOST_LINES].tolist())
    return tuple(level for i, level in enumerate(category.levels) if i in keep)
