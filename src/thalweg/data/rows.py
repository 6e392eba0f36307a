"""The rows of a fit: a source read through a spec, block by block, as often as wanted.

One iteration over `blocks()` is one reading of all rows; every sum that a fit needs is made of such readings.
A small design is built once and kept; a large one is cut into blocks that fit the cache, and its blocks are views of
the data where the data are already a matrix, or are built anew at each reading.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.source import Batch, Source

if TYPE_CHECKING:
    from thalweg.data.spec import Spec

KEEP_BYTES = 2**26  # a design up to this size is built once and kept
BLOCK_BYTES = 3_600_000  # of design per block: enough work per operation that threads need not wait for each other
BLOCK_ROWS = (256, 16384)  # least and most rows of a block


@dataclass(frozen=True)
class DoubledBlock:
    """Rows of a linear model whose design is carried in two words: X = high + low, exactly to about 32 digits.

    `low` and `y_low` are None where they are zero (columns that are the data themselves).
    """

    high: Float[Tensor, "n p"]
    low: Float[Tensor, "n p"] | None
    y: Float[Tensor, "n"]
    y_low: Float[Tensor, "n"] | None = None
    weight: Float[Tensor, "n"] | None = None
    block: Block | None = None  # the same rows in one word, with the offset and trials apart


@runtime_checkable
class Readable(Protocol):
    """What a solver may ask of the rows."""

    def blocks(self) -> Iterator[Block]:
        """One reading of all rows."""

    def doubled(self) -> Iterator[DoubledBlock]:
        """One reading of all rows in two words."""

    def sampled(self, every: int) -> Readable:
        """Every so-many-th row."""

    @property
    def columns(self) -> int:
        """p."""

    @property
    def count(self) -> int | None:
        """Rows, where that is known without a reading."""


def block_rows(columns: int) -> int:
    """Rows of a block of this many columns."""
    least, most = BLOCK_ROWS
    return min(most, max(least, 2 * columns, BLOCK_BYTES // (8 * max(columns, 1))))  # 2 p: sums (p, p) are moved too


def piece_rows(spec: Spec, columns: int) -> int:
    """Rows that are taken at a time through this spec: all, where a row's value depends on those that come with it."""
    return sys.maxsize if getattr(spec, "whole_rows", False) else block_rows(columns)


@final
class Rows:
    """A source read through a spec.

    Parameters
    ----------
    source : Source
        Where the rows are.
    spec : Spec
        How a batch of them becomes a block of the model.
    """

    def __init__(self, source: Source, spec: Spec) -> None:
        self.source, self.spec = source, spec
        self._kept: list[Block] | None = None

    @property
    def columns(self) -> int:
        return len(self.spec.names)

    @property
    def count(self) -> int:
        return self.spec.rows

    def blocks(self) -> Iterator[Block]:
        """One reading of all rows, in blocks that fit the cache."""
        return self._strided(1)

    def _strided(self, every: int) -> Iterator[Block]:
        """One reading of every so-many-th row, counted through the whole of the source."""
        rows = piece_rows(self.spec, self.columns) * every
        if self._kept is None and self.count * self.columns * 8 <= KEEP_BYTES:
            self._kept = [self.spec.block(batch) for batch in self.batches()]
        wholes: Iterable[Block | Batch] = self.batches() if self._kept is None else self._kept
        skip = 0  # rows to pass over before the next one that is wanted
        for whole in wholes:
            for first in range(skip, whole.rows, rows):
                part = whole[first : min(first + rows, whole.rows) : every]
                yield part if isinstance(part, Block) else self.spec.block(part)
            skip = (skip - whole.rows) % every

    def doubled(self) -> Iterator[DoubledBlock]:
        """One reading of all rows with the design in two words."""
        rows = block_rows(8 * self.columns)
        for batch in self.batches():
            for first in range(0, batch.rows, rows):
                part = batch[first : first + rows]
                yield replace(self.spec.doubled(part), block=self.spec.block(part))

    def sampled(self, every: int) -> Sample:
        """Every so-many-th row."""
        return Sample(self, every)

    def batches(self) -> Iterator[Batch]:
        """The complete rows of the source, batch by batch, with the columns that the model reads."""
        for batch in self.source.batches(self.spec.columns):
            complete = self.spec.complete(batch, self.source)
            if complete.rows:
                yield complete


@final
class Sample:
    """Every so-many-th of some rows: what a start is found on."""

    def __init__(self, rows: Rows, every: int) -> None:
        self.rows, self.every = rows, every

    @property
    def columns(self) -> int:
        return self.rows.columns

    @property
    def count(self) -> int:
        return -(-self.rows.count // self.every)

    def blocks(self) -> Iterator[Block]:
        return self.rows._strided(self.every)

    def doubled(self) -> Iterator[DoubledBlock]:
        raise NotImplementedError("a sample only gives starting values; it is never refined")

    def sampled(self, every: int) -> Sample:
        return Sample(self.rows, self.every * every)
