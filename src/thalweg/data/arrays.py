"""Mappings of lists, NumPy arrays and tensors as a source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
import torch
from torch import Tensor

from thalweg.data.array_columns import from_values, length
from thalweg.data.columns import describe
from thalweg.data.frames import from_series
from thalweg.data.memory import MemorySource, row_place
from thalweg.data.source import Column
from thalweg.errors import ColumnError, SourceError


def array_source(data: Mapping[Any, Any], described: str | None = None) -> MemorySource:
    """A mapping of names to columns of one length as a source.

    Parameters
    ----------
    data : mapping of str to list, ndarray, Tensor or Series
        Columns (n,); a matrix column is (n, k).

    Raises
    ------
    ColumnError
        Columns of different lengths, or something that is not a column.

    Examples
    --------
    >>> source = array_source({"x": [1, 2, 3], "g": ["b", "a", None]})
    >>> next(source.batches(["x", "g"])).columns["g"].levels
    ('a', 'b')
    """
    if not data:
        raise SourceError("the mapping has no columns", advice='Give columns by name: {"x": ..., "y": ...}.')
    columns = {str(name): values for name, values in data.items()}
    rows = _rows(columns)
    description = described or f"a mapping: {describe(rows, len(columns))}"
    if len(columns) < len(data):
        raise ColumnError("two columns have the same name as text", where=description)
    readers = [(name, partial(_read, values, name)) for name, values in columns.items()]
    return MemorySource(readers, rows, description, device=_device(columns))


def _rows(columns: Mapping[str, Any]) -> int:
    lengths = {name: length(values, name) for name, values in columns.items()}
    first, rows = next(iter(lengths.items()))
    for name, other in lengths.items():
        if other != rows:
            raise ColumnError(
                f"columns of different lengths: '{first}' has {rows} row{'s' * (rows != 1)}, '{name}' has {other}",
                advice="Every column needs one value per row.",
            )
    return rows


def _device(columns: Mapping[str, Any]) -> torch.device | None:
    """The one device of the tensors, or None where there is none."""
    found = {values.device: name for name, values in columns.items() if isinstance(values, Tensor)}
    if len(found) > 1:
        (a, first), (b, second), *_ = found.items()
        raise ColumnError(
            f"columns on different devices: '{first}' on {a}, '{second}' on {b}", advice="Move them to one with .to()."
        )
    return next(iter(found), None)


def _read(values: Any, name: str) -> Column:
    if isinstance(values, np.ndarray | Tensor | list):
        return from_values(values, name, row_place)
    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        return from_series(series, name, row_place)
    return from_values(values, name, row_place)
