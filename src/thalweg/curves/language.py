"""The language of curves: "y = a * exp(-b * x) + c", read through the allow-list that formulas share.

A name that is a column of the data is that column; `pi` is the number; every other name is a parameter. Functions come
from the closed list below and from the named curves. The text becomes a tree (`thalweg.data.nodes`), the tree a graph
of operations (`thalweg.curves.graph`); there is no other way from a text to a number, and nothing is ever run.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import final

from thalweg.curves.graph import Graph
from thalweg.curves.named import ALIASES, CURVES, NamedCurve, named
from thalweg.data.expression import Vocabulary, parse_expression, read
from thalweg.data.nodes import Binary, Call, Comparison, Name, Negative, Node, Number, Text, children, walk
from thalweg.data.tokens import Token, place, tokenize
from thalweg.errors import FormulaError

LARGEST = 20_000  # nodes of a curve with its named curves written out
MANY = 100  # arguments of min, max and piecewise
_BINARY = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power"}
_COMPARE = {
    "==": "equal",
    "!=": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}
_UNARY = {
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
_SEVERAL = {
    "pow": (2, 2),
    "wofz_real": (2, 2),
    "where": (3, 3),
    "min": (2, MANY),
    "max": (2, MANY),
    "minimum": (2, MANY),
    "maximum": (2, MANY),
    "piecewise": (3, MANY),
}
CONSTANTS = {"pi": math.pi}


@cache
def vocabulary() -> Vocabulary:
    """What a curve may call."""
    plain = dict.fromkeys(_UNARY, (1, 1)) | _SEVERAL
    curves = dict.fromkeys([*CURVES, *ALIASES], (1, MANY))
    return Vocabulary({**plain, **curves}, frozenset(curves))


@final
@dataclass(frozen=True)
class Use:
    """A named curve in an expression.

    Attributes
    ----------
    curve : NamedCurve
    variable : Node
        What stands in the place of x.
    parameters : tuple of Node
        What stands in the places of its parameters.
    """

    curve: NamedCurve
    variable: Node
    parameters: tuple[Node, ...]


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
    right = read(sides[1], text, vocabulary())
    uses: list[Use] = []
    plain = _expanded(right.node, uses, text, frozenset(columns))
    _check_size(plain, text)
    inputs = tuple(dict.fromkeys(_inputs(plain, columns)))
    parameters = tuple(dict.fromkeys(_parameters(plain, columns)))
    equation = Equation(f"{left.text} = {right.text}", left.text, right.node, plain, inputs, parameters, tuple(uses))
    _check(equation, columns)
    return equation


def _sides(text: str) -> tuple[list[Token], list[Token]]:
    tokens = tokenize(text)
    signs = [i for i, token in enumerate(tokens) if token.text == "="]
    if len(signs) != 1:
        found = "no '='" if not signs else f"{len(signs)} signs '='"
        raise FormulaError(f"a curve has {found}", where=f"{text!r:.60}", advice="Write 'response = expression'.")
    left, right = tokens[: signs[0]], tokens[signs[0] + 1 :]
    for side, name in ((left, "left"), (right, "right")):
        if not side:
            raise FormulaError(
                f"the {name} side of a curve is empty",
                where=place(text, tokens[signs[0]].start),
                advice="As in 'y = a * exp(-b * x) + c'.",
            )
    return left, right


def _check(equation: Equation, columns: Collection[str]) -> None:
    if not equation.parameters:
        raise FormulaError(
            f"the curve {equation.text!r} has no parameter: every name in it is a column",
            advice="Names that are no column are parameters, as a and b in 'y = a * exp(-b * x)'.",
        )
    if not equation.inputs and columns and len(equation.parameters) > 1:
        raise FormulaError(
            f"the curve {equation.text!r} reads no column of the data", advice=_nearest(equation.parameters, columns)
        )


def _nearest(parameters: Collection[str], columns: Collection[str]) -> str:
    for name in parameters:
        near = difflib.get_close_matches(name, list(columns), n=1)
        if near:
            return f"Did you mean the column {near[0]!r} where you wrote {name!r}?"
    listed = list(columns)
    return f"Columns are {', '.join(listed[:12])}{', ...' if len(listed) > 12 else ''}."


# ------------------------------------------------------------------------------------------------------------ names


def input_text(node: Node) -> str | None:
    """What a node reads of the data: a comparison of a column with a text; None for anything else."""
    match node:
        case Comparison(operator, Name(name), Text(value)):
            from thalweg.data.expression import quote

            return f"I({quote(name)} {operator} {value!r})"
    return None


def _inputs(node: Node, columns: Collection[str]) -> Iterator[str]:
    text = input_text(node)
    if text is not None:
        yield text
        return
    if isinstance(node, Name) and node.name in columns:
        yield node.name
    for child in children(node):
        yield from _inputs(child, columns)


def _parameters(node: Node, columns: Collection[str]) -> Iterator[str]:
    if input_text(node) is not None:
        return
    if isinstance(node, Name) and node.name not in columns and node.name not in CONSTANTS:
        yield node.name
    for child in children(node):
        yield from _parameters(child, columns)


# ------------------------------------------------------------------------------------------------------ named curves


def _expanded(node: Node, uses: list[Use], text: str, columns: frozenset[str]) -> Node:
    """The tree with named curves, min, max and piecewise written out."""
    if input_text(node) is not None:
        return node
    match node:
        case Call(function, arguments):
            if function in CURVES or function in ALIASES:
                return _curve(function, arguments, uses, text, columns)
            return _call(function, tuple(_expanded(a, uses, text, columns) for a in arguments), text)
        case Negative(operand):
            return Negative(_expanded(operand, uses, text, columns))
        case Binary(operator, left, right):
            return Binary(operator, _expanded(left, uses, text, columns), _expanded(right, uses, text, columns))
        case Comparison(operator, left, right):
            return Comparison(operator, _expanded(left, uses, text, columns), _expanded(right, uses, text, columns))
        case Text(value):
            raise FormulaError(f"the text {value!r} cannot be part of a curve", where=f"{text!r:.60}")
    return node


def _call(function: str, arguments: tuple[Node, ...], text: str) -> Node:
    match function:
        case "min" | "minimum" | "max" | "maximum":
            name = "minimum" if function.startswith("min") else "maximum"
            made = arguments[0]
            for argument in arguments[1:]:
                made = Call(name, (made, argument))
            return made
        case "pow":
            return Binary("**", *arguments)
        case "piecewise":
            if len(arguments) % 2 == 0:
                raise FormulaError(
                    "piecewise needs a value for the rows that meet no condition",
                    where=f"{text!r:.60}",
                    advice="Write piecewise(condition, value, condition, value, ..., otherwise).",
                )
            made = arguments[-1]
            for condition, value in zip(reversed(arguments[:-1:2]), reversed(arguments[1::2]), strict=True):
                made = Call("where", (condition, value, made))
            return made
    return Call(function, arguments)


def _curve(name: str, arguments: tuple[Node, ...], uses: list[Use], text: str, columns: frozenset[str]) -> Node:
    """A named curve written out: gaussian(x, a, mu, s), gaussian(x), or gaussian(x, "left_")."""
    variable = _expanded(arguments[0], uses, text, columns)
    prefix = arguments[-1].value if isinstance(arguments[-1], Text) else ""
    given = arguments[1:-1] if isinstance(arguments[-1], Text) else arguments[1:]
    curve = _named(name, len(given), text)
    if not given:
        parameters: tuple[Node, ...] = tuple(Name(prefix + each) for each in curve.arguments[1:])
        _check_apart(curve, parameters, uses, text, columns)
    elif prefix:
        raise FormulaError(f"{name} has both parameters and a prefix", where=f"{text!r:.60}", advice="Give one.")
    else:
        parameters = tuple(_expanded(each, uses, text, columns) for each in given)
    uses.append(Use(curve, variable, parameters))
    places = dict(zip(curve.arguments, (variable, *parameters), strict=True))
    return _replaced(parse_expression(curve.expression, vocabulary()).node, places)


def _named(name: str, count: int, text: str) -> NamedCurve:
    try:
        return named(name, count or None)
    except FormulaError as error:
        raise FormulaError(error.what, where=f"{text!r:.60}", advice=error.advice) from None


def _check_size(plain: Node, text: str) -> None:
    """Refuse named curves inside named curves that grow beyond all use: a tree is counted with shared parts once each.

    Raises
    ------
    FormulaError
    """
    if _size(plain, {}) > LARGEST:
        raise FormulaError(
            f"the curve has more than {LARGEST:,} parts when its named curves are written out",
            where=f"{text!r:.60}",
            advice="Put fewer of them into each other.",
        )


def _size(node: Node, known: dict[int, int]) -> int:
    """Nodes of a tree; a part that stands in several places is walked once and counted in each."""
    if id(node) not in known:
        known[id(node)] = 1 + sum(_size(child, known) for child in children(node))
    return known[id(node)]


def _check_apart(
    curve: NamedCurve, parameters: tuple[Node, ...], uses: list[Use], text: str, columns: frozenset[str]
) -> None:
    """Refuse names that two curves would share, or that are columns, where nobody wrote them."""
    names = {node.name for node in parameters if isinstance(node, Name)}
    taken = {node.name for use in uses for part in use.parameters for node in walk(part) if isinstance(node, Name)}
    clash = sorted(names & (taken | columns | CONSTANTS.keys()))
    if clash:
        raise FormulaError(
            f"the parameter {clash[0]!r} of {curve.name} is there already",
            where=f"{text!r:.60}",
            advice=f'Give it a prefix, {curve.name}(x, "p_"), or names: {curve.name}({", ".join(curve.arguments)}).',
        )


def _replaced(node: Node, places: Mapping[str, Node]) -> Node:
    match node:
        case Name(name):
            return places.get(name, node)
        case Negative(operand):
            return Negative(_replaced(operand, places))
        case Binary(operator, left, right):
            return Binary(operator, _replaced(left, places), _replaced(right, places))
        case Comparison(operator, left, right):
            return Comparison(operator, _replaced(left, places), _replaced(right, places))
        case Call(function, arguments):
            return Call(function, tuple(_replaced(argument, places) for argument in arguments))
    return node


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
            return graph.apply(_UNARY.get(function, function), *(build(graph, a, inputs) for a in arguments))
    raise AssertionError(f"{type(node).__name__} is no part of a curve")


def parse_tie(text: str, known: Collection[str]) -> Node:
    """The expression by which a parameter is tied: of other parameters and numbers only.

    Raises
    ------
    FormulaError
        A name that is no parameter.
    """
    reading = parse_expression(text, vocabulary())
    plain = _expanded(reading.node, [], text, frozenset())
    for part in walk(plain):
        if isinstance(part, Name) and part.name not in known and part.name not in CONSTANTS:
            near = difflib.get_close_matches(part.name, list(known), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Parameters are {', '.join(known)}."
            raise FormulaError(f"{part.name!r} in the tie {text!r} is no parameter of the curve", advice=hint)
    return plain
