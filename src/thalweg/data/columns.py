"""One column as a source holds it, turned into what a batch holds: a tensor of numbers, or codes into levels.

Numbers become float64 (float32 stays float32, float16 becomes float32); the memory of a float64 or float32 column is
borrowed, never copied. Text, booleans and categories become `Coded`. Everything else is refused with its name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.source import Coded, Column
from thalweg.errors import ColumnError, DataError

Place = Callable[[int], str]  # where a row of the column at hand (from 0) stands, in the user's terms

EXACT = 2.0**53  # every integer up to here is a float64


def missing_column(name: str, names: Sequence[str], where: str) -> ColumnError:
    """The error for a column that does not exist; names the nearest existing one.

    Examples
    --------
    >>> str(missing_column("bim", ["age", "bmi"], "diabetes.csv"))
    "there is no column 'bim' (diabetes.csv). Did you mean 'bmi'? The columns are: age, bmi."
    """
    near = difflib.get_close_matches(name, names, n=1) or [c for c in names if c.lower() == name.lower()]
    guess = f"Did you mean '{near[0]}'? " if near else ""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    listed = f"The columns are: {', '.join(names[:10])}{more}." if names else "There are no columns."
    return ColumnError(f"there is no column '{name}'", where=where, advice=guess + listed)


def require_columns(wanted: Iterable[str], names: Sequence[str], where: str) -> None:
    """Raise the error of the first wanted column that is not among the names."""
    known = set(names)
    for name in wanted:
        if name not in known:
            raise missing_column(name, names, where)


def require_unique(names: Sequence[str], where: str) -> None:
    """Raise where two columns share a name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ColumnError(f"two columns are called '{name}'", where=where, advice="Give each column its own name.")
        seen.add(name)


def kind_of(kind: pa.DataType) -> str:
    """'number', 'levels', 'other' or, for a column of nothing but missing values, 'unknown'.

    Examples
    --------
    >>> kind_of(pa.int8()), kind_of(pa.string()), kind_of(pa.timestamp("s"))
    ('number', 'levels', 'other')
    """
    t = pa.types
    if t.is_null(kind):
        return "unknown"
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return "number"
    if t.is_dictionary(kind):
        return "other" if kind_of(kind.value_type) == "other" else "levels"
    return "levels" if t.is_boolean(kind) or _is_text(kind) else "other"


def _is_text(kind: pa.DataType) -> bool:
    string_view = getattr(pa.types, "is_string_view", lambda _: False)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or string_view(kind)


# --- to tensors ------------------------------------------------------------------------------------------------------


class _Borrowed:
    """The memory of a read-only array, presented as writable, because PyTorch has no read-only tensors.

    Nothing in Thalweg writes to the data of a source. The object keeps the array alive.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def tensor_of(array: np.ndarray) -> Tensor:
    """The same memory as a tensor; copied only where PyTorch cannot address it (foreign byte order, odd strides)."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array)
    if not array.flags.writeable:
        array = np.asarray(_Borrowed(array)) if array.size else array.copy()
    return torch.from_numpy(array)


def inexact_integer(value: object, name: str, where: str) -> DataError:
    """The error for an integer that float64 cannot hold."""
    return DataError(
        f"column '{name}' holds {value}, an integer that a float64 cannot hold exactly (beyond 2^53)",
        where=where,
        advice=f"If it is an identifier, use it as a category: C({name}); else subtract a constant from the column.",
    )


def too_large(text: object, name: str, where: str) -> DataError:
    """The error for a number past the range of float64."""
    return DataError(
        f"column '{name}' holds {text}, which is larger than a float64 can hold (1.8e308)",
        where=where,
        advice="Correct the value, or express the column in a larger unit.",
    )


def integers_as_float(
    values: np.ndarray, name: str, place: Place, missing: np.ndarray | None = None
) -> Float[Tensor, "..."]:
    """Integers as float64, NaN where missing; raises for the first one that does not survive."""
    out = values.astype(np.float64)
    if out.size and max(-float(out.min()), float(out.max())) >= EXACT:
        # 2^64 itself is past the range of both types: comparing there as Python integers is exact.
        for row in np.flatnonzero((np.abs(out) >= EXACT).reshape(len(out), -1).any(axis=1)):
            cells, floats = np.atleast_1d(values[row]), np.atleast_1d(out[row])
            for cell, number in zip(cells.tolist(), floats.tolist(), strict=True):
                if int(number) != cell and not (missing is not None and missing[row]):
                    raise inexact_integer(cell, name, place(int(row)))
    if missing is not None:
        out[missing] = np.nan
    return torch.from_numpy(out)


# --- to codes --------------------------------------------------------------------------------------------------------


