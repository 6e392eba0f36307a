"""The language of curves: what a text says, what it means in numbers, and what is refused with which words.

The values of an expression are compared with the same expression in Python, of NumPy and `math`.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy import special

import thalweg as tw
from thalweg.curves.curve import Expression
from thalweg.curves.language import is_equation, parse_tie, read_equation
from thalweg.curves.named import ALIASES, CURVES
from thalweg.curves.slips import alike
from thalweg.curves.vocabulary import HIDDEN, SEVERAL, UNARY
from thalweg.data.nodes import Binary, Name, Number
from thalweg.data.tokens import MAX_LENGTH, MAX_NESTING
from thalweg.errors import ColumnError, FormulaError, OptionError, ThalwegError, ThalwegWarning

COLUMNS = ("x", "z", "y", "g", "my x", "x²")
X = np.array([0.25, 1.5, 2.0, 3.75])
Z = np.array([-1.0, 0.5, 2.0, -0.25])
THETA = {"a": 1.3, "b": 0.7, "c": -0.4, "d": 2.5}


def read(text: str):
    return read_equation(f"y = {text}", COLUMNS)


def values(text: str, **theta: float) -> np.ndarray:
    """What an expression is at X and Z, with the parameters of THETA or those that are given."""
    equation = read(text)
    theta = theta or {name: THETA[name] for name in equation.parameters}
    rows = Expression.of(equation).over({"x": X, "z": Z}, len(X))
    found = rows.values([theta[name] for name in equation.parameters])
    return np.broadcast_to(np.asarray(found, dtype=float), X.shape)


def refused(text: str, columns=COLUMNS) -> str:
    with pytest.raises(FormulaError) as caught:
        read_equation(text, columns)
    return str(caught.value)


# -------------------------------------------------------------------------------------------------------------- grammar

a, b, c, d = THETA.values()
ARITHMETIC = {
    "a + b - c + 0 * x": a + b - c + 0 * X,
    "a - b * x": a - b * X,
    "a * x / b / c": a * X / b / c,
    "-x ** 2 * a": -(X**2) * a,
    "a ** b ** x": a ** (b**X),
    "a ** -x": a**-X,
    "(a + b) * (x - c)": (a + b) * (X - c),
    "+a * x": a * X,
    "a*1e-3 + .5*x + 2.": a * 1e-3 + 0.5 * X + 2,
    "a * pi * x": a * math.pi * X,
    "a * (x > 1.5)": a * (X > 1.5),
    "a * (x >= 1.5)": a * (X >= 1.5),
    "a * (x < 1.5) + b * (x <= 1.5)": a * (X < 1.5) + b * (X <= 1.5),
    "a * (x == 2) + b * (x != 2)": a * (X == 2) + b * (X != 2),
    "a * (x > 1) * (x < 3)": a * ((X > 1) & (X < 3)),
    "where(x < 2, a, b * x)": np.where(X < 2, a, b * X),
    "where(x > z, a * x, b)": np.where(X > Z, a * X, b),
    "min(a * x, b)": np.minimum(a * X, b),
    "min(a * x, b, z)": np.minimum(np.minimum(a * X, b), Z),
    "max(a, z, x, c)": np.maximum(np.maximum(a, Z), X),
    "minimum(x, a) + maximum(x, b)": np.minimum(X, a) + np.maximum(X, b),
    "pow(x, a)": X**a,
    "piecewise(x < 1, a, b)": np.where(X < 1, a, b),
    "piecewise(x < 1, a, x < 3, b * x, c)": np.where(X < 1, a, np.where(X < 3, b * X, c)),
}


@pytest.mark.parametrize("text", ARITHMETIC)
def test_arithmetic_is_that_of_paper(text) -> None:
    np.testing.assert_allclose(values(text), ARITHMETIC[text], rtol=1e-15)


ELSEWHERE = {
    "ln": np.log,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "sigmoid": special.expit,
    "expit": special.expit,
    "softplus": lambda v: np.logaddexp(0, v),
    "erf": special.erf,
    "erfc": special.erfc,
    "I": lambda v: v,
    "round": np.round,
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_are_those_of_numpy_and_scipy(name) -> None:
    scaled = 0.4 if name in ("arccosh", "acosh") else 0.2
    moved = 1.0 if name in ("arccosh", "acosh") else 0.0
    argument = scaled * X + moved
    truth = ELSEWHERE.get(name) or getattr(np, name)
    found = values(f"{name}(a * x + b)", a=scaled, b=moved)
    np.testing.assert_allclose(found, truth(argument), rtol=4e-15, atol=1e-300)


def test_names_are_columns_constants_or_parameters() -> None:
    equation = read("tau * exp(-k * x) + z * pi + k")
    assert (equation.parameters, equation.inputs, equation.response) == (("tau", "k"), ("x", "z"), "y")
    assert read_equation("y = a * pi", ["pi", "y"]).inputs == ("pi",)  # a column of that name is the column


def test_one_spelling() -> None:
    assert read("a*exp( -b*x )+c").text == "y = a * exp(-b * x) + c"
    assert read("a*`my x`").text == "y = a * `my x`"
    assert read_equation("log(y) = a+b*x", COLUMNS).response == "log(y)"


def test_names_beyond_ascii_and_words_of_python_are_parameters() -> None:
    equation = read("α * exp(-x / λ) + a₀ + class + `lambda`")
    assert equation.parameters == ("α", "λ", "a₀", "class", "lambda")


def test_parameters_come_in_the_order_in_which_they_are_written() -> None:
    assert read("z0 + a * x + m * x").parameters == ("z0", "a", "m")
    assert read('gaussian(x, "p_") + base').parameters == ("p_a", "p_mu", "p_s", "base")


def test_texts_are_compared_with_columns() -> None:
    equation = read('where(g == "left", a, b) * x + where("right" != g, c, 0)')
    assert equation.inputs == ("I(g == 'left')", "x", "I(g != 'right')")
    assert equation.parameters == ("a", "b", "c")


def test_what_is_a_curve_and_what_a_formula() -> None:
    assert all(map(is_equation, ("y = a * x", "y=a*(x==2)", "log(y) = a * (x <= 2)")))
    assert not any(map(is_equation, ("y ~ x", "y ~ C(g, levels=['a'])", "y == a * x", "x <= y", "y", "")))


# --------------------------------------------------------------------------------------------------------- named curves


@pytest.mark.parametrize("name", [*CURVES, *ALIASES])
def test_a_named_curve_alone_is_the_one_with_its_own_names(name) -> None:
    curve = CURVES[ALIASES.get(name, name)]
    call = f"{name}({', '.join(curve.arguments)})"
    alone, written = (read_equation(f"y = {text}", ["x", "y"]) for text in (f"{name}(x)", call))
    assert alone.parameters == written.parameters
    assert {*alone.parameters} == {*curve.parameters}
    assert alone.plain == written.plain
    assert alone.uses[0].curve is curve


def test_a_named_curve_is_its_formula() -> None:
    np.testing.assert_allclose(values("gaussian(x, a, b, d)"), a * np.exp(-((X - b) ** 2) / (2 * d**2)), rtol=1e-14)
    np.testing.assert_allclose(values("gaussian(x, a, b, d, c)"), values("gaussian(x, a, b, d) + c"), rtol=1e-14)
    np.testing.assert_allclose(values("logistic(x, a, b, d)"), values("a / (1 + exp(-b * (x - d)))"), rtol=1e-13)


def test_expressions_stand_in_a_named_curve() -> None:
    inside = values("gaussian(log(x), 2 * a, b + c * z, exp(d))")
    truth = 2 * a * np.exp(-((np.log(X) - b - c * Z) ** 2) / (2 * np.exp(2 * d)))
    np.testing.assert_allclose(inside, truth, rtol=1e-13)


def test_prefixes_tell_two_curves_apart() -> None:
    equation = read('gaussian(x, "left_") + gaussian(x, "right_")')
    assert equation.parameters == ("left_a", "left_mu", "left_s", "right_a", "right_mu", "right_s")
    theta = dict(zip(equation.parameters, (1, 2, 3, 4, 5, 6), strict=True))
    twice = values("gaussian(x, 1, 2, a - a + 3) + gaussian(x, 4, 5, 6)", a=0.0)
    np.testing.assert_allclose(values('gaussian(x, "left_") + gaussian(x, "right_")', **theta), twice, rtol=1e-14)


REFUSED_CURVES = {
    "gaussian(x) + gaussian(x)": ["'a' of gaussian is there already", 'gaussian(x, "p_")', "gaussian(x, a, mu, s)"],
    "gaussian(x) + a * x": None,  # a is shared, as it is written
    'gaussian(x, a, mu, s, "p_")': ["both parameters and a prefix"],
    "gaussian(x, a, mu)": ["gaussian has 2 parameters", "gaussian(x, a, mu, s)"],
    "gaussian()": ["this call of gaussian", "1 or more"],
    "gaussian(x, mu=2)": ["no options"],
    'a * sin("x")': ["the value 'x' cannot be used"],
    "piecewise(x < 1, a, x < 2, b)": ["rows that meet no condition", "otherwise"],
    "where(x < 1, a)": ["where takes 3 arguments"],
    "exp(x, a)": ["exp takes 1 argument"],
}


@pytest.mark.parametrize("text", REFUSED_CURVES)
def test_wrong_arguments(text) -> None:
    words = REFUSED_CURVES[text]
    if words is None:
        assert read(text).parameters == ("a", "mu", "s")
        return
    said = refused(f"y = {text}")
    assert all(word in said for word in words), said


def test_ties_are_of_parameters_and_numbers() -> None:
    assert parse_tie("2 * s1", ["s1"]) == Binary("*", Number(2.0), Name("s1"))
    for text, word in (
        ("2 * s", "Did you mean 's1'?"),
        ("2 * q", "Parameters are s1"),
        ("s1²", "s1**2"),
        ("", "empty"),
    ):
        with pytest.raises(FormulaError, match=word.replace("*", r"\*").replace("?", r"\?")):
            parse_tie(text, ["s1"])


# ------------------------------------------------------------------------------------------------------------- messages

SAID = {
    "y = a*x^b": ["the operator ^", "character 8 ", "Write x**b"],
    "y = (a + x) ^ 2": ["the operator ^", "character 13 ", "x**2"],
    "y = 2x": ["Write 2 * x"],
    "y = a 2": ["Write * between them"],
    "y = a x": ["nothing stands between 'a' and 'x'", "character 7 ", "Write a * x", "`a x`"],
    "y = my x": ["`my x`"],
    "y = (a + 1) x": ["between ')' and 'x'", "Write *"],
    "y = 2(x + a)": ["bracket right after", "Write *"],
    "y = a(x + 1)": ["the function 'a'", "For a product write a * (...)"],
    "y = a·x": ["'·'", "Write *", "character 6 "],
    "y = a×x": ["'×'", "Write *"],
    "y = a∙x": ["'∙'", "Write *"],
    "y = a–x": ["'–'", "Write -"],
    "y = a−x": ["'−'", "Write -"],
    "y = a÷x": ["'÷'", "Write /"],
    "y = a*(x≤2)": ["Write <="],
    "y = a*√x": ["Write sqrt(x)"],
    "y = a*t²": ["'t²'", "Write t**2"],
    "y = a*x + b*z³": ["Write z**3"],
    "y = a*(x)²": ["'²'", "Write ** for a power"],
    "y = 2²*a": ["'²'", "Write ** for a power"],
    "y = a*(x>1)&(x<2)": ["'&'", "(x > 2) * (x < 4)", "where("],
    "y = a*(x>1)|(x<2)": ["the operator |", "where("],
    "y = a*|x|": ["abs(x)"],
    "y = a*x%2": ["the sign %", "floor(x / 2)"],
    "y = a*x//2": ["the operator //", "floor(x / 2)"],
    "y = a*where(x>1 and x<3, 1, 2)": ["(and, or)", "(x > 2) * (x < 4)"],
    "y = a*where(x<1 or x>3, 1, 2)": ["(and, or)", "nest"],
    "y = a*where(not x>1, 1, 2)": ["not", "opposite"],
    "y = a*where(1<x<3, 1, 2)": ["chain of comparisons", "(1 < x) * (x < 3)"],
    "y = a*x if x > 1 else b": ["where(x > 2, a, b)"],
    "y = a*[x + b]": ["round"],
    "y = a*e**(-b*x)": ["'e'", "exp(-b*t)", "another name"],
    "y = a*E**(-x/b) + c": ["'E'", "exp(-b*t)"],
    "y = a*pow(e, b*x)": ["'e'", "exp(-b*t)"],
    "y = a*π*x": ["Write pi"],
    "y = a*lambda*x": ["'lambda'", "`lambda`"],
    "y = a*EXP(x)": ["Did you mean exp?"],
    "y = a*Sin(x)": ["Did you mean sin?"],
    "y = a*expp(x)": ["Did you mean exp?"],
    "y = a*gausian(x)": ["Did you mean gaussian?"],
    "y = a*frobnicate(x)": ["the function 'frobnicate'", "`thalweg curves` lists"],
    "y = a*np.exp(x)": ["np.exp", "Write exp(x)"],
    "y = a*scipy.special.erf(x)": ["scipy.special.erf", "Write erf(x)"],
    "y = a*np.EXP(x)": ["Did you mean exp?"],
    "y = a*np.power(x, b)": ["np.power", "Write **"],
    "y = a*C(g)": ['where(column == "level", a, b)'],
    "y = a.b * x": ["`a.b`"],
    "y = a*exp(-b*X) + c": ["reads no column", "Did you mean the column 'x' where you wrote 'X'?"],
    "y = a*exp(-b*Y) + c": ["reads no column", "Columns are 'x'"],
    "y = x": ["no parameter"],
    "y = a = x": ["2 signs '='", "== for a comparison"],
    "y = ": ["right side", "empty"],
    " = a*x": ["left side", "empty"],
    "y = (a*x": ["never closed"],
    "y = a*x)": ["closes nothing"],
    "y = a*x\u200b": [r"'\u200b'", "delete it"],
}


@pytest.mark.parametrize("text", SAID)
def test_messages_say_what_to_write(text) -> None:
    said = refused(text, ("x", "z", "g", "y"))
    assert all(word in said for word in SAID[text]), said
    assert "formulas hold" not in said.lower()


def test_an_unknown_function_is_answered_in_a_few_words() -> None:
    said = refused("y = a * frobnicate(x)")
    assert len(said) < 450
    assert not any(f" {name}" in said for name in HIDDEN)
    assert not any(f"mean {name}?" in refused(f"y = a * {name}x(x)") for name in ("wofz_real", "square"))
    assert {*HIDDEN} <= {*UNARY, *SEVERAL}  # they work, as named curves need them


def test_an_orbit_may_have_an_eccentricity() -> None:
    assert read("a * (1 - e**2) / (1 + e * cos(x))").parameters == ("a", "e")
    assert read("a * e**x").parameters == ("a", "e")
    assert read_equation("y = a * e**(b * x)", ["x", "e"]).inputs == ("e", "x")


def test_a_column_may_be_called_what_a_parameter_may_not() -> None:
    assert read("a * x²").inputs == ("x²",)
    assert read("a * x * `t²`").parameters == ("a", "t²")


def test_the_columns_that_are_named_are_not_the_response() -> None:
    said = refused("y = a * exp(-b * v) + c", ["time", "y"])
    assert said.endswith("Columns are 'time'.")


# ----------------------------------------------------------------------------------------------- columns that are meant


def told(text: str, data: dict[str, np.ndarray], **options: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tw.fit(text, data, **options)
    return [str(each.message) for each in caught if "nothing reads" in str(each.message)]


def test_a_parameter_that_is_nearly_a_column_is_warned_of() -> None:
    x = np.linspace(0.0, 4.0, 20)
    data = {"x": x, "y": 2 * np.exp(-x) + 1 + 0.01 * np.sin(9 * x), "time": 1 + x}
    for name in ("tim", "Time", "timee", "tiem"):
        (said,) = told(f"y = a * exp(-b * x) + {name}", data)
        assert repr(name) in said
        assert "'time'" in said
    assert not told("y = a * exp(-b * x) + base", data)
    assert not told("y = a * exp(-b * x) + tim", data, weights="1 / time")
    assert not told("y = a * exp(-b * x) + tim * (time > 0)", data)


def test_the_warning_is_one_of_ours() -> None:
    x = np.linspace(0.0, 4.0, 20)
    with pytest.warns(ThalwegWarning, match="'Time' is a parameter"):
        tw.fit("y = a * x + Time", {"x": x, "y": 2 * x + 1 + 0.01 * np.sin(9 * x), "time": x})


def test_names_of_a_named_curve_are_nobodys_slip() -> None:
    x = np.linspace(-3.0, 3.0, 40)
    data = {"x": x, "y": 2 * np.exp(-(x**2) / 2) + 0.01 * np.sin(9 * x), "A": x, "MU": x}
    assert not told("y = gaussian(x)", data)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("x1", "x2"), ("tau1", "tau2"), ("ab", "abc"), ("cat", "rat")])
def test_short_and_numbered_names_are_not_alike(one, other) -> None:
    assert not alike(one, other)


# --------------------------------------------------------------------------------------------------------- hostile text

HOSTILE = [
    "y = a * __import__('os').system('true') * x",
    "y = a * x.__class__",
    "y = a * open('x')",
    "y = a * (lambda: x)()",
    "y = a * [x for x in (1, 2)][0]",
    "y = a * x; import os",
    "y = a * f'{x}'",
    "y = a * (x := 2)",
    "y = a * x[0]",
    "y = a * exp(*x)",
    "y = a * exp(**x)",
    "y = a * {1: x}",
    "y = a * eval(x)",
    "y = a * True",
    "y = a * None * x",
    "y = a * 1j * x",
    "y = a * 0x10 * x",
    "y = a * x\x00",
    "y = a * x\x1b[31m",
    "y = a * \\x",
    "y = a * yield",
    "y = a * b'x'",
    "y = a * '''x'''",
    "y = a * ...",
    "y = a * __dunder",
    "y = " + "(" * (MAX_NESTING + 1) + "a*x" + ")" * (MAX_NESTING + 1),
    "y = " + "-" * 200 + "a * x",
    "y = " + "**".join(["a"] * 200),
    "y = a * " + "1" * 60,
    "y = a * x" + " " * MAX_LENGTH,
    "y = a * sin(" + "gaussian(" * 20 + "x" + ")" * 21,
    "y = " + "poly2(" * 20 + "x" + ", a, b, c)" * 20,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_in_a_sentence(text) -> None:
    with pytest.raises(ThalwegError) as caught:
        read_equation(text, COLUMNS)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 700


def test_control_characters_of_names_are_spelled_out() -> None:
    said = refused("y = a * exp(-b * t) + c", ["\x1b[31mred", "line\nbreak", "y"])
    assert said.isprintable()
    assert r"\x1b[31mred" in said
    with pytest.raises(ColumnError) as caught:
        tw.fit("y ~ w + v", {"\x1b[31mred": [1.0, 2.0], "y": [1.0, 2.0]})
    assert str(caught.value).isprintable()


# ----------------------------------------------------------------------------------------- curve or formula, = or ~

DATA = {"x": np.arange(6.0), "y": np.array([2.0, 1.3, 0.8, 0.5, 0.4, 0.2]), "g": np.array(list("ababab"))}


@pytest.mark.parametrize("text", ["y a*exp(-b*x)", "a*exp(-b*x)+c", "y == a*x", "y"])
def test_without_a_sign_both_are_named(text) -> None:
    with pytest.raises(FormulaError) as caught:
        tw.fit(text, DATA)
    said = str(caught.value)
    assert '"y ~ x + C(group)"' in said
    assert '"y = a * exp(-b * x) + c"' in said


def test_a_curve_with_the_sign_of_formulas() -> None:
    with pytest.raises(ColumnError, match="Write '=' in the place of '~' for a curve, where 'a' is a parameter"):
        tw.fit("y ~ a*exp(-b*x)+c", DATA)
    with pytest.raises(ColumnError, match=r"no column 'xx'.*Did you mean 'x'") as caught:
        tw.fit("y ~ xx", DATA)
    assert "=" not in str(caught.value)


def test_diagnose_says_what_there_is_for_curves() -> None:
    with pytest.raises(FormulaError) as caught:
        tw.diagnose("y = a * exp(-b * x)", DATA)
    said = str(caught.value)
    assert "diagnose is of formulas" in said
    assert "tw.GradientDescent(...)).diagnose()" in said
    with pytest.warns(tw.errors.ConvergenceWarning):
        fit = tw.fit("y = a * exp(-b * x)", DATA, start={"a": 1, "b": 1}, solver=tw.GradientDescent(lr=0.1, steps=5))
    assert "lr" in str(fit.diagnose())  # what it advises can be done


def test_a_text_column_in_arithmetic_is_told_of_where() -> None:
    with pytest.raises(ColumnError) as caught:
        tw.fit("y = a * x + b * g", DATA)
    assert 'where(g == "a", a, b)' in str(caught.value)
    fit = tw.fit('y = where(g == "a", a, b) * exp(-k * x)', DATA)
    assert {*fit.coefficients} == {"a", "b", "k"}


# ------------------------------------------------------------------------------------------------------- other programs

ELSEWHERE_OPTIONS = {
    "method": ("lm", "solver=thalweg.LevenbergMarquardt() is the method of curves"),
    "maxfev": (100, "solver=thalweg.LevenbergMarquardt(max_steps=500"),
    "max_nfev": (100, "solver=thalweg.LevenbergMarquardt(max_steps=500"),
    "maxiter": (100, "solver=thalweg.LevenbergMarquardt(max_steps=500"),
    "xtol": (1e-8, "LevenbergMarquardt(max_steps=500, tol=1e-8)"),
}


@pytest.mark.parametrize("name", ELSEWHERE_OPTIONS)
def test_options_of_other_programs(name) -> None:
    value, words = ELSEWHERE_OPTIONS[name]
    with pytest.raises(OptionError) as caught:
        tw.fit("y = a * x + b", DATA, **{name: value})
    assert words in str(caught.value)
