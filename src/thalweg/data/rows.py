"""The rows of a fit: a source read through a spec, block by block, as often as wanted.

One iteration over `blocks()` is one reading of all rows; every sum that a fit needs is made of such readings.
A small design is built once and kept; a large one is cut into blocks that fit the cache, and its blocks are views of
the data where the data are already a matrix, or are built anew at each reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from jaxtyping import Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.source import Source

if TYPE_CHECKING:
    from thalweg.data.spec import Spec

KEEP_BYTES = 2**26  # a design up to this size is built once and kept
BLOCK_BYTES = 900_000  # of design per block: fits the second-level cache of one core
BLOCK_ROWS = (256, 8192)  # least and most rows of a block


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


class Readable(Protocol):
    """What a solver may ask of the rows."""

    def blocks(self) -> Iterator[Block]:
        """One reading of all rows."""

    def doubled(self) -> Iterator[DoubledBlock]:
        """One reading of all rows in two words."""

    @property
    def columns(self) -> int:
        """p."""


def block_rows(columns: int) -> int:
    """Rows of a block of this many columns."""
    least, most = BLOCK_ROWS
    return min(most, max(least, BLOCK_BYTES // (8 * max(columns, 1))))


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

    def blocks(self) -> Iterator[Block]:
        if self._kept is None and self.spec.rows * self.columns * 8 <= KEEP_BYTES:
            self._kept = [self.spec.block(batch) for batch in self._batches()]
        rows = block_rows(self.columns)
        if self._kept is not None:
            for whole in self._kept:
                yield from (whole[i : i + rows] for i in range(0, whole.matrix.shape[0], rows))
            return
        for batch in self._batches():
            yield from (self.spec.block(batch[i : i + rows]) for i in range(0, batch.rows, rows))

    def doubled(self) -> Iterator[DoubledBlock]:
        rows = block_rows(8 * self.columns)
        for batch in self._batches():
            yield from (self.spec.doubled(batch[i : i + rows]) for i in range(0, batch.rows, rows))

    def _batches(self) -> Iterator:
        for batch in self.source.batches(self.spec.columns):
            complete = self.spec.complete(batch, self.source)
            if complete.rows:
                yield complete
