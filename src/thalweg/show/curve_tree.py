"""The expression of a fitted curve made ready to be written: named curves, traced functions, signs in their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import reduce
from typing import TYPE_CHECKING

from thalweg.data.nodes import Binary, Call, Comparison, Name, Negative, Node, Number, Text, replaced
from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.curves.curve import Curve
    from thalweg.curves.graph import Graph
    from thalweg.curves.named import NamedCurve
    from thalweg.curves.written_out import Use

MOST_NODES = 3000  # of an expression that is written out: more is for machines
_BINARY = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
_COMPARE = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip
_ONE_NAME = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "ln": "log", "expit": "sigmoid", "minimum": "min", "maximum": "max", "absolute": "abs",
}  # fmt: skip


def tree_of(curve: Curve, form: str) -> Node:
    """The right side of a curve.

    Parameters
    ----------
    curve : Curve
    form : {"named", "textbook", "computed"}
        Named curves as calls with all their parameters, as textbooks write them, or as they are computed.

    Raises
    ------
    NotAvailableError
        A function that is no formula, or one that is too long to be read.
    """
    equation = curve.equation
    if equation is not None:
        return equation.plain if form == "computed" else _Forms(form, iter(equation.uses)).of(equation.node)
    graph, root = getattr(curve, "graph", None), getattr(curve, "root", None)
    if graph is None or root is None:
        raise NotAvailableError(
            "this curve is a function that cannot be written as a formula", advice="fit.predict(rows) computes it."
        )
    return _of_graph(graph, root)


# ------------------------------------------------------------------------------------------------------ named curves


class _Forms:
    """A tree with its named curves in one form; uses come from the inside outwards."""

    def __init__(self, form: str, uses: Iterator[Use]) -> None:
        self.form, self.uses = form, uses

    def of(self, node: Node) -> Node:
        """The same expression."""
        match node:
            case Negative(operand):
                return Negative(self.of(operand))
            case Binary(operator, left, right):
                return Binary(operator, self.of(left), self.of(right))
            case Comparison(operator, left, right) if not isinstance(right, Text):
                return Comparison(operator, self.of(left), self.of(right))
            case Call(function, arguments):
                return self._call(function, tuple(self.of(each) for each in arguments if not isinstance(each, Text)))
        return node

    def _call(self, function: str, arguments: tuple[Node, ...]) -> Node:
        from thalweg.curves.named import ALIASES, CURVES

        if function in CURVES or function in ALIASES:
            use = next(self.uses)
            every = arguments if len(arguments) > 1 else (arguments[0], *use.parameters)
            return Call(use.curve.name, every) if self.form == "named" else _written_out(use.curve, every)
        return Call(function, arguments) if self.form == "named" else _two_by_two(function, arguments)


def _written_out(curve: NamedCurve, arguments: tuple[Node, ...]) -> Node:
    """The textbook's expression of a named curve."""
    from thalweg.curves.vocabulary import vocabulary
    from thalweg.data.expression import parse_expression
    from thalweg.show.textbook import textbook

    places = dict(zip(curve.arguments, arguments, strict=True))
    return replaced(parse_expression(textbook(curve), vocabulary()).node, places)


def _two_by_two(function: str, arguments: tuple[Node, ...]) -> Node:
    """min, max and piecewise of many as choices between two."""
    match function:
        case "min" | "max" | "minimum" | "maximum":
            return reduce(lambda made, each: Call(function, (made, each)), arguments)
        case "piecewise":
            made = arguments[-1]
            for condition, value in zip(arguments[-3::-2], arguments[-2::-2], strict=True):
                made = Call("where", (condition, value, made))
            return made
    return Call(function, arguments)


# ------------------------------------------------------------------------------------------------ functions, traced


def _of_graph(graph: Graph, root: int) -> Node:
    """A graph as a tree: what it shares is written as often as it is used."""
    made: dict[int, Node] = {}
    sizes: dict[int, int] = {}
    for i in _below(graph, root):
        entry = graph.entries[i]
        sizes[i] = 1 + sum(sizes[j] for j in entry.arguments)
        if sizes[i] > MOST_NODES:
            raise NotAvailableError("this curve is too long to be written out", advice="fit.predict(rows) computes it.")
        match entry.operation:
            case "constant":
                made[i] = Number(entry.value)
            case "column" | "parameter":
                made[i] = Name(entry.name)
            case operation:
                made[i] = _applied(operation, tuple(made[j] for j in entry.arguments))
    return made[root]


def _below(graph: Graph, root: int) -> list[int]:
    """A node and those below it, arguments first."""
    found, waiting = set[int](), [root]
    while waiting:
        i = waiting.pop()
        if i not in found:
            found.add(i)
            waiting += graph.entries[i].arguments
    return sorted(found)


def _applied(operation: str, arguments: tuple[Node, ...]) -> Node:
    if operation in _BINARY:
        return Binary(_BINARY[operation], *arguments)
    if operation in _COMPARE:
        return Comparison(_COMPARE[operation], *arguments)
    return Negative(*arguments) if operation == "negative" else Call(operation, arguments)


# ------------------------------------------------------------------------------------------------------------- signs


def tidied(node: Node, negative: Set[str] = frozenset()) -> Node:
    """The same with one name for each function, and each sign as far outside as it goes.

    Parameters
    ----------
    node : Node
    negative : set of str
        Names that will be written as their absolute value: a minus stands before them.

    Examples
    --------
    >>> from thalweg.data.dialects import dialect_writer
    >>> product = Binary("+", Name("a"), Binary("*", Name("b"), Negative(Name("x"))))
    >>> dialect_writer("text", {"a": "1.5", "b": "2.5"}).write(tidied(product, {"b"}))
    '1.5 + 2.5 x'
    """
    return _with_sign(*_signed(node, negative))


def _with_sign(sign: int, node: Node) -> Node:
    return Negative(node) if sign < 0 else node


def _signed(node: Node, negative: Set[str]) -> tuple[int, Node]:
    match node:
        case Number(value) if value < 0:
            return -1, Number(-value)
        case Name(name) if name in negative:
            return -1, node
        case Negative(operand):
            sign, inner = _signed(operand, negative)
            return -sign, inner
        case Binary("+" | "-" as operator, left, right):
            sign, second = _signed(right, negative)
            plus = (operator == "+") == (sign > 0)
            return 1, Binary("+" if plus else "-", tidied(left, negative), second)
        case Binary("*" | "/" as operator, left, right):
            (first_sign, first), (sign, second) = _signed(left, negative), _signed(right, negative)
            return first_sign * sign, Binary(operator, first, second)
        case Binary(operator, left, right):
            return 1, Binary(operator, tidied(left, negative), tidied(right, negative))
        case Comparison(operator, left, right):
            return 1, Comparison(operator, tidied(left, negative), tidied(right, negative))
        case Call(function, arguments):
            return _called(function, tuple(tidied(each, negative) for each in arguments), negative)
    return 1, node


def _called(function: str, arguments: tuple[Node, ...], negative: Set[str]) -> tuple[int, Node]:
    match _ONE_NAME.get(function, function):
        case "I" | "identity":
            return (-1, arguments[0].operand) if isinstance(arguments[0], Negative) else (1, arguments[0])
        case "square":
            return 1, Binary("**", arguments[0], Number(2.0))
        case "pow":
            return 1, Binary("**", *arguments)
        case name:
            return 1, Call(name, arguments)


def signs(values: Mapping[str, float]) -> frozenset[str]:
    """Parameters below 0."""
    return frozenset(name for name, value in values.items() if value < 0)
