"""`thalweg predict`: the library's predictions, a row for each row of the file, and nothing else on standard output."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

import thalweg as tw


def _read(text: str) -> dict[str, list[str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {name: [row[name] for row in rows] for name in rows[0]}


def _numbers(cells: list[str]) -> np.ndarray:
    return np.array([float(cell) if cell else np.nan for cell in cells])


def test_predictions_are_those_of_the_library_to_the_last_bit(call, model, diabetes):
    ended = call("predict", model, diabetes)
    assert (ended.code, ended.err) == (0, "")
    columns = _read(ended.out)
    assert list(columns) == ["prediction"]
    expected = tw.load(model).predict_columns(diabetes).columns["prediction"]
    np.testing.assert_array_equal(_numbers(columns["prediction"]), expected)


@pytest.mark.parametrize("kind", ["mean", "prediction"])
def test_intervals(call, model, diabetes, kind):
    ended = call("predict", model, diabetes, "--interval", "0.9", "--interval-kind", kind)
    expected = tw.load(model).predict_columns(diabetes, interval=kind, level=0.9).columns
    columns = _read(ended.out)
    assert list(columns) == list(expected)
    for name, cells in columns.items():
        np.testing.assert_array_equal(_numbers(cells), expected[name])


def test_a_level_alone_is_an_interval_for_a_new_observation(call, model, diabetes):
    assert (
        call("predict", model, diabetes, "--interval", "0.95").out
        == call("predict", model, diabetes, "--interval", "0.95", "--interval-kind", "prediction").out
    )


def test_kept_columns_stand_first(call, model, diabetes):
    columns = _read(call("predict", model, diabetes, "--keep", "age,sex").out)
    assert list(columns) == ["age", "sex", "prediction"]
    original = _read(diabetes.read_text())
    np.testing.assert_array_equal(_numbers(columns["age"]), _numbers(original["age"]))
    assert len(columns["prediction"]) == len(original["age"])


def test_kept_columns_stay_beside_their_rows_in_a_long_file(call, tmp_path):
    """Longer than a block: the pieces of a batch are put together in order."""
    path = tmp_path / "long.csv"
    path.write_text("id,word,x,y\n" + "".join(f"{i},w{i % 7},{i % 97},{2 * (i % 97) + i % 3}\n" for i in range(20_000)))
    assert call("fit", path, "y ~ x", "--out", tmp_path / "m.safetensors").code == 0
    columns = _read(call("predict", tmp_path / "m.safetensors", path, "--keep", "id,word,x").out)
    assert columns["id"] == [str(i) for i in range(20_000)]
    assert columns["word"] == [f"w{i % 7}" for i in range(20_000)]
    fit = tw.load(tmp_path / "m.safetensors").coefficients
    np.testing.assert_allclose(_numbers(columns["prediction"]), fit["Intercept"] + fit["x"] * _numbers(columns["x"]))


@pytest.mark.parametrize(
    ("suffix", "read"),
    [
        (".csv", pyarrow.csv.read_csv),
        (".parquet", pyarrow.parquet.read_table),
        (".feather", pyarrow.feather.read_table),
    ],
)
def test_files(call, model, diabetes, tmp_path, suffix, read):
    path = tmp_path / f"p{suffix}"
    ended = call("predict", model, diabetes, "--interval", "0.95", "--out", path)
    assert (ended.code, ended.out, ended.err) == (0, "", f"wrote {path}\n")
    table = read(path)
    expected = tw.load(model).predict_columns(diabetes, interval=0.95).columns
    for name, values in expected.items():
        np.testing.assert_array_equal(table[name].to_numpy(), values)


def test_json(call, model, diabetes):
    found = call("predict", model, diabetes, "--json").json
    assert list(found) == ["prediction", "notes"]
    np.testing.assert_array_equal(found["prediction"], tw.load(model).predict_columns(diabetes).columns["prediction"])


def test_rows_outside_the_training_range_are_a_note(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("bmi,bp,sex,s5\n25,90,1,4.5\n90,90,2,4.5\n")
    ended = call("predict", model, path)
    assert ended.code == 0
    assert len(_read(ended.out)["prediction"]) == 2
    assert ended.err.startswith("note: ")
    assert "bmi" in ended.err
    assert ended.err.count("\n") == 1


def test_an_unseen_category(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("bmi,bp,sex,s5\n25,90,1,4.5\n26,90,3,4.5\n")
    refused = call("predict", model, path)
    assert (refused.code, refused.out) == (2, "")  # nothing of the first row either
    assert "sex" in refused.err
    assert "3" in refused.err
    blank = call("predict", model, path, "--unseen", "missing")
    assert _read(blank.out)["prediction"][1] == ""
    reference = call("predict", model, path, "--unseen", "reference")
    assert float(_read(reference.out)["prediction"][1])


def test_a_missing_value(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("id,bmi,bp,sex,s5\na,25,90,1,4.5\nb,26,,1,4.5\nc,,,2,4.5\nd,27,95,2,4.6\n")
    refused = call("predict", model, path)
    assert (refused.code, refused.out) == (2, "")
    assert "bp" in refused.err or "bmi" in refused.err
    dropped = call("predict", model, path, "--missing", "drop", "--keep", "id")
    assert dropped.code == 0
    assert dropped.err == "note: left out for missing values: 2 rows\n"
    columns = _read(dropped.out)
    assert columns["id"] == ["a", "d"]
    whole = {"bmi": [25.0, 27.0], "bp": [90.0, 95.0], "sex": [1, 2], "s5": [4.5, 4.6]}
    np.testing.assert_allclose(
        _numbers(columns["prediction"]), tw.load(model).predict_columns(whole).columns["prediction"]
    )


def test_nothing_left_is_a_header(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("bmi,bp,sex,s5\n,90,1,4.5\n")
    ended = call("predict", model, path, "--missing", "drop", "--interval", "0.95", "--keep", "bp")
    assert ended.out == "bp,prediction,lower,upper,standard_error\n"
    assert call("predict", model, path, "--missing", "drop", "--out", tmp_path / "p.parquet").code == 0
    assert pyarrow.parquet.read_table(tmp_path / "p.parquet").shape == (0, 1)


def test_a_file_without_rows_is_refused(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("bmi,bp,sex,s5\n")
    ended = call("predict", model, path)
    assert (ended.code, ended.out) == (2, "")
    assert "new.csv" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.safetensors", "DATA"], ["nowhere.safetensors"]),
        (["DATA", "DATA"], ["diabetes.csv"]),
        (["MODEL", "nowhere.csv"], ["nowhere.csv"]),
        (["MODEL", "iris"], ["bmi"]),
        (["MODEL", "DATA", "--interval", "95"], ["95"]),
        (["MODEL", "DATA", "--interval-kind", "both"], ["both"]),
        (["MODEL", "DATA", "--kind", "median"], ["median"]),
        (["MODEL", "DATA", "--unseen", "guess"], ["guess"]),
        (["MODEL", "DATA", "--keep", "town"], ["town"]),
        (["MODEL", "DATA", "--missing", "ignore"], ["drop"]),
        (["MODEL", "DATA", "--out", "p.xlsx"], [".xlsx", ".csv"]),
        (["MODEL", "DATA", "--json", "--out", "p.csv"], ["--json"]),
    ],
)
def test_mistakes(call, model, diabetes, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    ended = call("predict", *[{"MODEL": model, "DATA": diabetes}.get(word, word) for word in arguments])
    assert (ended.code, ended.out) == (2, ""), ended
    assert 1 <= ended.err.count("\n") <= 2, ended.err
    assert all(word in ended.err for word in words), ended.err
    assert list(tmp_path.iterdir()) == []
