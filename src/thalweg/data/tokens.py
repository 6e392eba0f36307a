"""The guard in front of every formula: length, nesting and characters, before any parser sees the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from thalweg.data import lookalikes
from thalweg.errors import FormulaError

MAX_LENGTH = 10_000
MAX_NESTING = 50
MAX_NUMBER = 40  # characters of one number

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[^\W\d]\w*(?:\.\w+)*)
    | (?P<string>"[^"\\\n]*"|'[^'\\\n]*')
    | (?P<quoted>`[^`\n]+`)
    | (?P<operator>\*\*|%in%|==|!=|<=|>=|[-+*/:^~()\[\],=<>.|])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A piece of a formula that is not a blank.

    Attributes
    ----------
    kind : str
        name, quoted (a name in backquotes), number, string or operator.
    text : str
        As it stands in the formula.
    start : int
        Where, from 0.
    """

    kind: str
    text: str
    start: int

    @property
    def name(self) -> str:
        """The column's name, for a name or a quoted one."""
        return self.text[1:-1] if self.kind == "quoted" else self.text

    @property
    def end(self) -> int:
        """One past its last character."""
        return self.start + len(self.text)


def place(formula: str, at: int) -> str:
    """Where in a formula, in words."""
    return f"character {at + 1} of {shorten(formula)!r}"


def shorten(text: str) -> str:
    """A text as messages show it."""
    return text if len(text) <= 60 else text[:57] + "..."


def tokenize(formula: str) -> list[Token]:
    """Cut a formula into tokens, refusing what no formula holds.

    Raises
    ------
    FormulaError
        Text too long or nested too deeply, characters outside the list, names that begin with two underscores.

    Examples
    --------
    >>> [token.text for token in tokenize("y ~ log(x) + `a b`")]
    ['y', '~', 'log', '(', 'x', ')', '+', '`a b`']
    """
    if len(formula) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(formula):,} characters, more than {MAX_LENGTH:,}",
            advice='Put the columns into one matrix column, or write "." for all others.',
        )
    tokens: list[Token] = []
    at = 0
    while at < len(formula):
        found = _TOKEN.match(formula, at)
        if found is None:
            _refuse_character(formula, at)
        elif found.lastgroup != "space":
            token = Token(str(found.lastgroup), found.group(), at)
            _check_token(token, tokens, formula)
            tokens.append(token)
        at = found.end() if found else at
    _check_nesting(tokens, formula)
    return tokens


def _refuse_character(formula: str, at: int) -> None:
    reason, advice = lookalikes.named(formula[at]), lookalikes.advice(formula[at])
    raise FormulaError(f"{reason} cannot be used in a formula", where=place(formula, at), advice=advice)


def _check_token(token: Token, before: list[Token], formula: str) -> None:
    last = before[-1] if before and before[-1].end == token.start else None
    where = place(formula, token.start)
    if token.kind == "name" and token.text[0] in lookalikes.SUPERSCRIPTS:
        raise FormulaError(
            f"the character {token.text[0]!r} cannot be used in a formula", where=where, advice=lookalikes.POWER
        )
    if token.kind == "name" and any(part.startswith("__") for part in token.text.split(".")):
        raise FormulaError(
            f"the name {token.text!r} cannot be used in a formula",
            where=where,
            advice="A column whose name has a part that begins with two underscores needs backquotes.",
        )
    if token.kind == "number" and len(token.text) > MAX_NUMBER:
        raise FormulaError(f"a number has more than {MAX_NUMBER} characters", where=where)
    if last is None:
        return
    if last.kind == "name" and token.kind == "string":
        raise FormulaError("an f-string or other prefixed text cannot be used in a formula", where=where)
    if "number" in (last.kind, token.kind) and {last.kind, token.kind} & {"name", "string", "quoted"}:
        what = f"{last.text + token.text!r} is neither a name nor a number"
        raise FormulaError(what, where=place(formula, last.start), advice=_between(last, token))
    if last.text == ":" and token.text in ("=", "=="):
        raise FormulaError("an assignment (:=) cannot be used in a formula", where=where)


def _between(last: Token, token: Token) -> str | None:
    """What to write between a number and what follows it, or a name and the number that does."""
    if last.kind == "number" and token.kind in ("name", "quoted"):
        return f"Write {last.text} * {token.text} for a product; a name that begins with a digit needs backquotes."
    return None


def _check_nesting(tokens: list[Token], formula: str) -> None:
    """Refuse deep nesting, and brackets without their partner, before anything recursive sees them."""
    closing = {"(": ")", "[": "]"}
    open_brackets: list[Token] = []
    for token in tokens:
        if token.kind != "operator":
            continue
        if token.text in closing:
            open_brackets.append(token)
            if len(open_brackets) > MAX_NESTING:
                raise FormulaError(
                    f"brackets are nested more than {MAX_NESTING} deep", where=place(formula, token.start)
                )
        elif token.text in closing.values() and (not open_brackets or closing[open_brackets.pop().text] != token.text):
            raise FormulaError(f"{token.text!r} closes nothing", where=place(formula, token.start))
    if open_brackets:
        last = open_brackets[-1]
        raise FormulaError(f"{last.text!r} is never closed", where=place(formula, last.start))
