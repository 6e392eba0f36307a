"""`thalweg predict --keep`: columns are copied as they stand, whatever they look like."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

HUGE = 2**53 + 1  # the first integer that float64 cannot hold


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A model of one predictor."""
    from thalweg.cli import main

    folder = tmp_path_factory.mktemp("line")
    (folder / "train.csv").write_text("x,y\n0,1\n1,3\n2,4\n3,8\n")
    assert main(["fit", str(folder / "train.csv"), "y ~ x", "--out", str(folder / "m.safetensors"), "--quiet"]) == 0
    return folder / "m.safetensors"


def _kept(text: str) -> list[list[str]]:
    """The rows without their last column."""
    return [row[:-1] for row in csv.reader(io.StringIO(text))]


def test_cells_are_verbatim(call, line, tmp_path):
    path = tmp_path / "new.csv"
    rows = [
        ["007", "1.50", "9007199254740993", " spaced", "NA", "TRUE"],
        ["010", "1e3", "-0", 'say "hi", twice', "", "F"],
        ["+5", "1,234", "00", "línea\n2", "null", "x"],
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "size", "big", "text", "gap", "flag", "x"], *([*row, "1"] for row in rows)])
    ended = call("predict", line, path, "--keep", "id,size,big,text,gap,flag")
    assert (ended.code, ended.err) == (0, "")
    assert _kept(ended.out) == [["id", "size", "big", "text", "gap", "flag"], *rows]
    assert '"007"' not in ended.out  # no quotes that were not there


def test_a_predictor_may_be_kept_too(call, line, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("x;id\n1,50;1\n2,00;2\n")  # decimal commas
    ended = call("predict", line, path, "--keep", "x,id,x")
    assert _kept(ended.out) == [["x", "id"], ["1,50", "1"], ["2,00", "2"]]


def test_the_rows_of_blocks_and_files_stay_together(call, line, tmp_path):
    """More than one of arrow's blocks, more than one of ours, more than one file."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in range(2):
        ids = range(part * 60_000, (part + 1) * 60_000)
        (folder / f"{part}.csv").write_text("id,note,x\n" + "".join(f"{i:08},{'long ' * 8},{i % 3}\n" for i in ids))
    ended = call("predict", line, folder, "--keep", "id", "--quiet")
    found = list(csv.reader(io.StringIO(ended.out)))[1:]
    assert [row[0] for row in found] == [f"{i:08}" for i in range(120_000)]
    by_x = {prediction: {int(i) % 3 for i, p in found if p == prediction} for prediction in {p for _, p in found}}
    assert len(by_x) == 3
    assert all(len(residues) == 1 for residues in by_x.values())


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_types_stay_in_typed_files(call, line, tmp_path, suffix):
    read = pyarrow.parquet.read_table if suffix == ".parquet" else pyarrow.feather.read_table
    table = pa.table(
        {
            "id": pa.array([HUGE, None, 3], pa.int64()),
            "code": ["007", "", None],
            "small": pa.array([1, 2, 3], pa.int8()),
            "day": [date(2024, 1, 2), date(2024, 1, 3), None],
            "group": pa.array(["a", "b", "c"]).dictionary_encode(),
            "x": [1.0, 2.0, 3.0],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "new.parquet", row_group_size=2)
    names = ["id", "code", "small", "day", "group"]
    out = tmp_path / f"p{suffix}"
    ended = call("predict", line, tmp_path / "new.parquet", "--keep", ",".join(names), "--out", out)
    assert ended.code == 0, ended.err
    found = read(out)
    for name in names:
        assert found[name].to_pylist() == table[name].to_pylist(), name
    assert [found.schema.field(name).type for name in names[:4]] == [table.schema.field(n).type for n in names[:4]]
    text = call("predict", line, tmp_path / "new.parquet", "--keep", ",".join(names)).out
    assert _kept(text)[1] == [str(HUGE), "007", "1", "2024-01-02", "a"]
    assert text.splitlines()[2].startswith(',"",2,')  # an empty text is not a missing one
    found = json.loads(call("predict", line, tmp_path / "new.parquet", "--keep", "id,day", "--json").out)
    assert found["id"] == [HUGE, None, 3]
    assert found["day"] == ["2024-01-02", "2024-01-03", None]


def test_cells_of_text_become_numbers_only_where_no_character_is_lost(call, line, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text(
        "whole,zeros,decimal,version,gap,huge,mixed,empty,x\n"
        f"1,007,1.5,1.1,5,{HUGE},1,,1\n-20,010,2,1.10,NA,1.5,a,,2\n0,011,-0.25,2.0,,2,3,,3\n"
    )
    names = ["whole", "zeros", "decimal", "version", "gap", "huge", "mixed", "empty"]
    assert call("predict", line, path, "--keep", ",".join(names), "--out", tmp_path / "p.parquet").code == 0
    found = pyarrow.parquet.read_table(tmp_path / "p.parquet")
    kinds = dict(zip(names, [str(found.schema.field(name).type) for name in names], strict=True))
    assert kinds == {
        "whole": "int64", "zeros": "string", "decimal": "double", "version": "string",
        "gap": "int64", "huge": "string", "mixed": "string", "empty": "string",
    }  # fmt: skip
    assert found["whole"].to_pylist() == [1, -20, 0]
    assert found["zeros"].to_pylist() == ["007", "010", "011"]
    assert found["gap"].to_pylist() == [5, None, None]
    assert found["huge"].to_pylist() == [str(HUGE), "1.5", "2"]
    as_json = json.loads(call("predict", line, path, "--keep", "whole,zeros", "--json").out)
    assert (as_json["whole"], as_json["zeros"]) == ([1, -20, 0], ["007", "010", "011"])


def test_json_lines(call, line, tmp_path):
    path = tmp_path / "new.jsonl"
    path.write_text(f'{{"id": "007", "n": {HUGE}, "x": 1}}\n{{"id": "010", "x": 2}}\n')
    assert _kept(call("predict", line, path, "--keep", "id,n").out)[1:] == [["007", str(HUGE)], ["010", ""]]


def test_a_list_has_no_cell(call, line, tmp_path):
    pyarrow.parquet.write_table(pa.table({"tags": [["a"], ["b"]], "x": [1.0, 2.0]}), tmp_path / "new.parquet")
    ended = call("predict", line, tmp_path / "new.parquet", "--keep", "tags")
    assert (ended.code, ended.out) == (2, "")
    assert "'tags' is of type list" in ended.err
    assert call("predict", line, tmp_path / "new.parquet", "--keep", "tags", "--out", tmp_path / "p.parquet").code == 0
