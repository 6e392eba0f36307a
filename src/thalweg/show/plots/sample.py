"""The rows that a picture shows: all of a small table, a fixed random choice of a large one, found in one reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from thalweg.data.source import Batch, Coded
from thalweg.show.rowwise import Rowwise, complete_pieces, row_numbers, rowwise, values_of

if TYPE_CHECKING:
    from thalweg.result import Fit

MOST_POINTS = 5000
LABELLED = 3


@dataclass(frozen=True)
class Sample:
    """Rows of a fit for a picture.

    Attributes
    ----------
    rows : Rowwise
        The chosen rows.
    numbers : array of int64, (n,)
        Their numbers in the source, from 0.
    columns : mapping of str to array
        Their columns as the source has them (levels, not codes).
    total : int
        Rows of the fit.
    means : mapping of str to float or array
        Mean of each number column over all rows of the fit; of a matrix column, of each of its columns.
    outlying, influential : (Rowwise, numbers)
        The few rows, of all, with the largest |standardised residual|, and with the largest Cook's distance.
    """

    rows: Rowwise
    numbers: Int[np.ndarray, "n"]
    columns: Mapping[str, np.ndarray]
    total: int
    means: Mapping[str, Any]
    outlying: tuple[Rowwise, Int[np.ndarray, "k"]]
    influential: tuple[Rowwise, Int[np.ndarray, "k"]]

    def outliers_too(self) -> Rowwise:
        """The chosen rows and, where they are not among them, the outlying and the influential ones."""
        parts, known = [self.rows], set(self.numbers.tolist())
        for rows, numbers in (self.outlying, self.influential):
            new = np.array([i for i, number in enumerate(numbers.tolist()) if number not in known], dtype=np.int64)
            parts.append(rows[new])
            known.update(numbers.tolist())
        return Rowwise.joined(parts)

    @property
    def caption(self) -> str:
        """What to say below a picture that does not show every row; empty where it does."""
        shown = len(self.numbers)
        return "" if shown == self.total else f"{shown:,} of {self.total:,} rows, chosen at random, are drawn."


def sample(fit: Fit, size: int = MOST_POINTS) -> Sample:
    """Choose and evaluate rows, in one reading of all of them.

    The choice is the same for the same number of rows: it comes from a generator of its own with a fixed seed.
    """
    chosen = _chosen(fit.spec.rows, size)
    taken, numbers, columns = [], [], []
    outlying, influential, means = _Largest("standardized"), _Largest("cooks"), _Means()
    position = 0
    for batch in complete_pieces(fit, fit.data().source):
        every, number = rowwise(fit, fit.spec.block(batch)), row_numbers(batch)
        outlying.see(every, number)
        influential.see(every, number)
        means.see(batch)
        first, last = np.searchsorted(chosen, [position, position + batch.rows])
        here = chosen[first:last] - position
        taken.append(every[here])
        numbers.append(number[here])
        columns.append({name: values_of(column, here) for name, column in batch.columns.items()})
        position += batch.rows
    return Sample(
        Rowwise.joined(taken),
        np.concatenate(numbers),
        {name: np.concatenate([part[name] for part in columns]) for name in columns[0]},
        position,
        means.values(),
        outlying.found(),
        influential.found(),
    )


def _chosen(total: int, size: int) -> Int[np.ndarray, "k"]:
    if total <= size:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, size, replace=False, shuffle=False))


class _Largest:
    """The few rows with the largest absolute value of one quantity, over all blocks seen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: Rowwise | None = None
        self.numbers = np.empty(0, dtype=np.int64)

    def see(self, rows: Rowwise, numbers: Int[np.ndarray, "n"]) -> None:
        rows = rows if self.rows is None else Rowwise.joined([self.rows, rows])
        numbers = np.concatenate([self.numbers, numbers])
        top = np.argsort(-np.abs(getattr(rows, self.name)), kind="stable")[:LABELLED]  # NaN sorts last
        self.rows, self.numbers = rows[top], numbers[top]

    def found(self) -> tuple[Rowwise, np.ndarray]:
        assert self.rows is not None
        known = np.isfinite(getattr(self.rows, self.name))
        return self.rows[known], self.numbers[known]


class _Means:
    """Means of the number columns, over all blocks seen."""

    def __init__(self) -> None:
        self.sums: dict[str, Any] = {}
        self.rows = 0

    def see(self, batch: Batch) -> None:
        self.rows += batch.rows
        for name, column in batch.columns.items():
            if not isinstance(column, Coded):
                self.sums[name] = self.sums.get(name, 0.0) + column.double().sum(dim=0)

    def values(self) -> dict[str, Any]:
        means = {name: (total / self.rows).numpy(force=True) for name, total in self.sums.items()}
        return {name: mean if mean.ndim else float(mean) for name, mean in means.items()}
