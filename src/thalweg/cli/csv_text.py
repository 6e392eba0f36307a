"""Tables as CSV text: numbers with all their digits, text as it is, quotes only where CSV needs them."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.compute as pc

from thalweg.errors import OptionError


def header(table: pa.Table) -> bytes:
    """The line of names."""
    names = io.StringIO()
    csv.writer(names, lineterminator="\n").writerow(table.column_names)
    return names.getvalue().encode()


def body(table: pa.Table) -> bytes:
    r"""The lines of rows, in UTF-8; a missing value is an empty cell, an empty text a quoted one.

    Raises
    ------
    OptionError
        A column of lists or records, which CSV has no cell for.

    Examples
    --------
    >>> body(pa.table({"id": ["007", "a,b", ""], "prediction": [0.1, None, 2.0]}))
    b'007,0.1\n"a,b",\n"",2\n'
    >>> body(pa.table({"prediction": [None, 2.5]}))
    b'""\n2.5\n'
    """
    if not table.num_rows:
        return b""
    cells = [_cells(table.column(i), name) for i, name in enumerate(table.column_names)]
    # A lone missing value would be a blank line, which readers of CSV skip; in quotes it is an empty cell.
    empty = "" if len(cells) > 1 else '""'
    lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement=empty)
    return "\n".join([*lines.to_pylist(), ""]).encode()


def _cells(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    try:
        cells = column.cast(kind).cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise OptionError(f"column {name!r} is of type {kind}, which CSV has no cell for", advice=_ADVICE) from error
    special = pc.match_substring_regex(cells, '^$|[",\r\n]')
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', "")
    return pc.if_else(special, quoted, cells)


_ADVICE = "Leave it out, or write a .parquet or .feather file."
