"""The written equation computes what the fit predicts."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tw
from thalweg.show.equation import equation

ColumnsOf = Callable[[str], dict[str, Any]]

CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "line": ("progression ~ bmi", "diabetes", {}),
    "category and powers": ("progression ~ bmi + C(sex) + poly(s5, 2, raw=True) + bmi:bp", "diabetes", {}),
    "orthogonal": ("progression ~ poly(s5, 3) + log(bp)", "diabetes", {}),
    "no intercept": ("progression ~ 0 + bmi + bp", "diabetes", {}),
    "text categories": ("petal_length ~ sepal_length * species", "iris", {}),
    "logit": ("diagnosis ~ mean_texture", "breast_cancer", {"family": "binomial"}),
    "cloglog": (
        "diagnosis ~ mean_texture",
        "breast_cancer",
        {"family": "binomial", "link": "cloglog"},
    ),
    "log": ("claims ~ age + region", "claims", {"family": "poisson"}),
    "exposure": ("claims ~ age + region", "claims", {"family": "poisson", "exposure": "exposure"}),
    "offset": ("claims ~ age + offset(log(exposure))", "claims", {"family": "poisson"}),
    "sqrt": ("claims ~ age", "claims", {"family": "poisson", "link": "sqrt"}),
    "inverse": ("progression ~ bmi", "diabetes", {"family": "gamma", "link": "inverse"}),
    "gamma log": ("progression ~ bmi + C(sex)", "diabetes", {"family": "gamma", "link": "log"}),
}


@pytest.mark.parametrize("case", CASES)
def test_python_computes_the_prediction(case: str, columns_of: ColumnsOf) -> None:
    formula, data, options = CASES[case]
    columns = columns_of(data)
    fit = tw.fit(formula, columns, **options)
    namespace: dict[str, Any] = {}
    exec(equation(fit, "python"), namespace)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    got = [namespace["predict"](row) for row in rows]
    np.testing.assert_allclose(got, fit.predict(columns), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_sql_computes_the_prediction(case: str, columns_of: ColumnsOf) -> None:
    formula, data, options = CASES[case]
    columns = columns_of(data)
    fit = tw.fit(formula, columns, **options)
    np.testing.assert_allclose(_run_sql(equation(fit, "sql"), columns), fit.predict(columns), rtol=1e-12)


def _run_sql(text: str, columns: dict[str, Any]) -> list[float]:
    connection = sqlite3.connect(":memory:")
    for name, function in {"exp": math.exp, "ln": math.log, "log": math.log, "sqrt": math.sqrt}.items():
        connection.create_function(name, 1, function, deterministic=True)
    connection.create_function("power", 2, math.pow, deterministic=True)
    names = ", ".join('"' + name + '"' for name in columns)
    connection.execute(f"CREATE TABLE data ({names})")
    rows = [[getattr(v, "item", lambda v=v: v)() for v in row] for row in zip(*columns.values(), strict=True)]
    connection.executemany(f"INSERT INTO data VALUES ({', '.join('?' * len(columns))})", rows)
    return [row[0] for row in connection.execute(text)]


def test_probit_has_python_and_says_why_it_has_no_sql(columns_of: ColumnsOf) -> None:
    columns = columns_of("breast_cancer")
    fit = tw.fit("diagnosis ~ mean_texture", columns, family="binomial", link="probit")
    namespace: dict[str, Any] = {}
    exec(equation(fit, "python"), namespace)
    got = [namespace["predict"]({"mean_texture": x}) for x in columns["mean_texture"]]
    np.testing.assert_allclose(got, fit.predict(columns), rtol=1e-12)
    with pytest.raises(tw.errors.NotAvailableError, match="SQL"):
        equation(fit, "sql")
    eta = _run_sql(equation(fit, "sql", kind="link"), columns)
    np.testing.assert_allclose(eta, fit.predict(columns, kind="link"), rtol=1e-12)


def test_text(line: tw.Fit, logistic: tw.Fit, counts: tw.Fit) -> None:
    intercept, slope = line.theta.tolist()
    text = equation(line, digits=6)
    assert text.startswith("progression = ")
    assert f"{abs(slope):.6g}"[:6] in text
    assert f"{intercept:.6g}"[:6] in text
    assert equation(logistic).startswith("P(diagnosis = malignant) = 1 / (1 + exp(-(")
    assert equation(counts).startswith("log(E[claims]) = ")
    assert "log(exposure)" in equation(counts)
    assert "region = south" in equation(counts)


def test_latex_balances_its_braces(any_fit: tw.Fit) -> None:
    text = equation(any_fit, "latex")
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")


def test_unknown_words_are_refused(line: tw.Fit) -> None:
    with pytest.raises(tw.errors.OptionError, match="latex"):
        equation(line, "tex")
    with pytest.raises(tw.errors.OptionError, match="link"):
        equation(line, "sql", kind="median")


def test_hostile_names_stay_text() -> None:
    """Names and levels are data: quotes in them end no string."""
    level = "a'; DROP TABLE data; --"
    other = 'b""")\nimport os'
    columns = {"y": [1.0, 2, 4, 3, 6, 5], "g": [level, other, level, other, level, "c"]}
    fit = tw.fit("y ~ g", columns)
    np.testing.assert_allclose(_run_sql(equation(fit, "sql"), columns), fit.predict(columns), rtol=1e-12)
    namespace: dict[str, Any] = {}
    exec(equation(fit, "python"), namespace)
    assert "os" not in namespace
    got = [namespace["predict"]({"g": g}) for g in columns["g"]]
    np.testing.assert_allclose(got, fit.predict(columns), rtol=1e-12)
