"""Functions that other programs' formulas have and these have not, each with what to write instead."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.data.tokens import Token, place
from thalweg.errors import FormulaError

_CATEGORY = "Write C({x})."
_SMOOTH = "Penalized smooths are not fitted; write a spline with a fixed number of columns: cr({x}, df=5)."
_BEFOREHAND = "Compute that column beforehand."
_NUMBER = "Write the column by itself: a column of numbers is a number already."

ADVICE = {
    "factor": _CATEGORY,
    "as.factor": _CATEGORY,
    "as.character": _CATEGORY,
    "as.logical": _CATEGORY,
    "ordered": "Write C({x}, Poly) for polynomial contrasts, with levels=[...] for their order, or C({x}).",
    "as.ordered": "Write C({x}, Poly) for polynomial contrasts, with levels=[...] for their order, or C({x}).",
    "relevel": 'Write C({x}, Treatment("reference level")).',
    "ns": "Write cr({x}, df=..., constraints='center') for a natural cubic spline.",
    "rcs": "Write cr({x}, df=..., constraints='center') for a natural cubic spline.",
    "s": _SMOOTH,
    "te": _SMOOTH,
    "ti": _SMOOTH,
    "lo": _SMOOTH,
    "Q": "Write the column's name in backquotes: `{x}`.",
    "as.numeric": _NUMBER,
    "as.integer": _NUMBER,
    "as.double": _NUMBER,
    "interaction": "Write a:b for the interaction alone, a*b for it with its main effects.",
    "ln": "Write log({x}).",
    "asin": "Write arcsin({x}).",
    "acos": "Write arccos({x}).",
    "atan": "Write arctan({x}).",
    "ceiling": "Write ceil({x}).",
    "square": "Write I({x}**2).",
    "power": "Write pow(x, 2) or I(x**2).",
    "ifelse": "Write the comparison itself, which is 1 or 0: I(x > 3).",
    "where": "Write the comparison itself, which is 1 or 0: I(x > 3).",
    "cut": _BEFOREHAND,
    "lag": _BEFOREHAND,
    "shift": _BEFOREHAND,
    "diff": _BEFOREHAND,
    "rank": _BEFOREHAND,
    "as.Date": _BEFOREHAND,
}


def refuse_foreign(tokens: Sequence[Token], formula: str) -> None:
    """Refuse a call of a function of the list, before anything else is said about it.

    Raises
    ------
    FormulaError
        With what to write instead.

    Examples
    --------
    >>> from thalweg.data.tokens import tokenize
    >>> refuse_foreign(tokenize("factor(sex)"), "factor(sex)")
    Traceback (most recent call last):
    thalweg.errors.FormulaError: there is no function factor (character 1 of 'factor(sex)'). Write C(sex).
    """
    for at, token in enumerate(tokens[:-1]):
        if token.kind == "name" and token.text in ADVICE and tokens[at + 1].text == "(":
            raise FormulaError(
                f"there is no function {token.text}",
                where=place(formula, token.start),
                advice=ADVICE[token.text].format(x=_first_argument(tokens[at + 2 :], formula)),
            )


def _first_argument(tokens: Sequence[Token], formula: str) -> str:
    """The text up to the comma or bracket that ends the first argument; a text without its quotes."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        if depth < 0 or (depth == 0 and token.text == ","):
            inside = formula[tokens[0].start : tokens[at - 1].end] if at else "x"
            return inside[1:-1] if at == 1 and tokens[0].kind == "string" else inside
    return "x"
