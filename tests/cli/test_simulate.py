"""`thalweg simulate`: the library's data, printed or written, with the truth told."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import thalweg as tw
from thalweg.data.simulate import KINDS


def read(text: str) -> dict[str, list[float]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def test_printed_data_are_the_library_s_to_the_last_bit(call):
    ended = call("simulate", "line", "--n", "20", "--seed", "10", "--slope", "-2", "--intercept", "5", "--low", "-3")
    data = tw.simulate("line", n=20, seed=10, slope=-2, intercept=5, low=-3)
    assert ended.code == 0
    assert read(ended.out) == {name: values.tolist() for name, values in data.items()}
    assert ended.err == data.about + "\n"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["polynomial", "--coefficients", "-1,2,0.5", "--noise", "0"], {"coefficients": (-1, 2, 0.5), "noise": 0}),
        (
            ["sine", "--amplitude", "2", "--frequency", "3", "--phase", "1"],
            {"amplitude": 2, "frequency": 3, "phase": 1},
        ),
        (["expression", "--expression", "x**2", "--high", "4"], {"expression": "x**2", "high": 4}),
        (["clouds", "--centers", "0,1,-2,3", "--spread", "2"], {"centers": ((0, 1), (-2, 3)), "spread": 2}),
        (["line", "--spacing", "even", "--outliers", "4", "--n", "9"], {"spacing": "even", "outliers": 4, "n": 9}),
    ],
)
def test_options_are_the_library_s(call, arguments, options):
    data = tw.simulate(arguments[0], **options)
    assert read(call("simulate", *arguments).out) == {name: values.tolist() for name, values in data.items()}


def test_an_expression_may_stand_for_its_kind(call):
    assert call("simulate", "sin(x) + x/2").out == call("simulate", "expression", "--expression", "sin(x) + x/2").out


def test_pictures_are_a_file_of_arrays_or_a_row_for_each_pixel(call, tmp_path):
    data, path = tw.simulate("pictures", height=3, width=4, seed=2), tmp_path / "p.npz"
    arguments = ("simulate", "pictures", "--height", "3", "--width", "4", "--seed", "2")
    ended = call(*arguments, "--out", path)
    assert (ended.out, ended.err) == ("", f"wrote {path}\n{data.about}\n")
    with np.load(path, allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found} == {name: each.tolist() for name, each in data.items()}
    columns = read(call(*arguments).out)
    assert list(columns) == ["row", "column", "x", "y"]
    places = zip(columns["row"], columns["column"], columns["y"], strict=True)
    assert all(data["y"][int(row), int(column)] == y for row, column, y in places)
    assert len(columns["y"]) == 12


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather", "npz"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_written_in_every_format(call, kind, suffix, tmp_path):
    path = tmp_path / f"data.{suffix}"
    assert call("simulate", kind, "--out", path, "--quiet") == (0, "", "")
    assert path.stat().st_size
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_file_that_was_written_is_fitted(call, tmp_path):
    path = tmp_path / "line.csv"
    call("simulate", "line", "--n", "20", "--seed", "10", "--slope", "2", "--intercept", "5", "--out", path)
    found = call("fit", path, "y ~ x", "--json").json
    expected = tw.fit("y ~ x", tw.simulate("line", n=20, seed=10, slope=2, intercept=5)).coefficients
    assert {row["name"]: row["estimate"] for row in found["coefficients"]} == expected


def test_json_is_the_truth(call, tmp_path):
    path = tmp_path / "line.csv"
    ended = call("simulate", "line", "--slope", "2", "--outliers", "2", "--out", path, "--json", "--quiet")
    data = tw.simulate("line", slope=2, outliers=2)
    assert ended.json == {
        "kind": "line",
        "about": data.about,
        "formula": "y ~ x",
        "truth": {"Intercept": 0.0, "x": 2.0},
        "outliers": list(data.outliers),
        "files": {"data": str(path)},
    }
    ended = call("simulate", "pictures", "--height", "2", "--width", "1", "--out", path, "--json")
    assert ended.json["truth"] == {"w": tw.simulate("pictures", height=2, width=1).truth["w"].tolist(), "b": 0.1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lin"], "there is no kind 'lin' of simulated data.\n  Did you mean 'line'?"),
        (["line", "--spread", "2"], "line has no option 'spread'"),
        (["polynomial", "--coefficients", "1;2"], "--coefficients '1;2' is no list of numbers"),
        (["clouds", "--centers", "1,2"], "--centers has 2 numbers"),
        (["line", "--noise", "-1"], "noise is -1.0"),
        (["line", "--n", "many"], "Invalid value for '--n'"),
        (["line", "--out", "line.txt"], "--out line.txt has '.txt'"),
        (["line", "--json"], "--json prints the truth"),
        (["__import__('x').x"], "cannot be used in a formula"),
        (["log(x - 20)"], "is no finite number at x = "),
    ],
)
def test_what_cannot_be_is_refused_in_two_lines(call, arguments, words):
    ended = call("simulate", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.startswith("thalweg: ")
    assert ended.err.count("\n") <= 2
