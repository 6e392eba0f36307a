"""`thalweg datasets`: the built-in data, listed and written."""

from __future__ import annotations

import csv
import io

import pytest

import thalweg as tw

NAMES = {"diabetes", "breast_cancer", "iris", "wine", "puromycin"}


def test_the_list_names_each_with_its_size(call):
    ended = call("datasets")
    assert (ended.code, ended.err) == (0, "")
    assert all(name in ended.out for name in NAMES)
    assert "442" in ended.out


def test_json(call):
    found = call("datasets", "--json").json
    assert {entry["name"] for entry in found["datasets"]} == NAMES
    diabetes = next(entry for entry in found["datasets"] if entry["name"] == "diabetes")
    assert diabetes["rows"] == 442
    assert diabetes["columns"][-1] == "progression"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_written_data_set_fits_as_the_built_in_one(call, tmp_path, name):
    path = tmp_path / f"{name}.csv"
    assert call("datasets", name, "--out", path).err == f"wrote {path}\n"
    columns = next(csv.reader(io.StringIO(path.read_text())))
    formula = f"{columns[0]} ~ {columns[1]} + {columns[2]}"
    assert tw.fit(formula, path).coefficients == tw.fit(formula, name).coefficients


def test_standard_output_is_the_table(call, tmp_path):
    path = tmp_path / "iris.csv"
    call("datasets", "iris", "--out", path)
    ended = call("datasets", "iris")
    assert ended.out == path.read_text()
    assert "species" in ended.out.splitlines()[0]
    assert "setosa" in ended.out.splitlines()[1]


def test_numbers_are_written_as_they_are(call):
    first = next(csv.DictReader(io.StringIO(call("datasets", "diabetes").out)))
    assert (first["age"], first["bmi"], first["progression"]) == ("59", "32.1", "151")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["diabets"], ["diabets", "diabetes"]), (["--out", "a.csv"], ["NAME"]), (["iris", "--out", "a.xyz"], [".csv"])],
)
def test_mistakes(call, arguments, words):
    ended = call("datasets", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert 1 <= ended.err.count("\n") <= 2
    assert all(word in ended.err for word in words), ended.err
