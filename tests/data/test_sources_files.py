"""Parquet, Arrow, JSON lines, folders: the same table from every format."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import torch

from thalweg.data import columnar, json_lines
from thalweg.data.source import Coded
from thalweg.data.sources import open_source
from thalweg.errors import ColumnError, DataError, OptionError, SourceError

N = 2000
_rng = np.random.default_rng(7)
TABLE = pa.table(
    {
        "x": pa.array(_rng.standard_normal(N), mask=np.arange(N) % 7 == 3),
        "i": pa.array(_rng.integers(-5, 2**50, N)),
        "g": pa.array([["p", "q", None][k] for k in _rng.integers(0, 3, N)]),
        "t": pa.array(_rng.integers(0, 2, N).astype(bool)),
    }
)


def read(data: Any, names: list[str] | None = None) -> dict[str, list[Any]]:
    source = open_source(data)
    out: dict[str, list[Any]] = {name: [] for name in names or source.names}
    for batch in source.batches(list(out)):
        for name, column in batch.columns.items():
            out[name].extend(values(column))
    return out


def values(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [None if code < 0 else column.levels[code] for code in column.codes.tolist()]
    return [None if v != v else v for v in column.tolist()]


def write_json(path: Path, table: pa.Table) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def write_stream(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


def write_arrow(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=300)


WRITERS = {
    "t.csv": lambda path, table: pa.csv.write_csv(table, path),
    "t.parquet": lambda path, table: pq.write_table(table, path, row_group_size=300),
    "t.feather": lambda path, table: pa.feather.write_feather(table, str(path), compression="lz4"),
    "t.arrow": write_arrow,
    "stream.arrow": write_stream,
    "t.jsonl": write_json,
    "noending": lambda path, table: pq.write_table(table, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_holds_the_same(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "BATCH_ROWS", 128)
    monkeypatch.setattr(json_lines, "STRETCH_BYTES", 2**13)
    WRITERS[name](tmp_path / name, TABLE)
    source = open_source(tmp_path / name)
    assert source.names == tuple(TABLE.column_names)
    batches = list(source.batches(["t", "x"]))
    assert source.rows == N
    assert [b.start for b in batches] == np.cumsum([0, *(b.rows for b in batches)])[:-1].tolist()
    assert read(tmp_path / name) == TABLE.to_pydict()
    assert read(tmp_path / name, ["x"])["x"] == TABLE["x"].to_pylist()
    assert all(b.columns["x"].dtype == torch.float64 for b in batches)  # type: ignore[union-attr]
    assert all(b.columns["t"].levels == (False, True) for b in batches)  # type: ignore[union-attr]
    assert source.place(4).startswith(f"{name}, ")
    with pytest.raises(ColumnError, match=r"no column 'X'.*Did you mean 'x'"):
        list(source.batches(["X"]))


def test_types_of_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["m", "s", "m"], ["s", "m", "l"]), "f": np.float32([1, 0.1, 3])})
    frame.to_parquet(tmp_path / "p.parquet")
    (batch,) = open_source(tmp_path / "p.parquet").batches(["c", "f"])
    assert values(batch.columns["c"]) == ["m", "s", "m"]
    assert batch.columns["c"].levels[:2] == ("s", "m")  # type: ignore[union-attr]
    assert batch.columns["f"].dtype == torch.float32  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_refused_types_and_values(tmp_path: Path, name: str) -> None:
    table = pa.table(
        {
            "when": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "many": [[1, 2], [3]],
            "id": [1, 2**53 + 1],
            "y": [1.0, 2.0],
        }
    )
    WRITERS[name](tmp_path / name, table)
    source = open_source(tmp_path / name)
    for column, message in {"when": "timestamp", "many": "list", "id": rf"9007199254740993.*{name}, row 2"}.items():
        with pytest.raises(DataError, match=message):
            list(source.batches([column]))
    assert next(source.batches(["y"])).rows == 2


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrow"])
def test_cut_short(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, TABLE)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=f"{name} cannot be read as"):
        list(open_source(tmp_path / name).batches(["x"]))


JSON = {
    "text among numbers": ('{"x":1}\n{"x":"a"}\n', "line 2"),
    "text in a later stretch": ('{"x":1}\n' * 3000 + '{"x":"a"}\n', "a string.*line 3001"),
    "number among text": ('{"x":"a"}\n{"x":1}\n', "line 2"),
    "broken": ('{"x":1}\n{"x":\n', "line 2"),
    "an array": ('[{"x":1}]', "one JSON array"),
    "not JSON": ("{'x': 1}\n", "not JSON"),
    "too large": ('{"x":1}\n{"x":1e400}\n', "line 2"),
    "inexact": ('{"x":1}\n{"x":9007199254740993}\n', "9007199254740993.*line 2"),
    "inexact among fractions": ('{"x":1.5}\n{"x":9007199254740993}\n', "9007199254740993.*line 2"),
    "nested": ('{"x":{"a":1}}\n', "struct"),
    "twice": ('{"x":1,"x":2}\n', "twice"),
    "empty": (" \n", "empty"),
}


@pytest.mark.parametrize(("content", "message"), JSON.values(), ids=JSON.keys())
def test_bad_json(tmp_path: Path, content: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "STRETCH_BYTES", 2**12)
    (tmp_path / "t.jsonl").write_text(content)
    with pytest.raises(DataError, match=message):
        list(open_source(tmp_path / "t.jsonl").batches(["x"]))


def test_json_text_that_looks_like_dates_and_keys_that_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"d":"2020-01-01","x":1}\n\n{"x":2.5}\n{"d":"b"}\n')
    assert read(tmp_path / "t.json") == {"d": ["2020-01-01", None, "b"], "x": [1, 2.5, None]}


# --- several files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", "*.csv", "part-?.csv"])
def test_a_folder_is_one_table(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "part-1.csv").write_text("x,g\n1,a\n2,b\n")
    (tmp_path / "part-2.csv").write_text("g,x\n,3.5\n")
    (tmp_path / "part-3.csv").write_text("x,g\n4,c\n,a\n")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".hidden").write_text("")
    data = str(tmp_path / pattern) if pattern else tmp_path
    assert read(data) == {"x": [1, 2, 3.5, 4, None], "g": ["a", "b", None, "c", "a"]}
    source = open_source(data)
    assert [b.start for b in source.batches(["x"])] == [0, 2, 3]
    assert [source.place(i) for i in (0, 2, 4)] == ["part-1.csv, line 2", "part-2.csv, line 2", "part-3.csv, line 3"]
    assert source.rows == 5
    assert "3 files" in source.description


def test_a_folder_of_parquet(tmp_path: Path) -> None:
    for i in range(3):
        pq.write_table(TABLE.slice(700 * i, 700), tmp_path / f"{i}.parquet")
    assert read(tmp_path) == TABLE.to_pydict()
    assert open_source(tmp_path).rows == N


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("x,y\n1,2\n", "b.csv has a column 'y' that a.csv lacks"),
        ("x\n1\n", "b.csv lacks the column 'g' of a.csv"),
        ("x,g\n1,2\n", "column 'g' holds text in a.csv and numbers in b.csv"),
        ("x,g\nz,a\n", "column 'x' holds numbers in a.csv and text in b.csv"),
        ("1,2\n3,4\n", "b.csv has a column 'x1' that a.csv lacks"),
    ],
)
def test_files_that_differ(tmp_path: Path, second: str, message: str) -> None:
    (tmp_path / "a.csv").write_text("x,g\n1,a\n")
    (tmp_path / "b.csv").write_text(second)
    with pytest.raises(ColumnError, match=message):
        open_source(tmp_path)


# --- what is no source -----------------------------------------------------------------------------------------------


def test_told_options_belong_to_text(tmp_path: Path) -> None:
    WRITERS["t.parquet"](tmp_path / "t.parquet", TABLE)
    with pytest.raises(OptionError, match=r"delimiter= says how a text table is written, and t.parquet is parquet"):
        open_source(tmp_path / "t.parquet", delimiter=",")
    with pytest.raises(OptionError, match="decimal="):
        open_source({"x": [1]}, decimal=",")
    with pytest.raises(OptionError, match="no format 'excel'"):
        open_source(tmp_path / "t.parquet", format="excel")
    (tmp_path / "z.parquet").write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(SourceError, match="inside gzip"):
        open_source(tmp_path / "z.parquet")
