"""Text tables (CSV and its kin) as a source: arrow splits them, and every number is read from its own digits.

Cells come from arrow as text, and each column is converted here, so that what a column is never depends on the block
that happened to be read first, and every refusal names its line. That costs a tenth more than arrow's own conversion.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from thalweg.data.columns import Place, coded, require_columns
from thalweg.data.csv_lines import Fault, Utf8, bad_text, first_fault, records
from thalweg.data.csv_numbers import EITHER, MISSING, TRUTH, is_number, not_a_number, numbers
from thalweg.data.csv_sniff import SAMPLE_BYTES, Layout, sniff
from thalweg.data.origin import ByteFile, damaged
from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import DataError, SourceError

BLOCK_BYTES = 2**21
WALK_ROWS = 1_000_000  # how far a row is looked for, line by line, to name its line


def csv_source(
    file: ByteFile,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    text: Sequence[str] = (),
) -> CsvSource:
    """Open a text table: how it is written is found from its first part, or told."""
    sample = file.head(SAMPLE_BYTES)
    layout = sniff(sample, file.name, delimiter=delimiter, decimal=decimal, encoding=encoding, header=header)
    require_columns(text, layout.names, file.name)
    return CsvSource(file, layout).reading_as(dict.fromkeys(text, "levels"))


@final
class CsvSource(Source):
    """A text table.

    Parameters
    ----------
    file : ByteFile
    layout : Layout
        How it is written.
    """

    def __init__(self, file: ByteFile, layout: Layout) -> None:
        self.file, self.layout = file, layout
        self._rows: int | None = 0 if layout.complete and not layout.samples else None
        self._one_line_each = False  # known after a reading
        self._checked = False

    @property
    def names(self) -> tuple[str, ...]:
        return self.layout.names

    @property
    def rows(self) -> int | None:
        return self._rows

    @property
    def description(self) -> str:
        return f"{self.file.name}: {self.layout.description}"

    def kind(self, name: str) -> str:
        """'number', 'levels', or 'unknown' where the first part of the file holds no value."""
        found = self.layout.kinds[name]
        return {"boolean": "levels", "mixed": "number", "unclear": "number"}.get(found, found)

    def reading_as(self, kinds: Mapping[str, str]) -> CsvSource:
        """The same file with the kinds of some columns told."""
        layout = dataclasses.replace(self.layout, kinds={**self.layout.kinds, **kinds})
        return CsvSource(self.file, layout)

    def place(self, row: int) -> str:
        if self._one_line_each:
            return f"{self.file.name}, line {self.layout.skip + row + 1}"
        if row < WALK_ROWS:
            for i, record in enumerate(records(self.file, self.layout)):
                if i == row:
                    return f"{self.file.name}, line {record.line}"
        return f"{self.file.name}, row {row + 1}"

    @property
    def untyped(self) -> bool:
        return True

    def verbatim(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The cells of these columns as text, an empty one as null."""
        require_columns(columns, self.names, self.file.name)
        with self._explained(), Utf8(self.file, self.layout) as stream:
            for block in self._blocks(stream, columns, verbatim=True):
                cells = [block.column(i) for i in range(len(columns))]
                bare = [pc.if_else(pc.equal(c, ""), pa.scalar(None, pa.string()), c) for c in cells]
                yield pa.table(bare, names=list(columns))

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        told = "" if self.layout.header else ", read as having no header"
        require_columns(columns, self.names, self.file.name + told)
        for name in columns:
            self._require_readable(name)
        start = 0
        with self._explained(), Utf8(self.file, self.layout) as stream:
            for block in self._blocks(stream, columns):
                yield self._batch(block, columns, start)
                start += block.num_rows
            self._finish(stream, start)

    # --- reading -----------------------------------------------------------------------------------------------------

    def _blocks(self, stream: Utf8, columns: Sequence[str], *, verbatim: bool = False) -> Iterator[pa.RecordBatch]:
        index = {name: str(i) for i, name in enumerate(self.layout.fields) if name}
        types = {index[name]: pa.string() if verbatim else self._arrow_type(name) for name in columns}
        if self.layout.trailing:  # arrow then refuses the first value in the column that every record leaves empty
            types[str(len(self.layout.fields) - 1)] = pa.null()
        if not types:
            types = {"0": pa.string()}
        options = pa.csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=list(MISSING),
            strings_can_be_null=not verbatim,
            quoted_strings_can_be_null=True,
        )
        names = [str(i) for i in range(len(self.layout.fields))]
        how = pa.csv.ReadOptions(block_size=BLOCK_BYTES, skip_rows=self.layout.skip, column_names=names)
        split = pa.csv.ParseOptions(delimiter=self.layout.delimiter, newlines_in_values=True)
        with pa.csv.open_csv(stream, how, split, options) as reader:
            yield from (block for block in reader if block.num_rows)

    def _arrow_type(self, name: str) -> pa.DataType:
        levels = self.layout.kinds[name] in ("levels", "boolean")
        return pa.dictionary(pa.int32(), pa.string()) if levels else pa.string()

    def _batch(self, block: pa.RecordBatch, columns: Sequence[str], start: int) -> Batch:
        def place(row: int) -> str:
            return self.place(start + row)

        read = {name: self._column(block.column(i), name, place) for i, name in enumerate(columns)}
        return Batch(read, block.num_rows, start)

    def _column(self, cells: pa.Array, name: str, place: Place) -> Column:
        kind = self.layout.kinds[name]
        if kind == "levels":
            return _levels(cells, str)
        if kind == "boolean":
            return _levels(cells, lambda cell: _truth(cell, cells, name, place), (False, True))
        return numbers(cells, self.layout.decimal or ".", name, place)

    # --- what is wrong -----------------------------------------------------------------------------------------------

    def _require_readable(self, name: str) -> None:
        """Refuse a column of which the first part of the file shows that it cannot be read as it stands."""
        kind = self.layout.kinds[name]
        if kind not in ("mixed", "unclear"):
            return
        field, decimal = self.layout.fields.index(name), self.layout.decimal or "."
        for row, record in enumerate(self.layout.samples):
            cell = record[field].strip() if field < len(record) else ""
            if kind == "unclear" and EITHER.fullmatch(cell):
                raise DataError(
                    f"column '{name}' holds '{cell}', a thousand or a decimal comma",
                    where=self.place(row),
                    advice="Nothing in the file tells which: say decimal='.' or decimal=','.",
                )
            if kind == "mixed" and cell not in MISSING and not is_number(cell, decimal):
                fault = first_fault(self.file, self.layout) if self.layout.complete or "\n" in cell else None
                raise self._fault(fault) if isinstance(fault, Fault) else not_a_number(cell, name, self.place(row))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Give what the fast reader or the decoder refuses in the user's terms."""
        try:
            yield
        except pa.ArrowInvalid as error:
            raise self._explanation(str(error)) from error
        except UnicodeError as error:
            raise self._not_text() from error
        except (EOFError, OSError) as error:
            raise damaged(self.file.name, error) from error

    def _explanation(self, message: str) -> SourceError:
        if "invalid UTF8" in message:
            return self._not_text()
        fault = first_fault(self.file, self.layout)
        if isinstance(fault, Fault):
            return self._fault(fault)
        if "conversion error to null" in message:
            value = re.search(r"invalid value '(.*)'", message)
            return SourceError(
                f"{self.file.name} has the value {value.group(1) if value else ''!r} in a column without a name",
                advice="Name the column in the header.",
            )
        return SourceError(f"{self.file.name} cannot be read as {self.layout.description}: {message}")

    def _fault(self, fault: Fault) -> SourceError:
        return SourceError(fault.what, where=f"{self.file.name}, line {fault.line}", advice=fault.advice)

    def _not_text(self) -> SourceError:
        try:
            line = bad_text(self.file, self.layout)
        except UnicodeError:
            line = None
        where = f"{self.file.name}, line {line}" if line else self.file.name
        return SourceError(
            f"text that is not {self.layout.encoding}", where=where, advice="Say encoding='cp1252', or what it is."
        )

    def _finish(self, stream: Utf8, rows: int) -> None:
        """After a reading: the rows are known; a line too many is a line break in a value, or a quote left open."""
        self._rows = rows
        self._one_line_each = stream.lines == self.layout.skip + rows
        suspect = stream.quotes % 2 or (stream.quotes and not self._one_line_each)
        if self._checked or not suspect:
            return
        found = first_fault(self.file, self.layout)
        if isinstance(found, Fault):
            raise self._fault(found)
        if found != rows:
            raise SourceError(
                f"{self.file.name} has {found} or {rows} rows, depending on how its quotes are read",
                advice='Write a quote inside a value twice ("") and the value in quotes.',
            )
        self._checked = True


def _levels(cells: pa.Array, read: Callable[[str], Hashable], first: Sequence[Hashable] = ()) -> Coded:
    """Dictionary cells as codes; `first` are levels to have whether they occur or not."""
    texts = (None if v is None else v.strip() for v in cells.dictionary.to_pylist())
    values = [*first, *(None if v is None or v in MISSING else read(v) for v in texts)]
    codes = cells.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return coded(values, np.where(codes < 0, -1, codes + len(first)))


def _truth(cell: str, cells: pa.Array, name: str, place: Place) -> bool:
    if cell in TRUTH:
        return TRUTH[cell]
    texts = [None if v is None else v.strip() for v in cells.to_pylist()]
    raise DataError(
        f"column '{name}' holds true, false, and '{cell}'",
        where=place(texts.index(cell)),
        advice=f"Correct the value; if the column is a category, open the file with text=['{name}'].",
    )
