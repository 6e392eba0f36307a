"""A source whose columns lie in memory: one batch, made of views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import final

import torch

from thalweg.data.columns import require_columns, require_unique
from thalweg.data.source import Batch, Coded, Column, Source

Reader = Callable[[], Column]


@final
class MemorySource(Source):
    """Columns in memory, each converted when it is first asked for.

    Parameters
    ----------
    readers : sequence of (name, callable)
        Each gives its column.
    rows : int
        Rows of every column.
    description : str
        One line about what was given.
    frame_library : str, optional
        'pandas', 'polars' or 'pyarrow'.
    device : torch.device, optional
        Where columns that are not tensors go: the device of those that are.
    """

    def __init__(
        self,
        readers: Sequence[tuple[str, Reader]],
        rows: int,
        description: str,
        *,
        frame_library: str | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._names = tuple(name for name, _ in readers)
        require_unique(self._names, description)
        self._readers: Mapping[str, Reader] = dict(readers)
        self._kept: dict[str, Column] = {}
        self._rows, self._description, self._library, self._device = rows, description, frame_library, device

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def description(self) -> str:
        return self._description

    @property
    def in_memory(self) -> bool:
        return True

    @property
    def frame_library(self) -> str | None:
        return self._library

    def kind(self, name: str) -> str:
        """'number' or 'levels'."""
        return "levels" if isinstance(self._column(name), Coded) else "number"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        require_columns(columns, self._names, self._description)
        yield Batch({name: self._column(name) for name in columns}, self._rows)

    def _column(self, name: str) -> Column:
        if name not in self._kept:
            self._kept[name] = _moved(self._readers[name](), self._device)
        return self._kept[name]


def _moved(column: Column, device: torch.device | None) -> Column:
    if device is None:
        return column
    if isinstance(column, Coded):
        return Coded(column.codes.to(device), column.levels)
    return column.to(device)


def row_place(row: int) -> str:
    """Where a row in memory stands."""
    return f"row {row + 1}"
