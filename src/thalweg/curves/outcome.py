"""What a user's function may return, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from thalweg.curves.curve import Columns, Curve
from thalweg.curves.differences import EPSILON
from thalweg.errors import DataError, FormulaError, ThalwegError


def numbers(value: Any, rows: int, title: str) -> np.ndarray:
    """The result of a function as float64 (n,); one number stands for all rows.

    Raises
    ------
    FormulaError
        Anything else than one real number for each row.

    Examples
    --------
    >>> numbers(2, 3, "f(x, a)")
    array([2., 2., 2.])
    """
    found = value.detach().cpu().numpy() if isinstance(value, Tensor) else _array(value, title)
    if found.dtype.kind not in "biuf":
        kind = "complex numbers" if found.dtype.kind == "c" else f"the type {found.dtype}"
        raise FormulaError(f"{title} returned {kind}", advice="One real number for each row is wanted.")
    if found.shape not in ((rows,), ()):
        raise _wrong_shape(found.shape, rows, title)
    found = found.astype(np.float64, copy=False)
    return found if found.ndim else np.full(rows, found)


def tensor(value: Any, rows: int, title: str) -> Tensor:
    """The same for a function of tensors, still part of the graph of autograd.

    Raises
    ------
    FormulaError
    """
    if not isinstance(value, Tensor):
        raise FormulaError(
            f"{title} returned a {type(value).__name__} for tensors", advice="Use functions of PyTorch throughout."
        )
    if value.is_complex():
        raise FormulaError(f"{title} returned complex numbers", advice="One real number for each row is wanted.")
    if tuple(value.shape) not in ((rows,), ()):
        raise _wrong_shape(tuple(value.shape), rows, title)
    return value.to(torch.float64).expand(rows)


def _array(value: Any, title: str) -> np.ndarray:
    if value is None:
        raise FormulaError(f"{title} returned None", advice="Does it end in a return?")
    if isinstance(value, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(value), np.nan, np.ma.getdata(value))
    try:
        return np.asarray(value)
    except ValueError as problem:
        raise FormulaError(
            f"{title} returned a {type(value).__name__} that is no array", advice="Return one number for each row."
        ) from problem


def rounding_of(value: Any) -> float:
    """The machine epsilon of a result: that of float32 or float16 where it is one of these, else of float64.

    Examples
    --------
    >>> rounding_of(np.float32(1.0)) > 1e-8, rounding_of([1.0]) < 1e-15
    (True, True)
    """
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, torch.dtype):
        return torch.finfo(dtype).eps if dtype.is_floating_point else EPSILON
    return float(np.finfo(dtype).eps) if dtype in (np.float32, np.float16) else EPSILON


def _wrong_shape(shape: tuple[int, ...], rows: int, title: str) -> FormulaError:
    return FormulaError(
        f"{title} returned shape {shape} for {rows} row{'s' * (rows != 1)}",
        advice=f"One number for each row is wanted: ({rows},).",
    )


def raised(problem: Exception, title: str, names: Sequence[str], theta: Sequence[Any]) -> ThalwegError:
    """The error of a function that failed."""
    at = ", ".join(f"{name} = {_size(entry):.6g}" for name, entry in zip(names, theta, strict=True))
    text = str(problem).splitlines()
    return FormulaError(
        f"{title} raised {type(problem).__name__}{f': {text[0]}' if text else ''}",
        where=f"at {at}" if at else None,
        advice="It is called with the columns (n,) and a number for each parameter.",
    )


def _size(entry: Any) -> float:
    """A parameter as a number to be shown, whatever it was given as."""
    return float(np.max(entry.detach().cpu().numpy() if isinstance(entry, Tensor) else entry))


def check_start(curve: Curve, columns: Columns, rows: int, starts: Mapping[str, float]) -> None:
    """Refuse a start at which the curve has no value at all.

    Raises
    ------
    DataError
    """
    theta = [starts[name] for name in curve.parameters]
    if np.isfinite(curve.over(columns, rows).values(theta)).any() or not rows:
        return
    at = ", ".join(f"{name} = {value:.6g}" for name, value in zip(curve.parameters, theta, strict=True))
    raise DataError(
        f"{curve.title} has no finite value in any row at its start", where=at, advice="Give other starts: start={...}."
    )
