"""What every source of rows offers, whether it lies in memory or in files.

A `Source` is read in batches, as often as wanted; one reading of all batches is what a *pass* stands on. A batch
holds only the columns that were asked for, each in one of two forms:

- a number column is a floating-point tensor, (n,) or (n, k), with NaN where the value is missing;
- anything else (text, booleans, categories, dates) is a `Coded` column: integer codes into a list of levels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Coded:
    """A column of categories.

    Attributes
    ----------
    codes : Tensor of int64, shape (n,)
        Index into `levels`; -1 where the value is missing.
    levels : tuple
        Distinct values (str, bool or int) in the order of the source: the order of an ordered or pandas category where
        there is one, else sorted. Levels may differ from batch to batch of one source; who needs all of them learns
        them in a pass.
    """

    codes: Int[Tensor, "n"]
    levels: tuple[Hashable, ...]

    def __getitem__(self, rows: slice | Tensor) -> Coded:
        return Coded(self.codes[rows], self.levels)


Column = Float[Tensor, "n"] | Float[Tensor, "n k"] | Coded


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of a source.

    Attributes
    ----------
    columns : mapping of str to Tensor or Coded
        The columns that were asked for.
    rows : int
        How many rows.
    start : int
        Number of the first row in its source, counted from 0.
    numbers : Tensor of int64, shape (rows,), optional
        The rows' numbers in their source where rows between them were left out; None means start, start + 1, ...
    places : callable, optional
        From a row's number to where it stands in the user's terms (`Source.place`), for messages.
    """

    columns: Mapping[str, Column]
    rows: int
    start: int = 0
    numbers: Int[Tensor, "n"] | None = None
    places: Callable[[int], str] | None = None

    def place(self, row: int) -> str:
        """Where this batch's row `row` stands."""
        number = self.number(row)
        return f"row {number + 1}" if self.places is None else self.places(number)

    def number(self, row: int) -> int:
        """Number in the source of this batch's row `row`."""
        return int(self.numbers[row]) if self.numbers is not None else self.start + row

    def __getitem__(self, rows: slice) -> Batch:
        """Some of the rows, as views: consecutive ones, or every so-many-th."""
        first, last, step = rows.indices(self.rows)
        columns = {name: column[rows] for name, column in self.columns.items()}
        numbers = None if self.numbers is None else self.numbers[rows]
        if numbers is None and step != 1:
            numbers = torch.arange(self.start + first, self.start + last, step)
        return Batch(columns, len(range(first, last, step)), self.start + first, numbers, self.places)


class Source(ABC):
    """A table that can be read in batches, again and again."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""

    @property
    @abstractmethod
    def rows(self) -> int | None:
        """Number of rows where it is known without reading."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line: what was found (name, shape; for text files delimiter, decimal mark, encoding, header)."""

    @property
    def in_memory(self) -> bool:
        """Whether a reading costs no decoding: then all rows come as one batch of views."""
        return False

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Read all rows, only these columns.

        Raises
        ------
        ColumnError
            A column that does not exist; the text names the nearest existing one.
        DataError
            A value that cannot be read as what its column is (file, row and column are named).
        """

    def verbatim(self, columns: Sequence[str]) -> Iterator[pyarrow.Table]:
        """Read all rows of these columns as they stand, to be copied: never as numbers where they are something else.

        Cells of a text table are text (`untyped`); typed columns keep their types.

        Raises
        ------
        ColumnError, DataError
            As `batches`.
        """
        from thalweg.data.verbatim import as_arrow

        for batch in self.batches(columns):
            yield as_arrow({name: batch.columns[name] for name in columns})

    @property
    def untyped(self) -> bool:
        """Whether the columns have no types: every cell is text, whatever it stands for."""
        return False

    def place(self, row: int) -> str:
        """Where row number `row` (from 0) stands, in the user's terms: 'row 18' or 'diabetes.csv, line 20'."""
        return f"row {row + 1}"

    @property
    def frame_library(self) -> str | None:
        """'pandas', 'polars' or 'pyarrow' where the caller's data came as one of them: answers go back as the same."""
        return None
