"""Levels of categories, learned batch by batch."""

from __future__ import annotations

from collections.abc import Hashable

from torch import Tensor

from thalweg.data.source import Coded


def by_value(level: Hashable) -> tuple[int, object]:
    """Order of levels: numbers and truth values, then texts, then whatever else by its text."""
    if isinstance(level, int | float):
        return 0, level
    return (1, level) if isinstance(level, str) else (2, str(level))


class LevelLearner:
    """Which values occur, and in which order they come.

    The source's own order holds where all batches agree on it (a pandas category, one batch); else they are sorted.
    Levels of a category that no row has are left out, as R's model frames do.
    """

    def __init__(self) -> None:
        self.order: tuple[Hashable, ...] | None = None
        self.agreed = True
        self.seen: set[Hashable] = set()

    def update(self, column: Coded | Tensor) -> None:
        """Take in some more rows, none of them missing."""
        if isinstance(column, Coded):
            self._update_order(column.levels)
            used = column.codes.unique().tolist()
            self.seen.update(column.levels[code] for code in used if code >= 0)
        else:
            self.agreed = False
            self.seen.update(column.unique().tolist())

    def _update_order(self, levels: tuple[Hashable, ...]) -> None:
        if self.order is None:
            self.order = levels
        self.agreed = self.agreed and self.order == levels

    def levels(self) -> tuple[Hashable, ...]:
        """All that were seen, in order; whole numbers as int."""
        ordered = self.order if self.agreed and self.order is not None else sorted(self.seen, key=by_value)
        kept = tuple(level for level in ordered if level in self.seen)
        if all(isinstance(level, float) and level.is_integer() and abs(level) < 2**53 for level in kept):
            return tuple(int(level) for level in kept if isinstance(level, float))
        return kept
