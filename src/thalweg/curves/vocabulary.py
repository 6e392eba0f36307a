"""The words of the language of curves: functions, constants, and what is read of the data."""

from __future__ import annotations

import math
from functools import cache

from thalweg.curves.named import ALIASES, CURVES
from thalweg.data.expression import Vocabulary, quote
from thalweg.data.nodes import Comparison, Name, Node, Text

MANY = 100  # arguments of min, max and piecewise
UNARY = {
    name: name
    for name in (
        *("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sign", "sin", "cos", "tan"),
        *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
        *("erf", "erfc", "sigmoid", "softplus", "floor", "ceil", "round", "square"),
    )
} | {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "abs": "absolute",
    "ln": "log",
    "expit": "sigmoid",
    "I": "identity",
}
SEVERAL = {
    "pow": (2, 2),
    "wofz_real": (2, 2),
    "where": (3, 3),
    "min": (2, MANY),
    "max": (2, MANY),
    "minimum": (2, MANY),
    "maximum": (2, MANY),
    "piecewise": (3, MANY),
}
HIDDEN = frozenset({"wofz_real", "I", "square"})
"""For named curves written out, and for who writes a formula's habits: no message offers them."""

ABOUT = (
    "Functions are exp, log, log10, sqrt, abs, sin, cos, tan, arctan, sinh, tanh, erf, sigmoid, floor, min, max, where,"
    " piecewise and their kin, and the named curves, such as gaussian(x, a, mu, s): `thalweg curves` lists those."
)
CONSTANTS = {"pi": math.pi}


@cache
def vocabulary() -> Vocabulary:
    """What a curve may call."""
    plain = dict.fromkeys(UNARY, (1, 1)) | SEVERAL
    curves = dict.fromkeys([*CURVES, *ALIASES], (1, MANY))
    return Vocabulary({**plain, **curves}, frozenset(curves), HIDDEN, ABOUT)


def input_text(node: Node) -> str | None:
    """What a node reads of the data: a comparison of a column with a text; None for anything else."""
    match node:
        case Comparison(operator, Name(name), Text(value)):
            return f"I({quote(name)} {operator} {value!r})"
    return None
