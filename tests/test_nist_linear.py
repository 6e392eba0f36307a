"""NIST's linear-regression sets from a formula, at default settings: every digit that float64 data allow."""

from __future__ import annotations

import csv
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

import thalweg as tw
from digits import CEILINGS, digits

FORMULAS = {
    "Norris": "y ~ x",
    "Pontius": "y ~ poly(x, 2, raw=True)",
    "NoInt1": "y ~ 0 + x",
    "NoInt2": "y ~ x - 1",
    "Filip": "y ~ poly(x, 10, raw=True)",
    "Longley": "y ~ x1 + x2 + x3 + x4 + x5 + x6",
    "Wampler1": "y ~ poly(x, 5, raw=True)",
    "Wampler2": "y ~ x + I(x**2) + I(x**3) + I(x**4) + I(x**5)",
    "Wampler3": "y ~ poly(x, 5, raw=True)",
    "Wampler4": "y ~ x + I(x**2) + I(x**3) + I(x**4) + I(x**5)",
    "Wampler5": "y ~ poly(x, 5, raw=True)",
}


@pytest.fixture(scope="module")
def sets(reference_json) -> dict:
    parsed = reference_json("strd.json")
    return {s["name"]: s for s in (parsed.values() if isinstance(parsed, dict) else parsed)}


def columns(problem: dict) -> np.ndarray:
    """The predictors, (n, k)."""
    return np.array(problem["x"]).T


def exact_solution(problem: dict) -> tuple[list[Fraction], list[float], float]:
    """Coefficients, standard errors and residual SD of the float64 data, by rational arithmetic."""
    y = [Fraction(v) for v in problem["y"]]
    powers = range(0 if problem["intercept"] else 1, (problem["degree"] or 1) + 1)
    if len(problem["x"]) > 1:
        rows = [[Fraction(1), *map(Fraction, map(float, row))] for row in columns(problem)]
    else:
        rows = [[Fraction(float(row[0])) ** k for k in powers] for row in columns(problem)]
    p = len(rows[0])
    table = [
        [sum(r[i] * r[j] for r in rows) for j in range(p)]
        + [sum(r[i] * v for r, v in zip(rows, y, strict=True))]
        + [Fraction(int(i == j)) for j in range(p)]
        for i in range(p)
    ]
    for i in range(p):
        table[i] = [v / table[i][i] for v in table[i]]
        for k in range(p):
            if k != i:
                table[k] = [a - table[k][i] * b for a, b in zip(table[k], table[i], strict=True)]
    theta = [row[p] for row in table]
    rss = sum((v - sum(a * b for a, b in zip(r, theta, strict=True))) ** 2 for r, v in zip(rows, y, strict=True))
    variance = rss / (len(y) - p)
    errors = [sqrt(variance * table[j][p + 1 + j]) for j in range(p)]
    return theta, errors, sqrt(variance)


def written_as_csv(problem: dict, folder) -> str:
    """The same data as a CSV file, with the decimals that the certificate prints."""
    names = problem["x_names"]
    y = problem["y"]
    path = folder / f"{problem['name']}.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["y", *names])
        for value, row in zip(y, columns(problem), strict=True):
            writer.writerow([repr(float(value)), *(repr(float(v)) for v in row)])
    return str(path)


@pytest.mark.parametrize("kind", ["dat", "csv"])
@pytest.mark.parametrize("name", list(FORMULAS))
def test_every_digit_that_the_data_allow(sets, reference, tmp_path, name, kind):
    problem = sets[name]
    path = str(reference / "nist" / f"{name}.dat") if kind == "dat" else written_as_csv(problem, tmp_path)
    fit = tw.fit(FORMULAS[name], path)
    theta, errors, sigma = exact_solution(problem)
    possible = digits([float(v) for v in theta], problem["certified"])
    assert possible >= CEILINGS[name] - 0.05
    assert digits(fit.theta.tolist(), problem["certified"]) >= possible - 0.05
    assert digits(fit.theta.tolist(), theta) >= 14.9
    assert digits(fit.std_errors.values(), errors) >= 13.8
    assert digits([fit.statistics.sigma], [sigma]) >= 13.8


def test_every_linear_set_is_here(sets):
    assert {name for name, s in sets.items() if s["kind"] == "linear"} == set(FORMULAS)
