"""Bad files: each gives a clear error that says where, or the right answer; none a wrong number in silence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thalweg.data.source import Coded
from thalweg.data.sources import open_source
from thalweg.errors import ThalwegError


def read(data: Any, **told: Any) -> dict[str, list[Any]]:
    source = open_source(data, **told)
    columns: dict[str, list[Any]] = {}
    for batch in source.batches(source.names):
        for name, column in batch.columns.items():
            columns.setdefault(name, []).extend(values(column))
    return columns


def values(column: Any) -> list[Any]:
    if isinstance(column, Coded):
        return [None if code < 0 else column.levels[code] for code in column.codes.tolist()]
    return [None if v != v else v for v in column.tolist()]


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "bad.csv is empty"),
    "blank": ("\n \n\n", "bad.csv is empty"),
    "byte order mark only": (b"\xef\xbb\xbf", "bad.csv is empty"),
    "header only": ("x,y\n", "no rows"),
    "header only, no line end": ("x,y", "no rows"),
    "row too short": ("x,y\n1,2\n3\n", r"1 value where the table has 2 columns \(bad.csv, line 3\)"),
    "row too long": ("x,y\n1,2\n3,4,5\n", r"3 values where the table has 2 columns \(bad.csv, line 3\)"),
    "row names without a header": ("x y\na 1 2\nb 3 4\n", r"3 values where the table has 2 columns.*line 2"),
    "unclosed quote": ('x,y\n1,2\n3,"a\n5,6\n', r"never closed.*\(bad.csv, line 3\)"),
    "unclosed quote in the last row": ('x,y\n1,2\n3,"a', r"never closed.*\(bad.csv, line 3\)"),
    "quotes that close each other": ('x,y\n1,"a\n2,"b\n', r"never closed \(bad.csv, line 2\)"),
    "binary": (bytes(range(256)) * 8, "binary file"),
    "Excel": (b"PK\x03\x04" + bytes(60), "Excel"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n", "PDF"),
    "text in a number column": ("x,y\n1,2\n3,abc\n", r"'y' holds numbers, and 'abc' \(bad.csv, line 3\)"),
    "question mark for missing": ("x,y\n1,2\n3,?\n", r"'y' holds numbers, and '\?' \(bad.csv, line 3\)"),
    "two marks in one number": ("x,y\n1,2\n3,1.2.3\n", r"'y' holds numbers, and '1.2.3'"),
    "two decimal marks": ("x;y\n1,5;1.5\n2,5;2.5\n3,5;4\n", "'y' holds numbers, and '1.5'"),
    "money": ("x,y\n1,$2.50\n3,$4\n", "'y' holds numbers, and '\\$2.50'"),
    "percentages": ("x,y\n1,20%\n3,40%\n", "'y' holds numbers, and '20%'"),
    "underscores": ("x,y\n1,1_000\n3,4\n", "'1_000'"),
    "digits of another script": ("x,y\n1,١٢\n3,4\n", "holds numbers, and"),
    "a thousand or a decimal comma": ("x;y\n1,234;a\n2,500;b\n", r"'1,234', a thousand or a decimal comma.*line 2"),
    "too large": ("x,y\n1,2\n3,1e400\n", r"'y' holds 1e400, which is larger.*line 3"),
    "too large and negative": ("x,y\n1,2\n3,-1e309\n", r"'y' holds -1e309.*line 3"),
    "too many digits": ("x,y\n1,2\n3," + "9" * 400 + "\n", r"larger than a float64.*line 3"),
    "2^53 + 1": ("x,y\n1,2\n3,9007199254740993\n", r"'y' holds 9007199254740993.*line 3.*C\(y\)"),
    "-2^53 - 1": ("x,y\n1,2\n3,-9007199254740993\n", "-9007199254740993"),
    "2^53 + 1 with thousands": ('x,y\n1,2\n3,"9,007,199,254,740,993"\n', "9007199254740993"),
    "duplicate names": ("x,y,x\n1,2,3\n", "two columns are called 'x'"),
    "names that differ by spaces": ("x, x\n1,2\n", "two columns are called 'x'"),
    "header of blanks": (",,\n1,2,3\n", "no names"),
    "header of spaces": ("a b,c\n1,2\n,\n1\n", "line 4"),
    "truth and something else": ("x,t\n" + "1,true\n" * 3000 + "1,perhaps\n", r"'perhaps' \(bad.csv, line 3002\)"),
    "not utf-8 far down": (b"x,y\n" + b"1,a\n" * 100_000 + b"1,\xe9\n", r"not utf-8 \(bad.csv, line 100002\)"),
    "gzip cut short": (gzip.compress(b"x,y\n" + b"1,2\n" * 999)[:-12], "damaged or cut short"),
    "gzip altered": (gzip.compress(b"x,y\n" + b"1,2\n" * 999)[:-6] + b"abcdef", "damaged or cut short"),
    "Parquet by its first bytes only": (b"PAR1" + bytes(40), "cannot be read as Parquet"),
    "Arrow by its first bytes only": (b"ARROW1" + bytes(40), "cannot be read as Arrow"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ThalwegError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


ANSWERED: dict[str, tuple[str | bytes, dict[str, list[Any]]]] = {
    "byte order mark": (b"\xef\xbb\xbfx,y\n1,2\n", {"x": [1], "y": [2]}),
    "UTF-16": ("x,y\n1,é\n".encode("utf-16"), {"x": [1], "y": ["é"]}),
    "UTF-16 without its mark": ("x,y\n1,2\n3,4\n".encode("utf-16-be"), {"x": [1, 3], "y": [2, 4]}),
    "Windows": ("x,y\n1,“é”\n".encode("cp1252"), {"x": [1], "y": ["“é”"]}),
    "latin-1 with a hole of Windows": (b"x,y\n1,\x81\xe9\n", {"x": [1], "y": ["\x81é"]}),
    "decimal comma": ("x;y\n1,5;2\n-2,25;3\n", {"x": [1.5, -2.25], "y": [2, 3]}),
    "thousands": ('x,y\n"1,234,567.5",2\n', {"x": [1234567.5], "y": [2]}),
    "trailing delimiter": ("x,y,\n1,2,\n3,4,\n", {"x": [1, 3], "y": [2, 4]}),
    "trailing delimiter of the rows only": ("x,y\n1,2,\n3,4,\n", {"x": [1, 3], "y": [2, 4]}),
    "column without a name": (",x\n1,2\n3,4\n", {"x": [2, 4]}),
    "no header": ("1,2\n3,4\n", {"x1": [1, 3], "x2": [2, 4]}),
    "no line end": ("x,y\n1,2", {"x": [1], "y": [2]}),
    "blank lines": ("\nx,y\n\n1,2\n\n\n", {"x": [1], "y": [2]}),
    "carriage returns": ("x,y\r1,2\r", {"x": [1], "y": [2]}),
    "quoted line break": ('x,y\n1,"a\nb"\n2,c\n', {"x": [1, 2], "y": ["a\nb", "c"]}),
    "quote in a quote": ('x,y\n1,"a ""b"""\n', {"x": [1], "y": ['a "b"']}),
    "inches": ('x,y\n1,5" pipe\n2,6" pipe\n3,7"\n', {"x": [1, 2, 3], "y": ['5" pipe', '6" pipe', '7"']}),
    "2^53 + 2": ("x,y\n1,9007199254740994\n", {"x": [1], "y": [2.0**53 + 2]}),
    "2^60": ("x,y\n1,1152921504606846976\n", {"x": [1], "y": [2.0**60]}),
    "too small": ("x,y\n1,1e-400\n", {"x": [1], "y": [0]}),
    "smallest": ("x,y\n1,4.9e-324\n", {"x": [1], "y": [5e-324]}),
    "all missing": ("x,y\n1,\n2,NA\n", {"x": [1, 2], "y": [None, None]}),
    "one cell": ("x\n1\n", {"x": [1]}),
    "only text": ("g,h\na,b\n", {"g": ["a"], "h": ["b"]}),
    "spaces in a name": (" x , y z \n1,2\n", {"x": [1], "y z": [2]}),
}


