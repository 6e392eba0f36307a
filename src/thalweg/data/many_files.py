"""Several files of one schema, read one after the other as one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, final

import torch

from thalweg.data.columns import require_columns
from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import ColumnError

if TYPE_CHECKING:
    import pyarrow


@final
class ManyFiles(Source):
    """Files with the same columns, of the same kinds.

    Parameters
    ----------
    name : str
        The folder or the pattern.
    parts : sequence of (name, Source)
        At least one; columns may stand in any order.

    Raises
    ------
    ColumnError
        A file with a column too many or too few, or with text where another has numbers.
    """

    def __init__(self, name: str, parts: Sequence[tuple[str, Source]]) -> None:
        self.name = name
        _require_same_names(parts)
        self._kinds = _common_kinds(parts)
        self.parts = tuple((file, _reading_as(part, self._kinds)) for file, part in parts)
        self._starts: list[int] = []

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[0][1].names

    @property
    def rows(self) -> int | None:
        rows = [part.rows for _, part in self.parts]
        return None if None in rows else sum(r for r in rows if r is not None)

    @property
    def description(self) -> str:
        first = self.parts[0][1].description
        return f"{self.name}: {len(self.parts)} files, the first {first}"

    def kind(self, name: str) -> str:
        """What the files agree on."""
        return self._kinds[name]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        require_columns(columns, self.names, self.name)
        start = 0
        for i, (_, part) in enumerate(self.parts):
            self._starts[i:] = [start]
            for batch in part.batches(columns):
                read = {name: self._agreeing(name, column) for name, column in batch.columns.items()}
                yield replace(batch, columns=read, start=start)
                start += batch.rows

    def verbatim(self, columns: Sequence[str]) -> Iterator[pyarrow.Table]:
        for _, part in self.parts:
            yield from part.verbatim(columns)

    @property
    def untyped(self) -> bool:
        return any(part.untyped for _, part in self.parts)

    def place(self, row: int) -> str:
        for (_, part), start in reversed(list(zip(self.parts, self._starts, strict=False))):
            if row >= start:
                return part.place(row - start)
        return f"row {row + 1}"

    def _agreeing(self, name: str, column: Column) -> Column:
        """A column of nothing but missing values, in a file that cannot tell its kind, as the others have it."""
        if self._kinds[name] == "levels" and isinstance(column, torch.Tensor):
            return Coded(torch.full((column.shape[0],), -1), ())
        return column


def _require_same_names(parts: Sequence[tuple[str, Source]]) -> None:
    first, names = parts[0][0], set(parts[0][1].names)
    for file, part in parts[1:]:
        for name in part.names:
            if name not in names:
                raise ColumnError(
                    f"{file} has a column '{name}' that {first} lacks", advice="Give all files one schema."
                )
        for name in parts[0][1].names:
            if name not in part.names:
                raise ColumnError(f"{file} lacks the column '{name}' of {first}", advice="Give all files one schema.")


def _common_kinds(parts: Sequence[tuple[str, Source]]) -> dict[str, str]:
    words = {"number": "numbers", "levels": "text", "other": "another type"}
    found: dict[str, tuple[str, str]] = {}
    for file, part in parts:
        for name in part.names:
            kind = part.kind(name)  # type: ignore[attr-defined]
            if kind == "unknown":
                continue
            first, known = found.setdefault(name, (file, kind))
            if known != kind:
                raise ColumnError(
                    f"column '{name}' holds {words[known]} in {first} and {words[kind]} in {file}",
                    advice="Give all files one schema.",
                )
    return {name: found[name][1] if name in found else "unknown" for name in parts[0][1].names}


def _reading_as(part: Source, kinds: dict[str, str]) -> Source:
    """The part, told the kinds of the columns of which it cannot tell them itself."""
    told = {n: k for n, k in kinds.items() if part.kind(n) == "unknown" and k != "unknown"}  # type: ignore[attr-defined]
    return part.reading_as(told) if told and hasattr(part, "reading_as") else part
