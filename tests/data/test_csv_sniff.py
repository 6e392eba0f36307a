"""How text tables are written: every way of writing the same table gives the same table, and is named."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import itertools
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data.csv_numbers import MISSING, find_decimal, numbers
from thalweg.data.csv_sniff import sniff
from thalweg.data.source import Coded
from thalweg.data.sources import open_source

ROWS = [("1234.5", "nord"), ("-0.25", "süd"), ("3", "nord"), ("1e-3", "süd")]
NUMBERS = [1234.5, -0.25, 3.0, 0.001]


def read(path: Path, **told: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for batch in open_source(path, **told).batches(open_source(path, **told).names):
        for name, column in batch.columns.items():
            columns.setdefault(name, []).extend(values(column))
    return columns


def values(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [None if code < 0 else column.levels[code] for code in column.codes.tolist()]
    return [None if v != v else v for v in column.tolist()]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


GRID = list(
    itertools.product(
        [",", ";", "\t", "|", " "],
        [".", ","],
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"],
        [True, False],
        ["\n", "\r\n"],
    )
)


@pytest.mark.parametrize(("delimiter", "decimal", "encoding", "header", "newline"), GRID)
def test_every_way_of_writing(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str, header: bool, newline: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=newline)
    writer.writerows([("größe", "ort")] * header + [(x.replace(".", decimal), g) for x, g in ROWS])
    path = write(tmp_path / "t.csv", text.getvalue().encode(encoding))
    names = ("größe", "ort") if header else ("x1", "x2")
    assert read(path) == {names[0]: NUMBERS, names[1]: ["nord", "süd", "nord", "süd"]}
    description = open_source(path).description
    words = {",": "comma-d", ";": "semicolon-d", "\t": "tab-d", "|": "bar-d", " ": "space-d"}
    for found in (
        words[delimiter],
        {".": "decimal point", ",": "decimal comma"}[decimal],
        encoding.replace("-sig", ""),
        ", header" if header else "no header",
        "2 columns",
    ):
        assert found in description
    assert "\n" not in description


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('x,y\n"1,234",1\n"-12,345,678.5",2\n', [1234.0, -12345678.5]),
        ("x;y\n1.234,5;1\n-12.345.678;2\n", [1234.5, -12345678.0]),
        ("x;y\n1 234,5;1\n12 345;2\n", [1234.5, 12345.0]),
        ("x;y\n1\u202f234,5;1\n12\u00a0345;2\n", [1234.5, 12345.0]),
        ("x;y\n1'234.5;1\n12'345.25;2\n", [1234.5, 12345.25]),
        ("x;y\n0,123;1\n0,456;2\n", [0.123, 0.456]),
        ("x;y\n1,234;0,5\n2,345;0,25\n", [1.234, 2.345]),
        ("x;y\n1,234,567;1\n2;2\n", [1234567.0, 2.0]),
        ("x\n1,5\n22,75\n", [1.5, 22.75]),
        ("x\ty\n1,5\t2\n22\t3\n", [1.5, 22.0]),
        ('"x","y"\n"1.5","2"\n"7","3"\n', [1.5, 7.0]),
        ("x,y\n 1.5 ,2\n7 ,3\n", [1.5, 7.0]),
        ("x,y\n+1.5,2\n.5,3\n", [1.5, 0.5]),
        ("x,y\n1.5E+2,2\n1.,3\n", [150.0, 1.0]),
        ("x,y\ninf,2\n-Infinity,3\n", [float("inf"), float("-inf")]),
        ("x,y\r1.5,2\r2.5,3\r", [1.5, 2.5]),
        ("x,y\n\n1.5,2\n\n2.5,3\n\n\n", [1.5, 2.5]),
        ("x,y\n1.5,2\n2.5,3", [1.5, 2.5]),
        ("  x    y\n 1.5   2\n 2.5   3  \n", [1.5, 2.5]),
        ("x \t y\n1.5 \t 2\n2.5\t3\n", [1.5, 2.5]),
        ('x "y z"\n1.5 "a  b"\n2.5 c\n', [1.5, 2.5]),
        ("x,\n1.5,\n2.5,\n", [1.5, 2.5]),
        ("x,y\n1.5,2,\n2.5,3,\n", [1.5, 2.5]),
        (",x\n0,1.5\n1,2.5\n", [1.5, 2.5]),
        ("x,2020\n1.5,7\n2.5,8\n", [1.5, 2.5]),
        ("time,x\n2020-01-01 10:00,1.5\n2020-01-01 11:00,2.5\n", [1.5, 2.5]),
        ('"x\ny",x\n1,1.5\n2,2.5\n', [1.5, 2.5]),
    ],
)
def test_spellings(tmp_path: Path, content: str, expected: list[float]) -> None:
    assert read(write(tmp_path / "t.csv", content))["x"] == expected


@pytest.mark.parametrize("spelling", [m for m in MISSING if m], ids=str)
def test_missing_spellings(tmp_path: Path, spelling: str) -> None:
    path = write(tmp_path / "t.csv", f"x,g\n1.5,a\n{spelling},{spelling}\n ,  \n {spelling} , {spelling}\n,\n")
    assert read(path) == {"x": [1.5, None, None, None, None], "g": ["a", None, None, None, None]}


def test_told_goes_before_found(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "1,234;2,500\n3,500;4,750\n")
    assert read(path, decimal=",") == {"x1": [1.234, 3.5], "x2": [2.5, 4.75]}
    assert read(path, decimal=".") == {"x1": [1234, 3500], "x2": [2500, 4750]}
    assert list(read(path, delimiter=",")) == ["x1", "x2", "x3"]
    assert list(read(path, header=True, decimal=".")) == ["1,234", "2,500"]
    codes = write(tmp_path / "c.csv", "id,y\n1,2\n2,3\n")
    assert read(codes, text=["id"]) == {"id": ["1", "2"], "y": [2, 3]}
    greek = write(tmp_path / "g.csv", "x,g\n1,α\n2,β\n".encode("iso8859-7"))
    assert read(greek, encoding="iso8859-7")["g"] == ["α", "β"]


@pytest.mark.parametrize(("word", "mark"), [("tab", "\t"), ("\\t", "\t"), ("semicolon", ";"), ("space", " ")])
def test_delimiters_by_word(tmp_path: Path, word: str, mark: str) -> None:
    path = write(tmp_path / "t.txt", f"a{mark}b\n1{mark}2\n")
    assert read(path, delimiter=word) == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, lambda b: pa.compress(b, "zstd", asbytes=True)]
)
def test_compressed(tmp_path: Path, compress: Any) -> None:
    path = write(tmp_path / "t.csv.z", compress(b"a,b\n1,2\n3,4\n"))
    assert read(path) == {"a": [1, 3], "b": [2, 4]}


def test_truth_values(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "x,t\n1,True\n2,false\n3,\n")
    (batch,) = open_source(path).batches(["t"])
    assert batch.columns["t"].levels == (False, True)  # type: ignore[union-attr]
    assert values(batch.columns["t"]) == [True, False, None]


def test_only_a_first_part_is_looked_at() -> None:
    layout = sniff(b"a,b\n" + b"1,2\n" * 10, "t.csv")
    assert layout.complete
    assert not sniff(b"a,b\n" + b"1,2\n" * 10_000, "t.csv").complete


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=20), st.booleans())
def test_numbers_are_those_of_float(xs: list[float], comma: bool) -> None:
    decimal = "," if comma else "."
    cells = pa.array([repr(x).replace(".", decimal) for x in xs])
    assert numbers(cells, decimal, "x", str).tolist() == xs


@settings(max_examples=100, deadline=None)
@given(st.from_regex(r"[+-]?[0-9]{1,40}\.[0-9]{1,40}([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_long_decimals_are_rounded_once(text: str) -> None:
    assert numbers(pa.array([text]), ".", "x", str).tolist() == [float(text)]


def test_decimal_marks_that_contradict_each_other() -> None:
    assert find_decimal(["1,5", "2,5", "3.5"], ";") == ","
    assert find_decimal(["1.234", "5.678"], ";") == "."
    assert find_decimal(["1.234", "5,678"], "\t") is None
