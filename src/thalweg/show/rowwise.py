"""What a fit says about each row: fitted value, residuals, leverage, influence (`thalweg.inference.residuals`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float, Int

from thalweg.data.block import Block
from thalweg.data.gathered import whole
from thalweg.data.rows import DoubledBlock, Readable, piece_rows
from thalweg.data.source import Batch, Coded, Column, Source

if TYPE_CHECKING:
    from thalweg.result import Fit

Vector = Float[np.ndarray, "n"]
_KINDS = {
    "eta": "linear_predictor",
    "mu": "fitted",
    "response": "response",
    "working": "working",
    "deviance": "deviance",
}
_WITH_LEVERAGE = {
    "standardized": "standardized",
    "standardized_pearson": "standardized_pearson",
    "leverage": "leverage",
    "cooks": "cooks",
}


@dataclass(frozen=True)
class Rowwise:
    """Some rows of a fit; each attribute is a float64 array of shape (n,).

    Attributes
    ----------
    y, eta, mu : array
        Response, linear predictor, mean.
    response, working, deviance : array
        Residuals: y - mu, the same on the scale of the link, and the signed root of the row's deviance.
    standardized, standardized_pearson, leverage, cooks : array
        NaN where the fit has no curvature to compute them from.
    weight : array
        The user's weights, 1 without any.
    """

    y: Vector
    eta: Vector
    mu: Vector
    response: Vector
    working: Vector
    deviance: Vector
    standardized: Vector
    standardized_pearson: Vector
    leverage: Vector
    cooks: Vector
    weight: Vector

    def __getitem__(self, rows: np.ndarray) -> Rowwise:
        return Rowwise(*(getattr(self, field.name)[rows] for field in fields(self)))

    @staticmethod
    def joined(parts: Iterable[Rowwise]) -> Rowwise:
        """Rows of several blocks, one after the other."""
        parts = list(parts)
        return Rowwise(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rowwise)))


def rowwise(fit: Fit, block: Block) -> Rowwise:
    """The rows of one block, which must have its response."""
    from thalweg.inference.residuals import diagnostics

    assert block.y is not None
    y = block.y.numpy(force=True).astype(np.float64)
    kinds = _KINDS if fit.unscaled is None else _KINDS | _WITH_LEVERAGE
    found = diagnostics(fit, list(kinds.values()), _One(block))
    columns = {name: found.get(kind, np.full_like(y, np.nan)) for name, kind in (_KINDS | _WITH_LEVERAGE).items()}
    weight = np.ones_like(y) if block.weight is None else block.weight.numpy(force=True).astype(np.float64)
    return Rowwise(y, weight=weight, **columns)


@final
class _One(Readable):
    """One block as rows that can be read."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def blocks(self) -> Iterator[Block]:
        yield self.block

    def doubled(self) -> Iterator[DoubledBlock]:
        raise NotImplementedError("one block is only read")

    def sampled(self, every: int) -> Readable:
        raise NotImplementedError("one block is only read")

    @property
    def columns(self) -> int:
        return self.block.matrix.shape[1]

    @property
    def count(self) -> int:
        return self.block.matrix.shape[0]


def complete_pieces(fit: Fit, source: Source) -> Iterator[Batch]:
    """The complete rows of a source, a block at a time, with the columns that the fit reads."""
    rows = piece_rows(fit.spec, len(fit.names))
    for batch in whole(source, fit.spec).batches(fit.spec.columns):
        for start in range(0, batch.rows, rows):
            complete = fit.spec.complete(batch[start : start + rows], source)
            if complete.rows:
                yield complete


def row_numbers(batch: Batch) -> Int[np.ndarray, "n"]:
    """Numbers of a batch's rows in their source, from 0."""
    if batch.numbers is not None:
        return batch.numbers.numpy(force=True)
    return np.arange(batch.start, batch.start + batch.rows)


def values_of(column: Column, rows: Int[np.ndarray, "k"]) -> np.ndarray:
    """Chosen rows of a column as an array: numbers, or levels as objects (None where missing)."""
    if not isinstance(column, Coded):
        return column.numpy(force=True)[rows].astype(np.float64)
    levels = np.empty(len(column.levels) + 1, dtype=object)  # the last one, None, is what code -1 finds
    levels[:-1] = column.levels
    return levels[column.codes.numpy(force=True)[rows]]


def measured(fit: Fit, source: Source) -> dict[str, Vector]:
    """What `augment` adds to each row of a source; NaN for rows that are not complete."""
    if not set(fit.spec.columns) <= set(source.names):
        found = predicted(fit, source)
        return {"fitted": found["prediction"], "lower": found["lower"], "upper": found["upper"]}
    columns = {name: np.full(_count(source), np.nan) for name in ("fitted", *_AUGMENTED, "lower", "upper")}
    for batch in complete_pieces(fit, source):
        at, rows = row_numbers(batch), rowwise(fit, fit.spec.block(batch))
        interval = predicted(fit, _OneBatch(batch))
        columns["fitted"][at] = rows.mu
        for name, attribute in _AUGMENTED.items():
            columns[name][at] = getattr(rows, attribute)
        columns["lower"][at], columns["upper"][at] = interval["lower"], interval["upper"]
    return columns


_AUGMENTED = {
    "residual": "response",
    "std_residual": "standardized",
    "leverage": "leverage",
    "cooks_distance": "cooks",
}


def _count(source: Source) -> int:
    return source.rows if source.rows is not None else sum(batch.rows for batch in source.batches(source.names[:1]))


def predicted(fit: Fit, source: Source, interval: str = "mean", kind: str = "mean") -> dict[str, Vector]:
    """Columns prediction, lower, upper and standard_error, as `fit.predict` gives them but without its warnings.

    The last three are NaN where the fit has no covariance.
    """
    from thalweg.inference.prediction import Request, batches

    possible = fit.covariance is not None and fit.separation is None
    request = Request.of(fit, interval if possible else None, None, kind)
    parts = list(batches(fit, source, request, Counter()))
    names = parts[0] if parts else ("prediction",)
    found = {name: np.concatenate([np.empty(0), *(part[name] for part in parts)]) for name in names}
    nothing = np.full_like(found["prediction"], np.nan)
    return {"lower": nothing, "upper": nothing, "standard_error": nothing} | found


@final
class _OneBatch(Source):
    """A batch as a source."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.batch.columns)

    @property
    def rows(self) -> int:
        return self.batch.rows

    @property
    def description(self) -> str:
        return "one batch"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        yield self.batch
