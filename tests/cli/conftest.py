"""What the tests of the command line share: a way to call it, a file of data, a saved model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from thalweg.cli import main


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def call(capsys):
    """Run `thalweg ...` in this process."""

    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ended(code, *capsys.readouterr())

    return run


FORMULA = "progression ~ bmi + bp + C(sex) + poly(s5, 2)"


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory) -> Path:
    """The diabetes data as a CSV file."""
    path = tmp_path_factory.mktemp("data") / "diabetes.csv"
    assert main(["datasets", "diabetes", "--out", str(path), "--quiet"]) == 0
    return path


@pytest.fixture(scope="session")
def model(diabetes) -> Path:
    """A saved model of it."""
    path = diabetes.parent / "m.safetensors"
    assert main(["fit", str(diabetes), FORMULA, "--out", str(path), "--quiet"]) == 0
    return path
