"""Sources that tests of formulas read from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from thalweg.data.source import Batch, Coded, Source
from thalweg.data.sources import open_source


class InBatches(Source):
    """Another source's rows, a few at a time, as a file would give them: levels are those of the batch alone."""

    def __init__(self, whole: Source, size: int) -> None:
        self.whole, self.size = whole, size

    @property
    def names(self) -> tuple[str, ...]:
        return self.whole.names

    @property
    def rows(self) -> int | None:
        return None

    @property
    def description(self) -> str:
        return "a test"

    def place(self, row: int) -> str:
        return f"test.csv, line {row + 2}"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        for whole in self.whole.batches(columns):
            for first in range(0, whole.rows, self.size):
                part = whole[first : first + self.size]
                columns_of = {name: _own_levels(column) for name, column in part.columns.items()}
                yield Batch(columns_of, part.rows, part.start)


def _own_levels(column: Any) -> Any:
    if not isinstance(column, Coded):
        return column
    used = sorted({int(code) for code in column.codes if code >= 0})
    renumbered = column.codes.clone()
    for new, old in enumerate(used):
        renumbered[column.codes == old] = new
    return Coded(renumbered, tuple(column.levels[code] for code in used))


@pytest.fixture
def in_batches() -> Callable[[Any, int], Source]:
    """Open data so that it comes in batches of this many rows."""
    return lambda data, size: InBatches(open_source(data), size)


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Numbers and categories, among them a column whose name is no identifier."""
    rng, n = np.random.default_rng(20), 60
    columns: Mapping[str, Any] = {
        "y": rng.normal(size=n),
        "x": rng.uniform(1, 3, n),
        "z": rng.normal(size=n),
        "a": rng.choice(list("uvw"), n),
        "b": rng.choice(list("pq"), n),
        "k": rng.integers(1, 4, n),
        "mean rad": rng.uniform(1, 2, n),
        "x.1": rng.normal(size=n),
    }
    return pd.DataFrame(columns)
