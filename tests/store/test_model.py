"""save and load of real fits: the same numbers again, no data inside, and no file that is half old and half new."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import ModelFileError, NotAvailableError, OptionError, OutputError
from thalweg.store import load, save
from thalweg.store.header import to_parts
from thalweg.store.safetensors import pack

FORMULA = "progression ~ bmi + bp + C(sex) + poly(s5, 2)"
RNG = np.random.default_rng(3)
N = 60
TABLE = {
    "x": RNG.normal(size=N),
    "z": RNG.uniform(0.5, 2.0, size=N),
    "g": np.array(["a", "b", "c", "ü"])[np.arange(N) % 4],
    "y": RNG.normal(size=N),
    "count": RNG.poisson(3.0, size=N).astype(float),
    "positive": RNG.gamma(2.0, size=N) + 0.1,
    "label": np.where(RNG.uniform(size=N) < 0.5, "no", "yes"),
    "cluster": np.repeat(np.arange(12.0), 5),
}


@pytest.fixture(scope="module")
def diabetes() -> Any:
    return tw.fit(FORMULA, "diabetes")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


FITS: dict[str, Callable[[], Any]] = {
    "least squares": lambda: tw.fit("y ~ x * z + g", TABLE),
    "splines": lambda: tw.fit("y ~ bs(x, df=5) + log(z)", TABLE, covariance="HC3"),
    "clusters": lambda: tw.fit("y ~ x", TABLE, cluster="cluster"),
    "no intercept": lambda: tw.fit("y ~ 0 + x + I(z**2)", TABLE, level=0.9),
    "labels": lambda: tw.fit("label ~ x + C(g)", TABLE, family="binomial"),
    "probit": lambda: tw.fit("label ~ x", TABLE, family="binomial", link="probit"),
    "exposure": lambda: tw.fit("count ~ x", TABLE, family="poisson", exposure="z"),
    "gamma": lambda: tw.fit("positive ~ x", TABLE, family="gamma", link="log", weights="z"),
    "negative binomial": lambda: tw.fit("count ~ x", TABLE, family="negative_binomial", alpha=0.7),
    "tweedie": lambda: tw.fit("positive ~ x", TABLE, family="tweedie", power=1.5),
}


@pytest.mark.parametrize("kind", FITS)
def test_a_loaded_fit_is_the_same_fit(path, kind):
    fit = FITS[kind]()
    save(fit, path)
    again = load(path)
    assert torch.equal(again.theta, fit.theta)
    assert torch.equal(again.covariance, fit.covariance)
    assert torch.equal(again.unscaled, fit.unscaled)
    assert again.family.to_json() == fit.family.to_json()
    assert again.spec.to_json() == fit.spec.to_json()
    assert repr(asdict(again.statistics)) == repr(asdict(fit.statistics))
    for name in ("names", "formula", "aliased", "df", "level", "covariance_kind", "created", "versions", "notes"):
        assert getattr(again, name) == getattr(fit, name), name
    assert again.std_errors == fit.std_errors
    assert repr(again.wald(f"{fit.names[-1]} = 0")) == repr(fit.wald(f"{fit.names[-1]} = 0"))
    assert again.equation() == fit.equation()
    new = {name: column[:7] for name, column in TABLE.items()}
    assert np.array_equal(np.asarray(again.predict(new)), np.asarray(fit.predict(new)))


def test_saving_what_was_loaded_gives_the_same_bytes(diabetes, path, tmp_path):
    diabetes.save(path)
    load(path).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_how_the_solver_ended_is_kept(diabetes, path):
    diabetes.save(path)
    assert load(path).options["solver"]["status"] == "converged"


def test_a_loaded_fit_has_no_rows(diabetes, path):
    diabetes.save(path)
    with pytest.raises(NotAvailableError, match="loaded"):
        load(path).residuals()


def test_aliased_and_separated_fits(path):
    table = TABLE | {"twice": 2 * TABLE["x"], "side": TABLE["x"] > 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        aliased = tw.fit("y ~ x + twice", table)
        separated = tw.fit("side ~ x", table, family="binomial")
    for fit in (aliased, separated):
        save(fit, path)
        again = load(path)
        assert again.aliased == fit.aliased
        assert again.separation == fit.separation
        assert repr(again.coefficients) == repr(fit.coefficients)
    assert aliased.aliased
    assert separated.separation is not None


def test_it_is_small_and_holds_no_data(diabetes, path):
    diabetes.save(path)
    data = path.read_bytes()
    assert len(data) < 30_000
    for name, column in tw.load_dataset("diabetes").items():
        values = [float(value) for value in column][:100]
        for first, second in pairwise(values):
            assert struct.pack("<2d", first, second) not in data, name
            assert f"{first!r},{second!r}".encode() not in data, name


def test_models_do_not_grow_with_the_rows(path):
    sizes = []
    for copies in (1, 50):
        save(tw.fit("y ~ x + g", {name: np.tile(column, copies) for name, column in TABLE.items()}), path)
        sizes.append(path.stat().st_size)
    assert abs(sizes[1] - sizes[0]) < 100


@pytest.mark.parametrize("suffix", [".pkl", ".pt", ".PTH", ".joblib", ".csv", ".parquet", ".json", ".h5"])
def test_suffixes_that_promise_something_else(diabetes, tmp_path, suffix):
    with pytest.raises(OptionError, match=f"not {suffix.lower()}"):
        diabetes.save(tmp_path / f"m{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m", "m.safetensors", "m.v2", "m.model"])
def test_any_other_name_is_used_as_given(diabetes, tmp_path, name):
    diabetes.save(str(tmp_path / name))
    assert os.listdir(tmp_path) == [name]
    assert load(str(tmp_path / name)).formula == FORMULA


def test_a_fit_that_cannot_be_read_back_replaces_nothing(diabetes, path):
    diabetes.save(path)
    before = path.read_bytes()
    theta = diabetes.theta.clone()
    theta[1] = math.nan
    with pytest.raises(ModelFileError, match="this fit cannot be saved: coefficient of 'bmi' is not a finite number"):
        save(replace(diabetes, theta=theta), path)
    assert path.read_bytes() == before
    with pytest.raises(OutputError, match="there is no folder"):
        save(diabetes, path.parent / "nowhere" / "m.safetensors")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: os.mkfifo(path), "a device or a pipe"),
        (lambda path: path.touch(), "but empty"),
        (lambda path: torch.save({"theta": torch.ones(2)}, path), r"zip archive.*\.pt.*run code"),
    ],
)
def test_what_is_no_model_file(path, make, reason):
    make(path)
    with pytest.raises(ModelFileError, match=f"the model file cannot be read: .*{reason}") as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_name_that_no_file_can_have():
    with pytest.raises(ModelFileError, match="null byte"):
        load("a\0b")


HOSTILE = "__import__('os').system('touch pwned')"
CHANGES: dict[str, tuple[Callable[[dict], Any], str]] = {
    "another formula": (lambda d: d["spec"].update(formula="progression ~ bmi"), "'spec' is refused|names are not"),
    "code as formula": (lambda d: d["spec"].update(formula=f"progression ~ {HOSTILE}"), "'spec' is refused|names are"),
    "spec without parts": (lambda d: d.update(spec={}), "'spec' is refused"),
    "spec with more": (lambda d: d["spec"].update(module="os"), "'spec' is refused"),
    "family of no kind": (
        lambda d: d.update(family={"name": "os.system", "link": {"name": "log"}}),
        "'family' is refused",
    ),
    "family without a name": (lambda d: d.update(family={}), "'family' is refused"),
    "link of no kind": (lambda d: d["family"].update(link={"name": "../x"}), "'family' is refused"),
    "statistics in words": (lambda d: d["statistics"].update(aic="low"), "'statistics' is refused: aic"),
    "statistics unknown": (lambda d: d["statistics"].update(luck=1.0), "'statistics' is refused"),
    "statistics missing": (lambda d: d["statistics"].pop("aic"), "'statistics' is refused"),
    "names exchanged": (lambda d: d["names"].reverse(), "names are not those of its formula"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_sealed_file_of_a_hostile_writer(diabetes, path, monkeypatch, change):
    """The checksum is right, as anyone can make it; what the description says is refused none the less."""
    alter, reason = CHANGES[change]
    description, tensors = to_parts(diabetes)
    description = json.loads(json.dumps(description))
    alter(description)
    path.write_bytes(pack(description, tensors))
    monkeypatch.chdir(path.parent)
    with pytest.raises(ModelFileError, match=reason):
        load(path)
    assert os.listdir(path.parent) == [path.name]


def test_every_damage_to_a_real_file_is_refused(diabetes, path):
    diabetes.save(path)
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]):
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError):
                load(path)


KILLED = """
    import os, signal, time
    import thalweg as tw
    models = [tw.load(f"{name}.safetensors") for name in ("new", "old")]

    def save_without_pause(pipe):
        while True:
            for model in models:
                model.save("m.safetensors")
                os.write(pipe, b".")

    def left():
        return [name for name in os.listdir() if name.startswith(".thalweg-")]

    trial = 0
    while trial < 10 or (not left() and trial < 200):  # until one kill has fallen into the middle of a save
        trial += 1
        ready, pipe = os.pipe()
        child = os.fork()  # forked, so that each trial needs no new start of Python
        if child == 0:
            save_without_pause(pipe)
        os.read(ready, 1)
        time.sleep(0.0017 * (trial % 11) + 0.0001 * (trial % 7))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print(tw.load("m.safetensors").formula)
    assert left(), "no trial was stopped in the middle of a save"
    models[1].save("m.safetensors")
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_while_saving_over_a_model(diabetes, tmp_path):
    """After each kill the file is the one model or the other, whole, and can be saved over."""
    other = tw.fit("progression ~ bmi", "diabetes")
    for name, fit in (("old", diabetes), ("new", other), ("m", diabetes)):
        fit.save(tmp_path / f"{name}.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 10
    assert set(done.stdout.splitlines()) <= {diabetes.formula, other.formula}
    assert load(tmp_path / "m.safetensors").formula == diabetes.formula
