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
    blank = call("predict", model, path, "--unseen", "null")
    assert _read(blank.out)["prediction"][1] == ""
    reference = call("predict", model, path, "--unseen", "reference")
    assert float(_read(reference.out)["prediction"][1])


def test_a_missing_value(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("id,bmi,bp,sex,s5\na,25,90,1,4.5\nb,26,,1,4.5\nc,,,2,4.5\nd,27,95,2,4.6\n")
    refused = call("predict", model, path)
    assert (refused.code, refused.out) == (2, "")
    assert "bp" in refused.err or "bmi" in refused.err
    assert "--missing null" in refused.err
    blank = call("predict", model, path, "--missing", "null", "--keep", "id", "--interval", "0.9")
    assert (blank.code, blank.err) == (0, "")
    columns = _read(blank.out)
    assert columns["id"] == ["a", "b", "c", "d"]  # a row of output for each row
    assert columns["prediction"][1:3] == columns["upper"][1:3] == ["", ""]
    whole = {"bmi": [25.0, 27.0], "bp": [90.0, 95.0], "sex": [1, 2], "s5": [4.5, 4.6]}
    np.testing.assert_allclose(
        _numbers(columns["prediction"])[[0, 3]], tw.load(model).predict_columns(whole).columns["prediction"]
    )


def test_a_missing_value_is_placed(call, model, tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("bmi,bp,sex,s5\n25,90,1,4.5\n26,90,1,4.5\n27,,1,4.5\n")
    assert call("predict", model, path).err.splitlines()[0] == (
        "thalweg: column 'bp' has a missing value (new.csv, line 4)."
    )


TEXTS = "zip,x,t,y\n01,1,1,2\n02,2,1,3\n01,3,2,6\n02,4,2,9\nA1,5,1,7\nA1,6,2,8\n"


def test_columns_told_to_be_text(call, tmp_path):
    """A part of the data may hold nothing but digits where the whole did not."""
    train, new, model = tmp_path / "train.csv", tmp_path / "new.csv", tmp_path / "m.safetensors"
    train.write_text(TEXTS)
    assert call("fit", train, "y ~ zip", "--text", "zip", "--out", model).code == 0
    new.write_text("zip\n01\n02\n")
    refused = call("predict", model, new)
    assert refused.code == 2
    assert "--text zip" in refused.err
    told = call("predict", model, new, "--text", "zip")
    np.testing.assert_allclose(_numbers(_read(told.out)["prediction"]), [4, 6])


def test_exposure_and_offset_are_columns(call, tmp_path):
    train, model = tmp_path / "train.csv", tmp_path / "m.safetensors"
    train.write_text(TEXTS)
    times = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 2.0])
    tw.fit("y ~ x", train, family="poisson", exposure=times, offset=np.zeros(6)).save(model)
    for told, option in [([], "--offset"), (["--offset", "zero"], "--exposure")]:
        refused = call("predict", model, train, *told)
        assert refused.code == 2
        assert f"given as an array; pass {option} and a column's name" in refused.err
    train.write_text("x,t,zero\n1,2,0\n2,4,0\n")
    ended = call("predict", model, train, "--exposure", "t", "--offset", "zero")
    expected = tw.load(model).predict({"x": [1.0, 2.0]}, exposure=[2.0, 4.0], offset=[0.0, 0.0])
    np.testing.assert_array_equal(_numbers(_read(ended.out)["prediction"]), expected)


def test_a_prediction_interval_of_a_weighted_fit_has_a_note(call, tmp_path):
    train, model = tmp_path / "train.csv", tmp_path / "m.safetensors"
    train.write_text(TEXTS)
    assert call("fit", train, "y ~ x", "--weights", "t", "--out", model).code == 0
    for output in ([], ["--json"], ["--out", tmp_path / "p.csv"]):
        ended = call("predict", model, train, "--interval", "0.9", "--quiet", *output)
        assert ended.err == "note: the fit has precision weights; the interval is for a new observation of weight 1\n"
    assert call("predict", model, train, "--interval", "0.9", "--json").json["notes"]
    assert call("predict", model, train, "--interval", "0.9", "--interval-kind", "mean").err == ""


@pytest.mark.parametrize("cells", [["25", "much"], ["25", "33", "34", "much"]])
def test_text_in_place_of_numbers_is_placed(call, model, tmp_path, cells):
    """Whether the column as a whole reads as text or as numbers with a word between them."""
    path = tmp_path / "new.csv"
    words = ["so", "very", "much"] if len(cells) == 2 else []
    path.write_text("bmi,bp,sex,s5\n" + "".join(f"{cell},90,1,4.5\n" for cell in [*cells, *words]))
    ended = call("predict", model, path)
    assert (ended.code, ended.out) == (2, "")
    assert "'bmi'" in ended.err
    assert f"(new.csv, line {1 + len(cells)})" in ended.err
    assert "much" in ended.err
    assert "C(bmi)" not in ended.err


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
        (["MODEL", "DATA", "--missing", "drop"], ["null"]),
        (["MODEL", "DATA", "--exposure", "age"], ["without --exposure"]),
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
