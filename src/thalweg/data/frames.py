"""Frames of pandas, polars, pyarrow and whatever else narwhals knows, as a source."""

from __future__ import annotations

from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from thalweg.data.array_columns import from_numpy
from thalweg.data.columns import Place, coded, describe, from_arrow, kind_of, refused_type, require_unique
from thalweg.data.memory import MemorySource, Reader, row_place
from thalweg.data.source import Column
from thalweg.errors import ColumnError


def frame_source(frame: Any) -> MemorySource | None:
    """A frame as a source, or None where the object is no frame.

    The index of a pandas frame is not read. Column names that are not text become text.

    Raises
    ------
    ColumnError
        Two columns of one name.
    """
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        return arrow_source(frame)
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):  # pandas allows what narwhals refuses: say it in our words
        require_unique([str(name) for name in frame.columns], "the frame")
    known = nw.from_native(frame, pass_through=True)
    if isinstance(known, nw.LazyFrame):
        known = known.collect()
    if not isinstance(known, nw.DataFrame):
        return _from_capsule(frame)
    return _from_narwhals(known)


def _from_capsule(frame: Any) -> MemorySource | None:
    """Anything else that offers its columns through arrow's C interface (a query's result, for example)."""
    if not hasattr(frame, "__arrow_c_stream__"):
        return None
    try:
        return arrow_source(pa.table(frame))
    except (pa.ArrowInvalid, TypeError):  # one column without a name
        return None


def arrow_source(table: pa.Table, described: str | None = None) -> MemorySource:
    """A pyarrow table as a source."""
    description = described or f"a pyarrow table: {describe(table.num_rows, table.num_columns)}"
    keep = b"pandas" in (table.schema.metadata or {})
    readers: list[tuple[str, Reader]] = [
        (name, partial(from_arrow, table.column(i), name, row_place, keep_order=keep))
        for i, name in enumerate(table.column_names)
    ]
    return MemorySource(readers, table.num_rows, description, frame_library="pyarrow")


def _from_narwhals(frame: nw.DataFrame) -> MemorySource:
    library = frame.implementation.value
    rows, columns = frame.shape
    readers: list[tuple[str, Reader]] = [
        (str(series.name), partial(from_series, series, str(series.name), row_place)) for series in frame.iter_columns()
    ]
    description = f"a {library} frame: {describe(rows, columns)}"
    return MemorySource(readers, rows, description, frame_library=library if library in _ANSWERS else None)


_ANSWERS = ("pandas", "polars", "pyarrow")  # the libraries whose frames results come back as


def from_series(series: nw.Series, name: str, place: Place) -> Column:
    """A series of any library as a column."""
    if series.implementation.is_pandas():
        return _from_pandas(series.to_native(), name, place)
    if series.dtype == nw.Object:
        return from_numpy(np.asarray(series.to_list(), dtype=object), name, place)
    return from_arrow(series.to_arrow(), name, place)


def _from_pandas(series: Any, name: str, place: Place) -> Column:
    kind = series.dtype
    if isinstance(kind, np.dtype):
        return from_numpy(series.to_numpy(), name, place)
    if hasattr(kind, "categories"):
        return _categories(series, name, place)
    if hasattr(kind, "fill_value"):  # a sparse column
        return from_numpy(np.asarray(series), name, place)
    try:
        values = pa.array(series, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise refused_type(name, str(kind), place) from error
    if isinstance(values.type, pa.BaseExtensionType):  # periods and intervals, whose storage means something else
        raise refused_type(name, str(kind), place)
    return from_arrow(values, name, place)


def _categories(series: Any, name: str, place: Place) -> Column:
    levels = series.cat.categories.tolist()
    if kind_of(pa.array(levels).type) == "other" if levels else False:
        raise ColumnError(f"column '{name}' has categories of type {type(levels[0]).__name__}", advice="Use text.")
    return coded(levels, series.cat.codes.to_numpy().astype(np.int64), keep_order=True)
