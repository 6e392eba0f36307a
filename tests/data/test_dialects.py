"""Expressions written in Python and SQL give the columns of the block; text and LaTeX read well."""

from __future__ import annotations

import ast
import math
import sqlite3
from typing import Any

import numpy as np
import pandas as pd
import pytest

from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import OptionError

TERMS = [
    "x + z",
    "x*z + I(x**2) - 1",
    "I((x - z)/(1 + x)**2) + I(-x**2) + I((-x)**2) + I(x - (z - 1)) + I(x/(z/x))",
    "log(x) + log2(x) + log10(x) + log1p(x) + exp(z) + expm1(z) + sqrt(x) + abs(z) + pow(x, 3)",
    "sin(z) + cos(z) + tan(z) + arcsin(z/5) + arccos(z/5) + arctan(z) + sinh(z) + cosh(z) + tanh(z) + floor(x)",
    "ceil(x) + I(x > 2) + I(z <= 0) + I(a == 'v') + I(a != \"v\")",
    "a + b",
    "a*b*x",
    "C(k) + C(k, Sum):z",
    "C(a, contr.poly) + C(`odd \"name'`, contr.helmert)",
    "poly(x, 5) + poly(z, 3, raw=True)",
    "I(-(-x)) + I(1 - -x) + I(-(x + 1)) + I(-(-(-(z)))) + I(-x*z) + I(x*-z) + I((-x)**2)",
    "bs(x, df=6) + bs(z, degree=1, knots=[-.5, .5])",
    "bs(log(x), df=5, extrapolation='clip', lower_bound=.3, upper_bound=.9)",
    "bs(x, df=5, extrapolation='zero', lower_bound=1.5, upper_bound=2.5)",
    "cr(x, df=5) + cc(z, df=4) + cs(x, df=4, constraints='center')",
    "center(x) + scale(z):a + I(scale(x)**2)",
    "`mean rad`:b + t + C(t):x",
]


@pytest.fixture(scope="module")
def rows(table: pd.DataFrame) -> pd.DataFrame:
    odd = np.resize(["it's", 'say "x"', "a\\b", "ü"], len(table))
    return table.assign(**{"odd \"name'": odd, "t": np.resize([True, False, False], len(table))})


@pytest.fixture(scope="module")
def database(rows: pd.DataFrame) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    known = {
        "LN": math.log,
        "LOG10": math.log10,
        "EXP": math.exp,
        "SQRT": math.sqrt,
        "SIN": math.sin,
        "COS": math.cos,
        "TAN": math.tan,
        "ASIN": math.asin,
        "ACOS": math.acos,
        "ATAN": math.atan,
        "SINH": math.sinh,
        "COSH": math.cosh,
        "TANH": math.tanh,
        "FLOOR": math.floor,
        "CEIL": math.ceil,
    }
    for name, function in known.items():
        connection.create_function(name, 1, function)
    connection.create_function("POWER", 2, math.pow)
    rows.to_sql("data", connection, index=False)
    return connection


def block(spec: Spec, rows: pd.DataFrame) -> np.ndarray:
    (batch,) = open_source(rows).batches(spec.columns)
    return spec.block(batch).matrix.dense().numpy()


def python_value(node: ast.AST, row: dict[str, Any]) -> Any:
    """The value of an expression of the Python dialect, read with a handful of node types."""
    match node:
        case ast.Expression(body):
            return python_value(body, row)
        case ast.Constant(value):
            return value
        case ast.Subscript(ast.Name("row"), ast.Constant(name)):
            return row[name]
        case ast.Subscript(ast.Dict(keys, values), index):
            table = {python_value(k, row): python_value(v, row) for k, v in zip(keys, values, strict=True) if k}
            return table[python_value(index, row)]
        case ast.UnaryOp(ast.USub(), operand):
            return -python_value(operand, row)
        case ast.BinOp(left, operator, right):
            a, b = python_value(left, row), python_value(right, row)
            name = type(operator).__name__
            return {"Add": lambda: a + b, "Sub": lambda: a - b, "Mult": lambda: a * b, "Div": lambda: a / b}.get(
                name, lambda: a**b
            )()
        case ast.Compare(left, [operator], [right]):
            a, b = python_value(left, row), python_value(right, row)
            return (
                {"Eq": a == b, "NotEq": a != b}.get(type(operator).__name__)
                if isinstance(b, str)
                else {"Eq": a == b, "NotEq": a != b, "Lt": a < b, "LtE": a <= b, "Gt": a > b, "GtE": a >= b}[
                    type(operator).__name__
                ]
            )
        case ast.IfExp(test, body, orelse):
            return python_value(body if python_value(test, row) else orelse, row)
        case ast.Call(ast.Attribute(ast.Name("math"), function), arguments):
            return getattr(math, function)(*(python_value(a, row) for a in arguments))
        case ast.Call(ast.Name("abs" | "round" as function), [argument]):
            return {"abs": abs, "round": round}[function](python_value(argument, row))
    raise AssertionError(ast.dump(node))


