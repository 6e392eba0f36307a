"""Expressions written out: as plain text, LaTeX, Python or SQL.

Python expressions use `math` and a mapping `row`; SQL ones are standard SQL with the mathematical functions of SQLite,
PostgreSQL and DuckDB, and give NULL where a category is none that the fit knew; Python raises KeyError there.

The names that are no columns, the parameters of a curve, are written as the texts that a writer was given for them.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import ClassVar, final

from thalweg.data.contrasts import show_level
from thalweg.data.dialect_functions import LATEX, PYTHON, PYTHON_SOURCES, SQL
from thalweg.data.nodes import (
    Call,
    Expanded,
    Indicator,
    Node,
    Number,
    Piecewise,
    walk,
)
from thalweg.data.symbols import symbol
from thalweg.data.writer import ATOM, TIMES, Writer
from thalweg.errors import NotAvailableError, OptionError


@final
class PlainText(Writer):
    """For reading: `(sex = 2)`, `bmi:(sex = 2)` as a product, and transforms by the names of their columns."""

    def text(self, value: str) -> str:
        return repr(value)

    def name(self, name: str) -> str:
        return name

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        if operator != "*" or not self.is_number(left):
            return super().binary(operator, left, right)
        second = self.inside(right, TIMES)
        return f"{self.inside(left, TIMES)}{' * ' if second[0].isdigit() else ' '}{second}", TIMES

    def compared(self, operator: str, left: str, right: str) -> str:
        return f"{left} {'=' if operator == '==' else operator} {right}"

    def comparison(self, operator: str, left: str, right: str) -> str:
        return f"({self.compared(operator, left, right)})"

    def call(self, function: str, arguments: list[str]) -> str:
        return f"{function}({', '.join(arguments)})"

    def piecewise(self, node: Piecewise) -> str:
        raise AssertionError("splines are shown by name")

    def indicator(self, node: Indicator) -> str:
        return f"({self.write(node.argument)} = {show_level(node.level)})"


@final
class Python(Writer):
    """`math` functions on a mapping `row`."""

    def __init__(self, constants: Mapping[str, str] | None = None) -> None:
        super().__init__(constants)
        self.called: set[str] = set()

    @property
    def sources(self) -> str:
        """The functions that a curve's text calls and that `math` does not have."""
        return "".join(f"\n\n{text}" for name, text in PYTHON_SOURCES.items() if name in self.called)

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        whole = isinstance(right, Number) and right.value.is_integer()
        if operator != "**" or self.constants is None or whole:
            return super().binary(operator, left, right)
        return f"math.pow({self.write(left)}, {self.write(right)})", ATOM  # ** of a negative number is complex

    def number(self, value: float) -> str:
        return repr(value)

    def text(self, value: str) -> str:
        return repr(value)

    def name(self, name: str) -> str:
        return f"row[{name!r}]"

    def compared(self, operator: str, left: str, right: str) -> str:
        return f"{left} {operator} {right}"

    def comparison(self, operator: str, left: str, right: str) -> str:
        return f"(1.0 if {left} {operator} {right} else 0.0)"

    def where(self, condition: Node, value: Node, other: Node) -> str:
        return f"({self.write(value)} if {self.condition(condition)} else {self.write(other)})"

    def call(self, function: str, arguments: list[str]) -> str:
        self.called.add(function)
        if function == "exp" and self.constants is not None:
            return f"exp({arguments[0]})"
        return _known(PYTHON, function, "Python's math module").format(*arguments)

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

    def binary(self, operator: str, left: Node, right: Node) -> tuple[str, int]:
        if operator == "**":
            return f"POWER({self.write(left)}, {self.write(right)})", ATOM
        text, level = super().binary(operator, left, right)
        whole = operator == "/" and not isinstance(left, Number) and not isinstance(right, Number)
        return (f"1.0 * {text}" if whole else text), level  # two columns of whole numbers would be divided as such

    def number(self, value: float) -> str:
        return repr(value)

    def text(self, value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    def name(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def compared(self, operator: str, left: str, right: str) -> str:
        return f"{left} {({'==': '=', '!=': '<>'}).get(operator, operator)} {right}"

    def comparison(self, operator: str, left: str, right: str) -> str:
        condition = self.compared(operator, left, right)
        return f"CASE WHEN {condition} THEN 1.0 WHEN NOT ({condition}) THEN 0.0 END"

    def where(self, condition: Node, value: Node, other: Node) -> str:
        test = self.condition(condition)
        return f"CASE WHEN {test} THEN {self.write(value)} WHEN NOT ({test}) THEN {self.write(other)} END"

    def call(self, function: str, arguments: list[str]) -> str:
        return _known(SQL, function, "standard SQL").format(*arguments)

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
                return f"{self.inside(left, 5)}^{{{self.write(right)}}}", 4
            case "*":
                second = self.inside(right, TIMES)
                sign = r"\cdot" if self.constants is None or re.match(r"(\\frac\{)*\d", second) else r"\,"
                return f"{self.inside(left, TIMES)} {sign} {second}", TIMES
        return super().binary(operator, left, right)

    def text(self, value: str) -> str:
        return rf"\text{{{self._escaped(value)}}}"

    def name(self, name: str) -> str:
        if self.constants is not None:
            return symbol(name)
        spaced = self._escaped(name).replace(" ", r"\ ")
        return rf"\mathrm{{{spaced}}}"

    def compared(self, operator: str, left: str, right: str) -> str:
        symbol = {"==": "=", "!=": r"\ne", "<=": r"\le", ">=": r"\ge"}.get(operator, operator)
        return f"{left} {symbol} {right}"

    def comparison(self, operator: str, left: str, right: str) -> str:
        return rf"\left[{self.compared(operator, left, right)}\right]"

    def where(self, condition: Node, value: Node, other: Node) -> str:
        rows: list[str] = []
        rest: Node = Call("where", (condition, value, other))
        while isinstance(rest, Call) and rest.function == "where":
            test, chosen, rest = rest.arguments
            rows.append(rf"{self.write(chosen)} & {self.condition(test)}")
        rows.append(rf"{self.write(rest)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def call(self, function: str, arguments: list[str]) -> str:
        if function in LATEX:
            return LATEX[function].format(*arguments)
        return rf"\operatorname{{{self._escaped(function)}}}\left({', '.join(arguments)}\right)"

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


def _known(table: Mapping[str, str], function: str, place: str) -> str:
    """How a function is written.

    Raises
    ------
    NotAvailableError
    """
    if function not in table:
        raise NotAvailableError(
            f"{place} has no function {function}",
            advice='fit.predict(rows) computes it; fit.equation("text") and fit.equation("latex") write it.',
        )
    return table[function]


def is_expanded(node: Node) -> bool:
    """Whether a column is a transform written out, which text shows by its name."""
    return any(isinstance(part, Piecewise | Expanded) for part in walk(node))


def dialect_writer(dialect: str, constants: Mapping[str, str] | None = None) -> Writer:
    """The writer of a dialect.

    Parameters
    ----------
    dialect : {"text", "latex", "python", "sql"}
    constants : mapping of str to str, optional
        What is written for the parameters of a curve.

    Raises
    ------
    OptionError
        There is none of that name.
    """
    if dialect not in _WRITERS:
        raise OptionError(f"there is no dialect {dialect!r}", advice=f"Dialects are {', '.join(_WRITERS)}.")
    return _WRITERS[dialect](constants)
