"""Named curves, min, max and piecewise written out as operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from thalweg.curves.named import ALIASES, CURVES, NamedCurve, named
from thalweg.curves.vocabulary import CONSTANTS, input_text, vocabulary
from thalweg.data.expression import parse_expression
from thalweg.data.nodes import Binary, Call, Comparison, Name, Negative, Node, Text, children, replaced, walk
from thalweg.errors import FormulaError

LARGEST = 20_000  # nodes of a curve with its named curves written out


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


def written_out(node: Node, uses: list[Use], text: str, columns: frozenset[str]) -> Node:
    """The tree with named curves, min, max and piecewise written out; the curves are added to `uses`.

    Raises
    ------
    FormulaError
        Wrong arguments, or names that two curves would share; `text` is for the message.
    """
    if input_text(node) is not None:
        return node
    match node:
        case Call(function, arguments):
            if function in CURVES or function in ALIASES:
                return _curve(function, arguments, uses, text, columns)
            return _call(function, tuple(written_out(a, uses, text, columns) for a in arguments), text)
        case Negative(operand):
            return Negative(written_out(operand, uses, text, columns))
        case Binary(operator, left, right):
            return Binary(operator, written_out(left, uses, text, columns), written_out(right, uses, text, columns))
        case Comparison(operator, left, right):
            return Comparison(operator, written_out(left, uses, text, columns), written_out(right, uses, text, columns))
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
    variable = written_out(arguments[0], uses, text, columns)
    prefix = arguments[-1].value if isinstance(arguments[-1], Text) else ""
    given = arguments[1:-1] if isinstance(arguments[-1], Text) else arguments[1:]
    curve = _named(name, len(given), text)
    if not given:
        parameters: tuple[Node, ...] = tuple(Name(prefix + each) for each in curve.arguments[1:])
        _check_apart(curve, parameters, uses, text, columns)
    elif prefix:
        raise FormulaError(f"{name} has both parameters and a prefix", where=f"{text!r:.60}", advice="Give one.")
    else:
        parameters = tuple(written_out(each, uses, text, columns) for each in given)
    uses.append(Use(curve, variable, parameters))
    places = dict(zip(curve.arguments, (variable, *parameters), strict=True))
    return replaced(parse_expression(curve.expression, vocabulary()).node, places)


def _named(name: str, count: int, text: str) -> NamedCurve:
    try:
        return named(name, count or None)
    except FormulaError as error:
        raise FormulaError(error.what, where=f"{text!r:.60}", advice=error.advice) from None


def check_size(plain: Node, text: str) -> None:
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
