"""Mappings, arrays and tensors as a source: the same numbers, where possible the same memory."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from thalweg.data.source import Coded, Column
from thalweg.data.sources import open_source


def read(data: Any, name: str = "x") -> Column:
    (batch,) = open_source(data).batches([name])
    return batch.columns[name]


def values(column: Column) -> list[Any]:
    """A column as plain values, None where missing."""
    if isinstance(column, Coded):
        return [None if code < 0 else column.levels[code] for code in column.codes.tolist()]
    return [None if v != v else v for v in column.tolist()] if column.dim() == 1 else column.tolist()


BASE = np.array([3.0, -1.5, 0.1, 7.25])

SAME_NUMBERS = {
    "list": [3, -1.5, 0.1, 7.25],
    "tuple": (3, -1.5, 0.1, 7.25),
    "float64": BASE,
    "big-endian": BASE.astype(">f8"),
    "negative strides": BASE[::-1].copy()[::-1],
    "every second": np.repeat(BASE, 2)[::2],
    "column of a table": np.tile(BASE[:, None], (1, 3))[:, 1],
    "column vector": BASE[:, None],
    "field of records": np.array([(v, 1) for v in BASE], dtype=[("x", "f8"), ("k", "i1")])["x"],
    "unaligned field": np.array([(1, v) for v in BASE], dtype=[("k", "i1"), ("x", "f8")])["x"],
    "object": BASE.astype(object),
    "Decimal": [Decimal("3"), Decimal("-1.5"), Decimal("0.1"), Decimal("7.25")],
    "Decimal and float": [Decimal("3"), -1.5, Decimal("0.1"), 7.25],
    "Fraction": [Fraction(3), Fraction(-3, 2), Fraction(1, 10), 7.25],
    "NumPy scalars": list(BASE),
    "long double": BASE.astype(np.longdouble),
    "masked": np.ma.array(BASE, mask=False),
    "read-only": np.frombuffer(BASE.tobytes()),
    "tensor": torch.tensor(BASE),
    "tensor column": torch.tensor(BASE)[:, None],
    "gradient": torch.tensor(BASE, requires_grad=True),
    "pandas series": pd.Series(BASE, index=[9, 7, 5, 3]),
    "polars series": pl.Series(BASE),
    "arrow array": pa.array(BASE),
    "arrow chunks": pa.chunked_array([BASE[:1], BASE[1:]]),
}


@pytest.mark.parametrize("given", SAME_NUMBERS.values(), ids=SAME_NUMBERS.keys())
def test_every_spelling_of_the_same_numbers(given: Any) -> None:
    column = read({"x": given})
    assert isinstance(column, torch.Tensor)
    assert column.dtype == torch.float64
    assert not column.requires_grad
    assert column.tolist() == BASE.tolist()


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.array([1, -2, 127], np.int8), torch.float64),
        (np.array([1, 2, 255], np.uint8), torch.float64),
        (np.array([1, 2, 2**53], np.int64), torch.float64),
        (np.array([1, 2, 2**63], np.uint64), torch.float64),
        (np.array([-(2**63), 0, 2**60], ">i8"), torch.float64),
        (np.array([1, 0.5, -2], np.float16), torch.float32),
        (np.array([1, 0.1, -2], np.float32), torch.float32),
        (np.array([1, 0.1, -2], ">f4"), torch.float32),
        (torch.tensor([1, 2, 3]), torch.float64),
        (torch.tensor([1, 2, 3], dtype=torch.uint8), torch.float64),
        (torch.tensor([1.0, 0.5, 3], dtype=torch.float16), torch.float32),
        (torch.tensor([1.0, 0.5, 3], dtype=torch.bfloat16), torch.float32),
        (range(3), torch.float64),
        ([1, None, 3], torch.float64),
        ([2**70, 1, 2], torch.float64),
    ],
)
def test_types(given: Any, dtype: torch.dtype) -> None:
    column = read({"x": given})
    assert isinstance(column, torch.Tensor)
    assert column.dtype == dtype
    expected = [None if v is None else float(v) for v in (given.tolist() if hasattr(given, "tolist") else given)]
    assert values(column) == expected


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_float_data_are_borrowed_not_copied(dtype: type) -> None:
    for array in (np.arange(6, dtype=dtype), np.arange(12, dtype=dtype).reshape(6, 2)[:, 1]):
        column = read({"x": array})
        assert isinstance(column, torch.Tensor)
        assert column.data_ptr() == array.ctypes.data
        array.flags.writeable = False
        again = read({"x": array})
        assert isinstance(again, torch.Tensor)
        assert again.data_ptr() == array.ctypes.data
    tensor = torch.zeros(4)
    assert read({"x": tensor}).data_ptr() == tensor.data_ptr()  # type: ignore[union-attr]


def test_borrowed_memory_outlives_its_owner() -> None:
    column = read({"x": np.frombuffer(np.arange(100_000.0).tobytes())})
    junk = [np.full(100_000, -1.0) for _ in range(5)]
    assert column.sum() == 99_999 * 50_000  # type: ignore[union-attr]
    assert len(junk) == 5


@pytest.mark.parametrize(
    ("given", "expected", "levels"),
    [
        (["b", "a", None, "b"], ["b", "a", None, "b"], ("a", "b")),
        (["b", float("nan"), "a"], ["b", None, "a"], ("a", "b")),
        (np.array(["é", "z", "a"]), ["é", "z", "a"], ("a", "z", "é")),
        (np.array([b"b", b"a"]), ["b", "a"], ("a", "b")),
        (np.array(["b", "a"], dtype=np.dtypes.StringDType()), ["b", "a"], ("a", "b")),
        (np.array(["b", None, "a"], dtype=object), ["b", None, "a"], ("a", "b")),
        (np.array(["b", pd.NA, "a"], dtype=object), ["b", None, "a"], ("a", "b")),
        (np.ma.array(["b", "q", "a"], mask=[0, 1, 0]), ["b", None, "a"], ("a", "b")),
        ([True, True, None], [True, True, None], (False, True)),
        (np.array([True, False]), [True, False], (False, True)),
        (np.ma.array([True, False], mask=[1, 0]), [None, False], (False, True)),
        (torch.tensor([True, False]), [True, False], (False, True)),
        (pd.Series(["b", "a"], dtype="category"), ["b", "a"], ("a", "b")),
    ],
)
def test_categories(given: Any, expected: list[Any], levels: tuple[Any, ...]) -> None:
    column = read({"x": given})
    assert isinstance(column, Coded)
    assert column.codes.dtype == torch.int64
    assert values(column) == expected
    assert column.levels == levels


def test_missing_numbers_are_nan() -> None:
    assert values(read({"x": np.ma.array([1, 2, 3], mask=[0, 1, 0])})) == [1, None, 3]
    assert values(read({"x": np.ma.array([1.0, 2, 3], mask=[0, 1, 0])})) == [1, None, 3]
    assert values(read({"x": [1.5, None, float("nan")]})) == [1.5, None, None]
    masked = np.ma.array([1.0, 2, 3], mask=[0, 1, 0])
    read({"x": masked})
    assert masked.data.tolist() == [1, 2, 3]


def test_matrix_columns() -> None:
    table = np.arange(6.0).reshape(3, 2)
    for given in (table, table.tolist(), torch.tensor(table), table.astype(int), np.asfortranarray(table)):
        assert read({"x": given, "y": [1, 2, 3]}).tolist() == table.tolist()  # type: ignore[union-attr]


def test_memory_is_one_batch_of_all_rows() -> None:
    source = open_source({"x": np.zeros(5), "g": list("abcab")})
    assert source.in_memory
    assert (source.rows, source.names) == (5, ("x", "g"))
    (batch,) = source.batches(["g"])
    assert (batch.rows, batch.start, list(batch.columns)) == (5, 0, ["g"])
    assert source.place(17) == "row 18"
    assert open_source(source) is source
    assert source.kind("x") == "number"  # type: ignore[attr-defined]
    assert source.kind("g") == "levels"  # type: ignore[attr-defined]


def test_structured_array_is_a_table() -> None:
    records = np.array([(1.0, "a"), (2.0, "b")], dtype=[("x", "f8"), ("g", "U1")])
    assert values(read(records, "x")) == [1, 2]
    assert values(read(records, "g")) == ["a", "b"]


def test_other_columns_follow_the_tensors_device() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = open_source({"x": torch.zeros(2, device=device), "y": [1, 2], "g": ["a", "b"]})
    (batch,) = source.batches(["x", "y", "g"])
    assert batch.columns["y"].device == batch.columns["x"].device  # type: ignore[union-attr]
    assert batch.columns["g"].codes.device == batch.columns["x"].device  # type: ignore[union-attr]
