"""Expressions written out: as plain text, LaTeX, Python or SQL.

Python expressions use `math` and a mapping `row`; SQL ones are standard SQL with the mathematical functions of SQLite,
PostgreSQL and DuckDB, and give NULL where a category is none that the fit knew; Python raises KeyError there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, final

from thalweg.data.contrasts import show_level
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
    walk,
)
from thalweg.errors import OptionError

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}
_ATOM = 9


class Writer(ABC):
    """Writes expressions in one dialect."""

    def write(self, node: Node) -> str:
        """A whole expression."""
        return self._write(node)[0]

    def _write(self, node: Node) -> tuple[str, int]:
        """Text and the precedence of its outermost operator."""
        match node:
            case Number(value):
                return self.number(value), _ATOM if value >= 0 else 3
            case Text(value):
                return self.text(value), _ATOM
            case Name(name):
                return self.name(name), _ATOM
            case Negative(operand):
                return f"-{self._inside(operand, 4)}", 3  # brackets around another sign: -- opens a comment in SQL
            case Binary(operator, left, right):
                return self.binary(operator, left, right)
            case Comparison(operator, left, right):
                return self.comparison(operator, self.write(left), self.write(right)), _ATOM
            case Call("I", (argument,)):
                return self._write(argument)
            case Call("pow", (base, power)):
                return self.binary("**", base, power)
            case Call(function, arguments):
                return self.call(function, [self.write(argument) for argument in arguments]), _ATOM
            case Piecewise():
                return self.piecewise(node), _ATOM
            case Indicator():
                return self.indicator(node), _ATOM
            case Expanded(expression):
                return self._write(expression)
            case _:
                raise AssertionError(f"{type(node).__name__} has no expression")

    def _inside(self, node: Node, least: int) -> str:
        text, precedence = self._write(node)
        return text if precedence >= least else self.bracket(text)

    def bracket(self, text: str) -> str:
        """A text in brackets."""
        return f"({text})"

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        """Two operands and their operator, with brackets where they are needed."""
        level = _PRECEDENCE[operator]
        tight = operator in ("-", "/", "**")
        first = self._inside(left, level + (operator == "**"))
        second = self._inside(right, level + tight)
        return f"{first} {operator} {second}", level

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


@final
class PlainText(Writer):
    """For reading: `(sex = 2)`, `bmi:(sex = 2)` as a product, and transforms by the names of their columns."""

    def text(self, value: str) -> str:
        return repr(value)

    def name(self, name: str) -> str:
        return name

    def comparison(self, operator: str, left: str, right: str) -> str:
        return f"({left} {'=' if operator == '==' else operator} {right})"

    def call(self, function: str, arguments: list[str]) -> str:
        return f"{function}({', '.join(arguments)})"

    def piecewise(self, node: Piecewise) -> str:
        raise AssertionError("splines are shown by name")

    def indicator(self, node: Indicator) -> str:
        return f"({self.write(node.argument)} = {show_level(node.level)})"


@final
class Python(Writer):
    """`math` functions on a mapping `row`."""

    _NAMES: ClassVar = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}

    def number(self, value: float) -> str:
        return repr(value)

    def text(self, value: str) -> str:
        return repr(value)

    def name(self, name: str) -> str:
        return f"row[{name!r}]"

    def comparison(self, operator: str, left: str, right: str) -> str:
        return f"(1.0 if {left} {operator} {right} else 0.0)"

    def call(self, function: str, arguments: list[str]) -> str:
        known = function if function in ("abs", "round") else f"math.{self._NAMES.get(function, function)}"
        return f"{known}({', '.join(arguments)})"

    def piecewise(self, node: Piecewise) -> str:
        variable = self.write(node.variable)
        text = self.write(node.pieces[-1])
        for edge, piece in zip(reversed(node.breaks), reversed(node.pieces[:-1]), strict=True):
            text = f"{self.write(piece)} if {variable} < {self.number(edge)} else {text}"
        return f"({text})"

    def level(self, level: Hashable) -> str:
        return repr(level)

    def indicator(self, node: Indicator) -> str:
        entries = ", ".join(f"{self.level(level)}: {float(level == node.level)!r}" for level in node.levels)
        return f"{{{entries}}}[{self.write(node.argument)}]"


@final
class Sql(Writer):
    """Standard SQL; identifiers in double quotes, texts in single ones."""

    _NAMES: ClassVar = {
        "log": "LN",
        "log10": "LOG10",
        "arcsin": "ASIN",
        "arccos": "ACOS",
        "arctan": "ATAN",
        "ceil": "CEIL",
    }

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        if operator == "**":
            return f"POWER({self.write(left)}, {self.write(right)})", _ATOM
        text, level = super().binary(operator, left, right)
        whole = operator == "/" and not isinstance(left, Number) and not isinstance(right, Number)
        return (f"1.0 * {text}" if whole else text), level  # two columns of whole numbers would be divided as such

    def number(self, value: float) -> str:
        return repr(value)

    def text(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def name(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def comparison(self, operator: str, left: str, right: str) -> str:
        symbol = {"==": "=", "!=": "<>"}.get(operator, operator)
        return f"CASE WHEN {left} {symbol} {right} THEN 1.0 WHEN NOT ({left} {symbol} {right}) THEN 0.0 END"

    def call(self, function: str, arguments: list[str]) -> str:
        (argument,) = arguments
        match function:
            case "log2":
                return f"(LN({argument}) / LN(2.0))"
            case "log1p":
                return f"LN(1.0 + {self.bracket(argument)})"
            case "expm1":
                return f"(EXP({argument}) - 1.0)"
        return f"{self._NAMES.get(function, function.upper())}({argument})"

    def piecewise(self, node: Piecewise) -> str:
        variable = self.write(node.variable)
        cases = " ".join(
            f"WHEN {variable} < {self.number(edge)} THEN {self.write(piece)}"
            for edge, piece in zip(node.breaks, node.pieces[:-1], strict=True)
        )
        last = f"WHEN {variable} >= {self.number(node.breaks[-1])} THEN {self.write(node.pieces[-1])}"
        return f"CASE {cases} {last} END"

    def level(self, level: Hashable) -> str:
        if isinstance(level, bool):
            return "TRUE" if level else "FALSE"
        return super().level(level)

    def indicator(self, node: Indicator) -> str:
        variable = self.write(node.argument)
        others = ", ".join(self.level(level) for level in node.levels if level != node.level)
        rest = f" WHEN {variable} IN ({others}) THEN 0.0" if others else ""
        return f"CASE WHEN {variable} = {self.level(node.level)} THEN 1.0{rest} END"


@final
class Latex(Writer):
    r"""For documents: names upright, categories as Iverson brackets."""

    _SPECIAL: ClassVar = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    _NAMES: ClassVar = {"arcsin": r"\arcsin", "arccos": r"\arccos", "arctan": r"\arctan", "log": r"\ln"}
    _OWN = frozenset({"exp", "sin", "cos", "tan", "sinh", "cosh", "tanh"})

    def _escaped(self, text: str) -> str:
        return "".join(self._SPECIAL.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)

    def number(self, value: float) -> str:
        digits = super().number(value)
        if "e" not in digits:
            return digits
        mantissa, exponent = digits.split("e")
        return f"{mantissa} \\cdot 10^{{{int(exponent)}}}"

    def bracket(self, text: str) -> str:
        return rf"\left({text}\right)"

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        match operator:
            case "/":
                return rf"\frac{{{self.write(left)}}}{{{self.write(right)}}}", 2
            case "**":
                return f"{self._inside(left, 5)}^{{{self.write(right)}}}", 4
            case "*":
                return rf"{self._inside(left, 2)} \cdot {self._inside(right, 2)}", 2
        return super().binary(operator, left, right)

    def text(self, value: str) -> str:
        return rf"\text{{{self._escaped(value)}}}"

    def name(self, name: str) -> str:
        spaced = self._escaped(name).replace(" ", r"\ ")
        return rf"\mathrm{{{spaced}}}"

    def comparison(self, operator: str, left: str, right: str) -> str:
        symbol = {"==": "=", "!=": r"\ne", "<=": r"\le", ">=": r"\ge"}.get(operator, operator)
        return rf"\left[{left} {symbol} {right}\right]"

    def call(self, function: str, arguments: list[str]) -> str:
        (argument,) = arguments
        match function:
            case "sqrt":
                return rf"\sqrt{{{argument}}}"
            case "abs":
                return rf"\left|{argument}\right|"
            case "floor" | "ceil":
                return rf"\left\l{function} {argument} \right\r{function}"
            case "log2" | "log10":
                return rf"\log_{{{function[3:]}}}\left({argument}\right)"
        own = f"\\{function}" if function in self._OWN else rf"\operatorname{{{function}}}"
        return rf"{self._NAMES.get(function, own)}\left({argument}\right)"

    def piecewise(self, node: Piecewise) -> str:
        variable = self.write(node.variable)
        cases = [
            rf"{self.write(piece)} & {variable} < {self.number(edge)}"
            for edge, piece in zip(node.breaks, node.pieces[:-1], strict=True)
        ]
        cases.append(rf"{self.write(node.pieces[-1])} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(cases) + r" \end{cases}"

    def indicator(self, node: Indicator) -> str:
        shown = rf"\text{{{self._escaped(show_level(node.level))}}}"
        return rf"\left[{self.write(node.argument)} = {shown}\right]"


_WRITERS: dict[str, type[Writer]] = {"text": PlainText, "latex": Latex, "python": Python, "sql": Sql}


def is_expanded(node: Node) -> bool:
    """Whether a column is a transform written out, which text shows by its name."""
    return any(isinstance(part, Piecewise | Expanded) for part in walk(node))


def dialect_writer(dialect: str) -> Writer:
    """The writer of a dialect.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    if dialect not in _WRITERS:
        raise OptionError(f"there is no dialect {dialect!r}", advice=f"Dialects are {', '.join(_WRITERS)}.")
    return _WRITERS[dialect]()
