"""The value of an expression over a batch of rows."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.functions import FUNCTIONS
from thalweg.data.nodes import Binary, Call, Category, Comparison, Name, Negative, Node, Number, Stateful, Text
from thalweg.data.source import Batch, Coded, Column
from thalweg.data.transforms import Transform
from thalweg.errors import ColumnError

MISSING, UNSEEN = -1, -2  # codes of rows without a level, and with one that the fit did not see

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Columns:
    """A batch as expressions see it: columns by name, as numbers or as categories.

    Parameters
    ----------
    batch : Batch
        The rows.
    transforms : mapping of str to Transform
        What was learned, by the text of the call.
    kinds : mapping of str to str or int, optional
        What each column was in the fit: "number", "levels", or the width of a matrix.
    """

    def __init__(
        self, batch: Batch, transforms: Mapping[str, Transform], kinds: Mapping[str, str | int] | None = None
    ) -> None:
        self.batch, self.transforms, self.kinds = batch, transforms, kinds or {}
        self._numbers: dict[str, Tensor] = {}

    def column(self, name: str) -> Column:
        """A column as it is.

        Raises
        ------
        ColumnError
            It is not there; the text names the nearest one.
        """
        found = self.batch.columns.get(name)
        if found is None:
            near = difflib.get_close_matches(name, list(self.batch.columns), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Columns are {_listed(list(self.batch.columns))}."
            raise ColumnError(f"column {name!r} is missing from the data", advice=hint)
        return found

    def number(self, name: str) -> Float[Tensor, "n"]:
        """A column as float64 numbers; True and False count as 1 and 0.

        Raises
        ------
        ColumnError
            It holds text, or several numbers a row.
        """
        if name not in self._numbers:
            self._numbers[name] = self._as_number(name)
        return self._numbers[name]

    def _as_number(self, name: str) -> Float[Tensor, "n"]:
        column = self.column(name)
        if isinstance(column, Coded):
            return self._truth(name, column)
        if column.dim() != 1:
            raise ColumnError(
                f"column {name!r} holds {column.shape[1]} numbers a row and cannot be part of an expression",
                advice="A matrix column is a term by itself.",
            )
        return column.double()

    def _truth(self, name: str, column: Coded) -> Float[Tensor, "n"]:
        truth = [level for level in column.levels if isinstance(level, bool)]
        if len(truth) < len(column.levels):
            raise self._text(name, column)
        table = torch.tensor([*map(float, truth), torch.nan], dtype=torch.float64, device=column.codes.device)
        return table[column.codes]

    def _text(self, name: str, column: Coded) -> ColumnError:
        """The error for text where a number is needed; at prediction it names the first row that holds no number."""
        if self.kinds.get(name) != "number" or not column.levels:
            example = f", for example {column.levels[0]!r}" if column.levels else ""
            what = f"column {name!r} holds text where a number is needed{example}"
            level = column.levels[0] if column.levels else "level"
            in_curves = f'in a curve, where({name} == "{level}", a, b)'
            return ColumnError(what, advice=f"Write C({name}) for a category; {in_curves}.")
        every = range(len(column.levels))
        texts = {i for i in every if not _spells_number(column.levels[i])} or {*every}
        row, code = next(((i, c) for i, c in enumerate(column.codes.tolist()) if c in texts), (None, min(texts)))
        return ColumnError(
            f"column {name!r} was a number in the fit and holds text here, for example {column.levels[code]!r}",
            where=None if row is None else self.batch.place(row),
            advice="Convert the column to numbers; a value that is missing is an empty cell.",
        )

    def codes(self, argument: Node, levels: Sequence[Hashable]) -> Int[Tensor, "n"]:
        """Index into `levels` of each row's value; MISSING or UNSEEN where there is none."""
        if isinstance(argument, Name):
            column = self.column(argument.name)
            if isinstance(column, Coded):
                return _translate(column, levels)
            if not any(isinstance(level, int | float) for level in levels):
                raise ColumnError(
                    f"column {argument.name!r} held text in the fit and holds numbers here",
                    advice=f"Convert it to text as it was; a text file is read so with text=[{argument.name!r}].",
                )
        return _search(as_tensor(evaluate(argument, self)), levels)


