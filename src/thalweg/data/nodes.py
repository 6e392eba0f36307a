"""The nodes of an expression: all that a formula, a role or an equation can say, and nothing else.

Whoever evaluates, writes or checks an expression walks these few frozen classes; no text is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Number:
    """A literal number."""

    value: float


@final
@dataclass(frozen=True)
class Text:
    """A literal text: one side of a comparison."""

    value: str


@final
@dataclass(frozen=True)
class Name:
    """A column (or, in a curve, a parameter)."""

    name: str


@final
@dataclass(frozen=True)
class Negative:
    """-x."""

    operand: Node


@final
@dataclass(frozen=True)
class Binary:
    """x + y, x - y, x * y, x / y or x ** y."""

    operator: str
    left: Node
    right: Node


@final
@dataclass(frozen=True)
class Comparison:
    """1 where it holds, else 0; the operators are ==, !=, <, <=, > and >=."""

    operator: str
    left: Node
    right: Node


@final
@dataclass(frozen=True)
class Call:
    """A function of the closed list, element by element."""

    function: str
    arguments: tuple[Node, ...]


@final
@dataclass(frozen=True)
class Stateful:
    """A transform whose numbers (means, knots, norms) are learned from the training rows.

    Attributes
    ----------
    transform : str
        Its name: center, scale, standardize, poly, bs, cr, cs or cc.
    argument : Node
        What it is applied to.
    options : tuple of (str, value)
        All options of its signature, defaults filled in.
    text : str
        As formulaic writes it; the key under which what was learned is kept.
    """

    transform: str
    argument: Node
    options: tuple[tuple[str, Hashable], ...]
    text: str


@final
@dataclass(frozen=True)
class Category:
    """C(x): values as categories.

    Attributes
    ----------
    argument : Node
        A column, or numbers computed from columns.
    contrast : str
        treatment, sas, sum, helmert, diff or poly.
    base : str or number, optional
        The reference level of a treatment coding; None for the first (the last one for sas).
    levels : tuple, optional
        The levels in the order wanted; None for those of the data, sorted.
    spans_intercept : bool
        Whether one column is left out where the other terms already span the constant.
    """

    argument: Node
    contrast: str = "treatment"
    base: Hashable = None
    levels: tuple[Hashable, ...] | None = None
    spans_intercept: bool = True


@final
@dataclass(frozen=True)
class Cbind:
    """cbind(successes, failures): the response of a binomial with trials."""

    successes: Node
    failures: Node


@final
@dataclass(frozen=True)
class Piecewise:
    """`pieces[k]` where breaks[k-1] <= variable < breaks[k], with open ends; only in equations."""

    variable: Node
    breaks: tuple[float, ...]
    pieces: tuple[Node, ...]


@final
@dataclass(frozen=True)
class Indicator:
    """1 where the value is `level`, 0 where it is another of `levels`, nothing elsewhere; only in equations."""

    argument: Node
    level: Hashable
    levels: tuple[Hashable, ...]


@final
@dataclass(frozen=True)
class Expanded:
    """A column of a transform, written out as arithmetic; only in equations."""

    expression: Node


Node = (
    Number
    | Text
    | Name
    | Negative
    | Binary
    | Comparison
    | Call
    | Stateful
    | Category
    | Cbind
    | Piecewise
    | Indicator
    | Expanded
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below one."""
    match node:
        case Negative(inner) | Expanded(inner):
            return (inner,)
        case Binary(_, left, right) | Comparison(_, left, right) | Cbind(left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Stateful(_, argument) | Category(argument) | Indicator(argument):
            return (argument,)
        case Piecewise(variable, _, pieces):
            return (variable, *pieces)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all nodes below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def expand(node: Node, columns: Callable[[Stateful], Node]) -> Node:
    """The same expression with each transform inside it replaced."""
    match node:
        case Stateful():
            return columns(node)
        case Negative(operand):
            return Negative(expand(operand, columns))
        case Binary(operator, left, right):
            return Binary(operator, expand(left, columns), expand(right, columns))
        case Comparison(operator, left, right):
            return Comparison(operator, expand(left, columns), expand(right, columns))
        case Call(function, arguments):
            return Call(function, tuple(expand(argument, columns) for argument in arguments))
        case _:
            return node


def replaced(node: Node, places: Mapping[str, Node]) -> Node:
    """The same expression with some names replaced by expressions."""
    match node:
        case Name(name):
            return places.get(name, node)
        case Negative(operand):
            return Negative(replaced(operand, places))
        case Binary(operator, left, right):
            return Binary(operator, replaced(left, places), replaced(right, places))
        case Comparison(operator, left, right):
            return Comparison(operator, replaced(left, places), replaced(right, places))
        case Call(function, arguments):
            return Call(function, tuple(replaced(argument, places) for argument in arguments))
    return node


def column_names(node: Node) -> tuple[str, ...]:
    """Names in an expression, each once, in order of appearance."""
    return tuple(dict.fromkeys(part.name for part in walk(node) if isinstance(part, Name)))
