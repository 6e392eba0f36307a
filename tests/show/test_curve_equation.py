"""The written equation of a curve computes what the fit predicts, and reads as it would be written by hand."""

from __future__ import annotations

import math
import sqlite3
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.named import CURVES, named
from thalweg.data.dialects import dialect_writer
from thalweg.data.symbols import symbol
from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.curve_tree import tidied, tree_of
from thalweg.show.equation import equation
from thalweg.show.textbook import textbook

X = np.linspace(-1.9, 2.3, 23)  # not 0, where some of the curves have a kink
KIND = np.resize(["a", "it's", "b"], 23)


def fitted(text: str, **values: float) -> tw.Fit:
    """A fit whose parameters are these, to rounding: the data lie on the curve, all but the first are held."""
    curve = Expression.of(read_equation(text, ["y", "x", "u", "kind"]))
    columns: dict[str, Any] = {"x": X, "u": X**2 + 1}
    made = {name: (KIND == "a") * 1.0 if name.startswith("I(") else columns[name] for name in curve.inputs}
    y = curve.over(made, len(X)).values([values[name] for name in curve.parameters])
    first, *rest = values
    data = {**columns, "kind": KIND, "y": y + 1e-3 * np.cos(7 * X)}
    return tw.fit(text, data, start={first: values[first]}, fixed={name: values[name] for name in rest})


def rows_of(fit: tw.Fit) -> dict[str, Any]:
    return {"x": X, "u": X**2 + 1, "kind": KIND}


def by_python(fit: tw.Fit, columns: dict[str, Any] | None = None) -> np.ndarray:
    namespace: dict[str, Any] = {}
    exec(equation(fit, "python"), namespace)
    columns = rows_of(fit) if columns is None else columns
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return np.array([namespace["predict"](row) for row in rows])


def by_sql(fit: tw.Fit, columns: dict[str, Any] | None = None) -> np.ndarray:
    connection = sqlite3.connect(":memory:")
    plain = {"LN": math.log, "LOG10": math.log10, "FLOOR": math.floor, "CEIL": math.ceil, "ABS": abs, "ROUND": round}
    plain |= {
        name: getattr(math, name.lower()) for name in ("EXP", "SQRT", "SIN", "COS", "TAN", "SINH", "COSH", "TANH")
    }
    plain |= {name: getattr(math, name.lower()) for name in ("ASIN", "ACOS", "ATAN", "ASINH", "ACOSH", "ATANH")}
    plain["SIGN"] = lambda z: float(np.sign(z))
    for name, function in plain.items():
        connection.create_function(name, 1, function, deterministic=True)
    connection.create_function("POWER", 2, math.pow, deterministic=True)
    columns = rows_of(fit) if columns is None else columns
    connection.execute(f"CREATE TABLE data ({', '.join(columns)})")
    rows = [tuple(v.item() for v in row) for row in zip(*columns.values(), strict=True)]
    connection.executemany(f"INSERT INTO data VALUES ({', '.join('?' * len(columns))})", rows)
    return np.array([row[0] for row in connection.execute(equation(fit, "sql"))])


CASES: dict[str, tuple[str, dict[str, float]]] = {
    "decay": ("y = a * exp(-b * x) + c", {"a": 2.5, "b": -0.7, "c": -1.5}),
    "signs": ("y = a - b * (x - c) / -d - -a * x", {"a": -1.5, "b": -2.0, "c": -0.25, "d": -3.0}),
    "quotients": ("y = a / (b / x) / (x / c) + a / b / c - (a - (b - c))", {"a": 1.5, "b": -2.0, "c": 0.5}),
    "powers": ("y = a * u**b + (-x)**2 - -x**2 + u**-b + 2**(b*x) + a**2", {"a": -1.2, "b": -0.5}),
    "whole power of a sum": ("y = a * (x - b)**3 + pow(x, 2) + (-a * x)**3", {"a": 0.5, "b": -1.0}),
    "roots and logs": ("y = a*sqrt(u) + log(b*u) + log2(u) + log10(u) + log1p(u) + ln(u)", {"a": -1.0, "b": 2.0}),
    "exponentials": ("y = a * expm1(-b*x) + exp(-exp(b*x))", {"a": 2.0, "b": -0.5}),
    "waves": ("y = a*sin(w*x + p) + cos(x)*tan(x/3) + 0*pi + sin(pi*x)", {"a": 2.0, "w": -3.0, "p": -0.1}),
    "inverse waves": ("y = a*(arcsin(x/3) + acos(x/3) + atan(b*x))", {"a": 2.0, "b": -3.0}),
    "hyperbolic": ("y = a*(sinh(x) + cosh(x) + tanh(b*x) + asinh(x) + arccosh(u) + atanh(x/3))", {"a": 0.5, "b": 2.0}),
    "sigmoids": ("y = a * sigmoid(k*(x - m)) + softplus(-k*x) + expit(x)", {"a": 3.0, "k": 9.0, "m": -0.3}),
    "steps": ("y = a*floor(x) + ceil(b*x) + abs(x - b) + sign(x) + square(x - b)", {"a": -2.0, "b": -1.3}),
    "choices": ("y = where(x < m, a, a + b*(x - m)) + min(a, x, b) + max(x, b)", {"a": 1.0, "b": -0.5, "m": 0.4}),
    "pieces": ("y = piecewise(x < p, a, x >= q, b, a + x)", {"a": 1.0, "b": -0.5, "p": -0.4, "q": 0.6}),
    "a number as a condition": ("y = a * (x > b) + where(floor(x), a, b)", {"a": 1.0, "b": -0.5}),
    "categories": ("y = where(kind == 'a', a, b) * x", {"a": 1.0, "b": -0.5}),
    "small and large": ("y = b * u + a * x", {"b": 3.5e7, "a": -1.25e-9}),
}


