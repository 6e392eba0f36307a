"""From scoped terms to the columns of a design: their names, and the block of them that a batch gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.coding import ScopedTerm
from thalweg.data.doubled_columns import Doubled, multiply, rowwise_product
from thalweg.data.factors import Codes, Factor, Rowwise
from thalweg.data.matrix import Categorical, Dense, Matrix, Ones, SideBySide
from thalweg.data.nodes import Binary, Node, Number
from thalweg.errors import FormulaError

MAX_COLUMNS = 100_000


@dataclass(frozen=True)
class Term:
    """A term of the formula and the columns of the design that are its own.

    Attributes
    ----------
    name : str
        As the formula writes it; "Intercept" for 1.
    slice : slice
        Where they are.
    """

    name: str
    slice: slice


class Design:
    """The columns of a model.

    Parameters
    ----------
    factors : mapping of str to Factor
        With what was learned.
    scoped : sequence of (str, sequence of ScopedTerm)
        Each term's name, and how its factors are coded.
    """

    def __init__(self, factors: Mapping[str, Factor], scoped: Sequence[tuple[str, Sequence[ScopedTerm]]]) -> None:
        self.factors = factors
        self.parts = [part for _, parts in scoped for part in parts]
        names: list[str] = []
        terms = []
        for name, parts in scoped:
            first = len(names)
            for part in parts:
                names.extend(self._names(part))
            terms.append(Term(name, slice(first, len(names))))
        self.names, self.terms = tuple(names), tuple(terms)
        if not names:
            raise FormulaError("the formula has no column to estimate a coefficient for", advice="Add a term.")
        repeated = (
            next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        )
        if repeated is not None:
            raise FormulaError(f"two columns of the design are called {repeated!r}", advice="Rename a column.")

    def _names(self, part: ScopedTerm) -> list[str]:
        if not part.factors:
            return ["Intercept"]
        by_factor = [self.factors[key].names(reduced=reduced) for key, reduced in part.factors]
        count = reduce(lambda left, right: left * len(right), by_factor, 1)
        if count > MAX_COLUMNS:
            shown = ":".join(key for key, _ in part.factors)
            raise FormulaError(f"the term {shown} has {count:,} columns, more than {MAX_COLUMNS:,}")
        return [":".join(reversed(chosen)) for chosen in product(*reversed(by_factor))]

    # One word

    def matrix(self, columns: Rowwise, dtype: torch.dtype, device: torch.device) -> Matrix:
        """The design over a batch, in as few parts as keep the order of the columns."""
        parts: list[Matrix] = []
        numeric: list[Tensor] = []
        for part in self.parts:
            if part.factors:
                for piece in self._pieces(part, columns, dtype):
                    if isinstance(piece, Categorical):
                        _flush(numeric, parts, dtype)
                        parts.append(piece)
                    elif self._is_view(part):
                        _flush(numeric, parts, dtype)
                        parts.append(Dense(piece.to(dtype)))
                    else:
                        numeric.append(piece)
            else:
                _flush(numeric, parts, dtype)
                parts.append(self._intercept(part, columns.batch.rows, dtype, device))
        _flush(numeric, parts, dtype)
        if not parts:
            return Dense(torch.empty(columns.batch.rows, 0, dtype=dtype, device=device))
        return parts[0] if len(parts) == 1 else SideBySide(parts)

    def _is_view(self, part: ScopedTerm) -> bool:
        return len(part.factors) == 1 and part.scale == 1 and self.factors[part.factors[0][0]].is_view

    @staticmethod
    def _intercept(part: ScopedTerm, rows: int, dtype: torch.dtype, device: torch.device) -> Matrix:
        if part.scale == 1:
            return Ones(rows, dtype, device)
        return Dense(torch.full((rows, 1), part.scale, dtype=dtype, device=device))

    def _pieces(self, part: ScopedTerm, columns: Rowwise, dtype: torch.dtype) -> Sequence[Tensor | Categorical]:
        """One term's columns: numbers, (n,) or (n, m), or categories times a number."""
        encoded = [self.factors[key].encode(columns, reduced=reduced) for key, reduced in part.factors]
        codes = [piece for piece in encoded if isinstance(piece, Codes)]
        if not codes:
            values = reduce(_times, (piece for piece in encoded if isinstance(piece, Tensor)))
            return [values if part.scale == 1 else values * part.scale]
        wide = next((i for i, piece in enumerate(encoded) if isinstance(piece, Tensor) and piece.dim() == 2), None)
        if wide is None or not any(isinstance(piece, Codes) for piece in encoded[wide:]):
            return _categorical(encoded, part.scale, dtype)
        values = reduce(_times, (_dummies(p) if isinstance(p, Codes) else p for p in encoded))
        return [values * part.scale]

    # Two words

    def doubled(self, columns: Rowwise, device: torch.device) -> Doubled:
        """The design over a batch in two words, (n, p) each; low is None where all of it is zero."""
        pairs = [self._doubled_part(part, columns, device) for part in self.parts]
        if not pairs:
            return torch.empty(columns.batch.rows, 0, dtype=torch.float64, device=device), None
        high = torch.cat([pair[0] for pair in pairs], dim=1)
        if all(low is None or not bool(low.any()) for _, low in pairs):
            return high, None
        return high, torch.cat([torch.zeros_like(h) if low is None else low for h, low in pairs], dim=1)

    def _doubled_part(self, part: ScopedTerm, columns: Rowwise, device: torch.device) -> Doubled:
        scale = torch.full((columns.batch.rows, 1), part.scale, dtype=torch.float64, device=device)
        if not part.factors:
            return scale, None
        encoded = [self.factors[key].encode_doubled(columns, reduced=reduced) for key, reduced in part.factors]
        value = reduce(rowwise_product, encoded)
        if part.scale == 1:
            return value
        return multiply(value, (scale.expand_as(value[0]).contiguous(), None))

    # As expressions

    def nodes(self) -> list[Node]:
        """One expression per column."""
        return [node for part in self.parts for node in self._nodes(part)]

    def _nodes(self, part: ScopedTerm) -> list[Node]:
        if not part.factors:
            return [Number(part.scale)]
        by_factor = [self.factors[key].nodes(reduced=reduced) for key, reduced in part.factors]
        products = [reduce(lambda a, b: Binary("*", a, b), chosen[::-1]) for chosen in product(*reversed(by_factor))]
        return products if part.scale == 1 else [Binary("*", Number(part.scale), node) for node in products]


