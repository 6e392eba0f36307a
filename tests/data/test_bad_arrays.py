"""Bad arrays: each gives a clear error that names column and row."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from thalweg.data.sources import open_source
from thalweg.errors import ThalwegError

Y = [1.0, 2.0, 3.0]

REFUSED: dict[str, tuple[Any, str]] = {
    "list of rows": ([[1, 2], [3, 4]], "a list is no table.*columns by name"),
    "array without names": (np.eye(3), r"a numpy.ndarray is no table.*\{\"X\": array"),
    "tensor without names": (torch.eye(3), r"a torch.Tensor is no table.*\{\"X\": array"),
    "series": (pd.Series(Y), "Series is no table.*to_frame"),
    "polars series": (pl.Series(Y), "Series is no table"),
    "number": (3, "an int is no table"),
    "nothing": (None, "a NoneType is no table"),
    "no columns": ({}, "no columns"),
    "no rows": ({"x": [], "y": []}, "no rows"),
    "frame of no rows": (pd.DataFrame({"x": []}), "no rows"),
    "frame of no columns": (pd.DataFrame(), "no rows|no columns"),
    "lengths": ({"x": [1, 2], "y": Y}, "'x' has 2 rows, 'y' has 3"),
    "lengths of matrix and vector": ({"X": np.eye(4), "y": np.ones(3)}, "'X' has 4 rows, 'y' has 3"),
    "row vector": ({"x": np.ones((1, 3)), "y": Y}, "'x' has 1 row, 'y' has 3"),
    "scalar": ({"x": 1.0}, "'x' is a single value"),
    "text for a column": ({"x": "abc"}, "'x' is a single value"),
    "0-d array": ({"x": np.array(1.0)}, "'x' is a single value"),
    "0-d tensor": ({"x": torch.tensor(1.0)}, "'x' is a single value"),
    "generator": ({"x": (i for i in range(3))}, "'x' is a single value"),
    "set": ({"x": {1, 2, 3}, "y": Y}, "'x'"),
    "three dimensions": ({"x": np.ones((3, 2, 2))}, r"'x' has shape \(3, 2, 2\)"),
    "complex": ({"x": np.array([1, 2, 3 + 1j])}, "'x' is of type complex"),
    "complex list": ({"x": [1, 2, 3 + 1j]}, "'x' mixes numbers and complex.*row 3"),
    "complex tensor": ({"x": torch.ones(3, dtype=torch.complex64)}, "'x' is of type complex"),
    "sparse tensor": ({"x": torch.eye(3).to_sparse()}, "'x' is a sparse tensor"),
    "dates": ({"x": np.array(["2020-01-01"] * 3, "datetime64[D]")}, "'x' is of type datetime64.*number first"),
    "durations": ({"x": np.array([1, 2, 3], "timedelta64[s]")}, "'x' is of type timedelta64.*seconds"),
    "date objects": ({"x": [datetime.date(2020, 1, 1)] * 3}, "'x' is of type date"),
    "dates of pandas": (pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}), "'x' is of type datetime64"),
    "number and text": ({"x": [1, "b", 3]}, r"'x' mixes numbers and text \(first 'b'\) \(row 2\)"),
    "number and text objects": ({"x": np.array([1, 2, "b"], object)}, r"'x' mixes numbers and text.*\(row 3\)"),
    "text and number": ({"x": ["a", None, 3]}, r"'x' mixes text and numbers.*\(row 3\)"),
    "truth and number": ({"x": [True, 1, 0]}, r"'x' mixes booleans and numbers.*\(row 2\)"),
    "objects": ({"x": [object(), object(), object()]}, "'x' is of type object"),
    "dictionaries": ({"x": [{"a": 1}] * 3}, "'x' is of type struct"),
    "bytes": ({"x": [b"\xff", b"b", b"c"]}, "'x' is of type binary"),
    "bytes array": ({"x": np.array([b"\xff", b"b"])}, "'x' holds bytes"),
    "ragged rows": ({"x": [[1, 2], [3]]}, "'x' holds lists of different lengths"),
    "rows of text": ({"x": [["a", "b"], ["c", "d"]]}, "'x' holds lists that are not rows of numbers"),
    "matrix of text": ({"x": np.array([["a", "b"], ["c", "d"]])}, "'x' holds categories in shape"),
    "matrix of truth": ({"x": torch.ones(2, 2, dtype=torch.bool)}, "'x' holds categories in shape"),
    "2^53 + 1": ({"x": [1, 2**53 + 1, 3]}, r"'x' holds 9007199254740993.*\(row 2\).*C\(x\)"),
    "int64": ({"x": np.array([1, 2, -(2**62) - 1])}, r"'x' holds -4611686018427387905.*\(row 3\)"),
    "largest int64": ({"x": np.array([2**63 - 1])}, "'x' holds 9223372036854775807"),
    "largest uint64": ({"x": np.array([2**64 - 1], np.uint64)}, "'x' holds 18446744073709551615"),
    "big-endian integers": ({"x": np.array([2**53 + 1], ">i8")}, "'x' holds 9007199254740993"),
    "integer tensor": ({"x": torch.tensor([1, 2**53 + 1])}, r"'x' holds 9007199254740993.*\(row 2\)"),
    "matrix of integers": ({"x": np.array([[1, 2], [3, 2**53 + 1]])}, r"'x' holds 9007199254740993.*\(row 2\)"),
    "nullable integers": (pd.DataFrame({"x": pd.array([None, 2**53 + 1], "Int64")}), r"9007199254740993.*\(row 2\)"),
    "huge integer": ({"x": [1, 2**70 + 1]}, r"'x' holds 1180591620717411303425.*\(row 2\)"),
    "integer beyond float": ({"x": [1, 10**400]}, r"'x' holds 10000.*\(401 digits\).*\(row 2\)"),
    "integer decimals": ({"x": pa.array([Decimal(2**53 + 1)])}, "'x' holds 9007199254740993"),
    "long double beyond float": ({"x": np.array([1, np.longdouble("1e400")])}, r"'x' holds 1e\+400.*\(row 2\)"),
    "missing column": ({"age": Y}, "no column 'x'.*The columns are: age"),
    "names equal as text": ({1: Y, "1": Y, "x": Y}, "same name"),
    "void": ({"x": np.zeros(3, "V4")}, "'x' is of type"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(data: Any, message: str) -> None:
    with pytest.raises(ThalwegError, match=message) as caught:
        list(open_source(data).batches(["x"]))
    assert "\n" not in str(caught.value)


def test_a_bad_column_that_is_not_used_does_no_harm() -> None:
    (batch,) = open_source({"x": Y, "bad": [1, "b", 3]}).batches(["x"])
    assert batch.rows == 3


def test_nan_and_infinity_pass_through_for_the_model_to_judge() -> None:
    (batch,) = open_source({"x": [np.nan, np.inf, -np.inf]}).batches(["x"])
    x = batch.columns["x"]
    assert isinstance(x, torch.Tensor)
    assert torch.equal(torch.nan_to_num(x, 7.0, 8.0, 9.0), torch.tensor([7.0, 8.0, 9.0], dtype=torch.float64))
