"""`thalweg fit` of a curve, what is for curves alone, and `thalweg curves`."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

import thalweg as tw
from thalweg.cli.curves import TEXTBOOK
from thalweg.curves.function import curve_of_function
from thalweg.curves.named import CURVES, named

DECAY = "y = a * exp(-b * x) + c"
RUNS = "y = a * exp(-t / tau)"


def printed(columns) -> str:
    """Columns as CSV."""
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""])


@pytest.fixture(scope="module")
def decay(tmp_path_factory):
    x = np.linspace(0, 10, 40)
    y = 3 * np.exp(-0.5 * x) + 1 + 0.03 * np.sin(37 * x)
    path = tmp_path_factory.mktemp("curves") / "decay.csv"
    path.write_text(printed({"x": x.tolist(), "y": y.tolist()}))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    t, run = np.tile(np.linspace(0, 6, 15), 3), np.repeat(["p", "q", "r"], 15)
    y = np.repeat([3.0, 5.0, 1.5], 15) * np.exp(-t / 2) + 0.02 * np.sin(31 * t)
    path = tmp_path_factory.mktemp("curves") / "runs.csv"
    path.write_text(printed({"run": run.tolist(), "t": t.tolist(), "y": y.tolist()}))
    return path


def model(x, amplitude, tau):
    return amplitude * np.exp(-x / tau)


def estimates(document):
    return {row["name"]: row["estimate"] for row in document["coefficients"]}


# -------------------------------------------------------------------------------------------------------------- the fit


def test_the_command_of_the_readme(call, decay, tmp_path):
    picture = tmp_path / "decay.png"
    ended = call("fit", decay, DECAY, "--start", "a=1,b=0.1", "--plot", picture)
    assert (ended.code, ended.err) == (0, f"wrote {picture}\n")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert ended.out == tw.fit(DECAY, decay, start={"a": 1, "b": 0.1}).summary() + "\n"


def test_puromycin_has_the_numbers_of_r(call):
    """nls(rate ~ Vm * conc / (K + conc), Puromycin, state == "treated" and "untreated")."""
    found = call("fit", "puromycin", "rate = michaelis_menten(conc, Vm, K)", "--by", "state", "--json").json
    wanted = {
        "treated": (212.7, 6.947, 0.06412, 0.008281, 10.93),
        "untreated": (160.3, 6.480, 0.04771, 0.007782, 9.773),
    }
    for group in found["groups"]:
        (vm, k), sigma = group["coefficients"], group["statistics"]["sigma"]
        numbers = (vm["estimate"], vm["std_error"], k["estimate"], k["std_error"], sigma)
        assert numbers == pytest.approx(wanted[group["group"]], rel=5e-4)


OPTIONS = {
    "start": (["--start", "a=1,b=0.1"], {"start": {"a": 1, "b": 0.1}}),
    "start twice": (["--start", "a=1", "--start", "b=0.1, c=2"], {"start": {"a": 1, "b": 0.1, "c": 2}}),
    "bounds": (["--bounds", "b=0:,c=:0.9,a=1:10"], {"bounds": {"b": (0, None), "c": (None, 0.9), "a": (1, 10)}}),
    "bounds apart": (["--bounds", "b=0:", "--bounds", "c= :0.9"], {"bounds": {"b": (0, None), "c": (None, 0.9)}}),
    "infinite bounds": (["--bounds", "c=-inf:0.9"], {"bounds": {"c": (-math.inf, 0.9)}}),
    "fix": (["--fix", "c=0.5"], {"fixed": {"c": 0.5}}),
    "fix at the start": (["--fix", "c", "--start", "c=0.9,a=2"], {"fixed": {"c": 0.9}, "start": {"a": 2}}),
    "tie": (["--tie", "c = a / 3"], {"tied": {"c": "a / 3"}}),
    "tie with a comma": (["--tie", "c=min(a, 1)"], {"tied": {"c": "min(a, 1)"}}),
    "positive": (["--positive", "a,b"], {"positive": ["a", "b"]}),
    "starts and seed": (["--starts", "8", "--seed", "3"], {"starts": 8, "seed": 3}),
    "family": (["--family", "gamma"], {"family": "gamma"}),
    "weights": (["--weights", "1 / (1 + x)", "--covariance", "HC1"], {"weights": "1 / (1 + x)", "covariance": "HC1"}),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_are_those_of_the_library(call, decay, case):
    arguments, options = OPTIONS[case]
    found = call("fit", decay, DECAY, *arguments, "--json")
    assert found.code == 0, found.err
    fit = tw.fit(DECAY, decay, **options)
    assert estimates(found.json) == fit.coefficients
    assert found.json["held"] == fit.held


def test_the_search_is_told_what_was_told(call, decay, monkeypatch):
    """Which starts are tried need not change the answer, so that the answer cannot show it."""
    told = {}

    def recorded(formula, source, **options):
        told.update(options)
        return fitted

    fitted = tw.fit(DECAY, decay)
    monkeypatch.setattr(tw, "fit", recorded)
    assert call("fit", decay, DECAY, "--starts", "8", "--seed", "3", "--quiet").code == 0
    assert (told["starts"], told["seed"]) == (8, 3)


def test_json_has_what_curves_have(call, decay):
    ended = call("fit", decay, DECAY, "--fix", "c=1", "--json")
    found = json.loads(ended.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert {"held", "starts", "minima"} <= found.keys()
    assert list(found["held"]) == ["c"]
    assert found["formula"] == DECAY
    assert found["status"] == "converged"
    assert found["coefficients"][2]["estimate"] == 1
    assert found["coefficients"][2]["std_error"] is None
    assert "held" not in call("fit", decay, "y ~ x", "--json").json


def test_quiet_leaves_the_equation_alone(call, decay):
    ended = call("fit", decay, DECAY, "--quiet", "--equation", "python")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == tw.fit(DECAY, decay).equation("python") + "\n"


def test_every_step_can_be_told(call, decay):
    ended = call("fit", decay, DECAY, "--every", "1")
    assert ended.code == 0
    assert ended.err.splitlines()[0].startswith("step     0  loss")


def test_a_descent_of_a_curve(call, decay):
    start = ("--start", "a=1,b=1,c=0")
    ended = call("fit", decay, DECAY, "--solver", "adam", "--lr", "0.05", "--steps", "600", *start, "--json")
    assert ended.code == 0, ended.err
    assert estimates(ended.json) == pytest.approx(tw.fit(DECAY, decay).coefficients, rel=1e-6)
    assert ended.json["descent"] is not None


# -------------------------------------------------------------------------------------------------------- a saved curve


def test_save_show_predict(call, decay, tmp_path):
    model = tmp_path / "decay.safetensors"
    first = call("fit", decay, DECAY, "--out", model)
    assert first.err == f"wrote {model}\n"
    shown = call("show", model, "--equation", "text")
    table = [line for line in first.out.splitlines() if not line.startswith("  data ")]
    assert shown.out.splitlines()[: len(table)] == table
    assert shown.out.splitlines()[-1] == tw.fit(DECAY, decay).equation()
    ended = call("predict", model, decay, "--interval", "0.9", "--interval-kind", "mean")
    fit = tw.fit(DECAY, decay)
    a, b, c = fit.theta.numpy()
    rows = [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(io.StringIO(ended.out))]
    x = np.linspace(0, 10, 40)
    assert [row["prediction"] for row in rows] == pytest.approx(a * np.exp(-b * x) + c, rel=1e-13)
    jacobian = np.stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones(40)], axis=1)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, fit.vcov().numpy(), jacobian))
    assert [row["standard_error"] for row in rows] == pytest.approx(errors, rel=1e-9)
    assert all(row["lower"] < row["prediction"] < row["upper"] for row in rows)


def test_a_model_of_a_function_says_where_it_can_be_used(call, decay, tmp_path):
    curve, _ = curve_of_function(model, ["x"], {"x": np.linspace(0, 10, 40)})
    fit = tw.fit("y = amplitude * exp(-x / tau)", decay, start={"amplitude": 3, "tau": 2})
    path = tmp_path / "m.safetensors"
    replace(fit, spec=replace(fit.spec, curve=curve, text=f"y = {curve.title}")).save(path)
    ended = call("show", path)
    assert (ended.code, ended.out) == (2, "")
    assert "function 'y = model(x, amplitude, tau)'" in ended.err
    assert "In Python: thalweg.load(path, function=model)" in ended.err


# --------------------------------------------------------------------------------------------------------------- groups


def test_groups_that_share_a_parameter_are_one_model(call, runs, tmp_path):
    model = tmp_path / "runs.safetensors"
    found = call("fit", runs, RUNS, "--by", "run", "--shared", "tau", "--out", model, "--json")
    assert found.code == 0, found.err
    assert estimates(found.json) == pytest.approx({"tau": 2, "a[p]": 3, "a[q]": 5, "a[r]": 1.5}, rel=0.02)
    assert estimates(call("show", model, "--json").json) == estimates(found.json)
    assert len(call("predict", model, runs).out.splitlines()) == 46


def test_groups_for_themselves_are_a_table(call, runs, tmp_path):
    table = tmp_path / "groups.csv"
    ended = call("fit", runs, RUNS, "--by", "run", "--tidy", table)
    assert (ended.code, ended.err) == (0, f"wrote {table}\n")
    assert all(word in ended.out for word in ("3 of run", "tau"))
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [(row["run"], row["term"]) for row in rows] == [(g, n) for g in "pqr" for n in ("a", "tau")]
    columns = tw.fit(RUNS, runs, by="run").coefficients
    wanted = {(group, name): value for group, each in columns.items() for name, value in each.items()}
    assert {(row["run"], row["term"]): float(row["estimate"]) for row in rows} == pytest.approx(wanted, rel=1e-14)


def test_the_coefficients_of_a_line_as_a_table_too(call, decay, tmp_path):
    table = tmp_path / "line.csv"
    assert call("fit", decay, "y ~ x", "--tidy", table, "--quiet").code == 0
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert {row["term"]: float(row["estimate"]) for row in rows} == tw.fit("y ~ x", decay).coefficients


# ------------------------------------------------------------------------------------------------------------ intervals


@pytest.mark.parametrize("formula", [DECAY, "y ~ x"], ids=["curve", "line"])
def test_profile_intervals_stand_below_the_table(call, decay, formula):
    found = call("fit", decay, formula, "--intervals", "profile", "--level", "0.9")
    assert found.code == 0, found.err
    fit = tw.fit(formula, decay, level=0.9)
    ends = fit.intervals(method="profile")
    table, _, below = found.out.partition("\n\n90% intervals, by profile likelihood\n")
    assert table == fit.summary()
    lines = [line.split() for line in below.splitlines()[1:]]
    assert [line[0] for line in lines] == list(ends)
    for name, _, low, high in lines:
        assert (float(low), float(high)) == pytest.approx(ends[name], rel=1e-3)
    document = call("fit", decay, formula, "--intervals", "profile", "--json", "--level", "0.9").json["intervals"]
    assert {row["name"]: (row["low"], row["high"]) for row in document["coefficients"]} == dict(ends)
    assert (document["method"], document["level"]) == ("profile", 0.9)


def test_a_bootstrap_has_the_seed(call, decay):
    found = call("fit", decay, DECAY, "--intervals", "bootstrap", "--seed", "5", "--json").json["intervals"]
    ends = tw.fit(DECAY, decay).intervals(method="bootstrap", seed=5)
    assert {row["name"]: (row["low"], row["high"]) for row in found["coefficients"]} == dict(ends)


# ------------------------------------------------------------------------------------------------------------- mistakes

MISTAKES = {
    "bounds without a colon": (["--bounds", "b=0"], ["'b=0'", "--bounds 'b=0:,c=:10'", "--fix"]),
    "bounds without a value": (["--bounds", "b"], ["'b'", "low:high"]),
    "bounds in words": (["--bounds", "b=low:high"], ["low:high"]),
    "bounds NaN": (["--bounds", "b=nan:1"], ["nan:1"]),
    "bounds of a stranger": (["--bounds", "q=0:"], ["'q' in --bounds", "a, b, c"]),
    "bounds the wrong way round": (["--bounds", "c=5:1"], ["c", "(5, 1)"]),
    "bounds twice": (["--bounds", "b=0:", "--bounds", "b=1:"], ["b twice"]),
    "fix of nothing": (["--fix", "c"], ["--fix c", "--start"]),
    "fix of a stranger": (["--fix", "q=1"], ["'q' in --fix", "a, b, c"]),
    "fix in words": (["--fix", "c=low"], ["--fix c=low", "--fix c=0.5"]),
    "tie of nothing": (["--tie", "c"], ["--tie 'c'", "s2 = 2 * s1"]),
    "tie twice": (["--tie", "c=a", "--tie", "c=b"], ["--tie names c twice"]),
    "tie to a stranger": (["--tie", "c=2*q"], ["'q'"]),
    "tie of a stranger": (["--tie", "q=2*a"], ["'q' in --tie", "a, b, c"]),
    "tie with code": (["--tie", "c=__import__('os')"], ["cannot be used"]),
    "positive stranger": (["--positive", "q"], ["'q' in --positive"]),
    "start twice": (["--start", "a=1,a=2"], ["--start names a twice"]),
    "start without a name": (["--start", "=1"], ["--start '=1' has no name"]),
    "start in words": (["--start", "a=one"], ["--start a=one"]),
    "start infinite": (["--start", "a=inf"], ["--start a=inf", "finite"]),
    "shared without groups": (["--shared", "a"], ["--shared without --by", "--by run"]),
    "groups of a stranger": (["--by", "q", "--shared", "a"], ["'q'"]),
    "a model of each group": (["--by", "x", "--out", "m.safetensors"], ["--out", "--tidy", "--shared"]),
    "unknown intervals": (["--intervals", "profiled"], ["--intervals is 'profiled'", "profile or bootstrap"]),
    "exposure": (["--exposure", "x"], ["--exposure is for a line", "multiply"]),
    "Newton": (["--solver", "newton"], ["--solver newton is for a line"]),
    "a rate without a descent": (["--lr", "0.1"], ["--lr is for a descent", "Levenberg-Marquardt", "--solver gd"]),
    "an animation without a descent": (["--animate", "a.gif"], ["--animate is for a descent", "--solver gd"]),
    "every zero": (["--every", "0"], ["--every is 0"]),
    "nothing to fit": (["--fix", "a=1,b=1,c=1"], ["nothing to fit"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_sentence(call, decay, mistake):
    arguments, words = MISTAKES[mistake]
    ended = call("fit", decay, DECAY, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert 1 <= ended.err.count("\n") <= 2
    assert all(word in ended.err for word in words), ended.err
    assert "={" not in ended.err  # no keyword of the library


@pytest.mark.parametrize(
    "option",
    [
        *(("--bounds", "x=0:"), ("--fix", "x=1"), ("--tie", "x=2"), ("--positive", "x")),
        *(("--starts", "3"), ("--by", "x"), ("--shared", "x")),
    ],
)
def test_a_line_has_none_of_them(call, decay, option):
    ended = call("fit", decay, "y ~ x", *option)
    assert (ended.code, ended.out) == (2, "")
    assert f"{option[0]} is for a curve, and 'y ~ x' is a line" in ended.err
    assert "'y = a * exp(-b * x) + c'" in ended.err


HOSTILE = ["y = a * __import__('os').system('touch pwned') * x", "y = a * x.__class__", "y = a * open('x')", "y = (a"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_runs_nothing(call, decay, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    ended = call("fit", decay, text)
    assert (ended.code, ended.out) == (2, "")
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------------------- named curves


def test_the_named_curves_are_listed(call):
    ended = call("curves")
    assert (ended.code, ended.err) == (0, "")
    assert "gaussian(x, a, mu, s)" in ended.out
    assert all(f"{name}(x" in ended.out for name in CURVES if name not in {f"poly{n}" for n in range(4, 10)})
    assert max(map(len, ended.out.splitlines())) <= 100


def test_one_of_them_is_described(call):
    ended = call("curves", "gauss")
    assert ended.out.startswith("gaussian(x, a, mu, s)\n  = a * exp(")
    assert all(word in ended.out for word in ("Above 0: s.", "Also called gauss.", "thalweg fit data.csv"))
    wrong = call("curves", "gausian")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'gaussian'" in wrong.err


def test_the_list_for_machines(call):
    found = call("curves", "--json").json["curves"]
    assert {each["name"]: tuple(each["parameters"]) for each in found} == {n: c.parameters for n, c in CURVES.items()}
    assert call("curves", "hill", "--json").json["positive"] == ["k", "n"]


@pytest.mark.parametrize("name", [name for name in TEXTBOOK if name not in ("voigt", "polynomial")])
def test_textbook_formulas_are_the_curves(name):
    """The formula that is shown and the expression that is computed, at a few values."""
    from thalweg.curves.curve import Expression
    from thalweg.curves.language import read_equation

    curve, x = named(name), np.array([0.3, 1.1, 2.7, 4.2])
    theta = [1.3, 0.7, 1.9, 0.4][: len(curve.parameters)]
    values = []
    for text in (TEXTBOOK[name], curve.call):
        equation = read_equation(f"y = {text}", ["x"])
        rows = Expression.of(equation).over({"x": x}, 4)
        values.append(rows.values([dict(zip(curve.parameters, theta, strict=True))[n] for n in equation.parameters]))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_help_leads_a_newcomer(call):
    text = " ".join(call("fit", "--help").out.replace("│", " ").split())
    assert "'~' is a line" in text
    assert "'=' is a curve" in text
    assert all(
        option in text for option in ("--bounds", "--fix", "--tie", "--positive", "--starts", "--by", "--shared")
    )
    assert "curves" in call("--help").out


# ------------------------------------------------------------------------------------------------- words of a newcomer


def test_diagnose_is_of_formulas(call, decay):
    ended = call("diagnose", decay, DECAY)
    assert (ended.code, ended.out) == (2, "")
    assert "diagnose is of formulas ('~')" in ended.err
    assert "thalweg fit DATA CURVE --start a=1,b=1 --solver gd" in ended.err


NEWCOMERS = {
    "steps of a line": (["--max-iter", "50"], ["--max-iter is for a line", "Use --max-steps."]),
    "tolerance of a line": (["--tol", "1e-3"], ["--tol is for a line"]),
    "steps of a descent": (["--steps", "5"], ["--solver gd", "--max-steps"]),
    "steps of both": (["--solver", "gd", "--max-steps", "5"], ["--max-steps", "--steps"]),
    "no steps": (["--max-steps", "0"], ["is 0"]),
    "start with a colon": (["--start", "a:1"], ["--start 'a:1'", "As in: --start a=1,b=0.1"]),
    "a huge seed": (["--seed", str(10**30)], ["seed", "whole number"]),
    "a huge number of starts": (["--starts", str(10**15)], ["starts", "whole number"]),
}


@pytest.mark.parametrize("case", NEWCOMERS)
def test_what_newcomers_write(call, decay, case):
    arguments, words = NEWCOMERS[case]
    ended = call("fit", decay, DECAY, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") <= 2
    assert all(word in ended.err for word in words), ended.err


def test_most_steps(call, decay):
    ended = call("fit", decay, DECAY, "--max-steps", "1", "--json")
    assert ended.code == 0
    assert ended.json["status"] != "converged"
    assert "--max-steps" in " ".join(ended.json["notes"])
    line = call("fit", decay, "y ~ x", "--max-steps", "5")
    assert (line.code, "--max-steps is for a curve" in line.err) == (2, True)


def test_the_scale_of_a_robust_loss(call, decay):
    ended = call("fit", decay, DECAY, "--family", "huber", "--scale", "0.02", "--json")
    assert estimates(ended.json) == tw.fit(DECAY, decay, family="huber", scale=0.02).coefficients
    assert call("fit", decay, "y ~ x", "--family", "cauchy").err.endswith("Give --scale.\n")


def test_help_names_what_there_is(call, monkeypatch):
    from thalweg.losses.families import FAMILIES
    from thalweg.show.plots import KINDS, OF_CURVES

    monkeypatch.setenv("COLUMNS", "300")
    text = " ".join(call("fit", "--help").out.replace("│", " ").split())
    assert all(word in text for word in ("--scale", "--max-steps", "absolute", *FAMILIES, *KINDS, *OF_CURVES))


def test_a_warning_that_is_not_ours_is_no_note(call, decay, monkeypatch):
    fit = tw.fit

    def noisy(*arguments, **options):
        warnings.warn("overflow encountered in square", RuntimeWarning, stacklevel=1)
        warnings.warn(tw.errors.ThalwegWarning("one of ours"), stacklevel=1)
        return fit(*arguments, **options)

    monkeypatch.setattr(tw, "fit", noisy)
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as outside the tests
        ended = call("fit", decay, DECAY, "--json")
    assert ended.json["notes"] == ["one of ours"]
    assert ended.err == "note: one of ours\n"


@pytest.mark.parametrize("shared", [(), ("--shared", "tau")], ids=["apart", "together"])
def test_labels_of_groups_do_not_steer_the_terminal(call, tmp_path, shared):
    path, names = tmp_path / "labels.csv", ("p\x1b[31m", "q\nr")
    t = np.arange(8.0)
    rows = [
        f'{x},{k * math.exp(-x / 2) + 0.01 * math.cos(9 * x)},"{g}"'
        for g, k in zip(names, (3, 5), strict=True)
        for x in t
    ]
    path.write_text("t,y,run\n" + "\n".join(rows))
    ended = call("fit", path, "y = a * exp(-t / tau)", "--by", "run", *shared)
    assert ended.code == 0, ended.err
    assert ended.out.replace("\n", "").isprintable()
    assert all(word in ended.out for word in (r"p\x1b[31m", r"q\nr"))


def test_one_formula_of_a_step(call):
    assert "a * erfc((x0 - x) / (s * sqrt(2))) / 2" in call("curves", "step").out
