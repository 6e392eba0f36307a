"""From the text of a formula to its response, terms and factors, before any data are seen.

The guard (`tokens`) reads the text first; every name and call then becomes a stand-in `_0`, `_1`, ..., so that the
parser of formulaic, which knows the grammar of terms (`:`, `*`, `/`, `**`, `%in%`, `.`, `-`), never sees a call, a
quote or a piece of Python, and evaluates nothing. How many terms an expansion would make is bounded before it is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from thalweg.data.aliases import EXPRESSION_KEYWORDS
from thalweg.data.expression import Reading, read
from thalweg.data.nodes import Category, Cbind, Name, Node, Stateful, Text, column_names, walk
from thalweg.data.tokens import Token, place, shorten, tokenize
from thalweg.errors import FormulaError

MAX_TERMS = 50_000
MAX_POWER = 32
MAX_FACTORS = 12  # of one term: 2 ** 12 margins are looked at to code categories

_STAND_IN = re.compile(r"_(\d+)")
_TERM_OPERATORS = frozenset({"+", "-", "*", "/", ":", "^", "**", "%in%", "(", ")", "."})
_ADVICE_BETWEEN = {
    "|": "Random effects, (1 | group), are not fitted; cluster='group' makes standard errors that allow for groups.",
    "[": "A matrix column is a term as a whole: write its name alone.",
}
_ADVICE = 'Write a formula as "response ~ term + term", for example "y ~ x + C(group)".'
_OR_CURVE = f'{_ADVICE} A curve is written with "=" and names its parameters: "y = a * exp(-b * x) + c".'


@dataclass(frozen=True)
class FormulaTerm:
    """A product of factors, times a number.

    Attributes
    ----------
    factors : tuple of str
        Keys into the formula's factors; empty for the intercept.
    scale : float
        2 in `2:x`.
    """

    factors: tuple[str, ...]
    scale: float = 1.0

    @property
    def name(self) -> str:
        """As tables show it."""
        return ":".join(self.factors) or "Intercept"


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        As the user wrote it.
    response : Reading
        The left-hand side.
    terms : tuple of FormulaTerm
        The right-hand side, by number of factors, without offsets.
    factors : mapping of str to Node
        Each factor under its name: a column's own, or the expression's text.
    offsets : tuple of Reading
        The arguments of `offset()`.
    dot : tuple of str, optional
        The columns that "." stood for.
    """

    text: str
    response: Reading
    terms: tuple[FormulaTerm, ...]
    factors: Mapping[str, Node]
    offsets: tuple[Reading, ...]
    dot: tuple[str, ...] | None

    @property
    def predictor_columns(self) -> tuple[str, ...]:
        """Columns of factors and offsets, in order of appearance."""
        nodes = [self.factors[key] for term in self.terms for key in term.factors]
        nodes += [offset.node for offset in self.offsets]
        return tuple(dict.fromkeys(name for node in nodes for name in column_names(node)))


@lru_cache(maxsize=128)
def parsed_once(text: str, columns: tuple[str, ...]) -> Formula:
    """`parse_formula`, remembered: a model that is fitted again and again is read once."""
    return parse_formula(text, columns)


def parse_formula(text: str, columns: Sequence[str] = ()) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        "response ~ terms".
    columns : sequence of str
        What "." may stand for; columns of the response and of offsets are left out of it.

    Raises
    ------
    FormulaError
        Something that a formula cannot hold, with its place.

    Examples
    --------
    >>> formula = parse_formula("log(y) ~ (a + b)**2 + offset(t)")
    >>> [term.name for term in formula.terms], formula.response.text, formula.offsets[0].text
    (['Intercept', 'a', 'b', 'a:b'], 'log(y)', 't')
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula is text, not {type(text).__name__}", advice=_ADVICE)
    tokens = tokenize(text)
    left, right = _sides(tokens, text)
    response = _response(left, text)
    standing = _StandIns(text)
    terms_text = standing.substitute(right)
    dot = standing.expand_dot(columns, column_names(response.node)) if standing.has_dot else None
    terms, offsets = standing.terms(_expand(terms_text, dot, standing), right)
    return Formula(text, response, terms, standing.factors(), offsets, None if dot is None else tuple(dot.values()))


def _sides(tokens: list[Token], text: str) -> tuple[list[Token], list[Token]]:
    tildes = [i for i, token in enumerate(tokens) if token.text == "~"]
    if not tildes and any(token.text == "=" for token in tokens):
        raise FormulaError(f"{shorten(text)!r} is a curve (=), and this takes a formula (~)", advice=_ADVICE)
    if len(tildes) != 1:
        what = (
            "more than one ~" if tildes else "no ~ and no =" if "==" not in text else "no ~ and no =, for == compares"
        )
        raise FormulaError(f"{shorten(text)!r} has {what}", advice=_ADVICE if tildes else _OR_CURVE)
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    if not left:
        raise FormulaError(f"{shorten(text)!r} names no response", advice=_ADVICE)
    if not right:
        raise FormulaError(
            f"{shorten(text)!r} has no terms", advice="Write 1 after the ~ for a model with an intercept alone."
        )
    return left, right