def _spells_number(level: Hashable) -> bool:
    try:
        float(str(level))
    except ValueError:
        return False
    return True


def _translate(column: Coded, levels: Sequence[Hashable]) -> Int[Tensor, "n"]:
    if tuple(column.levels) == tuple(levels):
        return column.codes
    index = {level: i for i, level in enumerate(levels)}
    table = [*(index.get(level, UNSEEN) for level in column.levels), MISSING]  # code -1 takes the last
    return torch.tensor(table, dtype=torch.int64, device=column.codes.device)[column.codes]


def _search(x: Float[Tensor, "n"], levels: Sequence[Hashable]) -> Int[Tensor, "n"]:
    numeric = sorted((float(level), i) for i, level in enumerate(levels) if isinstance(level, int | float))
    known = torch.tensor([value for value, _ in numeric], dtype=torch.float64, device=x.device)
    index = torch.tensor([i for _, i in numeric], dtype=torch.int64, device=x.device)
    at = torch.searchsorted(known, x.contiguous()).clamp(max=len(numeric) - 1)
    codes = torch.where(known[at] == x, index[at], UNSEEN)
    return torch.where(torch.isnan(x), MISSING, codes)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def as_tensor(value: Tensor | float) -> Tensor:
    """A float64 tensor of a value that may be a literal."""
    return value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


def evaluate(node: Node, columns: Columns) -> Tensor | float:
    """An expression over a batch, in float64.

    Examples
    --------
    >>> import torch
    >>> from thalweg.data.expression import parse_expression
    >>> batch = Batch({"x": torch.tensor([1.0, 3.0], dtype=torch.float64)}, 2)
    >>> evaluate(parse_expression("x**2 + 1").node, Columns(batch, {})).tolist()
    [2.0, 10.0]
    """
    match node:
        case Number(value):
            return value
        case Name(name):
            return columns.number(name)
        case Negative(operand):
            return -evaluate(operand, columns)
        case Binary("**", left, right):
            return torch.pow(as_tensor(evaluate(left, columns)), evaluate(right, columns))
        case Binary(symbol, left, right):
            return _ARITHMETIC[symbol](as_tensor(evaluate(left, columns)), evaluate(right, columns))
        case Comparison(symbol, Name(name), Text(value)):
            return _is_level(columns, name, value, equal=symbol == "==")
        case Comparison(symbol, left, right):
            return _compare(symbol, as_tensor(evaluate(left, columns)), as_tensor(evaluate(right, columns)))
        case Call(function, arguments):
            return FUNCTIONS[function].compute(*(as_tensor(evaluate(a, columns)) for a in arguments))
        case Stateful(_, argument, _, text):
            return columns.transforms[text].values(as_tensor(evaluate(argument, columns)))
        case _:
            raise AssertionError(f"{type(node).__name__} has no numbers")


def _compare(symbol: str, left: Tensor, right: Tensor) -> Tensor:
    holds = _COMPARE[symbol](left, right).double()
    return torch.where(torch.isnan(left) | torch.isnan(right), torch.nan, holds)


def _is_level(columns: Columns, name: str, value: str, *, equal: bool) -> Float[Tensor, "n"]:
    column = columns.column(name)
    if not isinstance(column, Coded):
        raise ColumnError(f"column {name!r} holds numbers and is compared with the text {value!r}")
    table = [float((level == value) == equal) for level in column.levels]
    device = column.codes.device
    return torch.tensor([*table, torch.nan], dtype=torch.float64, device=device)[column.codes]


__all__ = ["MISSING", "UNSEEN", "Category", "Columns", "as_tensor", "evaluate"]
