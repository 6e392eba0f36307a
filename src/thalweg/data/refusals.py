"""What is said of a construct that neither a formula nor a curve holds: its name, and what to write instead."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from thalweg.data.lookalikes import AND_OR
from thalweg.data.tokens import Token

CONSTRUCTS = {
    ast.Attribute: "an attribute (a.b)",
    ast.Subscript: "a subscript (a[b])",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment (:=)",
    ast.Starred: "an unpacking (*)",
    ast.IfExp: "a condition (if ... else)",
    ast.BoolOp: "a logical operator (and, or)",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.List: "a list",
    ast.Tuple: "a tuple",
    ast.UnaryOp: "the operator not or ~",
    ast.Compare: "this comparison",
    ast.Await: "an await",
    ast.Yield: "a yield",
    ast.YieldFrom: "a yield",
    ast.Slice: "a slice",
}
OPERATORS: dict[type[ast.operator], str] = {
    ast.BitXor: "^",
    ast.BitOr: "|",
    ast.BitAnd: "&",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.MatMult: "@",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_OPERATOR_ADVICE = {
    "|": AND_OR,
    "&": AND_OR,
    "//": "Write floor(x / 2).",
    "<<": "A comparison is < or <=.",
    ">>": "A comparison is > or >=.",
}
MODULES = frozenset({"np", "numpy", "math", "torch", "scipy", "pd", "pandas"})
FORMULAS = "Formulas hold columns, numbers, + - * / ** and the listed functions."
CURVES = "Curves hold columns, parameters, numbers, + - * / **, comparisons and functions such as exp(x)."
_CHOICE = "Write where(x > 2, a, b): a where it holds, b elsewhere."
_WORDS = frozenset({"lambda", "for", "if", "else", "in", "is", "not", "and", "or", "await", "yield"})


def operator_advice(symbol: str) -> str | None:
    """What to write for an operator of Python's that there is not; None where nothing special can be said."""
    return _OPERATOR_ADVICE.get(symbol)


def advice_on(node: ast.AST, *, curve: bool) -> str:
    """What to write instead of a construct."""
    match node:
        case ast.BoolOp():
            return AND_OR if curve else "Multiply comparisons for 'and': I((x > 2) * (x < 4))."
        case ast.UnaryOp():
            return "Write the opposite comparison: x <= 2 in the place of not x > 2."
        case ast.IfExp():
            return _CHOICE if curve else "Write comparisons, which are 1 or 0: I(x > 2)."
        case ast.List() | ast.Tuple() | ast.Dict() | ast.Set() if curve:
            return "Brackets are round ones: a * (x + b)."
    return CURVES if curve else FORMULAS


def chained(node: ast.Compare) -> str | None:
    """A chain of comparisons, 2 < x < 4, as the product that it stands for; None of a single one."""
    if len(node.ops) < 2:
        return None
    sides = [node.left, *node.comparators]
    links = zip(pairwise(sides), node.ops, strict=True)
    single = (ast.Compare(left, [operator], [right]) for (left, right), operator in links)
    return " * ".join(f"({ast.unparse(each)})" for each in single)


def why_unread(tokens: Sequence[Token]) -> tuple[Token, str, str] | None:
    """Why tokens that Python cannot parse are no expression: the token, what is wrong, what to write; None if unknown.

    Examples
    --------
    >>> from thalweg.data.tokens import tokenize
    >>> why_unread(tokenize("a x"))[1:]
    ("nothing stands between 'a' and 'x'", 'Write a * x for a product; a name of two words needs backquotes: `a x`.')
    """
    for token, following in pairwise(tokens):
        if _ends(token) and _begins(following):
            what = f"nothing stands between {token.text!r} and {following.text!r}"
            if token.kind != "name" or following.kind != "name":
                return following, what, "Write * between them for a product."
            both = f"{token.text} {following.text}"
            advice = (
                f"Write {token.text} * {following.text} for a product; a name of two words needs backquotes: `{both}`."
            )
            return following, what, advice
    for token in tokens:
        if token.kind == "name" and token.text in _WORDS:
            what = f"{token.text!r} is a word of Python's"
            return token, what, f"As the name of a column or parameter it needs backquotes: `{token.text}`."
        if token.text == "|":
            return token, "a bar (|) cannot be used here", "Write abs(x) for an absolute value."
    return None


def _ends(token: Token) -> bool:
    return token.text == ")" or (token.kind in ("name", "quoted", "number", "string") and token.text not in _WORDS)


def _begins(token: Token) -> bool:
    return token.kind in ("name", "quoted", "number", "string") and token.text not in _WORDS


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, in any case of letters.

    Examples
    --------
    >>> nearest("EXP", ["exp", "expm1"]), nearest("sqr", ["sqrt", "sin"]), nearest("foo", ["exp"])
    ('exp', 'sqrt', None)
    """
    lower = {each.lower(): each for each in reversed([*known])}
    near = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    return lower[near[0]] if near else None