def _response(tokens: list[Token], text: str) -> Reading:
    reading = read(tokens, text)
    require_columns(reading, "the response")
    return reading


def require_columns(reading: Reading, what: str) -> None:
    """Refuse a response or role that names no column, or that would have to be learned.

    Raises
    ------
    FormulaError
        The text says which it is.
    """
    if not column_names(reading.node) or isinstance(reading.node, Text):
        raise FormulaError(f"{what} {reading.text!r} names no column")
    top = isinstance(reading.node, Category | Cbind)
    for part in walk(reading.node):
        if isinstance(part, Stateful) or (isinstance(part, Category | Cbind) and not (top and part is reading.node)):
            raise FormulaError(
                f"{what} {reading.text!r} holds a transform that learns from the data",
                advice="Compute that column beforehand.",
            )


class _StandIns:
    """The stand-ins of one formula: what each of them means."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.keys: list[str] = []
        self.nodes: dict[str, Node] = {}
        self.offsets: dict[str, Reading] = {}
        self.has_dot = False

    # Before formulaic

    def substitute(self, tokens: list[Token]) -> str:
        """The right-hand side with stand-ins for names and calls."""
        pieces: list[str] = []
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.kind == "name" and at + 1 < len(tokens) and tokens[at + 1].text == "(":
                end = _closing(tokens, at + 1)
                pieces.append(self._call(tokens[at : end + 1]))
                at = end
            elif token.kind == "quoted" or (token.kind == "name" and token.text not in EXPRESSION_KEYWORDS):
                pieces.append(self._add(token.name, Name(token.name)))
            else:
                pieces.append(self._plain(token))
            at += 1
        return " ".join(pieces)

    def _call(self, tokens: list[Token]) -> str:
        if tokens[0].text == "offset":
            return self._offset(tokens)
        reading = read(tokens, self.text)
        if not column_names(reading.node):
            raise FormulaError(f"{reading.text} names no column", where=place(self.text, tokens[0].start))
        self._check_position(reading, tokens[0])
        return self._add(reading.text, reading.node)

    def _check_position(self, reading: Reading, token: Token) -> None:
        """Several columns, or categories, stand alone in a factor; a response's cbind nowhere."""
        for part in walk(reading.node):
            several = isinstance(part, Stateful) and part.transform not in ("center", "scale", "standardize")
            if isinstance(part, Cbind) or ((several or isinstance(part, Category)) and part is not reading.node):
                shown = part.text if isinstance(part, Stateful) else "C(...)" if isinstance(part, Category) else "cbind"
                raise FormulaError(
                    f"{shown} cannot stand inside {reading.text}",
                    where=place(self.text, token.start),
                    advice="It must be a term or a factor of a term by itself.",
                )

    def _offset(self, tokens: list[Token]) -> str:
        if len(tokens) == 3:
            raise FormulaError("offset() is empty", where=place(self.text, tokens[0].start))
        reading = read(tokens[2:-1], self.text)
        require_columns(reading, "the offset")
        key = f"offset({reading.text})"
        self.offsets[key] = reading
        return self._add(key, reading.node)

    def _add(self, key: str, node: Node) -> str:
        if self.nodes.setdefault(key, node) != node:
            raise FormulaError(f"{key!r} is both a column and an expression", advice="Rename the column.")
        if key not in self.keys:
            self.keys.append(key)
        return f"_{self.keys.index(key)}"

    def _plain(self, token: Token) -> str:
        if token.text == ".":
            self.has_dot = True
        if token.kind == "number" and re.fullmatch(r"\d+\.?\d*|\.\d+", token.text):
            return token.text
        if token.kind == "operator" and token.text in _TERM_OPERATORS:
            return token.text
        reason = {
            "[": "a subscript (a[b])",
            "|": "a bar (|)",
            "=": "an equals sign",
            ",": "a comma between terms",
        }.get(token.text, f"{token.text!r} between terms")
        raise FormulaError(
            f"{reason} cannot be used here",
            where=place(self.text, token.start),
            advice=_ADVICE_BETWEEN.get(token.text, "Write arithmetic and comparisons inside I(): I(x > 2)."),
        )

    def expand_dot(self, columns: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
        """Stand-in and name of each column that "." stands for."""
        used = {*taken, *(name for offset in self.offsets.values() for name in column_names(offset.node))}
        others = [name for name in columns if name not in used]
        if not others:
            raise FormulaError('"." stands for no column', where=shorten(self.text))
        return {self._add(name, Name(name)): name for name in others}

    # After formulaic

    def terms(
        self, expanded: Sequence[tuple[tuple[str, ...], float]], tokens: list[Token]
    ) -> tuple[tuple[FormulaTerm, ...], tuple[Reading, ...]]:
        """Terms and offsets, by name again."""
        terms, offsets = [], []
        for stand_ins, scale in expanded:
            factors = tuple(self.shown(name) for name in stand_ins)
            if len(factors) == 1 and factors[0] in self.offsets and scale == 1:
                offsets.append(self.offsets[factors[0]])
                continue
            inside = next((key for key in factors if key in self.offsets), None)
            if inside is not None:
                raise FormulaError(
                    f"{inside} cannot be part of an interaction",
                    where=shorten(self.text),
                    advice="Add it: + offset(...).",
                )
            if len(factors) > MAX_FACTORS:
                raise FormulaError(
                    f"a term has more than {MAX_FACTORS} factors", where=place(self.text, tokens[0].start)
                )
            terms.append(FormulaTerm(factors, scale))
        self.kept = {key for term in terms for key in term.factors}
        return tuple(sorted(terms, key=lambda term: len(term.factors))), tuple(offsets)

    def factors(self) -> dict[str, Node]:
        """The factors that occur in a term."""
        return {key: node for key, node in self.nodes.items() if key in self.kept}

    def shown(self, text: str) -> str:
        """Text with the user's names for the stand-ins."""
        return _STAND_IN.sub(lambda found: self.keys[int(found.group(1))], text)


def _closing(tokens: list[Token], at: int) -> int:
    depth = 0
    for i in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[i].text, 0) if tokens[i].kind == "operator" else 0
        if depth == 0:
            return i
    raise AssertionError("the guard lets no unclosed bracket through")


