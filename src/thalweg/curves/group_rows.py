"""The rows of a source that belong to one group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from thalweg.data.source import Batch, Source


@final
class OneGroup(Source):
    """Some rows of a source, as a source.

    Parameters
    ----------
    source : Source
    rows : ndarray of int64, (n,)
        Their numbers in the source, ascending.
    what : str
        Which they are, for messages.
    """

    def __init__(self, source: Source, rows: Int[ndarray, "n"], what: str) -> None:
        self.source, self.numbers, self.what = source, rows, what

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    @property
    def rows(self) -> int:
        return len(self.numbers)

    @property
    def description(self) -> str:
        return f"{self.source.description}, {self.what}"

    @property
    def in_memory(self) -> bool:
        return self.source.in_memory

    @property
    def frame_library(self) -> str | None:
        return self.source.frame_library

    def place(self, row: int) -> str:
        return self.source.place(int(self.numbers[row]))

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        import torch

        for batch in self.source.batches(columns):
            first, last = np.searchsorted(self.numbers, [batch.start, batch.start + batch.rows])
            if first < last:
                at = torch.from_numpy(self.numbers[first:last] - batch.start)
                picked = {name: column[at] for name, column in batch.columns.items()}
                yield Batch(picked, int(last - first), int(first), places=self.place)


@final
@dataclass(frozen=True)
class GroupRows:
    """Where the rows of each group stand.

    Attributes
    ----------
    source : Source
    numbers : ndarray of int64, (N,)
        Numbers in the source of the complete rows, sorted by group.
    edges : ndarray of int64, (G + 1,)
        Where each group begins in `numbers`.
    """

    source: Source
    numbers: Int[ndarray, "N"]
    edges: Int[ndarray, "G1"]

    def of(self, group: int, what: str) -> OneGroup:
        """The rows of one group."""
        return OneGroup(self.source, self.numbers[self.edges[group] : self.edges[group + 1]], what)