@pytest.mark.parametrize("case", CASES)
def test_python_and_sql_compute_the_prediction(case: str) -> None:
    text, values = CASES[case]
    fit = fitted(text, **values)
    wanted = fit.predict()
    size = np.abs(wanted).max()
    np.testing.assert_allclose(by_python(fit), wanted, rtol=1e-12, atol=1e-14 * size)
    np.testing.assert_allclose(by_sql(fit), wanted, rtol=1e-12, atol=1e-14 * size)


@pytest.mark.parametrize("form", list(CURVES.values()), ids=lambda curve: curve.call)
def test_every_named_curve_is_computed_by_python_and_sql(form: Any) -> None:
    values = {name: 0.6 + 0.2 * i for i, name in enumerate(form.parameters)}
    fit = fitted(f"y = {form.name}(u, {', '.join(form.parameters)})", **values)
    wanted = fit.predict()
    if form.name == "voigt":
        with pytest.raises(NotAvailableError, match="wofz_real"):
            equation(fit, "python")
        return
    np.testing.assert_allclose(by_python(fit), wanted, rtol=1e-12)
    if form.name != "step":
        np.testing.assert_allclose(by_sql(fit), wanted, rtol=1e-12)


@pytest.mark.parametrize("form", list(CURVES.values()), ids=lambda curve: curve.call)
def test_the_textbook_and_the_computed_form_are_the_same_numbers(form: Any) -> None:
    x = np.linspace(0.1, 3.0, 12)
    theta = [0.6 + 0.2 * i for i in range(len(form.parameters))]
    by_name = dict(zip(form.parameters, theta, strict=True))
    values = []
    for text in (form.expression, textbook(form)):
        curve = Expression.of(read_equation(f"y = {text}", ["y", "x"]))
        assert set(curve.parameters) == set(form.parameters)
        values.append(curve.over({"x": x}, 12).values([by_name[name] for name in curve.parameters]))
    np.testing.assert_allclose(values[1], values[0], rtol=1e-13)


def test_text_as_it_is_written_by_hand() -> None:
    assert equation(fitted("y = a * exp(-b * x) + c", a=2.5, b=1.25, c=-0.5)).endswith(" exp(-1.250 x) - 0.5000")
    assert equation(fitted("y = a * exp(-b * x) + c", a=2.5, b=-1.25, c=0.5)).endswith(" exp(1.250 x) + 0.5000")
    assert equation(fitted("y = c + a * (x - m)**2 * b", c=1.0, a=2.0, m=-3.0, b=1.5)).endswith(
        " + 2.000 (x + 3.000) ** 2 * 1.500"
    )
    assert equation(fitted("y = c - a * b * x", c=1.0, a=2.0, b=-3.0), digits=2).endswith(" + 2.0 * 3.0 x")
    assert equation(fitted("y = c * gaussian(x, a, mu, s)", c=1.0, a=2.0, mu=-0.3, s=1.0)).endswith(
        " gaussian(x, 2.000, -0.3000, 1.000)"
    )
    assert equation(fitted("y = c + where(x < m, a, -a)", c=1.0, m=0.5, a=-2.0)).endswith(
        " + where(x < 0.5000, -2.000, 2.000)"
    )


def test_named_curves_show_the_parameters_that_nobody_wrote() -> None:
    """Also one inside another, and by their own name where an alias was written."""
    left = {"left_a": 2.0, "left_mu": 0.1, "left_s": 1.5}
    inner = {"a": 0.5, "mu": 0.2, "s": 0.7}
    fit = fitted(
        'y = c + gaussian(x + lorentzian(x, p, q, r), "left_") * gauss(x)', c=1.0, **left, p=1.0, q=2.0, r=3.0, **inner
    )
    assert equation(fit, digits=1).endswith(
        " + gaussian(x + lorentzian(x, 1, 2, 3), 2, 0.1, 2) * gaussian(x, 0.5, 0.2, 0.7)"
    )