def coded(values: Sequence[Hashable], codes: np.ndarray, *, keep_order: bool = False) -> Coded:
    """Codes into a list of values, made into codes into distinct, ordered levels.

    Parameters
    ----------
    values : sequence
        What each code stands for; may repeat itself, and holds None for a missing value.
    codes : ndarray of int, (n,)
        Index into values; -1 where the value is missing.
    keep_order : bool
        Keep the order of the values instead of sorting them.

    Examples
    --------
    >>> coded(["b", "a"], np.array([0, 1, -1])).levels
    ('a', 'b')
    """
    distinct = list(dict.fromkeys(v for v in values if v is not None))
    levels = tuple(distinct if keep_order else sorted(distinct))  # type: ignore[type-var]
    index = {level: i for i, level in enumerate(levels)}
    table = np.array([-1 if v is None else index[v] for v in values] + [-1], dtype=np.int64)
    return Coded(torch.from_numpy(table[codes]), levels)


def booleans(values: np.ndarray, missing: np.ndarray | None = None) -> Coded:
    """Booleans as codes into (False, True)."""
    codes = values.astype(np.int64)
    if missing is not None:
        codes[missing] = -1
    return Coded(torch.from_numpy(codes), (False, True))


# --- from arrow ------------------------------------------------------------------------------------------------------


def from_arrow(values: pa.Array | pa.ChunkedArray, name: str, place: Place, *, keep_order: bool = False) -> Column:
    """An arrow column as a column of a batch.

    Parameters
    ----------
    values : pyarrow Array or ChunkedArray, (n,)
    name : str
        For errors.
    place : callable
        Where row i of these values stands, for errors.
    keep_order : bool
        Whether an unordered dictionary's order is one (that of a pandas category).

    Raises
    ------
    ColumnError
        Dates, nested values, bytes.
    DataError
        An integer that float64 cannot hold.
    """
    array = _one_array(values)
    t, kind = pa.types, array.type
    if t.is_null(kind):
        return torch.full((len(array),), torch.nan, dtype=torch.float64)
    if t.is_floating(kind):
        return _floats(array)
    if t.is_integer(kind):
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        filled = array.fill_null(0) if array.null_count else array
        return integers_as_float(filled.to_numpy(zero_copy_only=False), name, place, missing)
    if t.is_decimal(kind):
        return _decimals(array, name, place)
    if t.is_boolean(kind):
        missing = array.is_null().to_numpy(zero_copy_only=False)
        return booleans(array.fill_null(False).to_numpy(zero_copy_only=False), missing)
    if kind_of(kind) == "levels":
        return _levels(array, keep_order)
    raise refused_type(name, str(kind), place)


def _one_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    array = values
    if isinstance(values, pa.ChunkedArray):
        array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # combine_chunks of more text than one array's offsets can address
        array = pa.concat_arrays(array.cast(pa.large_string()).chunks)
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def _floats(array: pa.Array) -> Tensor:
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    return tensor_of(array.to_numpy(zero_copy_only=False))


def _decimals(array: pa.Array, name: str, place: Place) -> Tensor:
    # Arrow's own cast multiplies by a rounded power of ten; through its digits the number is rounded once.
    if array.type.scale <= 0:
        missing = array.is_null().to_numpy(zero_copy_only=False)
        integers = np.array([0 if v is None else int(v) for v in array.to_pylist()], dtype=object)
        return integers_as_float(integers, name, place, missing)
    return tensor_of(array.cast(pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False))


def _levels(array: pa.Array, keep_order: bool) -> Coded:
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = array.indices
    codes = codes.fill_null(-1) if _signed(codes.type) else codes.cast(pa.int64()).fill_null(-1)
    values = array.dictionary.to_pylist()
    return coded(
        values, codes.to_numpy(zero_copy_only=False).astype(np.int64), keep_order=keep_order or array.type.ordered
    )


def _signed(kind: pa.DataType) -> bool:
    return pa.types.is_signed_integer(kind)


def refused_type(name: str, kind: str, place: Place) -> ColumnError:
    """The error for a type that is neither a number nor a category; says what to do where there is something."""
    advice = "Only numbers, text, booleans and categories can be used."
    if kind.startswith(("duration", "timedelta", "interval")):
        advice = "Turn it into a number first (seconds, or days)."
    elif kind.startswith(("timestamp", "date", "time", "period")):
        advice = "Turn it into a number first (days since a start), or into text if it is a category."
    elif kind.startswith("complex"):
        advice = "Use its real and imaginary parts as two columns."
    elif kind.startswith(("list", "struct", "map", "large_list", "fixed_size_list")):
        advice = "Spread it over columns of its own, one value per row each."
    return ColumnError(f"column '{name}' is of type {kind}", advice=advice)


def describe(rows: int, columns: int) -> str:
    """'442 rows and 11 columns'.

    Examples
    --------
    >>> describe(1, 2)
    '1 row and 2 columns'
    """
    return f"{rows} row{'s' * (rows != 1)} and {columns} column{'s' * (columns != 1)}"


def type_name(value: Any) -> str:
    """A type as a user would write it: 'polars.Series', 'list'."""
    kind = type(value)
    module = kind.__module__.split(".")[0]
    return kind.__name__ if module == "builtins" else f"{module}.{kind.__name__}"
