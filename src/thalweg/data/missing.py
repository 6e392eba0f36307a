"""Missing values and values that are no numbers: found by column and row, refused or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.data.evaluate import Columns
from thalweg.data.nodes import Node, column_names
from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import DataError, MissingValueError


def extent(column: Float[Tensor, "n ..."]) -> tuple[Tensor, Tensor]:
    """Least and greatest value of each of its columns; NaN where one is missing."""
    if column.dim() == 2:
        return column.amin(dim=0), column.amax(dim=0)
    return torch.aminmax(column)


def place(source: Source | None, batch: Batch, row: int) -> str:
    """Where a row of a batch stands, in the user's terms."""
    return source.place(batch.number(row)) if source is not None else batch.place(row)


def gaps(batch: Batch, names: Sequence[str], source: Source | None) -> dict[str, Bool[Tensor, "n"]]:
    """Rows without a value, by column, for the columns that have such rows.

    Raises
    ------
    MissingValueError
        A value is infinite, which no option leaves out.
    """
    columns = Columns(batch, {})
    found = {}
    for name in names if batch.rows else ():
        missing = _missing(columns.column(name))
        if missing is not None:
            _refuse_infinite(batch, name, columns.column(name), source)
            found[name] = missing
    return {name: missing for name, missing in found.items() if bool(missing.any())}


def _missing(column: Column) -> Bool[Tensor, "n"] | None:
    if isinstance(column, Coded):
        return None if int(column.codes.min()) >= 0 else column.codes < 0
    if bool(torch.isfinite(torch.stack(torch.aminmax(column))).all()):
        return None
    return torch.isnan(column).any(dim=1) if column.dim() == 2 else torch.isnan(column)


def _refuse_infinite(batch: Batch, name: str, column: Column, source: Source | None) -> None:
    if isinstance(column, Coded):
        return
    infinite = torch.isinf(column).any(dim=1) if column.dim() == 2 else torch.isinf(column)
    if bool(infinite.any()):
        raise MissingValueError(
            f"column {name!r} holds an infinite value",
            where=place(source, batch, int(infinite.nonzero()[0])),
            advice="Correct it, or mark it as missing.",
        )


def keep(batch: Batch, rows: Bool[Tensor, "n"]) -> Batch:
    """The rows of a batch where `rows` holds."""
    index = rows.nonzero()[:, 0]
    numbers = batch.numbers
    if numbers is None:
        numbers = torch.arange(batch.start, batch.start + batch.rows, device=index.device)
    columns = {name: column[index.to(_device(column))] for name, column in batch.columns.items()}
    return Batch(columns, index.shape[0], batch.start, numbers.to(index.device)[index], batch.places)


def _device(column: Column) -> torch.device:
    return column.codes.device if isinstance(column, Coded) else column.device


def without(batch: Batch, found: Mapping[str, Bool[Tensor, "n"]]) -> Batch:
    """The rows that miss nothing."""
    if not found:
        return batch
    masks = list(found.values())
    return keep(batch, ~torch.stack([mask.to(masks[0].device) for mask in masks]).any(dim=0))


@dataclass
class Tally:
    """How many values each column misses, and where the first is."""

    counts: dict[str, int]
    first: dict[str, str]

    def add(self, found: Mapping[str, Bool[Tensor, "n"]], batch: Batch, source: Source | None) -> None:
        """Count one batch."""
        for name, missing in found.items():
            self.counts[name] = self.counts.get(name, 0) + int(missing.sum())
            if name not in self.first:
                self.first[name] = place(source, batch, int(missing.nonzero()[0]))

    def refuse(self, advice: str = "Pass missing='drop' to leave those rows out.") -> None:
        """Raise where a value is missing.

        Raises
        ------
        MissingValueError
            Naming the first column, how many it misses, and where the first of them is.
        """
        for name, count in self.counts.items():
            values = "a missing value" if count == 1 else f"{count:,} missing values"
            where = self.first[name] if count == 1 else f"the first in {self.first[name]}"
            raise MissingValueError(f"column {name!r} has {values}{self._others(name)}", where=where, advice=advice)

    def _others(self, first: str) -> str:
        """The other columns that miss values, the first three of them by name."""
        others = [repr(name) for name in self.counts if name != first]
        if not others:
            return ""
        shown = others if len(others) <= 3 else [*others[:3], f"{len(others) - 3} more"]
        return ", and so " + ("has " if len(others) == 1 else "have ") + _listed(shown)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def require_finite(values: Tensor, text: str, node: Node, columns: Columns, source: Source | None) -> None:
    """Refuse an expression that has no finite value in some row.

    Raises
    ------
    DataError
        Naming the row, the expression, and the values that went in.
    """
    if not values.numel() or bool(torch.isfinite(torch.stack(torch.aminmax(values))).all()):
        return
    bad = ~torch.isfinite(values)
    row = int((bad.any(dim=1) if bad.dim() == 2 else bad).nonzero()[0])
    value = values[row] if values.dim() == 1 else values[row][bad[row]][0]
    inputs = " and ".join(f"{name} = {_shown(columns.column(name), row)}" for name in column_names(node))
    raise DataError(
        f"{text} is {float(value):g} where {inputs}",
        where=place(source, columns.batch, row),
        advice="Transform the column so that every row has a finite value, or leave those rows out.",
    )


def _shown(column: Column, row: int) -> str:
    if isinstance(column, Coded):
        code = int(column.codes[row])
        return repr(column.levels[code]) if code >= 0 else "missing"
    return f"{float(column[row]):g}" if column.dim() == 1 else "..."
