"""NIST's nonlinear sets at default settings, from both starts: the digits that the certificate can show."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest

import thalweg as tw
from digits import digits

REFERENCE = Path(os.environ.get("THALWEG_REFERENCE") or Path(__file__).parents[3] / "shared" / "reference")
SHOWN = 0.05  # digits less than the certificate can show


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for every nonlinear set that is there; where there is none, one that the fixtures skip."""
    if "name" in metafunc.fixturenames:
        file = REFERENCE / "strd_nonlinear_exact.json"
        metafunc.parametrize("name", list(json.loads(file.read_text())) if file.exists() else ["none"])


@pytest.fixture(scope="module")
def sets(reference_json) -> dict:
    parsed = reference_json("strd.json")
    return {s["name"]: s for s in (parsed.values() if isinstance(parsed, dict) else parsed)}


@pytest.fixture(scope="module")
def exact(reference_json) -> dict:
    return reference_json("strd_nonlinear_exact.json")


def fitted(problem: dict, start, **options) -> tuple[tw.Fit, np.ndarray, np.ndarray]:
    """The fit, and its parameters and standard errors in the order of the certificate."""
    columns = dict(zip(problem["x_names"], problem["x"], strict=True)) | {"y": problem["y"]}
    response = "log(y)" if problem.get("response_transform") == "log" else "y"
    if start is not None:
        options["start"] = dict(zip(problem["param_names"], start, strict=True))
    fit = tw.fit(f"{response} = {problem['model']}", pd.DataFrame(columns), **options)
    table = fit.tidy().set_index("term")
    names = problem["param_names"]
    return fit, table.loc[names, "estimate"].to_numpy(), table.loc[names, "std_error"].to_numpy()


@pytest.mark.parametrize("which", [0, 1], ids=["start 1", "start 2"])
def test_both_starts(sets, exact, name, which):
    problem = sets[name]
    fit, theta, errors = fitted(problem, problem["starts"][which])
    assert fit.solution.status.value == "converged"
    most = exact[name]["lre_exact_vs_certified"]
    assert digits(theta, problem["certified_str"]) >= most - SHOWN
    assert digits(errors, problem["std_errors_str"]) >= 9


def test_digits_of_the_exact_solution(sets, exact):
    runs = [
        digits(fitted(sets[name], start)[1], exact[name]["params_double"])
        for name in exact
        if name in sets
        for start in sets[name]["starts"]
    ]
    assert median(runs) >= 14


def test_no_start(sets, name):
    """The certified minimum, in one of the ways to write it."""
    problem = sets[name]
    fit, _, _ = fitted(problem, None)
    squares = problem["residual_sd"] ** 2 * (len(problem["y"]) - len(problem["certified"]))
    assert math.sqrt(2 * fit.solution.value) <= math.sqrt(squares) * (1 + 1e-6) + 1e-12