def test_latex_as_it_is_written_by_hand() -> None:
    def right(text: str, **values: float) -> str:
        return equation(fitted(f"y = c + {text}", c=1.0, **values), "latex", digits=2).partition(" + ")[2]

    assert right("a * exp(-b * x)", a=2.0, b=1.5) == r"2.0 \, \exp\left(-1.5 \, x\right)"
    assert right("a * b * x", a=2.0, b=1.5) == r"2.0 \cdot 1.5 \, x"
    assert right("a * u / (k + u)", a=2.0, k=1.5) == r"\frac{2.0 \, u}{1.5 + u}"
    assert right("hill(u, v, k, n)", v=2.0, k=1.5, n=3.0) == r"\frac{2.0 \, u^{3.0}}{1.5^{3.0} + u^{3.0}}"
    assert right("erf(x / s)", s=2.0) == r"\operatorname{erf}\left(\frac{x}{2.0}\right)"
    assert right("where(x < m, a, x)", m=0.5, a=2.0) == (
        r"\begin{cases} 2.0 & x < 0.50 \\ x & \text{otherwise} \end{cases}"
    )
    assert right("piecewise(x < m, a, x < n, 2, x)", m=0.5, a=2.0, n=1.5) == (
        r"\begin{cases} 2.0 & x < 0.50 \\ 2 & x < 1.5 \\ x & \text{otherwise} \end{cases}"
    )
    assert right("min(a, x, u)", a=2.0) == r"\min\left(\min\left(2.0, x\right), u\right)"
    assert right("a**2 * x", a=1e-9) == r"\left(1.0 \times 10^{-9}\right)^{2} \, x"


@pytest.mark.parametrize("case", CASES)
def test_latex_balances_its_braces(case: str) -> None:
    text, values = CASES[case]
    fit = fitted(text, **values)
    for symbolic in (False, True):
        latex = equation(fit, "latex", symbolic=symbolic)
        assert latex.count("{") == latex.count("}")
        assert latex.count(r"\left") == latex.count(r"\right")


def test_symbols() -> None:
    fit = fitted("y = alpha * exp(-x / tau_1) + b1", alpha=1.0, tau_1=2.0, b1=0.5)
    assert equation(fit, "latex", symbolic=True) == r"y = \alpha \, \exp\left(-\frac{x}{\tau_{1}}\right) + b_{1}"
    assert equation(fit, "latex").startswith(r"\widehat{y} = ")
    assert [symbol(name) for name in ("lambda_", "x0", "left_sigma", "k_obs", "a_b", "y%")] == [
        r"\lambda", "x_{0}", r"\sigma_{\mathrm{left}}", r"k_{\mathrm{obs}}", "a_{b}", r"\mathrm{y\%}",
    ]  # fmt: skip


@pytest.mark.parametrize("case", [name for name in CASES if name != "categories"])
def test_the_symbolic_text_is_the_same_curve(case: str) -> None:
    """Read again, it computes the same numbers."""
    text, values = CASES[case]
    fit = fitted(text, **values)
    again = Expression.of(
        read_equation(equation(fit, symbolic=True).replace(" = ", " == ").replace("==", "=", 1), ["y", "x", "u"])
    )
    theta = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    columns = {name: rows_of(fit)[name] for name in again.inputs}
    values_again = again.over(columns, len(X)).values([theta[name] for name in again.parameters])
    np.testing.assert_allclose(values_again, fit.predict(), rtol=1e-12)


def test_what_a_dialect_lacks_is_named() -> None:
    fit = fitted("y = a * erf(x) + b", a=1.0, b=0.0)
    with pytest.raises(NotAvailableError, match=r"standard SQL has no function erf.*predict"):
        equation(fit, "sql")
    np.testing.assert_allclose(by_python(fit), fit.predict(), rtol=1e-12)
    with pytest.raises(OptionError, match="holds the numbers"):
        equation(fit, "python", symbolic=True)
    with pytest.raises(OptionError, match="for curves"):
        equation(tw.fit("y ~ x", {"x": [1, 2, 3], "y": [1, 2, 4]}), symbolic=True)


