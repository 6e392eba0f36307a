"""The language of curves: "y = a * exp(-b * x) + c", read through the allow-list that formulas share.

A name that is a column of the data is that column; `pi` is the number; every other name is a parameter. Functions come
from the closed list below and from the named curves. The text becomes a tree (`thalweg.data.nodes`), the tree a graph
of operations (`thalweg.curves.graph`); there is no other way from a text to a number, and nothing is ever run.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import final

from thalweg.curves.graph import Graph
from thalweg.curves.named import ALIASES, CURVES
from thalweg.curves.slips import check_base, check_names, meant, warn_of_columns
from thalweg.curves.vocabulary import CONSTANTS, UNARY, input_text, vocabulary
from thalweg.curves.written_out import Use, check_size, written_out
from thalweg.data.expression import parse_expression, read
from thalweg.data.nodes import Binary, Call, Comparison, Name, Negative, Node, Number, children, column_names, walk
from thalweg.data.tokens import Token, place, tokenize
from thalweg.errors import FormulaError

_BINARY = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"}
_ONE_SIGN = "Write 'response = expression', and == for a comparison."
_COMPARE = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}


@final
@dataclass(frozen=True)
class Equation:
    """A curve as it was read.

    Attributes
    ----------
    text : str
        "y = a * exp(-b * x) + c", in one spelling.
    response : str
        The left side, in the language of formulas.
    node : Node
        The right side, named curves as calls.
    plain : Node
        The same with named curves written out.
    inputs : tuple of str
        What it reads of the data, each a column's name or a comparison of one with a text, as formulas spell it.
    parameters : tuple of str
        Names in order of appearance.
    uses : tuple of Use
        The named curves.
    """

    text: str
    response: str
    node: Node
    plain: Node
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    uses: tuple[Use, ...]

    def graph(self) -> tuple[Graph, int]:
        """The right side as a graph, and its root."""
        graph = Graph()
        return graph, build(graph, self.plain, self.inputs)


def is_equation(text: str) -> bool:
    """Whether a text is a curve ("=") rather than a formula ("~")."""
    return "~" not in text and _sign(text) is not None


def _sign(text: str) -> int | None:
    """Where the first "=" that is no part of ==, <=, >= or != stands."""
    for at, letter in enumerate(text):
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if letter == "=" and after != "=" and before not in ("=", "<", ">", "!"):
            return at
    return None


def read_equation(text: str, columns: Collection[str]) -> Equation:
    """A curve from its text.

    Parameters
    ----------
    text : str
        "response = expression".
    columns : collection of str
        The columns of the data: all other names are parameters.

    Raises
    ------
    FormulaError
        What is not on the list, with its place; a curve without a parameter, or that reads no column.

    Examples
    --------
    >>> equation = read_equation("y = a*exp(-b*x) + c", ["x", "y"])
    >>> equation.text, equation.parameters, equation.inputs
    ('y = a * exp(-b * x) + c', ('a', 'b', 'c'), ('x',))
    """
    sides = _sides(text)
    left = read(sides[0], text)
    check_names(sides[1], text, columns)
    right = read(sides[1], text, vocabulary())
    uses: list[Use] = []
    plain = written_out(right.node, uses, text, frozenset(columns))
    check_size(plain, text)
    check_base(plain, columns, text)
    inputs = tuple(dict.fromkeys(_inputs(plain, columns)))
    known = tuple(dict.fromkeys(_parameters(plain, columns)))
    parameters = tuple(name for name in dict.fromkeys([*_written(right.node, iter(uses)), *known]) if name in known)
    equation = Equation(f"{left.text} = {right.text}", left.text, right.node, plain, inputs, parameters, tuple(uses))
    _check(equation, columns, column_names(left.node))
    return equation


def _sides(text: str) -> tuple[list[Token], list[Token]]:
    tokens = tokenize(text)
    signs = _signs(tokens)
    if len(signs) != 1:
        found = "no '='" if not signs else f"{len(signs)} signs '='"
        raise FormulaError(f"a curve has {found}", where=f"{text!r:.60}", advice=_ONE_SIGN)
    left, right = tokens[: signs[0]], tokens[signs[0] + 1 :]
    for side, name in ((left, "left"), (right, "right")):
        if not side:
            raise FormulaError(
                f"the {name} side of a curve is empty",
                where=place(text, tokens[signs[0]].start),
                advice="As in 'y = a * exp(-b * x) + c'.",
            )
    return left, right


def _signs(tokens: list[Token]) -> list[int]:
    """Where "=" stands outside brackets: inside them it is an option of a function, which is refused as such."""
    depths = accumulate({"(": 1, ")": -1}.get(token.text, 0) for token in tokens)
    return [i for i, (token, depth) in enumerate(zip(tokens, depths, strict=True)) if token.text == "=" and depth == 0]


def _check(equation: Equation, columns: Collection[str], response: Collection[str]) -> None:
    if not equation.parameters:
        raise FormulaError(
            f"the curve {equation.text!r} has no parameter: every name in it is a column",
            advice="Names that are no column are parameters, as a and b in 'y = a * exp(-b * x)'.",
        )
    if not equation.inputs and columns and len(equation.parameters) > 1:
        others = [name for name in columns if name not in response]
        advice = meant(equation.parameters, others or columns)
        raise FormulaError(f"the curve {equation.text!r} reads no column of the data", advice=advice)


def warn_of_slips(equation: Equation, columns: Collection[str], roles: Collection[str]) -> None:
    """Warn of a parameter that is nearly a column which nothing reads.

    Parameters
    ----------
    equation : Equation
    columns : collection of str
        Those of the data.
    roles : collection of str
        Weights, offset, groups and the like, as columns or expressions.
    """
    told = " ".join([equation.response, *equation.inputs, *roles])
    unused = [n for n in columns if n not in told or not re.search(rf"(?<!\w){re.escape(n)}(?!\w)", told)]
    named = {*column_names(equation.node)}
    warn_of_columns([name for name in equation.parameters if name in named], unused)


# ------------------------------------------------------------------------------------------------------------ names


def _inputs(node: Node, columns: Collection[str]) -> Iterator[str]:
    text = input_text(node)
    if text is not None:
        yield text
        return
    if isinstance(node, Name) and node.name in columns:
        yield node.name
    for child in children(node):
        yield from _inputs(child, columns)


def _written(node: Node, uses: Iterator[Use]) -> Iterator[str]:
    """Names in the order in which they are written; of a named curve that names its parameters itself, in its own."""
    if isinstance(node, Name):
        yield node.name
    for child in children(node):
        yield from _written(child, uses)
    if isinstance(node, Call) and (node.function in CURVES or node.function in ALIASES):
        yield from (part.name for part in next(uses).parameters if isinstance(part, Name))


def _parameters(node: Node, columns: Collection[str]) -> Iterator[str]:
    if input_text(node) is not None:
        return
    if isinstance(node, Name) and node.name not in columns and node.name not in CONSTANTS:
        yield node.name
    for child in children(node):
        yield from _parameters(child, columns)


# ------------------------------------------------------------------------------------------------------- tree to graph


def build(graph: Graph, node: Node, inputs: Collection[str]) -> int:
    """A tree (named curves written out) as a node of a graph.

    Parameters
    ----------
    graph : Graph
    node : Node
    inputs : collection of str
        The names that are columns; what is neither that nor a constant is a parameter.
    """
    text = input_text(node)
    if text is not None:
        return graph.column(text)
    match node:
        case Number(value):
            return graph.constant(value)
        case Name(name) if name in inputs:
            return graph.column(name)
        case Name(name) if name in CONSTANTS:
            return graph.constant(CONSTANTS[name])
        case Name(name):
            return graph.parameter(name)
        case Negative(operand):
            return graph.apply("negative", build(graph, operand, inputs))
        case Binary(operator, left, right):
            return graph.apply(_BINARY[operator], build(graph, left, inputs), build(graph, right, inputs))
        case Comparison(operator, left, right):
            return graph.apply(_COMPARE[operator], build(graph, left, inputs), build(graph, right, inputs))
        case Call(function, arguments):
            return graph.apply(UNARY.get(function, function), *(build(graph, a, inputs) for a in arguments))
    raise AssertionError(f"{type(node).__name__} is no part of a curve")


def parse_tie(text: str, known: Collection[str]) -> Node:
    """The expression by which a parameter is tied: of other parameters and numbers only.

    Raises
    ------
    FormulaError
        A name that is no parameter.
    """
    check_names(tokenize(text), text, known)
    reading = parse_expression(text, vocabulary())
    plain = written_out(reading.node, [], text, frozenset())
    check_size(plain, text)
    for part in walk(plain):
        if isinstance(part, Name) and part.name not in known and part.name not in CONSTANTS:
            near = difflib.get_close_matches(part.name, list(known), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Parameters are {', '.join(known)}."
            raise FormulaError(f"{part.name!r} in the tie {text!r} is no parameter of the curve", advice=hint)
    return plain
