"""Rows sorted by group, and groups of like size together as (K, n) arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.group_rows import GroupRows
from thalweg.curves.spec import CurveSpec
from thalweg.data.rows import Rows

ENTRIES = 2**15  # of a column of a chunk: its few dozen arrays stay in the cache
PADDING = 1.2  # most rows of a chunk's groups, padded, to the least

Over = Callable[["Int[ndarray, 'k']"], tuple[Evaluator, ndarray, "ndarray | None"]]


@final
@dataclass(frozen=True)
class Table:
    """Rows sorted by group.

    Attributes
    ----------
    columns : dict of str to ndarray, (N,)
    y : ndarray, (N,)
    weight : ndarray, (N,), optional
    edges : ndarray, (G + 1,)
        Where each group begins.
    """

    columns: Mapping[str, Float[ndarray, "N"]]
    y: Float[ndarray, "N"]
    weight: Float[ndarray, "N"] | None
    edges: Int[ndarray, "G1"]

    @property
    def sizes(self) -> Int[ndarray, "G"]:
        """Rows of each group."""
        return np.diff(self.edges)

    def counts(self) -> Int[ndarray, "G"]:
        """Rows of positive weight of each group."""
        if self.weight is None:
            return self.sizes
        return np.add.reduceat(self.weight > 0, self.edges[:-1]).astype(int)

    def sums(self, values: Float[ndarray, "N"]) -> Float[ndarray, "G"]:
        """Of each group."""
        return np.add.reduceat(values, self.edges[:-1])

    def total_squares(self) -> Float[ndarray, "G"]:
        """sum w (y - mean)^2 of each group; 0 where y is the same in all its rows but for rounding."""
        weight = np.ones(len(self.y)) if self.weight is None else self.weight
        heavy = np.maximum(self.sums(weight), np.finfo(float).tiny)
        mean = self.sums(weight * self.y) / heavy
        off = self.y - np.repeat(mean, self.sizes)
        shift = self.sums(weight * off) / heavy  # the first mean's own rounding
        squares = self.sums(weight * (off - np.repeat(shift, self.sizes)) ** 2)
        return np.where(np.sqrt(squares) <= np.sqrt(heavy) * 4 * 2.0**-52 * np.abs(mean), 0.0, squares)

    def flat(self, rss: Float[ndarray, "G"]) -> ndarray:
        """Groups where y is the same in all rows, and a curve that leaves `rss` too."""
        weight = np.ones(len(self.y)) if self.weight is None else self.weight
        squares = self.sums(weight * self.y**2)
        least = max(1e-6 * float(squares.mean()), 1e-40)  # where y is 0, the other groups say what is small
        return (self.total_squares() == 0) & (rss <= 1e-20 * np.maximum(squares, least))

    def log_weights(self) -> Float[ndarray, "G"]:
        """Sums of the logarithms of the positive weights."""
        if self.weight is None:
            return np.zeros(len(self.sizes))
        return self.sums(np.log(np.where(self.weight > 0, self.weight, 1.0)))


@final
@dataclass(frozen=True)
class Chunk:
    """Groups of like size as (K, n) arrays.

    Attributes
    ----------
    groups : ndarray, (K,)
        Their numbers.
    columns : dict of str to ndarray, (K, n)
    y : ndarray, (K, n)
    weight : ndarray, (K, n), optional
        0 for padding; None where all rows count alike.
    """

    groups: Int[ndarray, "K"]
    columns: Mapping[str, Float[ndarray, "K n"]]
    y: Float[ndarray, "K n"]
    weight: Float[ndarray, "K n"] | None

    def rows(self, curve: Curve, index: Int[ndarray, "k"]) -> Evaluator:
        """The curve over some of the groups."""
        whole = len(index) == len(self.groups)
        columns = self.columns if whole else {name: column[index] for name, column in self.columns.items()}
        return curve.over(columns, self.y.shape[1])

    def over(self, curve: Curve) -> Over:
        """The same with y and the square roots of the weights."""
        root = None if self.weight is None else np.sqrt(self.weight)
        return lambda index: (self.rows(curve, index), self.y[index], None if root is None else root[index])


def alike(table: Table, groups: Int[ndarray, "k"]) -> Iterator[Int[ndarray, "K"]]:
    """Some groups, sorted by size, as many at a time as a chunk takes."""
    order = groups[np.argsort(table.sizes[groups], kind="stable")]
    sizes = table.sizes[order]
    first = 0
    while first < len(order):
        most = max(int(PADDING * sizes[first]), int(sizes[first]) + 1)
        last = int(np.searchsorted(sizes, most, side="right"))
        last = min(last, first + max(1, ENTRIES // int(sizes[last - 1])))
        yield order[first:last]
        first = last


def chunk(table: Table, groups: Int[ndarray, "K"]) -> Chunk:
    """The rows of some groups, padded to the length of the longest."""
    sizes = table.sizes[groups]
    along = np.arange(int(sizes.max()))
    at = table.edges[groups][:, None] + np.minimum(along, sizes[:, None] - 1)  # the last row again, and again
    columns = {name: column[at] for name, column in table.columns.items()}
    weight = None if table.weight is None else table.weight[at]
    if int(sizes.min()) < len(along):
        weight = np.where(along < sizes[:, None], 1.0 if weight is None else weight, 0.0)
    return Chunk(groups, columns, table.y[at], weight)


# ------------------------------------------------------------------------------------------------------------ reading


def read(rows: Rows, spec: CurveSpec) -> tuple[Table, GroupRows]:
    """All complete rows, sorted by group, and where they stand."""
    parts: list[tuple[dict[str, ndarray], ndarray, ndarray | None, ndarray, ndarray]] = []
    for batch in rows.batches():
        block = spec.block(batch).double()
        weight, tangent = block.loss_weight, cast(Any, block.matrix)
        numbers = np.arange(batch.start, batch.start + batch.rows) if batch.numbers is None else batch.numbers.numpy()
        assert block.y is not None
        y, codes = block.y.numpy(force=True), spec.cluster(batch).numpy(force=True)
        parts.append((tangent.columns, y, None if weight is None else weight.numpy(force=True), codes, numbers))
    codes = np.concatenate([part[3] for part in parts])
    assert spec.base.cluster_levels is not None
    edges = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(spec.base.cluster_levels)))])
    order = _sorted(codes)
    columns = {name: np.concatenate([part[0][name] for part in parts])[order] for name in spec.curve.inputs}
    weights = [part[2] for part in parts if part[2] is not None]
    weight = np.concatenate(weights)[order] if weights else None
    table = Table(columns, np.concatenate([part[1] for part in parts])[order], weight, edges)
    return table, GroupRows(rows.source, np.concatenate([part[4] for part in parts])[order], edges)


def _sorted(codes: Int[ndarray, "N"]) -> Any:
    """What brings rows of one group together; small numbers are sorted by their digits, eight times faster."""
    if not (np.diff(codes) < 0).any():
        return slice(None)
    return np.argsort(codes.astype(np.uint16) if int(codes.max()) < 2**16 else codes, kind="stable")
