"""From text to an expression, through an allow-list: what is not on the list is refused, and nothing is ever run.

Python's own parser reads the text (it only builds a tree); each node of that tree is then translated to one of the
classes of `nodes`, or refused with its name and place. There is no other way from a text to a number in Thalweg.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from thalweg.data import refusals
from thalweg.data.aliases import Aliases
from thalweg.data.aliases import quote as quote
from thalweg.data.foreign import refuse_foreign
from thalweg.data.functions import FUNCTIONS
from thalweg.data.lookalikes import power_of
from thalweg.data.nodes import (
    Binary,
    Call,
    Category,
    Cbind,
    Comparison,
    Name,
    Negative,
    Node,
    Number,
    Stateful,
    Text,
    column_names,
    walk,
)
from thalweg.data.refusals import CONSTRUCTS, MODULES, OPERATORS
from thalweg.data.tokens import Token, place, shorten, tokenize
from thalweg.data.transforms import SIGNATURES, bind
from thalweg.errors import FormulaError

MAX_DEPTH = 100  # of the tree: far above any real expression, far below the interpreter's own limit

_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_CONTRASTS = {
    "Treatment": "treatment",
    "Sum": "sum",
    "Helmert": "helmert",
    "Diff": "diff",
    "Poly": "poly",
    "contr.treatment": "treatment",
    "contr.SAS": "sas",
    "contr.sum": "sum",
    "contr.helmert": "helmert",
    "contr.diff": "diff",
    "contr.poly": "poly",
}


@dataclass(frozen=True)
class Reading:
    """A translated piece of text.

    Attributes
    ----------
    node : Node
        The expression.
    text : str
        The same in one spelling, blanks and quotes as formulaic writes them.
    """

    node: Node
    text: str


@dataclass(frozen=True)
class Vocabulary:
    """The functions of a language other than the formulas': that of curves.

    Attributes
    ----------
    functions : mapping of str to (int, int)
        Fewest and most arguments of each.
    with_text : frozenset of str
        Those whose last argument may be a text (the prefix of a named curve's parameters).
    hidden : frozenset of str
        Those that no message names: for named curves written out, and for other programs' habits.
    about : str
        Which functions there are, by kind, in a sentence: for messages.
    """

    functions: Mapping[str, tuple[int, int]]
    with_text: frozenset[str] = field(default=frozenset())
    hidden: frozenset[str] = field(default=frozenset())
    about: str = ""


def read(tokens: Sequence[Token], formula: str, vocabulary: Vocabulary | None = None) -> Reading:
    """Translate consecutive tokens of a formula to an expression.

    Parameters
    ----------
    tokens : sequence of Token
    formula : str
        The whole text, for messages.
    vocabulary : Vocabulary, optional
        The functions that may be called; those of formulas by default.

    Raises
    ------
    FormulaError
        A construct outside the list; the text names it and its place in the formula.
    """
    if vocabulary is None:
        refuse_foreign(tokens, formula)
    aliases = Aliases(tokens, formula)
    reader = _Reader(aliases, formula, tokens, vocabulary)
    tree = reader.parse()
    return Reading(reader.node(tree), aliases.restore(ast.unparse(tree)))


def parse_expression(text: str, vocabulary: Vocabulary | None = None) -> Reading:
    """Translate a text that holds one expression and nothing else.

    Examples
    --------
    >>> parse_expression("log( x)/2").text
    'log(x) / 2'
    >>> parse_expression("x.real")
    Traceback (most recent call last):
    ...
    thalweg.errors.FormulaError: an attribute (a.b) cannot be used in a formula (character 1 of 'x.real'). ...
    """
    tokens = tokenize(text)
    if not tokens:
        raise FormulaError("an expression is empty")
    return read(tokens, text, vocabulary)


class _Reader:
    """The allow-list itself: one method for each kind of node that may occur."""

    def __init__(
        self, aliases: Aliases, formula: str, tokens: Sequence[Token], vocabulary: Vocabulary | None = None
    ) -> None:
        self.aliases, self.formula, self.tokens, self.vocabulary = aliases, formula, tokens, vocabulary
        self.start = tokens[0].start

    def parse(self) -> ast.expr:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on odd literals, which are refused below
                tree = ast.parse(self.aliases.text.strip(), mode="eval").body
        except (RecursionError, MemoryError):
            raise self._too_deep() from None
        except (SyntaxError, ValueError) as error:
            raise self._unread(getattr(error, "offset", None)) from None
        self._check_depth(tree)
        return tree

    def _unread(self, offset: int | None) -> FormulaError:
        why = refusals.why_unread(self.tokens)
        if why is not None:
            return FormulaError(why[1], where=place(self.formula, why[0].start), advice=why[2])
        what = f"{shorten(self.aliases.restore(self.aliases.text))!r} is not an expression"
        return FormulaError(what, where=place(self.formula, self.start + max((offset or 1) - 1, 0)))

    def _check_depth(self, tree: ast.expr) -> None:
        """Bound the depth without recursion, before anything recursive touches the tree."""
        level: list[ast.AST] = [tree]
        for _ in range(MAX_DEPTH):
            level = [child for parent in level for child in ast.iter_child_nodes(parent)]
            if not level:
                return
        raise self._too_deep()

    def _too_deep(self) -> FormulaError:
        where = place(self.formula, self.start)
        return FormulaError(f"an expression goes more than {MAX_DEPTH} steps deep", where=where)

    def refused(
        self, node: ast.AST, what: str | None = None, advice: str | None = None, at: int | None = None
    ) -> FormulaError:
        """The error that names a construct and its place."""
        construct = what or CONSTRUCTS.get(type(node), f"the construct {type(node).__name__}")
        where = place(self.formula, self._at(getattr(node, "col_offset", 0)) if at is None else at)
        curve = self.vocabulary is not None
        what = f"{construct} cannot be used in a {'curve' if curve else 'formula'}"
        return FormulaError(what, where=where, advice=advice or refusals.advice_on(node, curve=curve))

    def _at(self, offset: int | None) -> int:
        """Where in the formula an offset of Python's parser is, which counts bytes."""
        return self.start + len(self.aliases.text.encode()[: offset or 0].decode(errors="ignore"))

    def _sign(self, left: ast.expr, symbol: str) -> int:
        """Where the operator stands that follows an operand."""
        after = self._at(left.end_col_offset)
        return max(self.formula.find(symbol, after), after)

    def node(self, node: ast.AST) -> Node:
        match node:
            case ast.Name(id=name):
                return Name(self.aliases.names.get(name, name))
            case ast.Constant():
                return self._constant(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self.node(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.node(operand)
            case ast.BinOp(left=left, op=operator, right=right):
                return self._binary(node, left, operator, right)
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARE:
                return self._comparison(node, left, _COMPARE[type(operator)], right)
            case ast.Compare() if (product := refusals.chained(node)) is not None:
                raise self.refused(node, "a chain of comparisons", f"Write {self.aliases.restore(product)}.")
            case ast.Call():
                return self._call(node)
            case ast.Attribute():
                raise self.refused(node, advice="Write a column's name that holds a dot in backquotes: `a.b`.")
            case _:
                raise self.refused(node)

    def _constant(self, node: ast.Constant) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refused(node, f"the value {node.value!r}")
        try:
            return Number(float(node.value))
        except OverflowError:
            raise self.refused(node, "a number beyond 1.8e308") from None

    def _binary(self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr) -> Node:
        if type(operator) not in _BINARY:
            symbol = OPERATORS[type(operator)]
            at = self._sign(left, symbol)
            advice = power_of(self.formula, at) if symbol == "^" else refusals.operator_advice(symbol)
            raise self.refused(node, f"the operator {symbol}", advice, at)
        return Binary(_BINARY[type(operator)], self.node(left), self.node(right))

    def _comparison(self, node: ast.AST, left: ast.expr, operator: str, right: ast.expr) -> Node:
        sides = [self._side(left), self._side(right)]
        if any(isinstance(side, Text) for side in sides):
            if isinstance(sides[0], Text):
                sides.reverse()
            if operator not in ("==", "!=") or not isinstance(sides[0], Name):
                raise self.refused(node, "this comparison with a text", 'Write column == "text" or column != "text".')
        return Comparison(operator, *sides)

    def _side(self, node: ast.expr) -> Node:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return Text(node.value)
        return self.node(node)

    # Calls

    def _call(self, node: ast.Call) -> Node:
        name = self._function_name(node)
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                raise self.refused(argument)
        for option in node.keywords:
            if option.arg is None:
                raise self.refused(option.value, "an unpacking (**)")
        if self.vocabulary is not None:
            return self._listed(node, name, self.vocabulary)
        if name == "C":
            return self._category(node)
        if name in SIGNATURES:
            return self._stateful(node, name)
        if name == "cbind":
            return Cbind(*(self.node(argument) for argument in self._exactly(node, name, 2)))
        if name not in FUNCTIONS:
            raise self._unknown(node, name)
        return Call(name, tuple(self.node(a) for a in self._exactly(node, name, FUNCTIONS[name].arguments)))

    def _listed(self, node: ast.Call, name: str, vocabulary: Vocabulary) -> Call:
        """A call in a language with a vocabulary of its own."""
        if name not in vocabulary.functions:
            raise self._unknown(node, name)
        fewest, most = vocabulary.functions[name]
        if node.keywords or not fewest <= len(node.args) <= most:
            takes = f"{fewest} argument{'s' * (fewest != 1)}" if fewest == most else f"{fewest} or more arguments"
            raise self.refused(node, f"this call of {name}", f"{name} takes {takes} and no options.")
        last = self._side if name in vocabulary.with_text else self.node
        return Call(name, (*(self.node(a) for a in node.args[:-1]), last(node.args[-1])))

    def _known(self) -> list[str]:
        if self.vocabulary is None:
            return [*FUNCTIONS, *SIGNATURES, "C", "offset"]
        return [name for name in self.vocabulary.functions if name not in self.vocabulary.hidden]

    def _function_name(self, node: ast.Call) -> str:
        match node.func:
            case ast.Name(id=name):
                return self.aliases.names.get(name, name)
            case ast.Attribute(attr=name) if ast.unparse(node.func).partition(".")[0] in MODULES:
                if name in ("power", "float_power"):
                    raise self.refused(node, ast.unparse(node.func), "Write ** for a power: x**2.")
                if name not in self._known():
                    raise self._unknown(node, name)
                raise self.refused(node, ast.unparse(node.func), f"Write {name}(x).")
        what = None if isinstance(node.func, ast.Attribute) else "a bracket right after an expression"
        raise self.refused(node.func, what, what and "Write * before it for a product.")

    def _unknown(self, node: ast.Call, name: str) -> FormulaError:
        if name == "C" and self.vocabulary is not None:
            return self.refused(node, "C(), a category,", 'Write where(column == "level", a, b).')
        near = refusals.nearest(name, self._known())
        hint = f"Did you mean {near}? " if near else f"For a product write {name} * (...). "
        about = f"The functions are {', '.join(self._known())}." if self.vocabulary is None else self.vocabulary.about
        return self.refused(node, f"the function {name!r}", f"{hint}{about}".rstrip())

    def _exactly(self, node: ast.Call, name: str, count: int) -> list[ast.expr]:
        if node.keywords or len(node.args) != count:
            takes = "one argument" if count == 1 else f"{count} arguments"
            raise self.refused(node, f"this call of {name}", f"{name} takes {takes} and no options.")
        return node.args

    def _stateful(self, node: ast.Call, name: str) -> Stateful:
        if not node.args:
            raise self.refused(node, f"{name} without an argument", f"Write {name}(x, ...).")
        argument = self.node(node.args[0])
        self._check_plain(node, name, argument)
        values = [self.literal(value) for value in node.args[1:]]
        options = {str(option.arg): self.literal(option.value) for option in node.keywords}
        try:
            bound = bind(name, values, options)
        except ValueError as error:
            raise self.refused(node, f"this call of {name}", f"{error}.") from None
        return Stateful(name, argument, bound, self.aliases.restore(ast.unparse(node)))

    def _check_plain(self, node: ast.AST, name: str, argument: Node) -> None:
        inner = next((part for part in walk(argument) if isinstance(part, Stateful | Category | Cbind)), None)
        if inner is not None:
            shown = inner.text if isinstance(inner, Stateful) else type(inner).__name__
            raise self.refused(
                node,
                f"{shown} inside {name}",
                "What both learn from the data depends on each other: compute one of them beforehand.",
            )
        if not column_names(argument):
            raise self.refused(node, f"{name} of no column")

    def literal(self, node: ast.expr) -> Hashable:
        """The value of an option: a number, a text, True, False, None, or a list of these."""
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return tuple(self.literal(item) for item in items)
            case _:
                raise self.refused(
                    node, f"{CONSTRUCTS.get(type(node), 'this')} as an option", "Options are plain values."
                )

    # Categories

    def _category(self, node: ast.Call) -> Category:
        options = {str(option.arg): option.value for option in node.keywords}
        unknown = set(options) - {"contrasts", "levels", "spans_intercept"}
        if not 1 <= len(node.args) <= 2 or unknown or (len(node.args) == 2 and "contrasts" in options):
            raise self.refused(node, "this call of C", self._category_advice(node, options))
        argument = self.node(node.args[0])
        self._check_plain(node, "C", argument)
        given = node.args[1] if len(node.args) == 2 else options.get("contrasts")
        contrast, base = ("treatment", None) if given is None else self._contrast(given)
        spans = self.literal(options["spans_intercept"]) if "spans_intercept" in options else True
        return Category(argument, contrast, base, self._levels(options), bool(spans))

    def _category_advice(self, node: ast.Call, options: dict[str, ast.expr]) -> str:
        given = next((options[name] for name in ("ref", "reference", "base") if name in options), None)
        if given is None or len(node.args) != 1:
            return 'Write C(x), C(x, Treatment("reference level")) or C(x, levels=[...]).'
        column, level = (self.aliases.restore(ast.unparse(part)) for part in (node.args[0], given))
        return f"Write C({column}, Treatment({level}))."

    def _levels(self, options: dict[str, ast.expr]) -> tuple[Hashable, ...] | None:
        if "levels" not in options:
            return None
        levels = self.literal(options["levels"])
        plain = isinstance(levels, tuple) and all(isinstance(level, str | int | float) for level in levels)
        if not isinstance(levels, tuple) or not plain or len(set(levels)) != len(levels) or not levels:
            raise self.refused(options["levels"], "this list of levels", "Write each level once: levels=['a', 'b'].")
        return levels

    def _contrast(self, node: ast.expr) -> tuple[str, Hashable]:
        function = node.func if isinstance(node, ast.Call) else node
        name = _CONTRASTS.get(ast.unparse(function))
        if name is None:
            if isinstance(node, ast.Constant):
                raise self.refused(node, "a level here", f"Write C(x, Treatment({ast.unparse(node)})).")
            known = "Treatment(reference), Sum, Helmert, Diff and Poly, or contr.treatment(...) and so on"
            raise self.refused(node, "this contrast", f"Contrasts are {known}.")
        if not isinstance(node, ast.Call):
            return name, None
        values = [*node.args, *(option.value for option in node.keywords)]
        named = {option.arg for option in node.keywords} <= {"reference", "base"}
        if not named or len(values) > (1 if name in ("treatment", "sas") else 0):
            raise self.refused(node, "this contrast", 'Only treatment takes an option: Treatment("reference level").')
        return name, self.literal(values[0]) if values else None
