"""Predictions of a table, batch by batch, with columns of the table beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow

from thalweg.data.source import Source
from thalweg.errors import ColumnError, OptionError
from thalweg.inference.prediction import Request, batches, warn

if TYPE_CHECKING:
    from thalweg.result import Fit

COLUMNS = ("prediction", "lower", "upper", "standard_error")


def prediction_tables(fit: Fit, source: Source, request: Request, keep: Sequence[str] = ()) -> Iterator[pyarrow.Table]:
    """Tables of a few thousand rows each: the kept columns, then prediction, lower, upper, standard_error.

    Parameters
    ----------
    fit : Fit
    source : Source
    request : Request
        What to compute.
    keep : sequence of str
        Columns of the source to be put first, as they stand there.

    Raises
    ------
    OptionError, ColumnError
        A kept column that is not there, or that has the name of a prediction's column; and what `Fit.predict` raises.
    """
    kept = Kept(source, keep)
    outside: Counter[str] = Counter()
    rows = 0
    for columns in batches(fit, source, request, outside):
        count = len(columns["prediction"])
        yield pyarrow.table({**kept.next(count), **{name: _numbers(values) for name, values in columns.items()}})
        rows += count
    if rows == 0:  # the columns are there all the same
        made = COLUMNS[:1] if request.interval_kind is None else COLUMNS
        yield pyarrow.table({name: _numbers(np.empty(0)) for name in (*kept.names, *made)})
    warn(fit, outside, rows)


@final
class Kept:
    """Some columns of a source, copied in step with the predictions: `next(n)` gives those of the n rows that follow.

    They come from a reading of their own, in which no cell becomes a number: 007 stays 007.
    """

    def __init__(self, source: Source, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        self._check(source)
        self._tables = source.verbatim(self.names)
        self._rest = pyarrow.table({})

    def _check(self, source: Source) -> None:
        missing = [name for name in self.names if name not in source.names]
        if missing:
            raise ColumnError(f"--keep: there is no column {missing[0]!r}", advice=f"There are: {_some(source.names)}.")
        taken = set(COLUMNS).intersection(self.names)
        if taken:
            raise OptionError(f"--keep: {min(taken)!r} is the name of a column of predictions")

    def next(self, count: int) -> dict[str, pyarrow.ChunkedArray]:
        """The columns of the next rows."""
        if not self.names:
            return {}
        parts = []
        while count:
            if not self._rest.num_rows:
                self._rest = next(self._tables)
            part, self._rest = self._rest.slice(0, count), self._rest.slice(count)
            parts.append(part)
            count -= part.num_rows
        whole = pyarrow.concat_tables(parts, promote_options="permissive")
        return {name: whole.column(name) for name in self.names}


def _numbers(values: np.ndarray) -> pyarrow.Array:
    """NaN is a missing value: an empty cell of a CSV file, null in the others."""
    return pyarrow.array(values, from_pandas=True)


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
