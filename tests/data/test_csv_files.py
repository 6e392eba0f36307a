"""Reading text tables in blocks: what a column is does not depend on the block, and errors name the line."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from thalweg.data import csv_files, origin
from thalweg.data.source import Coded, Source
from thalweg.data.sources import open_source
from thalweg.errors import ColumnError, DataError, SourceError

HEAD = "x,g\n" + "1,a\n" * 100_000  # longer than the sample, and many small blocks


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 2**15)


def source_of(tmp_path: Path, content: str | bytes, **told: Any) -> Source:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(path, **told)


def total(source: Source, name: str) -> float:
    return sum(float(batch.columns[name].sum()) for batch in source.batches([name]))  # type: ignore[union-attr]


def test_rows_are_numbered_through_the_blocks(tmp_path: Path) -> None:
    source = source_of(tmp_path, HEAD)
    assert source.rows is None
    batches = list(source.batches(["x"]))
    assert len(batches) > 5
    assert [b.start for b in batches] == [sum(b.rows for b in batches[:i]) for i in range(len(batches))]
    assert source.rows == sum(b.rows for b in batches) == 100_000
    assert source.place(18) == "t.csv, line 20"
    assert not source.in_memory


def test_readings_repeat_and_can_be_interleaved(tmp_path: Path) -> None:
    source = source_of(tmp_path, HEAD)
    first, second = source.batches(["x"]), source.batches(["g"])
    a, b = next(first), next(second)
    assert a.rows == b.rows
    first.close()  # type: ignore[attr-defined]
    assert total(source, "x") == total(source, "x") == 100_000


def test_integer_column_with_a_fraction_far_down(tmp_path: Path) -> None:
    assert total(source_of(tmp_path, HEAD + "1.5,a\n"), "x") == 100_001.5


def test_level_far_down(tmp_path: Path) -> None:
    source = source_of(tmp_path, HEAD + "1,7\n")
    *_, last = source.batches(["g"])
    assert isinstance(last.columns["g"], Coded)
    assert last.columns["g"].levels == ("7", "a")


def test_thousands_far_down(tmp_path: Path) -> None:
    assert total(source_of(tmp_path, HEAD + '"1,234.5",a\n'), "x") == 101_234.5


def test_missing_until_far_down(tmp_path: Path) -> None:
    source = source_of(tmp_path, "x,g\n" + ",a\n" * 150_000 + "2.5,a\n")
    assert source.kind("x") == "unknown"  # type: ignore[attr-defined]
    *_, last = source.batches(["x"])
    assert last.columns["x"][-1] == 2.5  # type: ignore[index]


FAR_DOWN = {
    "text": ("abc,a\n", "holds numbers, and 'abc'"),
    "decimal comma": ('"1,5",a\n', "holds numbers, and '1,5'"),
    "too large": ("1e400,a\n", "1e400"),
    "inexact": ("9007199254740993,a\n", "9007199254740993"),
    "short": ("1\n", "1 value where the table has 2 columns"),
    "long": ("1,a,b\n", "3 values where the table has 2 columns"),
    "open quote": ('1,"a\n', "never closed"),
    "open quote and more": ('1,"a\n' + "1,a\n" * 50_000, "never closed"),
    "quote closed by another": ('1,"a\n1,"b\n1,c\n', "its quote never closed"),
    "latin-1": (b"1,\xe9\n", "not utf-8"),
}


@pytest.mark.parametrize(("tail", "message"), FAR_DOWN.values(), ids=FAR_DOWN.keys())
def test_faults_far_down_name_their_line(tmp_path: Path, tail: str | bytes, message: str) -> None:
    tail = tail.encode() if isinstance(tail, str) else tail
    source = source_of(tmp_path, HEAD.encode() + tail)
    with pytest.raises(DataError, match=message) as caught:
        list(source.batches(["x", "g"]))
    assert "(t.csv, line 100002)" in str(caught.value)


def test_line_numbers_behind_line_breaks_in_values(tmp_path: Path) -> None:
    source = source_of(tmp_path, 'x,g\n1,"a\nb\nc"\n\n2,d\n3,e\n')
    assert [source.place(i) for i in range(3)] == ["t.csv, line 2", "t.csv, line 6", "t.csv, line 7"]
    (batch,) = source.batches(["g"])
    assert batch.columns["g"].levels == ("a\nb\nc", "d", "e")  # type: ignore[union-attr]
    assert source.place(2) == "t.csv, line 7"


def test_unnamed_last_column_that_fills_up(tmp_path: Path) -> None:
    source = source_of(tmp_path, "x,g,\n" + "1,a,\n" * 100_000 + "1,a,9\n")
    with pytest.raises(SourceError, match="'9' in a column without a name"):
        list(source.batches(["x"]))


def test_only_needed_columns_are_converted(tmp_path: Path) -> None:
    source = source_of(tmp_path, "x,bad\n1,2\n3,oops\n")
    assert total(source, "x") == 4
    with pytest.raises(DataError, match=r"'bad' holds numbers, and 'oops' \(t.csv, line 3\).*text=\['bad'\]"):
        source.batches(["bad"]).__next__()


def test_missing_column_says_when_no_header_was_found(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match=r"no column 'a' \(t.csv, read as having no header\)"):
        next(source_of(tmp_path, "1,2\n3,4\n").batches(["a"]))


def test_no_columns_still_count_rows(tmp_path: Path) -> None:
    assert sum(b.rows for b in source_of(tmp_path, HEAD).batches([])) == 100_000


@pytest.mark.parametrize("limit", [2**26, 50])
def test_standard_input_is_read_once_and_passed_over_twice(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    class Input:
        buffer = io.BytesIO(HEAD.encode())

    monkeypatch.setattr(origin, "SPOOL_BYTES", limit)
    monkeypatch.setattr(sys, "stdin", Input)
    source = open_source("-")
    assert "standard input: comma-delimited" in source.description
    assert total(source, "x") == total(source, "x") == 100_000
    assert all((batch.columns["g"].codes == 0).all() for batch in source.batches(["g"]))  # type: ignore[union-attr]
    assert source.place(0) == "standard input, line 2"


def test_open_files_and_streams(tmp_path: Path) -> None:
    assert total(open_source(io.BytesIO(b"x,y\n1,2\n")), "x") == 1
    assert total(open_source(io.StringIO("x,y\n1,2\n")), "x") == 1
