"""What a predictor without a formula reads: tensors by name, of any shape, or columns of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from thalweg.data.array_columns import from_values
from thalweg.data.memory import row_place
from thalweg.data.source import Coded, Column, Source
from thalweg.data.sources import open_source
from thalweg.errors import ColumnError, DataError, MissingValueError

Place = Callable[[int], str]


@final
@dataclass(frozen=True)
class Table:
    """Columns by name, each read when it is asked for.

    Attributes
    ----------
    names : tuple of str
    read : callable
        From some of the names to their columns.
    place : callable
        From a row's number to where it stands, in the user's terms.
    tensors : bool
        Whether the user gave tensors, and so gets tensors back.
    """

    names: tuple[str, ...]
    read: Callable[[Sequence[str]], dict[str, Column]]
    place: Place
    tensors: bool = False

    def columns(self, names: Sequence[str]) -> dict[str, Column]:
        """Some columns.

        Raises
        ------
        ColumnError
            One that does not exist.
        """
        for name in names:
            if name not in self.names:
                close = get_close_matches(str(name), self.names, n=1)
                guess = f"Did you mean {close[0]!r}? " if close else ""
                raise ColumnError(f"there is no column {name!r}", advice=f"{guess}There are {', '.join(self.names)}.")
        return self.read(names)

    def numbers(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Some columns as finite numbers.

        Raises
        ------
        ColumnError
            Categories.
        MissingValueError
            A value that is missing or not finite, with its place.
        """
        found = {name: as_number(column, name) for name, column in self.columns(names).items()}
        for name, column in found.items():
            check_finite(column, name, self.place)
        return found


def table_of(data: Any) -> Table:
    """Tensors and arrays of any shape in a mapping as they are; anything else as a table with rows."""
    if isinstance(data, Mapping):
        named = {str(name): value for name, value in data.items()}
        tensors = bool(named) and all(isinstance(value, Tensor) for value in named.values())
        return Table(tuple(named), lambda names: {n: _value(named[n], n) for n in names}, row_place, tensors)
    source = open_source(data)
    return Table(source.names, lambda names: _gathered(source, names), source.place)


def _value(values: Any, name: str) -> Column:
    """One entry of a mapping, in its own shape."""
    if isinstance(values, Tensor):
        return values.detach()
    array = values if isinstance(values, np.ndarray) else _array(values)
    if array is None or array.dtype.kind not in "fiub" or isinstance(array, np.ma.MaskedArray):
        return from_values(values, name, row_place)
    if array.dtype.kind == "f" and array.itemsize > 8:
        array = array.astype(np.float64)
    return torch.tensor(array)  # a copy: the fit keeps it, and the user may write into the array


def _array(values: Any) -> np.ndarray | None:
    try:
        return np.asarray(values)
    except (ValueError, TypeError):  # lists of different lengths: the reader of columns says it better
        return None


def _gathered(source: Source, names: Sequence[str]) -> dict[str, Column]:
    """All batches of a source, one after the other."""
    parts: dict[str, list[Column]] = {name: [] for name in names}
    for batch in source.batches(list(names)):
        for name in names:
            parts[name].append(batch.columns[name])
    return {name: _joined(columns) for name, columns in parts.items()}


def _joined(columns: Iterable[Column]) -> Column:
    columns = list(columns)
    if not any(isinstance(column, Coded) for column in columns):
        return torch.cat([column for column in columns if isinstance(column, Tensor)])
    coded = [column for column in columns if isinstance(column, Coded)]
    levels = coded[0].levels if len(coded) == 1 else tuple(sorted({v for c in coded for v in c.levels}, key=str))
    return Coded(torch.cat([_renumbered(column, levels) for column in coded]), levels)


def _renumbered(column: Coded, levels: tuple[Any, ...]) -> Tensor:
    """Codes into another list of levels; -1 stays -1."""
    positions = torch.tensor([*(levels.index(level) for level in column.levels), -1])
    return positions[column.codes]


def as_number(column: Column, name: str, *, labels: bool = False) -> Tensor:
    """A column as floating-point numbers: truth values as 0 and 1, and two labels too where that is asked for.

    Raises
    ------
    ColumnError
        Categories, or complex numbers.
    """
    if isinstance(column, Coded):
        if column.levels not in ((False, True), (False,), (True,)) and not (labels and len(column.levels) == 2):
            shown = ", ".join(map(repr, column.levels[:4])) + ", ..." * (len(column.levels) > 4)
            raise ColumnError(
                f"column {name!r} holds categories ({shown}), and a predictor without a formula reads numbers",
                advice="Make numbers of them, or describe the model by a formula.",
            )
        codes = column.codes if len(column.levels) == 2 else column.codes + int(column.levels == (True,))
        return torch.where(column.codes < 0, torch.nan, codes.double())
    if column.is_complex():
        raise ColumnError(f"column {name!r} holds complex numbers")
    if column.dtype in (torch.float32, torch.float64):
        return column
    return column.to(torch.float32 if column.is_floating_point() else torch.float64)


def check_finite(column: Tensor, name: str, place: Place) -> None:
    """Refuse a value that is missing or infinite, naming its place.

    Raises
    ------
    MissingValueError
    """
    finite = torch.isfinite(column)
    if bool(finite.all()):
        return
    wrong = (~finite).nonzero()
    index = wrong[0].tolist()
    where = place(index[0]) if column.dim() == 1 else f"at [{', '.join(map(str, index))}]"
    more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
    raise MissingValueError(
        f"{name!r} holds {float(column[tuple(index)])}{more}",
        where=where,
        advice="Leave these values out, or fill them in.",
    )


def beside(given: Any, role: str, table: Table, y: Tensor) -> Tensor | None:
    """What stands beside the response, by its column or as an array: a number for each entry of y, in its shape.

    Raises
    ------
    DataError
        Another shape.
    """
    if given is None:
        return None
    name = given if isinstance(given, str) else role
    numbers = table.numbers([name])[name] if isinstance(given, str) else as_number(_value(given, name), name)
    check_finite(numbers, name, table.place)
    if numbers.numel() != y.numel() or (numbers.shape != y.shape and numbers.dim() > 1 and y.dim() > 1):
        raise DataError(f"{name!r} has the shape {tuple(numbers.shape)} and the response {tuple(y.shape)}")
    return numbers.reshape(y.shape)


def weights_of(given: Any, table: Table, y: Tensor) -> Tensor | None:
    """Weights by their column or as an array of the shape of y.

    Raises
    ------
    DataError
        Another shape, a negative weight, or none above 0.
    """
    weight = beside(given, "weights", table, y)
    if weight is not None and not (bool((weight >= 0).all()) and bool((weight > 0).any())):
        lowest = float(weight.min())
        what = f"a weight is negative: {lowest:g}" if lowest < 0 else "all weights are zero"
        raise DataError(what, advice="Weights are zero or more.")
    return weight
