"""The factors of a design with what was learned: their columns' names, and their values over a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from thalweg.data.contrasts import base_index, coding, fields, is_dummy, show_level
from thalweg.data.doubled_columns import doubled
from thalweg.data.evaluate import MISSING, UNSEEN, Columns, as_tensor, evaluate
from thalweg.data.nodes import Binary, Category, Expanded, Indicator, Name, Node, Number, Stateful, expand
from thalweg.data.source import Coded
from thalweg.data.transforms import Transform
from thalweg.errors import ColumnError, MissingValueError, UnseenLevelError

Unseen = Literal["error", "null", "reference"]
Absent = Literal["error", "null"]


@dataclass(frozen=True)
class Codes:
    """Dummy columns: the one column in which each row has a 1, or -1 for none, and how many columns there are."""

    column: Int[Tensor, "n"]
    count: int


class Rowwise(Columns):
    """A batch for a design: columns, and what to do with a level that the fit did not see or a value that is missing.

    Attributes
    ----------
    bad : Tensor, optional
        Rows that cannot be had, where those are wanted as NaN rather than as an error.
    """

    def __init__(self, columns: Columns, unseen: Unseen = "error", missing: Absent = "error") -> None:
        super().__init__(columns.batch, columns.transforms, columns.kinds)
        self.unseen, self.missing = unseen, missing
        self.bad: Bool[Tensor, "n"] | None = None

    def spoil(self, rows: Bool[Tensor, "n"]) -> None:
        """Mark rows as not to be had."""
        self.bad = rows if self.bad is None else self.bad | rows


class Factor(ABC):
    """One factor of a design.

    Attributes
    ----------
    spans_intercept : bool
        Whether its columns, coded in full, add up to a constant.
    is_view : bool
        Whether it is a matrix column, which blocks show without copying it.
    """

    spans_intercept: bool
    is_view = False

    @abstractmethod
    def names(self, *, reduced: bool) -> tuple[str, ...]:
        """Names of its columns."""

    @abstractmethod
    def encode(self, columns: Rowwise, *, reduced: bool) -> Tensor | Codes:
        """Its columns: (n,), (n, m), or dummies."""

    @abstractmethod
    def encode_doubled(self, columns: Rowwise, *, reduced: bool) -> tuple[Tensor, Tensor | None]:
        """Its columns in two words, (n, m)."""

    @abstractmethod
    def nodes(self, *, reduced: bool) -> list[Node]:
        """One expression per column, for equations."""


@final
class NumericFactor(Factor):
    """A column of numbers, an expression, a transform, or a matrix column.

    Parameters
    ----------
    key : str
        Its name.
    node : Node
        What it computes.
    transforms : mapping of str to Transform
        What was learned, by the text of the call.
    width : int, optional
        Columns of a matrix column.
    """

    def __init__(self, key: str, node: Node, transforms: Mapping[str, Transform], width: int | None = None) -> None:
        self.key, self.node, self.transforms, self.width = key, node, transforms, width
        self.transform = transforms[node.text] if isinstance(node, Stateful) else None
        self.spans_intercept = self.transform is not None and self.transform.spans_intercept
        self.is_view = width is not None

    def names(self, *, reduced: bool) -> tuple[str, ...]:
        inside = self._fields()
        if inside is None:
            return (self.key,)
        return tuple(f"{self.key}[{name}]" for name in inside[self._dropped(reduced) :])

    def _fields(self) -> tuple[str, ...] | None:
        if self.width is not None:
            return tuple(map(str, range(self.width)))
        return None if self.transform is None else self.transform.fields

    def _dropped(self, reduced: bool) -> int:
        return 1 if reduced and self.spans_intercept else 0

    def encode(self, columns: Rowwise, *, reduced: bool) -> Tensor:
        if isinstance(self.node, Name):
            column = columns.column(self.node.name)
            if isinstance(column, Tensor):
                return self._checked(column)
        values = as_tensor(evaluate(self.node, columns))
        return values[:, self._dropped(reduced) :] if values.dim() == 2 else values

    def _checked(self, column: Tensor) -> Tensor:
        width = column.shape[1] if column.dim() == 2 else None
        if width != self.width:
            was, found = ("a single number" if w is None else f"{w} numbers" for w in (self.width, width))
            raise ColumnError(f"column {self.key!r} held {was} a row in the fit and holds {found} here")
        return column

    def encode_doubled(self, columns: Rowwise, *, reduced: bool) -> tuple[Tensor, Tensor | None]:
        if self.width is not None:
            return self._checked(columns.column(self.key)).double(), None  # type: ignore[arg-type]
        high, low = doubled(self.node, columns)
        if high.dim() == 1:
            return high[:, None], None if low is None else low[:, None]
        first = self._dropped(reduced)
        return high[:, first:], None if low is None else low[:, first:]

    def nodes(self, *, reduced: bool) -> list[Node]:
        if self.width is not None:
            return [Name(f"{self.key}[{i}]") for i in range(self.width)]
        if self.transform is not None and isinstance(self.node, Stateful):
            columns = self.transform.nodes(self.node.argument)[self._dropped(reduced) :]
            return [Expanded(column) for column in columns]
        return [expand(self.node, self._expanded)]

    def _expanded(self, node: Stateful) -> Node:
        return Expanded(self.transforms[node.text].nodes(node.argument)[0])


@final
class CategoricalFactor(Factor):
    """Categories and their coding.

    Parameters
    ----------
    key : str
        Its name.
    category : Category
        Argument and contrast.
    levels : sequence
        Those of the training rows, in the order of the coding.
    """

    def __init__(self, key: str, category: Category, levels: Sequence[Hashable]) -> None:
        self.key, self.category, self.levels = key, category, tuple(levels)
        self.spans_intercept = category.spans_intercept

    def names(self, *, reduced: bool) -> tuple[str, ...]:
        return tuple(f"{self.key}[{name}]" for name in fields(self.category, self.levels, reduced=reduced))

    @cached_property
    def _full(self) -> Float[Tensor, "levels m"]:
        return coding(self.category, self.levels, reduced=False)

    @cached_property
    def _reduced(self) -> Float[Tensor, "levels m"]:
        return coding(self.category, self.levels, reduced=True)

    def coding(self, *, reduced: bool) -> Float[Tensor, "levels m"]:
        """A row of column values for each level."""
        return self._reduced if reduced else self._full

    def codes(self, columns: Rowwise) -> Int[Tensor, "n"]:
        """Index of each row's level; rows that are to be NaN take the first and are marked."""
        codes = columns.codes(self.category.argument, self.levels)
        if not codes.numel() or int(codes.min()) >= 0:
            return codes
        absent, unseen = codes == MISSING, codes == UNSEEN
        if columns.missing == "error":
            self._refuse(absent, unseen, columns)
        if columns.unseen == "error":
            self._refuse(unseen, unseen, columns)
        if columns.unseen == "reference":
            codes = torch.where(unseen, base_index(self.category, self.levels), codes)
        columns.spoil(codes < 0)
        return codes.clamp(min=0)

    def _refuse(self, refused: Tensor, unseen: Tensor, columns: Rowwise) -> None:
        if not bool(refused.any()):
            return
        row = int(refused.nonzero()[0])
        where = columns.batch.place(row)
        if not bool(unseen[row]):
            raise MissingValueError(f"{self.key} is missing", where=where, advice="Fill it in or leave the row out.")
        known = ", ".join(show_level(level) for level in self.levels[:20]) + (", ..." if len(self.levels) > 20 else "")
        raise UnseenLevelError(
            f"{self.key} has the level {self._shown(row, columns)}, which the fit never saw",
            where=where,
            advice=f"Known levels are {known}. Option unseen='null' or unseen='reference' accepts such rows.",
        )

    def _shown(self, row: int, columns: Rowwise) -> str:
        argument = self.category.argument
        column = columns.column(argument.name) if isinstance(argument, Name) else None
        if isinstance(column, Coded):
            return repr(column.levels[int(column.codes[row])])
        return show_level(float(as_tensor(evaluate(argument, columns))[row]))

    def encode(self, columns: Rowwise, *, reduced: bool) -> Tensor | Codes:
        codes = self.codes(columns)
        matrix = self.coding(reduced=reduced)
        if not is_dummy(self.category, reduced=reduced):
            return matrix.to(codes.device)[codes]
        column = torch.where(matrix.any(dim=1), matrix.argmax(dim=1), -1) if matrix.shape[1] else codes.new_tensor([-1])
        return Codes(codes if not reduced else column.to(codes.device)[codes], matrix.shape[1])

    def encode_doubled(self, columns: Rowwise, *, reduced: bool) -> tuple[Tensor, Tensor | None]:
        codes = self.codes(columns)
        return self.coding(reduced=reduced).to(codes.device)[codes], None

    def nodes(self, *, reduced: bool) -> list[Node]:
        return [self._node(column) for column in self.coding(reduced=reduced).T.tolist()]

    def _node(self, column: list[float]) -> Node:
        indicators = [
            (value, Indicator(self.category.argument, level, self.levels))
            for value, level in zip(column, self.levels, strict=True)
            if value
        ]
        total: Node | None = None
        for value, indicator in indicators:
            part: Node = indicator if value == 1 else Binary("*", Number(value), indicator)
            total = part if total is None else Binary("+", total, part)
        return total or Number(0.0)
