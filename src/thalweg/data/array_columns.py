"""Lists, NumPy arrays and tensors as columns of a batch."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from thalweg.data.columns import (
    EXACT,
    Place,
    booleans,
    from_arrow,
    inexact_integer,
    integers_as_float,
    refused_type,
    tensor_of,
    too_large,
    type_name,
)
from thalweg.data.source import Coded, Column
from thalweg.errors import ColumnError


def length(values: Any, name: str) -> int:
    """Rows of a column that is still as the user gave it.

    Raises
    ------
    ColumnError
        A single value, or an array of no or of three dimensions.
    """
    shape = getattr(values, "shape", None)
    if shape == () or isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise ColumnError(
            f"column '{name}' is a single value, not a column",
            advice=f"Write a list with one value per row, for example [{values!r}].",
        )
    if shape is not None and len(shape) > 2:
        raise ColumnError(
            f"column '{name}' has shape {tuple(shape)}", advice="Give one value, or one row of values, per row."
        )
    return len(values)


def from_values(values: Any, name: str, place: Place) -> Column:
    """A list, an array or a tensor as a column.

    Parameters
    ----------
    values : list, tuple, ndarray, Tensor, or what NumPy can read as an array
        (n,), or (n, k) numbers.

    Raises
    ------
    ColumnError
        A type that is neither numbers nor categories, or a mixture of types.
    DataError
        An integer that float64 cannot hold.
    """
    if isinstance(values, Tensor):
        return from_tensor(values, name, place)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return from_arrow(values, name, place)
    if isinstance(values, np.ndarray):
        return from_numpy(values, name, place)
    if isinstance(values, Sequence) and not isinstance(values, range):
        return _from_sequence(values, name, place)
    return from_numpy(np.asarray(values), name, place)


# --- tensors ---------------------------------------------------------------------------------------------------------


def from_tensor(values: Tensor, name: str, place: Place) -> Column:
    """A tensor as a column, on its device: float64 and float32 as they are, half precision as float32."""
    values = values.detach()
    if values.layout is not torch.strided:
        raise ColumnError(f"column '{name}' is a sparse tensor", advice="Write .to_dense() after it.")
    values = values[:, 0] if values.dim() == 2 and values.shape[1] == 1 else values
    if values.is_complex():
        raise refused_type(name, "complex", place)
    if values.dtype in (torch.float64, torch.float32):
        return values
    if values.is_floating_point():
        return values.to(torch.float32)
    if values.dtype is torch.bool:
        return Coded(_one_dimension(values, name).to(torch.int64), (False, True))
    return integers_as_float(values.cpu().numpy(), name, place).to(values.device)


def _one_dimension(values: Any, name: str) -> Any:
    if len(values.shape) != 1:
        raise ColumnError(
            f"column '{name}' holds categories in shape {tuple(values.shape)}",
            advice="A category has one value per row: give each column its own name.",
        )
    return values


# --- arrays ----------------------------------------------------------------------------------------------------------


def from_numpy(values: np.ndarray, name: str, place: Place) -> Column:
    """An array as a column; masked values are missing."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    missing = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.asarray(values.data if isinstance(values, np.ma.MaskedArray) else values)
    match plain.dtype.kind:
        case "f":
            return _floats(plain, missing, name, place)
        case "i" | "u":
            return integers_as_float(plain, name, place, missing)
        case "b":
            return booleans(_one_dimension(plain, name), missing)
        case "O":
            return _from_sequence(_one_dimension(_without(plain, missing), name), name, place)
        case "U" | "S" | "T":
            return _text(_one_dimension(plain, name), missing, name, place)
        case _:
            raise refused_type(name, str(plain.dtype), place)


def _without(values: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    if missing is None:
        return values
    out = values.astype(object)
    out[missing] = None
    return out


def _floats(values: np.ndarray, missing: np.ndarray | None, name: str, place: Place) -> Tensor:
    if values.itemsize == 2:
        values = values.astype(np.float32)
    elif values.itemsize > 8:  # a long double, rounded once
        with np.errstate(over="ignore"):
            rounded = values.astype(np.float64)
        for row in np.flatnonzero((np.isinf(rounded) & ~np.isinf(values)).reshape(len(values), -1).any(axis=1)):
            raise too_large(str(values[row]), name, place(int(row)))
        values = rounded
    if missing is not None and missing.any():
        values = np.where(missing, np.array(np.nan, values.dtype), values)
    return tensor_of(values)


def _text(values: np.ndarray, missing: np.ndarray | None, name: str, place: Place) -> Column:
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise ColumnError(
                f"column '{name}' holds bytes that are not UTF-8 text", advice="Decode it first."
            ) from error
    if values.dtype.kind == "T":
        values = values.astype(object)
    if missing is not None or values.dtype.kind == "O":
        return from_arrow(pa.array(_without(values, missing), from_pandas=True), name, place)
    return from_arrow(pa.array(values), name, place)


# --- lists and object arrays -----------------------------------------------------------------------------------------


def _from_sequence(values: Sequence[Any] | np.ndarray, name: str, place: Place) -> Column:
    first = values[0] if len(values) else None
    if isinstance(first, list | tuple | np.ndarray):
        return _table(values, name, place)
    try:
        return from_arrow(pa.array(values, from_pandas=True), name, place)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return _diverse(values, name, place)


def _table(values: Any, name: str, place: Place) -> Column:
    """A list of rows as (n, k) numbers."""
    try:
        array = np.asarray(values if isinstance(values, list | tuple) else list(values))
    except ValueError as error:
        raise ColumnError(
            f"column '{name}' holds lists of different lengths", advice="Give every row as many values."
        ) from error
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise ColumnError(
            f"column '{name}' holds lists that are not rows of numbers",
            advice="Give one value per row, or rows of equally many numbers.",
        )
    return from_numpy(array, name, place)


def _diverse(values: Sequence[Any] | np.ndarray, name: str, place: Place) -> Column:
    """Numbers of several types (Decimal, Fraction, large integers); anything else that arrow refuses is an error."""
    families = {row: _family(value) for row, value in enumerate(values)}
    present = {row: family for row, family in families.items() if family != "missing"}
    first = next(iter(present.values()))
    for row, family in present.items():
        if family != first:
            raise ColumnError(
                f"column '{name}' mixes {first} and {family} (first {values[row]!r})",
                where=place(row),
                advice="Make the column all numbers or all text.",
            )
    if first != "numbers":
        raise refused_type(name, first, place)
    return torch.tensor(
        [_number(v, name, row, place) if row in present else np.nan for row, v in enumerate(values)],
        dtype=torch.float64,
    )


def _family(value: Any) -> str:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return "missing"
    if isinstance(value, bool | np.bool_):
        return "booleans"
    if isinstance(value, numbers.Real | Decimal):
        return "numbers"
    return "text" if isinstance(value, str) else type_name(value)


def _number(value: Any, name: str, row: int, place: Place) -> float:
    try:
        out = float(value)
    except OverflowError:
        raise too_large(_short(value), name, place(row)) from None
    if isinstance(value, numbers.Integral) and abs(out) >= EXACT and int(out) != value:
        raise inexact_integer(value, name, place(row))
    if np.isinf(out) and not (isinstance(value, float | np.floating) and np.isinf(value)):
        raise too_large(_short(value), name, place(row))
    return out


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 30 else f"{text[:20]}... ({len(text)} digits)"
