r"""How each dialect writes the functions of formulas and of curves: `{0}` and `{1}` are their arguments.

What is absent from a table cannot be written in that dialect. Arguments that need brackets get them here.

>>> PYTHON["arcsin"].format("z"), SQL["log1p"].format("z"), LATEX["erf"].format("z")
('math.asin(z)', 'LN(1.0 + (z))', '\\operatorname{erf}\\left(z\\right)')
"""

from __future__ import annotations

_ALIKE = ("exp", "expm1", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")

PYTHON: dict[str, str] = {
    **{name: f"math.{name}({{0}})" for name in (*_ALIKE, "floor", "ceil", "erf", "erfc")},
    **{f"arc{name}": f"math.a{name}({{0}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": "math.atan2({0}, {1})",
    "abs": "abs({0})",
    "round": "round({0})",
    "min": "min({0}, {1})",
    "max": "max({0}, {1})",
    **{name: f"{name}({{0}})" for name in ("sigmoid", "softplus", "sign")},
}
# What a curve's Python must define before it can call it. math.exp raises where the result is too large; NumPy's is
# infinite there, and 1 / (1 + exp(...)) is 0 as it should be.
PYTHON_SOURCES: dict[str, str] = {
    "exp": """\
def exp(z):
    return math.exp(z) if z < 709.782 else math.inf
""",
    "sigmoid": """\
def sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))
""",
    "softplus": """\
def softplus(z):
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))
""",
    "sign": """\
def sign(z):
    return 1.0 if z > 0 else -1.0 if z < 0 else 0.0
""",
}

SQL: dict[str, str] = {
    **{name: f"{name.upper()}({{0}})" for name in (*_ALIKE, "floor", "ceil", "abs", "round", "sign")},
    **{f"arc{name}": f"A{name.upper()}({{0}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": "ATAN2({0}, {1})",
    "log": "LN({0})",
    "log2": "(LN({0}) / LN(2.0))",
    "log1p": "LN(1.0 + ({0}))",
    "expm1": "(EXP({0}) - 1.0)",
    "sigmoid": "(1.0 / (1.0 + EXP(-({0}))))",
    "softplus": "CASE WHEN {0} > 0 THEN ({0}) + LN(1.0 + EXP(-({0}))) WHEN {0} <= 0 THEN LN(1.0 + EXP({0})) END",
    "min": "CASE WHEN {0} <= {1} THEN {0} WHEN {0} > {1} THEN {1} END",
    "max": "CASE WHEN {0} >= {1} THEN {0} WHEN {0} < {1} THEN {1} END",
}

_OWN_LATEX = ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan")
_UPRIGHT = ("log1p", "expm1", "round", "erf", "erfc", "erfcx", "arcsinh", "arccosh", "arctanh")
LATEX: dict[str, str] = {
    **{name: rf"\{name}\left({{0}}\right)" for name in _OWN_LATEX},
    **{name: rf"\{name}\left({{0}}, {{1}}\right)" for name in ("min", "max")},
    **{name: rf"\operatorname{{{{{name}}}}}\left({{0}}\right)" for name in _UPRIGHT},
    "log": r"\ln\left({0}\right)",
    "log2": r"\log_{{2}}\left({0}\right)",
    "log10": r"\log_{{10}}\left({0}\right)",
    "sqrt": r"\sqrt{{{0}}}",
    "abs": r"\left|{0}\right|",
    "floor": r"\left\lfloor {0} \right\rfloor",
    "ceil": r"\left\lceil {0} \right\rceil",
    "sign": r"\operatorname{{sgn}}\left({0}\right)",
    "sigmoid": r"\frac{{1}}{{1 + \exp\left(-\left({0}\right)\right)}}",
    "softplus": r"\ln\left(1 + \exp\left({0}\right)\right)",
    "arctan2": r"\operatorname{{atan2}}\left({0}, {1}\right)",
    "wofz_real": r"\operatorname{{Re}}\, w\left({0} + i \, {1}\right)",
    "wofz_imag": r"\operatorname{{Im}}\, w\left({0} + i \, {1}\right)",
}