@pytest.mark.parametrize("terms", TERMS)
def test_python_gives_the_columns(terms: str, rows: pd.DataFrame) -> None:
    spec = Spec.learn(f"y ~ {terms}", open_source(rows))
    trees = [ast.parse(text, mode="eval") for text in spec.expressions("python")]
    computed = [[float(python_value(tree, row)) for tree in trees] for row in rows.to_dict("records")]
    np.testing.assert_allclose(computed, block(spec, rows), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("terms", TERMS)
def test_sql_gives_the_columns(terms: str, rows: pd.DataFrame, database: sqlite3.Connection) -> None:
    spec = Spec.learn(f"y ~ {terms}", open_source(rows))
    computed = database.execute(f"SELECT {', '.join(spec.expressions('sql'))} FROM data").fetchall()
    np.testing.assert_allclose(np.array(computed, dtype=float), block(spec, rows), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("terms", TERMS)
def test_splines_agree_beyond_the_training_rows(terms: str, rows: pd.DataFrame, database: sqlite3.Connection) -> None:
    inner = rows[(rows["x"] > 1.3) & (rows["x"] < 2.8) & (rows["z"].abs() < 1.5)]
    spec = Spec.learn(f"y ~ {terms}", open_source(inner))
    computed = database.execute(f"SELECT {', '.join(spec.expressions('sql'))} FROM data").fetchall()
    np.testing.assert_allclose(np.array(computed, dtype=float), block(spec, rows), rtol=1e-8, atol=1e-10)


def test_an_unknown_category_is_null_or_an_error(rows: pd.DataFrame, database: sqlite3.Connection) -> None:
    spec = Spec.learn("y ~ a", open_source(rows[rows["a"] != "w"]))
    (text,) = spec.expressions("sql")[1:]
    values = dict(database.execute(f"SELECT DISTINCT a, {text} FROM data").fetchall())
    assert values == {"u": 0.0, "v": 1.0, "w": None}
    (text,) = spec.expressions("python")[1:]
    with pytest.raises(KeyError):
        python_value(ast.parse(text, mode="eval"), {"a": "w"})


def test_text_and_latex_read_well(rows: pd.DataFrame) -> None:
    spec = Spec.learn("y ~ x:C(k) + poly(z, 2) + log(`mean rad`) + I(x**2) + scale(z)", open_source(rows))
    assert spec.expressions("text") == [
        "1",
        "poly(z, 2)[1]",
        "poly(z, 2)[2]",
        "log(mean rad)",
        "x ** 2",
        "scale(z)",
        "x * (k = 1)",
        "x * (k = 2)",
        "x * (k = 3)",
    ]
    latex = spec.expressions("latex")
    assert latex[3] == r"\ln\left(\mathrm{mean\ rad}\right)"
    assert latex[-1] == r"\mathrm{x} \cdot \left[\mathrm{k} = \text{3}\right]"
    assert Spec.learn("y ~ a_b", open_source({"y": [1.0, 2.0], "a_b": [0.0, 1.0]})).expressions("latex")[1] == (
        r"\mathrm{a\_b}"
    )


def test_offsets_are_written_too(rows: pd.DataFrame) -> None:
    spec = Spec.learn("y ~ offset(log(x)) + z", open_source(rows), exposure="k", offset="`mean rad`/2")
    assert spec.offset_expressions("sql") == ['LN("x")', '"mean rad" / 2.0', 'LN("k")']


def test_other_dialects_are_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(OptionError, match="text, latex, python, sql"):
        Spec.learn("y ~ x", open_source(rows)).expressions("fortran")
