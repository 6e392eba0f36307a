"""Models of curves as files: the equation's text comes back through the allow-list, a function through the caller."""

from __future__ import annotations

import copy
import json
import math
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.curves.function import curve_of_function
from thalweg.errors import FormulaError, ModelFileError, NotAvailableError, OptionError, ThalwegError
from thalweg.store import header, load, save
from thalweg.store.header import to_parts
from thalweg.store.safetensors import pack

GOLDEN = Path(__file__).with_name("model_schema1.safetensors")
RNG = np.random.default_rng(11)
N = 40
X = np.sort(RNG.uniform(0.1, 8.0, N))
DATA = {
    "x": X,
    "my x": X,
    "y": 3 * np.exp(-0.5 * X) + 1 + 0.05 * RNG.normal(size=N),
    "peak": 5 * np.exp(-(((X - 4) / 0.8) ** 2) / 2) + 0.3 * X + 1 + 0.05 * RNG.normal(size=N),
    "count": RNG.poisson(20 * np.exp(-0.3 * X)).astype(float),
    "w": RNG.uniform(0.5, 2.0, N),
    "g": np.array(["a", "b'", "ü"])[np.arange(N) % 3],
}
DECAY = "y = a * exp(-b * x) + c"
START = {"a": 2.0, "b": 0.4, "c": 0.5}


def fit(formula: str = DECAY, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tw.fit(formula, DATA, **options)


@pytest.fixture(scope="module")
def decay() -> Any:
    return fit(start=START)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


# ------------------------------------------------------------------------------------------------------- there and back

FITS: dict[str, Callable[[], Any]] = {
    "expression": lambda: fit(start=START, level=0.9),
    "named curves": lambda: fit(
        "peak = gaussian(x, a, mu, s) + line(x)", start={"a": 4, "mu": 4, "s": 1, "slope": 0, "intercept": 1}
    ),
    "prefix": lambda: fit("y = exponential_decay(x, 'd_') + c", start={"d_a": 2, "d_k": 0.4, "c": 1}),
    "held, bounded and tied": lambda: fit(
        "y = a * exp(-b * x) + c + d * x", start=START, fixed={"c": 1}, tied={"d": "a / 1000"}, bounds={"b": (0.3, 0.4)}
    ),
    "quoted columns": lambda: fit("log(y) = a * exp(-b * `my x`) + c", start={"a": 1, "b": 0.4, "c": 0}),
    "categories": lambda: fit('y = a * exp(-b * x) + where(g == "b\'", c, d)', start={**START, "d": 0.5}),
    "weights": lambda: fit(start=START, weights="1 / w**2", covariance="HC1"),
    "poisson": lambda: fit("count = a * exp(-k * x)", family="poisson", start={"a": 15, "k": 0.2}),
    "robust errors": lambda: fit(start=START, covariance="HC3"),
    "groups": lambda: fit("y = a * exp(-b * x) + c", by="g", shared=["b"], start=START),
    "constant": lambda: fit("y = a * 1", start={"a": 1.0}),
}


@pytest.mark.parametrize("kind", FITS)
def test_a_loaded_curve_is_the_same_fit(path, kind):
    first = FITS[kind]()
    save(first, path)
    again = load(path)
    for name in ("theta", "covariance", "unscaled"):
        assert np.array_equal(getattr(again, name), getattr(first, name), equal_nan=True), name
    same = ("names", "formula", "aliased", "held", "df", "level", "covariance_kind", "created", "versions", "notes")
    for name in same:
        assert getattr(again, name) == getattr(first, name), name
    assert repr(asdict(again.statistics)) == repr(asdict(first.statistics))
    assert repr(again.std_errors) == repr(first.std_errors)
    assert np.array_equal(again.vcov(), first.vcov(), equal_nan=True)
    new = {name: column[:7] for name, column in DATA.items()}
    for interval in (None, "mean"):
        assert np.array_equal(
            np.asarray(again.predict(new, interval)), np.asarray(first.predict(new, interval)), equal_nan=True
        )


def test_summary_and_equation_say_the_same(decay, path):
    decay.save(path)
    again = load(path)
    lines = [line for line in decay.summary().splitlines() if not line.strip().startswith("data ")]
    assert again.summary().splitlines() == lines
    for dialect in ("text", "latex", "python", "sql"):
        assert again.equation(dialect) == decay.equation(dialect)


def test_predictions_and_their_errors_are_those_of_the_formula(decay, path):
    """The curve in NumPy at the coefficients, and the delta method with the Jacobian by hand."""
    decay.save(path)
    again = load(path)
    a, b, c = again.theta.numpy()
    x = np.array([0.5, 2.0, 7.0])
    jacobian = np.stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones(3)], axis=1)
    errors = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, again.vcov().numpy(), jacobian))
    columns = again.predict_columns({"x": x}, interval="mean").columns
    assert columns["prediction"] == pytest.approx(a * np.exp(-b * x) + c, rel=1e-14)
    assert columns["standard_error"] == pytest.approx(errors, rel=1e-10)


