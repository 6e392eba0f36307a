"""`thalweg fit`: the same fit as the library's, printed, written and told to machines."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

import thalweg as tw

FORMULA = "progression ~ bmi + bp + C(sex) + poly(s5, 2)"


def test_the_table_says_what_was_read_and_what_was_found(call, diabetes):
    ended = call("fit", diabetes, FORMULA)
    assert (ended.code, ended.err) == (0, "")
    fit = tw.fit(FORMULA, diabetes)
    assert ended.out == fit.summary() + "\n"
    assert "diabetes.csv" in ended.out
    assert "442 rows" in ended.out.replace("442 used", "442 rows")


def test_json_is_strict_and_has_the_numbers_of_the_library(call, diabetes):
    ended = call("fit", diabetes, FORMULA, "--json", "--equation", "text")
    found = json.loads(ended.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    fit = tw.fit(FORMULA, diabetes)
    assert list(found) == [
        "thalweg", "created", "formula", "family", "data", "status", "descent", "separation", "level", "covariance",
        "df", "coefficients", "statistics", "equation", "notes", "files",
    ]  # fmt: skip
    assert {row["name"]: row["estimate"] for row in found["coefficients"]} == fit.coefficients
    assert {row["name"]: row["std_error"] for row in found["coefficients"]} == fit.std_errors
    assert list(found["coefficients"][0]) == [
        "name", "estimate", "std_error", "statistic", "p_value", "low", "high", "note",
    ]  # fmt: skip
    assert found["statistics"]["aic"] == fit.statistics.aic
    assert found["family"] == {"name": "gaussian", "link": {"name": "identity"}}
    assert found["status"] == "converged"
    assert found["equation"] == fit.equation("text")


def test_a_number_that_does_not_exist_is_null_with_a_reason(call, tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("y,a,b\n1,1,2\n3,2,4\n2,3,6\n5,4,8\n")
    ended = call("fit", path, "y ~ a + b", "--json")
    assert ended.code == 0
    row = ended.json["coefficients"][2]
    assert row["name"] == "b"
    assert row["estimate"] is row["std_error"] is None
    assert row["note"]
    assert ended.json["notes"]
    assert ended.err.startswith("note: ")
    assert ended.err.count("\n") == 1


def test_the_files_are_those_of_the_library(call, diabetes, tmp_path):
    model, picture = tmp_path / "m.safetensors", tmp_path / "fit.png"
    ended = call("fit", diabetes, FORMULA, "--out", model, "--plot", picture, "--plot-kind", "coefficients", "--json")
    assert ended.code == 0
    assert ended.err.splitlines() == [f"wrote {picture}", f"wrote {model}"]
    assert ended.json["files"] == {"model": str(model), "plot": str(picture)}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert tw.load(model).coefficients == tw.fit(FORMULA, diabetes).coefficients
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.png", "m.safetensors"]


def test_quiet_leaves_the_equation_alone(call, diabetes):
    ended = call("fit", diabetes, "progression ~ bmi", "--quiet", "--equation", "sql")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == tw.fit("progression ~ bmi", diabetes).equation("sql") + "\n"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--family", "poisson"], {"family": "poisson"}),
        (["--family", "gamma", "--link", "log"], {"family": "gamma", "link": "log"}),
        (["--family", "tweedie", "--power", "1.5"], {"family": "tweedie", "power": 1.5}),
        (["--family", "negative_binomial", "--alpha", "0.5"], {"family": "negative_binomial", "alpha": 0.5}),
        (["--weights", "age", "--weights-kind", "frequency"], {"weights": "age", "weights_kind": "frequency"}),
        (["--covariance", "HC3", "--level", "0.9"], {"covariance": "HC3", "level": 0.9}),
        (["--cluster", "sex"], {"cluster": "sex"}),
        (["--offset", "s1"], {"offset": "s1"}),
        (["--family", "poisson", "--exposure", "age"], {"family": "poisson", "exposure": "age"}),
    ],
)
def test_each_option_is_that_of_the_library(call, diabetes, arguments, options):
    found = call("fit", diabetes, "progression ~ bmi + bp", "--json", *arguments).json
    fit = tw.fit("progression ~ bmi + bp", diabetes, **options)
    estimates = {row["name"]: row["estimate"] for row in found["coefficients"]}
    assert estimates == pytest.approx(fit.coefficients, rel=1e-12)
    assert {row["name"]: row["std_error"] for row in found["coefficients"]} == pytest.approx(fit.std_errors, rel=1e-12)
    assert found["level"] == fit.level
    assert found["covariance"] == fit.covariance_kind


def test_trials(call, tmp_path):
    path = tmp_path / "doses.csv"
    path.write_text("dead,n,dose\n0.1,10,1\n0.3,20,2\n0.5,10,3\n0.75,20,4\n")
    found = call("fit", path, "dead ~ dose", "--family", "binomial", "--trials", "n", "--json").json
    assert found["statistics"]["n"] == 4
    fit = tw.fit("dead ~ dose", path, family="binomial", trials="n")
    assert found["coefficients"][1]["estimate"] == fit.coefficients["dose"]


def test_the_reader_is_told(call, tmp_path):
    path = tmp_path / "odd.dat"
    path.write_bytes("1,5\t2\n2,5\t3\n4\t4,25\n5\t1,5\n".encode("utf-16-le"))
    told = ["--delimiter", "tab", "--decimal", ",", "--encoding", "utf-16-le", "--no-header", "--format", "csv"]
    found = call("fit", path, "x1 ~ x2", "--json", *told).json
    slope = np.polyfit([2, 3, 4.25, 1.5], [1.5, 2.5, 4, 5], 1)[0]
    assert found["coefficients"][1]["estimate"] == pytest.approx(slope, rel=1e-12)
    assert found["statistics"]["n"] == 4


def test_columns_told_to_be_text(call, tmp_path):
    path = tmp_path / "zips.csv"
    path.write_text("zip,y,x\n1,1,1\n2,2,3\n1,3,2\n2,5,5\n")
    names = [row["name"] for row in call("fit", path, "y ~ zip + x", "--text", "zip", "--json").json["coefficients"]]
    assert names == ["Intercept", "zip[T.2]", "x"]
    assert "nowhere" in call("fit", path, "y ~ zip", "--text", "zip,nowhere").err


def test_starting_values(call, diabetes):
    gamma = ["--family", "gamma", "--link", "log"]
    found = call("fit", diabetes, "progression ~ bmi", *gamma, "--start", "Intercept=4, bmi=0.05", "--json")
    plain = call("fit", diabetes, "progression ~ bmi", *gamma, "--json")
    estimates = [[row["estimate"] for row in ended.json["coefficients"]] for ended in (found, plain)]
    assert estimates[0] == pytest.approx(estimates[1], rel=1e-9)
    for start, word in [("Intercept=4,bmi", "name=value"), ("Intercept=4", "bmi")]:
        refused = call("fit", diabetes, "progression ~ bmi", *gamma, "--start", start)
        assert refused.code == 2
        assert word in refused.err


def test_standard_input(call, diabetes, monkeypatch):
    with diabetes.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        found = call("fit", "-", "progression ~ bmi", "--json")
    assert found.code == 0, found.err
    assert found.json["coefficients"][1]["estimate"] == tw.fit("progression ~ bmi", diabetes).coefficients["bmi"]


def test_missing_values(call, tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("y,x\n1,1\n,2\n3,\n5,4\n4,6\n")
    refused = call("fit", path, "y ~ x")
    assert refused.code == 2
    assert "gaps.csv" in refused.err
    assert refused.err.count("\n") <= 2
    dropped = call("fit", path, "y ~ x", "--missing", "drop", "--json")
    assert dropped.json["statistics"]["n"] == 3
    assert dropped.json["statistics"]["n_dropped"] == 2


def test_separation_is_a_note_and_no_number(call, tmp_path):
    path = tmp_path / "apart.csv"
    path.write_text("y,x\n0,1\n0,2\n0,3\n1,4\n1,5\n1,6\n")
    ended = call("fit", path, "y ~ x", "--family", "binomial", "--json")
    assert ended.code == 0
    assert ended.json["status"] == "separated"
    assert "x" in ended.json["separation"]
    assert all(row["std_error"] is None for row in ended.json["coefficients"])
    asked = call("fit", path, "y ~ x", "--family", "binomial", "--equation", "sql")
    assert asked.code == 2
    assert "has no equation" in asked.err
    assert "separated" in asked.out  # the table is there all the same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv", "y ~ x"], ["nowhere.csv"]),
        (["diabets.csv", "y ~ x"], ["diabetes"]),
        (["DATA", "progression ~ bmx"], ["bmx", "bmi"]),
        (["DATA", "progression ~ __import__('os').system('true')"], ["__import__"]),
        (["DATA", "progression ~"], []),
        (["DATA", "progression ~ bmi", "--family", "poison"], ["poison", "poisson"]),
        (["DATA", "progression ~ bmi", "--link", "lag"], ["lag", "log"]),
        (["DATA", "progression ~ bmi", "--covariance", "HC9"], ["HC9", "HC3"]),
        (["DATA", "progression ~ bmi", "--weights-kind", "f"], ["frequency"]),
        (["DATA", "progression ~ bmi", "--missing", "ignore"], ["drop"]),
        (["DATA", "progression ~ bmi", "--level", "95"], ["95"]),
        (["DATA", "progression ~ bmi", "--cluster", "town"], ["town"]),
        (["DATA", "progression ~ bmi", "--family", "poisson", "--power", "2"], ["power"]),
        (["DATA", "progression ~ bmi", "--equation", "basic"], ["basic", "sql"]),
        (["DATA", "progression ~ bmi", "--plot", "fit.png", "--plot-kind", "pie"], ["pie", "qq"]),
        (["DATA", "progression ~ bmi", "--plot", "fit.doc"], [".doc", ".png"]),
        (["DATA", "progression ~ bmi", "--out", "m.pkl"], [".pkl", ".safetensors"]),
        (["DATA", "progression ~ bmi", "--out", "nowhere/m.safetensors"], ["nowhere"]),
        (["DATA", "progression ~ bmi", "--delimiter", "::"], ["::"]),
        (["DATA", "progression ~ bmi", "--encoding", "utf-7000"], ["utf-7000"]),
    ],
)
def test_mistakes_are_named_in_two_lines_and_nothing_is_written(
    call, diabetes, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    ended = call("fit", *[diabetes if word == "DATA" else word for word in arguments])
    assert ended.code == 2, ended
    assert ended.err.startswith("thalweg: ")
    assert 1 <= ended.err.count("\n") <= 2, ended.err
    assert all(word in ended.err for word in words), ended.err
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_where_something_cannot_be_made(call, tmp_path, monkeypatch):
    """Every output is ready before the first is written: the probit mean has no SQL."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "doses.csv"
    path.write_text("dead,dose\n0,1\n0,2\n1,2\n0,3\n1,3\n1,4\n")
    command = ["fit", path, "dead ~ dose", "--family", "binomial", "--link", "probit", "--equation", "sql"]
    ended = call(*command, "--out", "z.safetensors", "--plot", "z.png")
    assert ended.code == 2
    assert "cannot be written in standard SQL" in ended.err
    assert "dose" in ended.out  # the table is there all the same
    assert [file.name for file in tmp_path.iterdir()] == ["doses.csv"]
    assert "--kind link" in ended.err
    mended = call(*command, "--kind", "link", "--out", "z.safetensors", "--quiet")
    assert mended.code == 0
    fit = tw.load("z.safetensors")
    assert mended.out == fit.equation("sql", kind="link") + "\n"
    assert call("show", "z.safetensors", "--equation", "sql", "--kind", "link", "--quiet").out == mended.out