def test_python_far_outside_the_data() -> None:
    """Where NumPy's exponential is infinite the curve is 0; math.exp alone would raise."""
    fit = fitted("y = a / (1 + exp(-k * (x - m))) + sigmoid(k * x) + softplus(x)", a=3.0, k=9.0, m=0.3)
    far = {"x": np.array([-1e5, -800.0, 800.0, 1e5])}
    with pytest.warns(tw.errors.ExtrapolationWarning):
        wanted = fit.predict(far)
    np.testing.assert_allclose(by_python(fit, far), wanted, rtol=1e-12)


def test_python_gives_no_complex_number() -> None:
    fit = fitted("y = a * u**b", a=1.0, b=0.5)
    namespace: dict[str, Any] = {}
    exec(equation(fit, "python"), namespace)
    with pytest.raises(ValueError, match="math domain"):
        namespace["predict"]({"u": -1.0})


def test_links_and_offsets() -> None:
    rng = np.random.default_rng(0)
    data = {"x": X, "t": rng.uniform(1, 2, 23), "n": rng.poisson(20, 23)}
    fit = tw.fit(
        "n = a * exp(-b * x) + c", data, family="poisson", link="log", offset="log(t)", start=[1, 0.1, 2], fixed=["b"]
    )
    assert equation(fit).startswith("log(E[n]) = ")
    assert equation(fit).endswith(" + log(t)")
    columns = {"x": data["x"], "t": data["t"]}
    np.testing.assert_allclose(by_python(fit, columns), fit.predict(), rtol=1e-12)
    np.testing.assert_allclose(by_sql(fit, columns), fit.predict(), rtol=1e-12)


@pytest.mark.parametrize("levels", [["r1", "it's", "b"], [1, 2, 7]])
def test_groups(levels: list[Any]) -> None:
    rng = np.random.default_rng(1)
    run = np.resize(np.array(levels), 24)
    x = np.linspace(0, 3, 24)
    y = np.where(run == levels[1], -2.0, 1.5) * np.exp(-0.8 * x) + 0.01 * rng.normal(size=24)
    fit = tw.fit("y = a * exp(-b * x)", {"x": x, "run": run, "y": y}, by="run", shared=["b"], start={"a": 1, "b": 1})
    columns = {"x": x, "run": run}
    np.testing.assert_allclose(by_python(fit, columns), fit.predict(), rtol=1e-12)
    np.testing.assert_allclose(by_sql(fit, columns), fit.predict(), rtol=1e-12)
    lines = equation(fit).splitlines()
    assert len(lines) == 3
    negative = next(line for line in lines if line.startswith(f"run = {levels[1]}: "))
    estimate = fit.coefficients[f"a[{levels[1]}]"]
    assert f"y = -{abs(estimate):.3f} exp(-{fit.coefficients['b']:.4f} x)" in negative
    assert equation(fit, symbolic=True) == "y = a * exp(-b * x)"
    assert equation(fit, "latex").count("&") == 3


def test_a_traced_function_is_written_out() -> None:
    """Its graph holds each part once; the tree that is written computes the same."""
    from thalweg.curves.language import build
    from thalweg.curves.program import Compiled

    curve = Expression.of(read_equation("y = a * exp(-b * x)**2 + where(x > b, -x, min(x, a)) - abs(x)", ["y", "x"]))
    curve.equation = None
    node = tree_of(curve, "named")
    from thalweg.curves.graph import Graph

    graph = Graph()
    again = Compiled(graph, build(graph, node, ("x",)), ("a", "b")).value
    (got,) = again.run(again.prepare({"x": X}), [1.5, 0.5])
    np.testing.assert_array_equal(got, curve.over({"x": X}, len(X)).values([1.5, 0.5]))


def test_a_function_of_the_users_is_written_out() -> None:
    from thalweg.curves.function import curve_of_function

    def model(x: Any, amplitude: Any, tau: Any) -> Any:
        return amplitude * torch.exp(-x / tau) + torch.where(x > tau, x**2, -x)

    curve, _ = curve_of_function(model, ["x", "y"], {"x": X})
    names = {name: name for name in curve.parameters}
    node = tidied(tree_of(curve, "textbook"))
    assert dialect_writer("text", names).write(node) == "amplitude * exp(-x / tau) + where(x > tau, x ** 2, -x)"


def test_a_function_that_is_no_formula() -> None:
    with pytest.raises(NotAvailableError, match="cannot be written as a formula"):
        tree_of(SimpleNamespace(equation=None), "named")  # type: ignore[arg-type]


def test_voigt_is_readable() -> None:
    curve = named("voigt", 4)
    assert "wofz_real" in curve.expression
    fit = fitted("y = c + voigt(x, a, mu, s, g)", c=1.0, a=2.0, mu=0.1, s=0.5, g=0.3)
    assert equation(fit).endswith("voigt(x, 2.000, 0.1000, 0.5000, 0.3000)")
    assert r"\operatorname{Re}\, w\left(" in equation(fit, "latex")