def test_held_parameters_keep_their_reason(path):
    first = FITS["held, bounded and tied"]()
    save(first, path)
    assert load(path).held == first.held
    assert {"b", "c"} <= first.held.keys()


def test_notes_of_the_search_are_kept(decay, path):
    told = replace(decay, notes=("64 starts led to 2 minima.",), options={**decay.options, "search": {"starts": 64}})
    save(told, path)
    again = load(path)
    assert again.notes == ("64 starts led to 2 minima.",)
    assert again.options["search"] == {"starts": 64}


def test_what_needs_the_rows_says_so(decay, path):
    decay.save(path)
    again = load(path)
    for question in (again.residuals, again.predict, again.augment, lambda: again.vcov("HC3")):
        with pytest.raises(NotAvailableError, match="loaded"):
            question()


def test_rows_outside_the_range_are_told(decay, path):
    decay.save(path)
    with pytest.warns(tw.errors.ExtrapolationWarning, match="x"):
        load(path).predict({"x": [100.0]})


# ---------------------------------------------------------------------------------------------------------------- bytes


def test_the_same_fit_gives_the_same_bytes(decay, path, tmp_path):
    decay.save(path)
    decay.save(tmp_path / "again.safetensors")
    load(path).save(tmp_path / "loaded.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    assert path.read_bytes() == (tmp_path / "loaded.safetensors").read_bytes()


def test_files_of_formulas_are_still_those_of_schema_1(path):
    """A file that was written before there were curves, read and written again: not a byte is another."""
    load(GOLDEN).save(path)
    assert path.read_bytes() == GOLDEN.read_bytes()


def test_a_reader_of_schema_1_refuses_a_curve_cleanly(decay, path, monkeypatch):
    decay.save(path)
    monkeypatch.setattr(header, "CURVES", 1)
    with pytest.raises(ModelFileError, match=r"written by a later version \(schema 2\).*Update Thalweg"):
        load(path)


def test_it_holds_no_data(decay, path):
    decay.save(path)
    data = path.read_bytes()
    assert len(data) < 10_000
    for column in (DATA["x"], DATA["y"]):
        for first, second in pairwise(column.tolist()):
            assert struct.pack("<2d", first, second) not in data
        assert not any(repr(value).encode() in data for value in column[1:-1].tolist())


# -------------------------------------------------------------------------------------------------------- hostile files


def parts_of(fitted: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    description, tensors = to_parts(fitted)
    return copy.deepcopy(description), tensors


HOSTILE = [
    "y = a * __import__('os').system('touch pwned') * x",
    "y = a * x.__class__",
    "y = a * (lambda: x)()",
    "y = a * exec(x)",
    "y = a * x if x else b",
    "y = a * [x][0]",
    "y = a * x; import os",
    "y = a * f'{x}'",
    "y = a * open(x)",
    "y = (a := 1) * x",
    "y = a = x",
    "y ~ x",
    "y = ",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_refused_as_at_fit(decay, path, monkeypatch, text):
    """The checksum is right, as anyone can make it; the text goes through the same guard."""
    monkeypatch.chdir(path.parent)
    description, tensors = parts_of(decay)
    description["spec"]["text"] = text
    path.write_bytes(pack(description, tensors))
    with pytest.raises(ModelFileError) as refused:
        load(path)
    if "=" in text and not text.startswith("y = a = "):
        with pytest.raises(FormulaError) as at_fit:
            tw.fit(text, DATA)
        assert at_fit.value.what in str(refused.value)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


CHANGES: dict[str, tuple[Callable[[dict], Any], str]] = {
    "another curve": (lambda d: d["spec"].update(text="y = a * exp(-b * x)"), "parameters are not those of the curve"),
    "other parameters": (lambda d: d["spec"].update(text="y = a * exp(-k * x) + c"), "parameters are not those"),
    "another column": (lambda d: d["spec"].update(text="y = a * exp(-b * z) + c"), "parameters are not those|reads no"),
    "another response": (lambda d: d["spec"].update(text="z = a * exp(-b * x) + c"), "another left side"),
    "another spelling": (lambda d: d["spec"].update(text="y=a*exp(-b*x)+c"), "not spelled as it is saved"),
    "an input too many": (lambda d: d["spec"]["inputs"].append("w"), "columns' formula is not the curve's"),
    "another design": (lambda d: d["spec"]["base"].update(formula="y ~ 0 + I(x**2)"), "columns' formula|names are not"),
    "not its theta": (lambda d: d["spec"]["at"].__setitem__(0, 7.0), "not at its coefficients"),
    "a value too few": (lambda d: d["spec"]["at"].pop(), "one value for each"),
    "values to check": (lambda d: d["spec"].update(check={"inputs": {}, "values": []}), "needs no values"),
    "another kind": (lambda d: d["spec"].update(curve="module"), "neither an expression nor a function"),
    "names exchanged": (lambda d: d["names"].reverse(), "names are not those"),
    "held is a stranger": (lambda d: d["held"].update(z="?"), "'held' names what it has no coefficient for"),
    "held without words": (lambda d: d["held"].update(a=1), "'held' are not all text"),
    "no held": (lambda d: d.pop("held"), r"lacks \['held'\]"),
    "schema of formulas": (lambda d: d.update(schema=1), r"unknown keys \['held'\]"),
    "a formula": (lambda d: d.update(spec=d["spec"]["base"]), "not those of a curve"),
    "groups of nothing": (
        lambda d: d["spec"].update(groups={"by": "g", "shared": []}),
        "not the curve's|is not valid: 'g'",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_sealed_file_of_a_hostile_writer(decay, path, change):
    alter, reason = CHANGES[change]
    description, tensors = parts_of(decay)
    alter(description)
    path.write_bytes(pack(description, tensors))
    with pytest.raises(ModelFileError, match=reason):
        load(path)


def test_a_formula_in_the_place_of_a_curve(path):
    description, tensors = parts_of(tw.fit("y ~ x", DATA))
    path.write_bytes(pack(description | {"schema": 2, "held": {}}, tensors))
    with pytest.raises(ModelFileError, match="not those of a curve"):
        load(path)


def test_every_damage_is_refused(decay, path):
    decay.save(path)
    data = path.read_bytes()
    for at in range(0, len(data), 23):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                load(path)


WRONG = [None, True, -3, 2**70, 0.5, math.nan, "x", "y = q * x", [], [1], ["a"], {}, {"a": 1}]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a description."""
    yield at
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*at, key))


def altered(description: dict[str, Any], at: tuple[Any, ...], wrong: Any) -> dict[str, Any]:
    """The description with one value replaced."""
    changed = copy.deepcopy(description)
    inner: Any = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = wrong
    return changed


@pytest.mark.filterwarnings("ignore")  # of rows outside a range that was altered
@pytest.mark.parametrize("kind", ["held, bounded and tied", "groups"])
def test_wrong_types_in_every_field(kind, path):
    """Each is refused as no model file, or means something; then questions are answered, or refused in words."""
    description, tensors = parts_of(FITS[kind]())
    new = {name: column[:3] for name, column in DATA.items()}
    refused = loaded = 0
    where = (
        ("spec", "held", "statistics", "df", "level", "aliased") if kind == "groups" else ("spec", "names", "schema")
    )
    for at in [at for at in places(description) if at[:1] and at[0] in where]:
        for wrong in WRONG:
            path.write_bytes(pack(altered(description, at, wrong), tensors))
            try:
                again = load(path)
            except ModelFileError:
                refused += 1
                continue
            loaded += 1
            for ask in (again.summary, lambda fitted=again: fitted.predict(new, "prediction")):
                with suppress(ThalwegError):
                    ask()
    assert refused > 2 * loaded > 0


# ------------------------------------------------------------------------------------------------------------ functions


def model(x, amplitude, tau, offset):
    return amplitude * np.exp(-x / tau) + offset


def unreadable(x, amplitude, tau, offset):
    values = [amplitude * math.exp(-each / tau) + offset for each in x]
    return np.array(values)


def of_function(function: Callable[..., Any]) -> Any:
    """The fit of a function, from that of the same curve as an expression."""
    first = fit("y = amplitude * exp(-x / tau) + offset", start={"amplitude": 2, "tau": 2, "offset": 1})
    curve, _ = curve_of_function(function, ["x"], {"x": DATA["x"]})
    return replace(first, spec=replace(first.spec, curve=curve, text=f"y = {curve.title}"))


@pytest.mark.parametrize("function", [model, unreadable], ids=["traced", "called"])
def test_a_function_comes_back_with_the_function(path, tmp_path, function):
    first = of_function(function)
    save(first, path)
    again = load(path, function=function)
    assert again.names == ("amplitude", "tau", "offset")
    x = np.array([0.7, 5.0])
    a, tau, c = again.theta.numpy()
    assert again.predict({"x": x}) == pytest.approx(a * np.exp(-x / tau) + c, rel=1e-14)
    save(again, tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_a_function_that_is_not_passed_is_asked_for(path):
    save(of_function(model), path)
    with pytest.raises(
        OptionError, match=r"of the function 'y = model\(x, amplitude, tau, offset\)': pass it as function="
    ) as caught:
        load(path)
    assert "thalweg.load(path, function=model)" in str(caught.value)


def test_code_is_not_in_the_file(path):
    save(of_function(model), path)
    data = path.read_bytes()
    assert b"model(x, amplitude, tau, offset)" in data
    assert b"exp" not in data.replace(b"exposure", b"").replace(b"expected", b"").replace(b"curve need not", b"")


OTHERS: dict[str, tuple[Callable[..., Any], str]] = {
    "other names": (lambda x, a, tau, offset: a * np.exp(-x / tau) + offset, "the one that was passed is"),
    "other order": (lambda x, tau, amplitude, offset: amplitude * np.exp(-x / tau) + offset, "that was passed is"),
    "one more": (lambda x, amplitude, tau, offset, d: amplitude * np.exp(-x / tau) + offset + d, "that was passed is"),
    "other values": (lambda x, amplitude, tau, offset: amplitude * np.exp(x / tau) + offset, "where that gave"),
    "nearly the same": (
        lambda x, amplitude, tau, offset: amplitude * np.exp(-x / tau) + offset + 1e-4,
        r"at x = [\d.]+ it gives [\d.]+ where that gave [\d.]+",
    ),
    "not finite": (lambda x, amplitude, tau, offset: amplitude * np.log(-x / tau) + offset, "it gives|no finite"),
}


def test_another_function_with_the_same_ends_and_middle_is_refused(path):
    """x (x - m)(x - h)(x - l) is zero at the least, middle and greatest training value."""
    low, high = float(X.min()), float(X.max())

    def other(x: Any, amplitude: Any, tau: Any, offset: Any) -> Any:
        return model(x, amplitude, tau, offset) + 1e-3 * (x - low) * (x - high) * (x - (low / 2 + high / 2))

    save(of_function(model), path)
    with pytest.raises(ModelFileError, match="where that gave"):
        load(path, function=other)


def test_a_function_of_another_column_is_refused(path):
    save(of_function(model), path)
    parts = path.read_bytes()
    assert parts.count(b"model(x, amplitude, tau, offset)") >= 1
    path.write_bytes(parts.replace(b"model(x, amplitude, tau, offset)", b"model(t, amplitude, tau, offset)"))
    with pytest.raises(ModelFileError):
        load(path, function=model)


@pytest.mark.parametrize("other", OTHERS)
def test_another_function_is_refused(path, other):
    save(of_function(model), path)
    function, reason = OTHERS[other]
    with pytest.raises(ModelFileError, match=reason):
        load(path, function=function)


def test_the_same_in_other_words_is_the_same_function(path):
    save(of_function(model), path)
    load(path, function=lambda x, amplitude, tau, offset: offset + amplitude / torch.exp(torch.as_tensor(x) / tau))


def test_only_a_model_of_a_function_takes_one(decay, path):
    decay.save(path)
    with pytest.raises(OptionError, match=r"of the equation 'y = a .* not of a function.*Leave out"):
        load(path, function=model)
    tw.fit("y ~ x", DATA).save(path)
    with pytest.raises(OptionError, match=r"of the formula 'y ~ x', not of a function.*Leave out"):
        load(path, function=model)
    with pytest.raises(OptionError, match="of the formula"):
        load(GOLDEN, function=model)


@pytest.mark.parametrize("thing", [3, "model", object()], ids=["number", "text", "object"])
def test_what_is_no_function(path, thing):
    save(of_function(model), path)
    with pytest.raises(OptionError, match="is no function"):
        load(path, function=thing)


def test_wrong_types_in_the_fields_of_a_function(path):
    description, tensors = parts_of(of_function(model))
    for at in places(description["spec"]):
        for wrong in WRONG:
            if not at or at == ("check",):
                continue
            changed = altered(description, ("spec", *at), wrong)
            if json.dumps(changed) == json.dumps(description):
                continue
            path.write_bytes(pack(changed, tensors))
            try:
                load(path, function=model)
            except ModelFileError:
                continue
            assert at[0] in ("text", "base"), (at, wrong)


# ------------------------------------------------------------------------------------------------ a file of schema 2

FILE = Path(__file__).with_name("model_schema2.safetensors")
"""Written once, by the fit of `michaelis()` and `save`; it stays, and every later version must read it."""

# The least-squares solution in decimal arithmetic of 50 digits (Gauss-Newton to a step of 1e-48), rounded at the end.
TRUTH = {"vmax": 212.68374314253606, "km": 0.06412128168156707}
ERRORS = {"vmax": 6.947155160040720, "km": 0.008280949498480352}
SIGMA = 10.933658191288766
NEW = [0.05, 0.3, 1.0]
PREDICTIONS = [93.18320825382425, 175.23041402056789, 199.86795377914507]
PREDICTION_ERRORS = [4.846859315119522, 3.706714013088504, 5.431688943342857]


def michaelis() -> Any:
    columns = tw.load_dataset("puromycin")
    treated = {name: columns[name][:12] for name in ("conc", "rate")}
    return tw.fit("rate = michaelis_menten(conc, vmax, km)", treated)


@pytest.mark.parametrize("fitted", [lambda: tw.load(FILE), michaelis], ids=["file", "today"])
def test_the_file_of_schema_2_and_a_fit_of_today(fitted):
    found = fitted()
    assert found.coefficients == pytest.approx(TRUTH, rel=1e-13)
    assert found.std_errors == pytest.approx(ERRORS, rel=1e-11)
    assert found.statistics.sigma == pytest.approx(SIGMA, rel=1e-13)
    columns = found.predict_columns({"conc": NEW}, interval="mean").columns
    assert columns["prediction"] == pytest.approx(PREDICTIONS, rel=1e-13)
    assert columns["standard_error"] == pytest.approx(PREDICTION_ERRORS, rel=1e-11)


def test_what_the_file_says():
    found = tw.load(FILE)
    assert found.formula == "rate = michaelis_menten(conc, vmax, km)"
    assert (found.statistics.n, found.df, found.held) == (12, 10, {})
    assert found.spec.ranges == {"conc": (0.02, 1.10)}
