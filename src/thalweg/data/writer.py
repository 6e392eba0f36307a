"""What writes an expression in a language: brackets, and the nodes that all languages have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping

from thalweg.data.nodes import (
    Binary,
    Call,
    Comparison,
    Expanded,
    Indicator,
    Name,
    Negative,
    Node,
    Number,
    Piecewise,
    Text,
)

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
TIMES, ATOM = 2, 9  # how tightly a product and a whole hold together


class Writer(ABC):
    """Writes expressions in one dialect.

    Parameters
    ----------
    constants : mapping of str to str, optional
        Names that are no columns, and what is written for each: a number without a sign, or a symbol. A number stands
        before what it multiplies, without a sign between them, where the text is for reading.
    """

    def __init__(self, constants: Mapping[str, str] | None = None) -> None:
        self.constants = constants
        self._numeric = any(text[:1].isdigit() for text in (constants or {}).values())

    def write(self, node: Node) -> str:
        """A whole expression."""
        return self._write(node)[0]

    def _write(self, node: Node) -> tuple[str, int]:
        """Text and the precedence of its outermost operator."""
        match node:
            case Number(value):
                return self.number(value), ATOM if value >= 0 else 3
            case Text(value):
                return self.text(value), ATOM
            case Name(name) if self.constants and name in self.constants:
                return self.constants[name], TIMES if "times" in self.constants[name] else ATOM
            case Name(name):
                return self.name(name), ATOM
            case Negative(Binary("*" | "/") as product) if self.constants is not None:
                text = self.write(product)
                return f"-{self.bracket(text) if text.startswith('-') else text}", TIMES
            case Negative(operand):
                return f"-{self.inside(operand, 4)}", 3  # brackets around another sign: -- opens a comment in SQL
            case Binary(operator, left, right):
                return self.binary(operator, left, right)
            case Comparison(operator, left, right):
                return self.comparison(operator, self.write(left), self.write(right)), ATOM
            case Call("I", (argument,)):
                return self._write(argument)
            case Call("pow", (base, power)):
                return self.binary("**", base, power)
            case Call("where", (condition, value, other)):
                return self.where(condition, value, other), ATOM
            case Call("piecewise", arguments):
                return f"piecewise({', '.join(map(self._choice, arguments))})", ATOM
            case Call(function, arguments):
                return self.call(function, [self.write(argument) for argument in arguments]), ATOM
            case Piecewise():
                return self.piecewise(node), ATOM
            case Indicator():
                return self.indicator(node), ATOM
            case Expanded(expression):
                return self._write(expression)
            case _:
                raise AssertionError(f"{type(node).__name__} has no expression")

    def inside(self, node: Node, least: int) -> str:
        """A part of an expression, in brackets where it holds together less than that."""
        text, precedence = self._write(node)
        return text if precedence >= least else self.bracket(text)

    def bracket(self, text: str) -> str:
        """A text in brackets."""
        return f"({text})"

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        """Two operands and their operator, with brackets where they are needed."""
        level = _PRECEDENCE[operator]
        tight = operator in ("-", "/", "**")
        first = self.inside(left, level + (operator == "**"))
        second = self.inside(right, level + tight)
        return f"{first} {operator} {second}", level

    def is_number(self, node: Node) -> bool:
        """Whether what is written for a node ends with a number, in a curve: no sign is needed after it."""
        match node:
            case Number():
                return self._numeric
            case Name(name):
                return (self.constants or {}).get(name, "")[:1].isdigit()
            case Binary("*", _, right):
                return self.is_number(right)
        return False

    def condition(self, node: Node) -> str:
        """What decides between two values."""
        if isinstance(node, Comparison):
            return self.compared(node.operator, self.write(node.left), self.write(node.right))
        return self.compared("!=", self.inside(node, 3), self.number(0.0))

    def _choice(self, node: Node) -> str:
        return self.condition(node) if isinstance(node, Comparison) else self.write(node)

    @abstractmethod
    def compared(self, operator: str, left: str, right: str) -> str:
        """A comparison as a condition."""

    def where(self, condition: Node, value: Node, other: Node) -> str:
        """A choice by a condition."""
        return f"where({self.condition(condition)}, {self.write(value)}, {self.write(other)})"

    def number(self, value: float) -> str:
        """A literal number."""
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)

    @abstractmethod
    def text(self, value: str) -> str:
        """A literal text."""

    @abstractmethod
    def name(self, name: str) -> str:
        """A column."""

    @abstractmethod
    def comparison(self, operator: str, left: str, right: str) -> str:
        """1 where it holds, else 0."""

    @abstractmethod
    def call(self, function: str, arguments: list[str]) -> str:
        """A function of the closed list."""

    @abstractmethod
    def piecewise(self, node: Piecewise) -> str:
        """A choice by intervals."""

    @abstractmethod
    def indicator(self, node: Indicator) -> str:
        """1 for one level, 0 for the others."""

    def level(self, level: Hashable) -> str:
        """A level as a literal."""
        if isinstance(level, str):
            return self.text(level)
        return self.number(float(level)) if isinstance(level, int | float) else self.text(str(level))