@pytest.mark.parametrize(("content", "expected"), ANSWERED.values(), ids=ANSWERED.keys())
def test_answered(tmp_path: Path, content: str | bytes, expected: dict[str, list[Any]]) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert read(path) == expected


def _unreadable(folder: Path) -> Any:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


PLACES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no file": (lambda folder: folder / "none.csv", "there is no file"),
    "nearly": (lambda folder: folder / "dta.csv", "Did you mean 'data.csv'"),
    "empty folder": (lambda folder: folder / "empty", "no files in"),
    "no match": (lambda folder: str(folder / "*.parquet"), "no files in"),
    "loop of links": (_unreadable, "no file|cannot be read"),
    "address": (lambda folder: "https://example.org/data.csv", "is an address.*Download"),
    "empty text": (lambda folder: "", "no files in|there is no file"),
}


@pytest.mark.parametrize(("data", "message"), PLACES.values(), ids=PLACES.keys())
def test_places(tmp_path: Path, data: Callable[[Path], Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ThalwegError, match=message):
        open_source(data(tmp_path))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"delimiter": ",,"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
        ({"decimal": ";"}, "decimal"),
        ({"encoding": "utf-99"}, "no encoding 'utf-99'"),
        ({"encoding": "utf-16"}, "not utf-16"),
        ({"format": "excel"}, "no format 'excel'"),
        ({"format": "parquet"}, "cannot be read as Parquet"),
        ({"format": "nist"}, "not in the format of NIST"),
        ({"format": "json"}, "not JSON"),
        ({"text": ["z"]}, "no column 'z'"),
    ],
)
def test_options(tmp_path: Path, told: dict[str, Any], message: str) -> None:
    path = tmp_path / "good.csv"
    path.write_text("x,y\n1,2\n3,4\n5\n"[:-2])
    with pytest.raises(ThalwegError, match=message):
        read(path, **told)
