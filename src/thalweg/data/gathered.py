"""A source that is read in one batch, for what depends on which rows come together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, final

import torch

from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import DataError

if TYPE_CHECKING:
    from thalweg.data.spec import Spec

MOST_BYTES = 2**29  # of the columns that are read: they are held at once, and several times over


@final
class Gathered(Source):
    """All rows of a source as one batch."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    @property
    def rows(self) -> int | None:
        return self.source.rows

    @property
    def description(self) -> str:
        return self.source.description

    @property
    def frame_library(self) -> str | None:
        return self.source.frame_library

    def place(self, row: int) -> str:
        return self.source.place(row)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """One batch.

        Raises
        ------
        DataError
            More than `MOST_BYTES` of columns.
        """
        read, rows = [], 0
        for batch in self.source.batches(columns):
            read.append(batch)
            rows += batch.rows
            if rows * len(columns) * 8 > MOST_BYTES:
                raise DataError(
                    f"the function looks at all rows together, and more than {MOST_BYTES >> 20} MB of them are too"
                    " many",
                    where=self.description,
                    advice="Write it such that each row's value depends on that row alone, or fit some of the rows.",
                )
        if read:
            yield read[0] if len(read) == 1 else joined(read)


def whole(source: Source, spec: Spec) -> Source:
    """The source in one batch, where the spec asks for all rows together; else itself."""
    return gathered(source) if getattr(spec, "whole_rows", False) else source


def gathered(source: Source) -> Source:
    """The source in one batch; itself where it comes so."""
    return source if source.in_memory or isinstance(source, Gathered) else Gathered(source)


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches one after the other.

    Examples
    --------
    >>> one, other = Batch({"x": torch.ones(2)}, 2), Batch({"x": torch.zeros(1)}, 1, 2)
    >>> joined([one, other]).columns["x"].tolist()
    [1.0, 1.0, 0.0]
    """
    columns = {name: _column([batch.columns[name] for batch in batches]) for name in batches[0].columns}
    numbers = [
        torch.arange(each.start, each.start + each.rows) if each.numbers is None else each.numbers for each in batches
    ]
    rows = sum(batch.rows for batch in batches)
    return Batch(columns, rows, batches[0].start, torch.cat(numbers), batches[0].places)


def _column(parts: Sequence[Column]) -> Column:
    coded = [part for part in parts if isinstance(part, Coded)]
    if len(coded) != len(parts):
        return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])
    places: dict[Hashable, int] = {}
    codes = []
    for part in coded:
        to = [places.setdefault(level, len(places)) for level in part.levels]
        codes.append(torch.tensor([*to, -1])[part.codes])  # -1, the missing one, is the last
    return Coded(torch.cat(codes), tuple(places))
