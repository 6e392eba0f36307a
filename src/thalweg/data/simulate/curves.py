"""A line, a polynomial, a sine, any expression of x: y = f(x) + noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.expression import parse_expression
from thalweg.data.nodes import Binary, Call, Comparison, Name, Negative, Node, Number, column_names, walk
from thalweg.data.simulate.base import Draws, Kind, Made, number
from thalweg.data.source import Batch
from thalweg.errors import OptionError

OF_X = {"low": 0.0, "high": 10.0, "spacing": "random"}
PLAIN = Binary | Call | Comparison | Name | Negative | Number  # an expression that learns nothing from the data


def _x(draws: Draws, n: int, options: Mapping[str, Any]) -> Float64[Tensor, "n"]:
    low, high = options["low"], options["high"]
    if options["spacing"] == "even":
        return torch.linspace(low, high, n, dtype=torch.float64)
    return low + (high - low) * draws.uniform(n)


def _made(
    draws: Draws,
    n: int,
    noise: float,
    options: Mapping[str, Any],
    curve: Callable[[Float64[Tensor, "n"]], Float64[Tensor, "n"]],
    told: tuple[Mapping[str, Any], str, str],
) -> Made:
    """x first, then the noise, n draws each; without noise nothing is drawn for it."""
    truth, formula, words = told
    x = _x(draws, n, options)
    exact = curve(x)
    y = exact + noise * draws.normal(n) if noise else exact
    how = "evenly spaced in" if options["spacing"] == "even" else "random in"
    bracket = "]" if options["spacing"] == "even" else ")"
    added = f" + noise of standard deviation {number(noise)}" if noise else ""
    words = f"{words}{added}, x {how} [{number(options['low'])}, {number(options['high'])}{bracket}"
    return Made({"x": x, "y": y}, ("y",), noise or _spread(exact), truth, formula, words)


def _spread(y: Float64[Tensor, "n"]) -> float:
    """The standard deviation, or 1 where there is none."""
    return float(y.std(correction=0)) or 1.0


def _line(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    a, b = options["intercept"], options["slope"]
    told = ({"Intercept": a, "x": b}, "y ~ x", f"y = {polynomial_words((a, b))}")
    return _made(draws, n, noise, options, lambda x: a + b * x, told)


def _polynomial(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    coefficients = options["coefficients"]
    names = ["Intercept", "x", *(f"I(x ** {power})" for power in range(2, len(coefficients)))][: len(coefficients)]
    formula = f"y ~ {' + '.join(names[1:]) or '1'}"
    told = (dict(zip(names, coefficients, strict=True)), formula, f"y = {polynomial_words(coefficients)}")
    return _made(draws, n, noise, options, lambda x: horner(coefficients, x), told)


def horner(coefficients: Sequence[float], x: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
    """a + x (b + x (c + ...)).

    Examples
    --------
    >>> horner((1.0, 0.0, 2.0), torch.tensor([3.0], dtype=torch.float64)).tolist()
    [19.0]
    """
    value = torch.zeros_like(x)
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def polynomial_words(coefficients: Sequence[float]) -> str:
    """A polynomial to read.

    Examples
    --------
    >>> polynomial_words((3.0, -2.0, 0.5))
    '3 - 2 x + 0.5 x^2'
    """
    words = number(coefficients[0])
    for power, coefficient in enumerate(coefficients[1:], start=1):
        sign = "-" if coefficient < 0 else "+"
        words += f" {sign} {number(abs(coefficient))} x" + (f"^{power}" if power > 1 else "")
    return words


def _sine(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    a, b, c, d = (options[name] for name in ("amplitude", "frequency", "phase", "intercept"))
    truth = {"amplitude": a, "frequency": b, "phase": c, "intercept": d}
    inner = ("x" if b == 1 else f"{number(b)} x") + (f" + {number(c)}" if c else "")
    words = f"y = {f'{number(d)} + ' if d else ''}{'' if a == 1 else f'{number(a)} '}sin({inner})"
    return _made(draws, n, noise, options, lambda x: a * torch.sin(b * x + c) + d, (truth, "", words))


def _expression(draws: Draws, n: int, noise: float, options: Mapping[str, Any]) -> Made:
    node, text = expression_of_x(options["expression"])
    told = ({"expression": text}, "", f"y = {text}")
    return _made(draws, n, noise, options, lambda x: _values(node, text, x), told)


def expression_of_x(text: str) -> tuple[Node, str]:
    """An expression of x and nothing else, through the allow-list of formulas; with its text in one spelling.

    Raises
    ------
    FormulaError
        What the allow-list refuses.
    OptionError
        A name that is not x, or a function that learns from data, as scale().
    """
    reading = parse_expression(text)
    learned = next((part for part in walk(reading.node) if not isinstance(part, PLAIN)), None)
    if learned is not None:
        raise OptionError(f"the expression {text!r} is no plain function of x", advice="Use numbers, x and functions.")
    others = sorted(set(column_names(reading.node)) - {"x"})
    if others:
        advice = f"Write pi as {math.pi!r}." if others == ["pi"] else "Only x stands for numbers."
        raise OptionError(f"the expression {text!r} has the name {others[0]!r}", advice=advice)
    return reading.node, reading.text


def _values(node: Node, text: str, x: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
    y = as_tensor(evaluate(node, Columns(Batch({"x": x}, x.numel()), {}))).expand_as(x)
    bad = (~torch.isfinite(y)).nonzero()
    if len(bad):
        at = float(x[bad[0]])
        raise OptionError(f"{text} is no finite number at x = {at:.6g}", advice="Choose low and high where it is one.")
    return y


CURVES = (
    Kind("line", "y = intercept + slope x + noise", 100, 1.0, {"slope": 1.0, "intercept": 0.0, **OF_X}, _line),
    Kind(
        "polynomial",
        "y = a + b x + c x^2 + ... + noise, by its coefficients, the constant first",
        100,
        1.0,
        {"coefficients": (0.0, 0.0, 1.0), **OF_X, "low": -3.0, "high": 3.0},
        _polynomial,
    ),
    Kind(
        "sine",
        "y = intercept + amplitude sin(frequency x + phase) + noise",
        100,
        0.1,
        {
            "amplitude": 1.0,
            "frequency": 1.0,
            "phase": 0.0,
            "intercept": 0.0,
            **OF_X,
            "low": -math.pi,
            "high": math.pi,
        },
        _sine,
    ),
    Kind(
        "expression",
        "y = any expression of x + noise, as 'exp(-x) * sin(3*x)'",
        100,
        0.1,
        {"expression": "exp(-x) * sin(3*x)", **OF_X},
        _expression,
    ),
)
