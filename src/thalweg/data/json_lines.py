"""JSON lines (one object per line) as a source, parsed by arrow a stretch of lines at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.json

from thalweg.data.columns import EXACT, Place, from_arrow, inexact_integer, kind_of, require_columns
from thalweg.data.origin import ByteFile, damaged
from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import DataError, SourceError

STRETCH_BYTES = 2**23


@final
class JsonSource(Source):
    """A file of JSON objects, one per line; a key that a line lacks is a missing value.

    Parameters
    ----------
    file : ByteFile
    kinds : mapping of str to str
        'number', 'levels', 'boolean', 'other' or 'unknown' for each column.
    """

    def __init__(self, file: ByteFile, kinds: Mapping[str, str]) -> None:
        self.file, self._kinds = file, dict(kinds)
        self._rows: int | None = None
        self._blank_lines = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    @property
    def rows(self) -> int | None:
        return self._rows

    @property
    def description(self) -> str:
        return f"{self.file.name}: JSON lines, {len(self._kinds)} columns"

    def kind(self, name: str) -> str:
        """'number', 'levels', 'other', or 'unknown' where the first lines hold no value."""
        return {"boolean": "levels"}.get(self._kinds[name], self._kinds[name])

    def reading_as(self, kinds: Mapping[str, str]) -> JsonSource:
        """The same file with the kinds of some columns told."""
        return JsonSource(self.file, {**self._kinds, **kinds})

    def place(self, row: int) -> str:
        return f"{self.file.name}, {'row' if self._blank_lines else 'line'} {row + 1}"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        require_columns(columns, self.names, self.file.name)
        start = 0
        for lines in stretches(self.file):
            table = self._table(lines, columns, start)
            self._blank_lines |= table.num_rows != lines.count(b"\n") + (not lines.endswith(b"\n"))
            read = {name: self._column(table, name, start, lines) for name in columns}
            yield Batch(read, table.num_rows, start)
            start += table.num_rows
        self._rows = start

    def verbatim(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns as JSON has them: text, numbers, truth values; null where a line lacks the key."""
        require_columns(columns, self.names, self.file.name)
        start = 0
        for lines in stretches(self.file):
            table = self._table(lines, columns, start)
            there = {name: table.column(name) for name in columns if name in table.column_names}
            yield pa.table({name: there.get(name, pa.nulls(table.num_rows)) for name in columns})
            start += table.num_rows

    def _table(self, lines: bytes, columns: Sequence[str], start: int) -> pa.Table:
        # Text is told to be text: arrow would make dates of some of it.
        told = pa.schema([(name, pa.string()) for name in columns if self._kinds[name] == "levels"])
        try:
            return _parsed(lines, told)
        except pa.ArrowInvalid as error:
            raise self._explanation(str(error), start) from error

    def _explanation(self, message: str, start: int) -> DataError:
        row = re.search(r"in row (\d+)", message)
        where = self.place(start + int(row.group(1))) if row else self.file.name
        changed = re.search(r"Column\(/(.*?)\) changed from (\w+) to (\w+)", message)
        if changed:
            name, was, found = changed.groups()
            return DataError(f"column '{name}' holds {was}s, and a {found}", where=where, advice="Correct the value.")
        what = message.removeprefix("JSON parse error: ").split(" in row ")[0].rstrip(".").lower()
        return SourceError(
            f"a line that is not JSON ({what})", where=where, advice="Write one object, {...}, on each line."
        )

    def _column(self, table: pa.Table, name: str, start: int, lines: bytes) -> Column:
        def place(row: int) -> str:
            return self.place(start + row)

        kind = self._kinds[name]
        if name not in table.column_names or kind_of(table.schema.field(name).type) == "unknown":
            return _nothing(table.num_rows, kind)
        values = table.column(name)
        if kind in ("number", "unknown") and kind_of(values.type) != "number":
            row = next(i for i, v in enumerate(values) if v.is_valid)
            raise DataError(
                f"column '{name}' holds numbers, and {str(values[row].as_py())!r}",
                where=place(row),
                advice="Correct the value, or write null if it is missing.",
            )
        if pa.types.is_floating(values.type):
            _require_exact(values, name, place, lines)
        return from_arrow(values, name, place)


def json_source(file: ByteFile) -> JsonSource:
    """Open a file of JSON lines; its columns are the keys of its first stretch."""
    lines = next(stretches(file), b"")
    if not lines.strip():
        raise SourceError(f"{file.name} is empty")
    empty = JsonSource(file, {})
    if lines.lstrip().startswith(b"["):
        raise SourceError(f"{file.name} is one JSON array", advice="Write one object per line (JSON lines).")
    schema = empty._table(lines, [], 0).schema
    return JsonSource(file, {field.name: _kind(field.type) for field in schema})


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "boolean"
    return "levels" if pa.types.is_temporal(kind) else kind_of(kind)  # JSON has no dates: it was text


def stretches(file: ByteFile) -> Iterator[bytes]:
    """The file in stretches of whole lines."""
    rest = b""
    try:
        with file.stream() as stream:
            while part := stream.read(STRETCH_BYTES):
                rest += part
                cut = rest.rfind(b"\n") + 1
                if rest[:cut].strip():
                    yield rest[:cut]
                rest = rest[cut:]
    except (EOFError, OSError) as error:
        raise damaged(file.name, error) from error
    if rest.strip():
        yield rest


def _parsed(lines: bytes, told: pa.Schema) -> pa.Table:
    whole = pa.json.ReadOptions(block_size=len(lines) + 1)  # one block, so that rows in messages count from its start
    return pa.json.read_json(pa.BufferReader(lines), whole, pa.json.ParseOptions(explicit_schema=told))


def _nothing(rows: int, kind: str) -> Column:
    missing = from_arrow(pa.nulls(rows), "", str)
    if kind in ("levels", "boolean"):
        levels = (False, True) if kind == "boolean" else ()
        return Coded(missing.isnan().long().neg(), levels)  # type: ignore[union-attr]
    return missing


def _require_exact(values: pa.ChunkedArray, name: str, place: Place, lines: bytes) -> None:
    """Where some number has a fraction arrow reads all as float64: look again at large ones as they were written."""
    with np.errstate(invalid="ignore"):
        suspects = np.flatnonzero(np.abs(values.to_numpy()) >= EXACT)
    if suspects.size:
        written = [line for line in lines.splitlines() if line.strip()]
        for row in suspects.tolist():
            value = json.loads(written[row]).get(name)
            if isinstance(value, int) and int(float(value)) != value:
                raise inexact_integer(value, name, place(row))
