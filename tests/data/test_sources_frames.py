"""Frames of three libraries give the same columns."""

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

from thalweg.data.source import Coded
from thalweg.data.sources import open_source
from thalweg.errors import ColumnError

DATA = {"x": [1.5, None, -2.0], "i": [1, 2, 3], "g": ["b", "a", None], "t": [True, False, True]}

FRAMES = {
    "pandas": pd.DataFrame(DATA, index=[5, 5, 1]),
    "pandas nullable": pd.DataFrame(DATA).convert_dtypes(),
    "pandas on arrow": pd.DataFrame(DATA).convert_dtypes(dtype_backend="pyarrow"),
    "pandas of objects": pd.DataFrame(DATA).astype(object),
    "polars": pl.DataFrame(DATA),
    "polars lazy": pl.LazyFrame(DATA),
    "pyarrow": pa.table(DATA),
    "record batch": pa.RecordBatch.from_pydict(DATA),
    "chunked": pa.concat_tables([pa.table(DATA).slice(0, 1), pa.table(DATA).slice(1)]),
    "sliced": pa.table({k: [v[0], *v] for k, v in DATA.items()}).slice(1),
}


def values(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [None if code < 0 else column.levels[code] for code in column.codes.tolist()]
    return [None if v != v else v for v in column.tolist()]


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_all_libraries_give_the_same(frame: Any) -> None:
    source = open_source(frame)
    (batch,) = source.batches(list(DATA))
    assert {name: values(column) for name, column in batch.columns.items()} == DATA
    assert batch.columns["x"].dtype == torch.float64  # type: ignore[union-attr]
    assert batch.columns["t"].levels == (False, True)  # type: ignore[union-attr]
    assert source.in_memory


@pytest.mark.parametrize(
    ("frame", "library"),
    [(FRAMES["pandas"], "pandas"), (FRAMES["polars"], "polars"), (FRAMES["pyarrow"], "pyarrow"), ({"x": [1]}, None)],
)
def test_answers_go_back_as_they_came(frame: Any, library: str | None) -> None:
    assert open_source(frame).frame_library == library


def test_float_columns_are_views() -> None:
    x = np.arange(4.0)
    table = pa.table({"x": x})
    address = table.column("x").chunk(0).buffers()[1].address
    (batch,) = open_source(table).batches(["x"])
    assert batch.columns["x"].data_ptr() == address  # type: ignore[union-attr]
    frame = pd.DataFrame({"x": x, "y": x})
    (batch,) = open_source(frame).batches(["y"])
    assert batch.columns["y"].data_ptr() == frame["y"].to_numpy().ctypes.data  # type: ignore[union-attr]
    series = pl.DataFrame({"x": x})
    (batch,) = open_source(series).batches(["x"])
    assert batch.columns["x"].data_ptr() == series["x"].to_arrow().buffers()[1].address  # type: ignore[union-attr]


def test_order_of_categories() -> None:
    text = ["mid", "low", "high"]
    order = ["low", "mid", "high"]
    frames = [
        pd.DataFrame({"g": pd.Categorical(text, order)}),
        pd.DataFrame({"g": pd.Categorical(text, order, ordered=True)}),
        pl.DataFrame({"g": pl.Series(text, dtype=pl.Enum(order))}),
        pa.Table.from_pandas(pd.DataFrame({"g": pd.Categorical(text, order)})),
    ]
    for frame in frames:
        (batch,) = open_source(frame).batches(["g"])
        assert batch.columns["g"].levels == tuple(order)  # type: ignore[union-attr]
        assert values(batch.columns["g"]) == text
    (batch,) = open_source(pl.DataFrame({"g": pl.Series(text, dtype=pl.Categorical)})).batches(["g"])
    assert batch.columns["g"].levels == ("high", "low", "mid")  # type: ignore[union-attr]


def test_names_that_are_not_text_become_text() -> None:
    source = open_source(pd.DataFrame(np.eye(3), columns=[0, "b", 2.5]))
    assert source.names == ("0", "b", "2.5")
    (batch,) = source.batches(["0", "2.5"])
    assert batch.columns["2.5"].tolist() == [0, 0, 1]  # type: ignore[union-attr]


def test_decimals_are_rounded_once() -> None:
    texts = ["0.3", "0.7", "1234567.89", "2.675", "-0.000000000000000000123456789"]
    for text in texts:
        (batch,) = open_source({"x": pa.array([Decimal(text)])}).batches(["x"])
        assert batch.columns["x"].tolist() == [float(text)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.to_datetime(["2020-01-01"])),
        pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("UTC")),
        pd.Series(pd.to_timedelta(["1 day"])),
        pd.Series(pd.period_range("2020-01", periods=1)),
        pd.Series(pd.interval_range(0, 1)),
        pd.Series([1 + 2j]),
        pd.Series([["a", "b"]]),
        pd.Series([{"a": 1}]),
        pd.Series([datetime.date(2020, 1, 1)]),
        pd.Series(pd.Categorical(pd.to_datetime(["2020-01-01"]))),
        pl.Series([datetime.date(2020, 1, 1)]),
        pl.Series([[1, 2]]),
        pl.Series([object()], dtype=pl.Object),
        pa.array([b"bytes"]),
        pa.array([{"a": 1}]),
        pa.array([datetime.datetime(2020, 1, 1)]).dictionary_encode(),
    ],
    ids=lambda c: str(getattr(c, "dtype", None) or c.type)[:25],
)
def test_refused_only_when_used(column: Any) -> None:
    source = open_source({"when": column, "y": [1.0]})
    assert next(source.batches(["y"])).rows == 1
    with pytest.raises(ColumnError, match="'when'"):
        list(source.batches(["when"]))


def test_duplicate_names() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ColumnError, match="two columns are called 'a'"):
        open_source(frame)
    with pytest.raises(ColumnError, match="two columns are called '1'"):
        open_source(pd.DataFrame([[1, 2]], columns=[1, "1"]))
    with pytest.raises(ColumnError, match="two columns are called 'a'"):
        open_source(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_nearest_name() -> None:
    with pytest.raises(ColumnError, match=r"no column 'gg'.*Did you mean 'g'.*The columns are: x, i, g, t"):
        list(open_source(FRAMES["polars"]).batches(["gg"]))