def _expand(text: str, dot: Mapping[str, str] | None, standing: _StandIns) -> list[tuple[tuple[str, ...], float]]:
    """The terms of a text of stand-ins, by formulaic's grammar: (stand-ins, scale) each."""
    from formulaic.parser import DefaultFormulaParser

    parser = DefaultFormulaParser(feature_flags=DefaultFormulaParser.FeatureFlags.NONE)
    context: dict[str, Any] = {"__formulaic_variables_available__": list(dot or ())}
    try:
        tokens = list(parser.get_tokens_from_formula(text, context=context))
        tree = parser.get_ast_from_tokens(tokens, context=context)
        _bound(tree, len(dot or ()), standing.text)
        terms = list(parser.get_terms_from_ast(tree, context=context).root)
    except FormulaError:
        raise
    except Exception as error:  # formulaic raises many kinds, some by accident, on a text that is no formula
        what = standing.shown(str(error).split("\n")[0].replace("`", "'")).rstrip(".") or type(error).__name__
        raise FormulaError(f"the terms cannot be read: {what}", where=shorten(standing.text), advice=_ADVICE) from None
    return [_factors(term) for term in terms]


def _factors(term: Any) -> tuple[tuple[str, ...], float]:
    literal = [factor.eval_method.value == "literal" for factor in term.factors]
    names = tuple(f.expr for f, is_literal in zip(term.factors, literal, strict=True) if not is_literal)
    scale = math.prod(float(f.expr) for f, is_literal in zip(term.factors, literal, strict=True) if is_literal)
    return names, scale


def _bound(tree: Any, dot: int, text: str) -> None:
    """Refuse an expansion to more than MAX_TERMS terms, before it is made.

    Raises
    ------
    FormulaError
        With the number of terms that it would make at most.
    """
    counts: dict[int, int] = {}
    for node in _bottom_up(tree):
        if not hasattr(node, "operator"):
            counts[id(node)] = 1
            continue
        sizes = [counts[id(argument)] for argument in node.args]
        count, cost = _size(node, sizes, dot)
        if cost > MAX_TERMS:
            raise FormulaError(
                f"the formula stands for more than {MAX_TERMS:,} terms",
                where=shorten(text),
                advice="Name the terms you need.",
            )
        counts[id(node)] = count


def _bottom_up(tree: Any) -> Iterator[Any]:
    """Every node after its arguments, without recursion."""
    order, stack = [], [tree] if tree is not None else []
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(getattr(node, "args", ()))
    return reversed(order)


def _size(node: Any, sizes: list[int], dot: int) -> tuple[int, int]:
    """Terms that one operator makes at most, and the products it forms on the way."""
    match node.operator.symbol, sizes:
        case ".", []:
            return dot, dot
        case "*", [left, right]:
            return left + right + left * right, left * right
        case ":", [left, right]:
            return left * right, left * right
        case "**" | "^", [left, _]:
            digits = getattr(node.args[1], "token", "")
            if not digits.isdecimal():
                return left, left  # refused by the parser
            power = int(digits) if len(digits) <= 2 else MAX_TERMS
            count = left**power if power <= MAX_POWER else MAX_TERMS
            return count, count * power
        case _:
            return sum(sizes), sum(sizes)