def _flush(numeric: list[Tensor], parts: list[Matrix], dtype: torch.dtype) -> None:
    """Gather the numbers met so far in one row-major array."""
    if numeric:
        columns = [column.to(dtype) for column in numeric]
        if all(column.dim() == 1 for column in columns):
            parts.append(Dense(torch.stack(columns, dim=1)))
        else:
            parts.append(Dense(torch.cat([c[:, None] if c.dim() == 1 else c for c in columns], dim=1)))
        numeric.clear()


def _times(left: Tensor, right: Tensor) -> Tensor:
    """Row by row, all products of a column of `left` with one of `right`, the left one running fastest."""
    if left.dim() == 1 and right.dim() == 1:
        return left * right
    left, right = (t[:, None] if t.dim() == 1 else t for t in (left, right))
    return (left[:, None, :] * right[:, :, None]).flatten(1)


def _dummies(codes: Codes) -> Float[Tensor, "n m"]:
    return Categorical(codes.column, codes.count).dense()


def _categorical(encoded: Sequence[Tensor | Codes], scale: float, dtype: torch.dtype) -> list[Categorical]:
    """Categories, crossed with each other and then with numbers: one part per column of numbers."""
    codes = reduce(_cross, (piece for piece in encoded if isinstance(piece, Codes)))
    numbers = [piece for piece in encoded if isinstance(piece, Tensor)]
    if not numbers and scale == 1:
        return [Categorical(codes.column, codes.count, dtype=dtype)]
    ones = torch.ones(codes.column.shape[0], dtype=torch.float64, device=codes.column.device)
    values = (reduce(_times, numbers) if numbers else ones) * scale
    columns = values.to(dtype).T.contiguous() if values.dim() == 2 else [values.to(dtype)]
    return [Categorical(codes.column, codes.count, column) for column in columns]


def _cross(left: Codes, right: Codes) -> Codes:
    """Two categories as one, the left one running fastest."""
    both = left.column + left.count * right.column
    none = (left.column < 0) | (right.column < 0)
    return Codes(torch.where(none, -1, both), left.count * right.count)