def test_a_picture_that_cannot_be_drawn_leaves_no_model(call, diabetes, tmp_path):
    out, picture = tmp_path / "m.safetensors", tmp_path / "p.png"
    ended = call("fit", diabetes, "progression ~ 1", "--out", out, "--plot", picture)
    assert ended.code == 2
    assert "without predictors" in ended.err
    assert "fit.summary()" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_shown_where_a_file_cannot_be_written(call, diabetes, tmp_path):
    picture = tmp_path / "fit.png"
    picture.write_bytes(b"")
    (tmp_path / "m.safetensors").symlink_to("/dev/full")
    ended = call("fit", diabetes, "progression ~ bmi", "--plot", picture, "--out", tmp_path / "m.safetensors")
    assert ended.code == 2
    assert "bmi" in ended.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_solver_writes_nothing(call, diabetes, tmp_path, monkeypatch):
    """The solver hands over its best state at Ctrl-C; a command leaves nothing that looks like a result."""
    from thalweg.solvers.newton import Newton

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Newton, "step", interrupted)
    out = tmp_path / "m.safetensors"
    ended = call("fit", diabetes, "progression ~ bmi", "--family", "gamma", "--out", out)
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "thalweg: interrupted; nothing was written.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_steps_that_is_too_small_is_a_note(call, diabetes):
    gamma = ["--family", "gamma", "--link", "log"]
    ended = call("fit", diabetes, "progression ~ bmi", *gamma, "--max-iter", "1", "--json")
    assert ended.code == 0
    assert ended.json["status"] != "converged"
    assert ended.json["notes"]
    assert math.isfinite(ended.json["coefficients"][1]["estimate"])
