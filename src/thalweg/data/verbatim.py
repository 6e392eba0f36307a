"""Columns to be copied rather than computed with, as arrow tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from thalweg.data.csv_numbers import MISSING
from thalweg.data.source import Coded, Column


def as_arrow(columns: Mapping[str, Column]) -> pa.Table:
    """Columns of a batch as a table; NaN is null."""
    return pa.table({name: _array(column) for name, column in columns.items()})


def _array(column: Column) -> pa.Array:
    if isinstance(column, Coded):
        levels = column.levels
        return pa.array([levels[code] if code >= 0 else None for code in column.codes.tolist()])
    return pa.array(column.tolist() if column.dim() == 2 else column.numpy(force=True), from_pandas=True)


def with_types(table: pa.Table, names: Collection[str]) -> pa.Table:
    """The cells of these columns as whole numbers, or as numbers, where that loses none of their characters.

    Parameters
    ----------
    table : pyarrow Table
        Whole: the type of a column rests on all of its cells.
    names : collection of str
        Columns of text from a file without types.

    Examples
    --------
    >>> table = pa.table({"id": ["007", "010"], "n": ["7", "10"], "x": ["1.5", "NA"], "version": ["1.1", "1.10"]})
    >>> {field.name: str(field.type) for field in with_types(table, table.column_names).schema}
    {'id': 'string', 'n': 'int64', 'x': 'double', 'version': 'string'}
    """
    for i, name in enumerate(table.column_names):
        if name in names:
            table = table.set_column(i, name, _typed(table.column(i)))
    return table


def _typed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    present = pc.if_else(pc.is_in(cells, pa.array(MISSING)), pa.scalar(None, cells.type), cells)
    for kind in (pa.int64(), pa.float64()):
        try:
            values = present.cast(kind)
        except pa.ArrowInvalid:
            continue
        back = values.cast(cells.type)
        same = pc.or_(pc.equal(back, present), pc.equal(pc.binary_join_element_wise(back, ".0", ""), present))
        if pc.all(same).as_py() is not False and present.null_count < len(present):
            return values
    return cells
