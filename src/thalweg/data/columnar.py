"""Parquet and Arrow (Feather) files as sources: typed columns, decoded a part at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from thalweg.data.columns import describe, from_arrow, kind_of, require_columns, require_unique
from thalweg.data.origin import ByteFile
from thalweg.data.source import Batch, Source
from thalweg.errors import SourceError

BATCH_ROWS = 2**16


class TypedFile(Source):
    """A file whose columns have types.

    Parameters
    ----------
    file : ByteFile
    schema : pyarrow Schema
    rows : int, optional
    form : str
        'Parquet', 'Arrow'.
    """

    def __init__(self, file: ByteFile, schema: pa.Schema, rows: int | None, form: str) -> None:
        require_unique(schema.names, file.name)
        self.file, self.schema, self._rows, self.form = file, schema, rows, form
        self._keep_order = b"pandas" in (schema.metadata or {})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    @property
    def rows(self) -> int | None:
        return self._rows

    @property
    def description(self) -> str:
        columns = len(self.schema.names)
        size = describe(self._rows, columns) if self._rows is not None else f"{columns} columns"
        return f"{self.file.name}: {self.form}, {size}"

    def kind(self, name: str) -> str:
        """'number', 'levels', 'other', or 'unknown' for a column of missing values."""
        return kind_of(self.schema.field(name).type)

    def place(self, row: int) -> str:
        return f"{self.file.name}, row {row + 1}"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        require_columns(columns, self.names, self.file.name)
        start = 0
        with self._explained():
            for part in self._parts(list(columns)):
                yield self._batch(part, columns, start)
                start += part.num_rows
        self._rows = start

    def verbatim(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """These columns as the file has them."""
        require_columns(columns, self.names, self.file.name)
        with self._explained():
            for part in self._parts(list(columns)):
                yield pa.Table.from_batches([part]).select(list(columns))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.file, self.form, error) from error

    def _batch(self, part: pa.RecordBatch, columns: Sequence[str], start: int) -> Batch:
        def place(row: int) -> str:
            return self.place(start + row)

        read = {c: from_arrow(part.column(c), c, place, keep_order=self._keep_order) for c in columns}
        return Batch(read, part.num_rows, start)

    @abstractmethod
    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows, part by part, with these columns."""


def unreadable(file: ByteFile, form: str, error: Exception) -> SourceError:
    """The error for a file that is not what its first bytes or its name say."""
    first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
    return SourceError(f"{file.name} cannot be read as {form}: {first}", advice="It may be cut short or damaged.")


@final
class ParquetSource(TypedFile):
    """A Parquet file, one row group at a time: what is in memory is a row group, not the file."""

    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.file.arrow(), memory_map=False, pre_buffer=False) as parquet:
            for group in range(parquet.num_row_groups):
                yield from parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns)


def parquet_source(file: ByteFile) -> ParquetSource:
    """Open a Parquet file."""
    try:
        with pq.ParquetFile(file.arrow()) as parquet:
            return ParquetSource(file, parquet.schema_arrow, parquet.metadata.num_rows, "Parquet")
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file, "Parquet", error) from error


@final
class ArrowSource(TypedFile):
    """An Arrow file (Feather version 2) or an Arrow stream, a record batch at a time."""

    def _parts(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        wanted = [self.schema.names.index(name) for name in columns]
        # An empty list of fields means all of them.
        with self.file.arrow() as handle, _reader(handle, pa.ipc.IpcReadOptions(included_fields=wanted)) as reader:
            if hasattr(reader, "num_record_batches"):
                yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
            else:
                yield from reader


def arrow_file_source(file: ByteFile) -> ArrowSource:
    """Open an Arrow or Feather file."""
    try:
        with file.arrow() as handle, _reader(handle, pa.ipc.IpcReadOptions()) as reader:
            rows = None
            if hasattr(reader, "num_record_batches"):
                rows = sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))
            return ArrowSource(file, reader.schema, rows, "Arrow")
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file, "Arrow", error) from error


def _reader(handle: pa.NativeFile, options: pa.ipc.IpcReadOptions) -> Any:
    start = handle.read(6)
    handle.seek(0)
    opener = pa.ipc.open_file if start == b"ARROW1" else pa.ipc.open_stream
    return opener(handle, options=options)
