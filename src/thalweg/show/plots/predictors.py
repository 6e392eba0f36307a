"""Which columns a fit predicts from, as the pictures need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from thalweg.data.contrasts import base_index
from thalweg.data.learn import category_of
from thalweg.data.nodes import Name, column_names

if TYPE_CHECKING:
    from thalweg.data.spec import Spec


class Designed(Protocol):
    """What has a design: a fit, or the rows of a descent."""

    @property
    def spec(self) -> Spec:
        """The design."""


@dataclass(frozen=True)
class Predictor:
    """A column of the data that the model predicts from, or one column of a matrix column.

    Attributes
    ----------
    name : str
        As labels show it.
    column : str
        In the data.
    index : int or None
        Of a matrix column: which of its columns.
    range : (low, high) or None
        Of a number in training; None for a category.
    levels : tuple
        Of a category; empty for a number.
    reference : object
        Of a category, the level that the others are compared with.
    """

    name: str
    column: str
    index: int | None = None
    range: tuple[float, float] | None = None
    levels: tuple[Any, ...] = ()
    reference: Any = None

    @property
    def numeric(self) -> bool:
        return self.range is not None

    def of(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its values in a table."""
        column = columns[self.column]
        return column if self.index is None else column[:, self.index]


def predictors(fit: Designed) -> tuple[Predictor, ...]:
    """What can be varied, in the order of the formula; a column that is a category anywhere is one here."""
    found: dict[str, Predictor] = {}
    for predictor in _all(fit.spec):
        if predictor.name not in found or not predictor.numeric:
            found[predictor.name] = predictor
    return tuple(found.values())


def _all(spec: Spec) -> Iterator[Predictor]:
    for key, node in spec.parsed.factors.items():
        category = category_of(key, node, spec.learned.kinds)
        if category is None:
            for column in column_names(node):
                yield from _numbers(spec, column)
        elif isinstance(category.argument, Name):
            levels = spec.learned.levels[key]
            reference = levels[base_index(category, levels)]
            yield Predictor(category.argument.name, category.argument.name, levels=levels, reference=reference)


def _numbers(spec: Spec, column: str) -> Iterator[Predictor]:
    kind = spec.learned.kinds[column]
    if kind == "number":
        yield Predictor(column, column, range=spec.ranges[column])
    elif isinstance(kind, int):
        for i in range(kind):
            yield Predictor(f"{column}[{i}]", column, i, spec.ranges[f"{column}[{i}]"])


def computed_from(fit: Designed) -> set[str]:
    """Columns of which a category is computed, as x in C(round(x)): only values of the data are sure to work."""
    found: set[str] = set()
    for key, node in fit.spec.parsed.factors.items():
        category = category_of(key, node, fit.spec.learned.kinds)
        if category is not None and not isinstance(category.argument, Name):
            found.update(column_names(category.argument))
    return found


def beside(fit: Designed) -> tuple[str, ...]:
    """Columns that a prediction reads and that are not varied: offsets, exposures, parts of computed categories."""
    varied = {predictor.column for predictor in predictors(fit)}
    return tuple(name for name in fit.spec.predictor_columns if name not in varied)
