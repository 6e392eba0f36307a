"""What an error advises exists where it is read: keywords of the library become options of the verb."""

from __future__ import annotations

import re

import pytest
import typer

from thalweg.cli.app import app
from thalweg.cli.descent import optimizer_named
from thalweg.cli.speech import OPTIONS, in_options
from thalweg.errors import OptionError


def _options(verb: str) -> set[str]:
    command = typer.main.get_command(app).commands[verb]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("Pass missing='drop' to leave those rows out.", "Pass --missing drop to leave those rows out."),
        ("or pass missing='null' for an", "or pass --missing null for an"),
        ("Option unseen='null' or unseen='reference' accepts", "Option --unseen null or --unseen reference accepts"),
        ('Use kind="link" for its linear predictor', "Use --kind link for its linear predictor"),
        ("open the file with text=['age'].", "open the file with --text age."),
        ("open the file with text=['a b', 'c'].", "open the file with --text 'a b,c'."),
        ("say decimal='.' or decimal=','.", "say --decimal . or --decimal ,."),
        ("Name the columns, or say header=False.", "Name the columns, or say --no-header."),
        ("interval='mean' gives that of the mean.", "--interval-kind mean gives that of the mean."),
        ("Use weights_kind='precision' or 'sampling'.", "Use --weights-kind precision or 'sampling'."),
        ("Say another encoding=, or none.", "Say another --encoding, or none."),
        ("encoding= says how a file is written", "--encoding says how a file is written"),
        ("Set max_iter=200.", "Set --max-iter 200."),
        ("Give other starting values (start=), or", "Give other starting values (--start), or"),
        (
            "pass exposure= (an array or a column's name) to predict",
            "pass --exposure and a column's name",
        ),
        ("See fit.summary().", "See the table."),
        ('plot("coefficients") still works', "--plot-kind coefficients still works"),
    ],
)
def test_keywords_are_options(said: str, read: str) -> None:
    assert in_options(said) == read


@pytest.mark.parametrize(
    "said", ["y ~ bs(x, df=4, lower_bound=1)", "log(x) is nan where x = -1", "x.text='a'", "by 1 family", "--kind link"]
)
def test_other_words_stay(said: str) -> None:
    assert in_options(said) == said


def test_each_option_exists() -> None:
    """On `fit`, on `predict`, or on both where both verbs read a file or rows."""
    fit, predict = _options("fit"), _options("predict")
    assert set(OPTIONS.values()) <= fit | predict
    both = {"--missing", "--kind", "--offset", "--exposure", "--text", "--decimal", "--delimiter", "--encoding"}
    assert both | {"--no-header", "--format"} <= fit & predict
    assert "--kind" in _options("show")
    assert set(OPTIONS.values()) - {"--unseen", "--interval-kind"} <= fit
    assert {"--unseen", "--interval-kind"} <= predict


@pytest.mark.parametrize("verb", ["fit", "predict", "show", "datasets", ""])
def test_a_flag_has_no_type_in_the_help(call, verb: str) -> None:
    ended = call(*[verb] * bool(verb), "--help")
    assert "--help" in ended.out
    assert "bool" not in ended.out


def test_the_tolerance_is_that_of_the_library(call, monkeypatch) -> None:
    import inspect

    import thalweg as tw

    monkeypatch.setenv("COLUMNS", "200")
    words = " ".join(call("fit", "--help").out.split())
    assert "Distance from the optimum, in standard errors, at which to stop." in words
    default = inspect.signature(tw.fit).parameters["tol"].default
    assert float(re.search(r"at which to stop\. \[default: (.*?)\]", words)[1]) == default


def test_advice_of_a_real_run(call, tmp_path) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("y,x,zip\n1,1,1\n,2,2\n3,,x1\n5,4,3\n")
    assert "Pass --missing drop to leave" in call("fit", path, "y ~ x").err
    assert "open the file with --text zip" in call("fit", path, "y ~ zip").err
    steps = ["--family", "gamma", "--link", "log", "--max-iter", "1", "--missing", "drop", "--json"]
    ended = call("fit", "diabetes", "progression ~ bmi", *steps)
    assert "Set --max-iter " in ended.err
    assert "Set --max-iter " in ended.json["notes"][0]


def test_every_solver_is_listed_once() -> None:
    with pytest.raises(OptionError) as caught:
        optimizer_named("qqqq")
    listed = str(caught.value.advice).removeprefix("There are: ").rstrip(".").split(", ")
    assert len(listed) == len(set(listed))
    assert {"gd", "lbfgs", "sgd", "adam"} <= set(listed)
