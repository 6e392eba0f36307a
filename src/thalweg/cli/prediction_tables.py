"""Predictions of a table, batch by batch, with columns of the table beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow
from torch import Tensor

from thalweg.data.missing import gaps, without
from thalweg.data.source import Batch, Coded, Column, Source
from thalweg.errors import ColumnError, OptionError, ThalwegWarning, tell
from thalweg.inference.prediction import Request, batches, warn

if TYPE_CHECKING:
    from thalweg.result import Fit

COLUMNS = ("prediction", "lower", "upper", "standard_error")


def prediction_tables(
    fit: Fit,
    source: Source,
    *,
    interval: float | None = None,
    interval_kind: str | None = None,
    kind: str = "mean",
    unseen: str = "error",
    missing: str = "error",
    keep: Sequence[str] = (),
) -> Iterator[pyarrow.Table]:
    """Tables of a few thousand rows each: the kept columns, then prediction, lower, upper, standard_error.

    Parameters
    ----------
    fit : Fit
    source : Source
    interval, interval_kind : optional
        Level and kind of the interval; with neither there is none, and the library chooses what is not told.
    kind, unseen : str
        As `Fit.predict`.
    missing : {"error", "drop"}
        What becomes of a row that lacks a value of a predictor; left out, they are counted in a warning.
    keep : sequence of str
        Columns of the source to be put first.

    Raises
    ------
    OptionError, ColumnError
        A kept column that is not there, or that has the name of a prediction's column; and what `Fit.predict` raises.
    """
    if interval is None:
        request = Request.of(fit, interval_kind, None, kind)
    else:
        request = Request.of(fit, interval_kind or interval, interval, kind)
    if missing not in ("error", "drop"):
        raise OptionError(f"missing is {missing!r}", advice="It is 'error' or 'drop'.")
    kept = Kept(source, keep, drop=missing == "drop")
    outside: Counter[str] = Counter()
    rows = 0
    for columns in batches(fit, kept, request, outside, unseen=unseen):
        count = len(columns["prediction"])
        yield pyarrow.table({**kept.next(count), **{name: _numbers(values) for name, values in columns.items()}})
        rows += count
    if rows == 0:  # every row was left out: the columns are there all the same
        made = COLUMNS[:1] if request.interval_kind is None else COLUMNS
        yield pyarrow.table({name: _numbers(np.empty(0)) for name in (*kept.keep, *made)})
    if kept.dropped:
        tell(ThalwegWarning(f"left out for missing values: {kept.dropped} rows"))
    warn(fit, outside, rows)


@final
class Kept(Source):
    """A source that hands out, beside what is asked of it, the values of some of its columns.

    The predictions of a batch come in several pieces; `next(n)` gives the kept columns of the n rows that follow. With
    `drop`, rows that lack a value of a column that is asked for are left out of both, and counted in `dropped`.
    """

    def __init__(self, source: Source, keep: Sequence[str], *, drop: bool = False) -> None:
        self.source, self.keep, self.drop = source, tuple(keep), drop
        self.dropped = 0
        self._check()
        self._batch = Batch({}, 0)
        self._used = 0

    def _check(self) -> None:
        missing = [name for name in self.keep if name not in self.source.names]
        if missing:
            raise ColumnError(
                f"--keep: there is no column {missing[0]!r}", advice=f"There are: {_some(self.source.names)}."
            )
        taken = set(COLUMNS).intersection(self.keep)
        if taken:
            raise OptionError(f"--keep: {min(taken)!r} is the name of a column of predictions")

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    @property
    def rows(self) -> int | None:
        return self.source.rows

    @property
    def description(self) -> str:
        return self.source.description

    def place(self, row: int) -> str:
        return self.source.place(row)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        for batch in self.source.batches(list(dict.fromkeys([*columns, *self.keep]))):
            whole = without(batch, gaps(batch, columns, self.source)) if self.drop else batch
            self.dropped += batch.rows - whole.rows
            self._batch, self._used = whole, 0
            yield whole

    def next(self, count: int) -> dict[str, pyarrow.Array]:
        """The kept columns of the next rows of the present batch."""
        rows = slice(self._used, self._used + count)
        self._used += count
        return {name: _values(self._batch.columns[name][rows]) for name in self.keep}


def _values(column: Column) -> pyarrow.Array:
    if isinstance(column, Coded):
        levels = column.levels
        return pyarrow.array([levels[code] if code >= 0 else None for code in column.codes.tolist()])
    return _numbers(_whole(column))


def _whole(column: Tensor) -> np.ndarray:
    return column.double().numpy(force=True)


def _numbers(values: np.ndarray) -> pyarrow.Array:
    """NaN is a missing value: an empty cell of a CSV file, null in the others."""
    return pyarrow.array(values, from_pandas=True)


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
