"""Reading hypotheses such as ``2*bmi - bp = 3, C(sex)[T.2] = 0`` into R theta = r.

    text        := chain ("," chain)*
    chain       := sum ("=" sum)+                      "a = b = 0" says a = 0 and b = 0
    sum         := ["+" | "-"] product (("+" | "-") product)*
    product     := factor (("*" | "/") factor)*        one factor at most holds coefficients, never a divisor
    factor      := number | coefficient | "(" sum ")" | "-" factor

Coefficient names hold parentheses, brackets, colons, commas and spaces, so a place in the text is first compared with
all names, the longest that fits being taken. Nothing is evaluated but these rules.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import FormulaError

LONGEST = 10_000  # characters
DEEPEST = 50  # parentheses within each other

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[^\s=,*/+\-()]+(?:[(\[][^=]*?[)\]])*|.")
_MARKS = "=,*/+-()"


def parse(text: str, names: Sequence[str]) -> tuple[Float[Tensor, "q p"], Float[Tensor, "q"]]:
    """(R, r) of a hypothesis R theta = r.

    Parameters
    ----------
    text : str
        Restrictions separated by commas.
    names : sequence of str
        The p coefficients.

    Raises
    ------
    FormulaError
        A name that is no coefficient, something that is not linear, or a restriction without a coefficient.

    Examples
    --------
    >>> parse("2*bmi - bp = 3, bmi:bp = 0", ["Intercept", "bmi", "bp", "bmi:bp"])
    (tensor([[ 0.,  2., -1.,  0.],
            [ 0.,  0.,  0.,  1.]], dtype=torch.float64), tensor([3., 0.], dtype=torch.float64))
    """
    if len(text) > LONGEST:
        raise FormulaError(f"a hypothesis of {len(text)} characters", advice=f"At most {LONGEST} are read.")
    reader = _Reader(text, names)
    forms = reader.chains()
    rows = [form.row for form in forms]
    return torch.stack(rows), torch.tensor([0.0 - form.constant for form in forms], dtype=torch.float64)


@final
@dataclass(frozen=True)
class _Form:
    """row' theta + constant."""

    row: Float[Tensor, "p"]
    constant: float

    def plus(self, other: _Form, sign: float) -> _Form:
        return _Form(self.row + sign * other.row, self.constant + sign * other.constant)

    def times(self, factor: float) -> _Form:
        return _Form(self.row * factor, self.constant * factor)

    @property
    def is_number(self) -> bool:
        return not bool(self.row.any())


@final
class _Reader:
    """Recursive descent over the words of one text."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text, self.names = text, tuple(names)
        self.words = _words(text, self.names)
        self.place = 0
        self.depth = 0

    def fail(self, what: str, advice: str | None = None) -> FormulaError:
        return FormulaError(what, where=f"hypothesis {self.text!r}", advice=advice)

    @property
    def next(self) -> str | float | int | None:
        return self.words[self.place] if self.place < len(self.words) else None

    def take(self, marks: str) -> str | None:
        """The next word where it is one of these marks."""
        mark = self.next
        if isinstance(mark, str) and mark in marks:
            self.place += 1
            return mark
        return None

    def chains(self) -> list[_Form]:
        forms = self.chain()
        while self.take(","):
            forms += self.chain()
        if self.next is not None:
            raise self.fail(f"{self.show(self.next)} is not expected here")
        return forms

    def chain(self) -> list[_Form]:
        sides = [self.sum()]
        while self.take("="):
            sides.append(self.sum())
        if len(sides) == 1:
            raise self.fail("a restriction has no '='", "Write what it is compared with, as 'bmi = 0'.")
        # All are compared with the last: differences of neighbours say the same and are worse conditioned.
        forms = [side.plus(sides[-1], -1.0) for side in sides[:-1]]
        if any(form.is_number for form in forms):
            raise self.fail("a restriction says nothing about any coefficient")
        return forms

    def sum(self) -> _Form:
        sign = -1.0 if self.take("+-") == "-" else 1.0
        total = self.product().times(sign)
        while mark := self.take("+-"):
            total = total.plus(self.product(), -1.0 if mark == "-" else 1.0)
        return total

    def product(self) -> _Form:
        total = self.factor()
        while mark := self.take("*/"):
            factor = self.factor()
            if mark == "/":
                total = total.times(1 / self.divisor(factor))
            elif factor.is_number:
                total = total.times(factor.constant)
            elif total.is_number:
                total = factor.times(total.constant)
            else:
                raise self.fail(
                    "a product of coefficients is not linear", "A Wald test takes linear restrictions only."
                )
        return total

    def divisor(self, factor: _Form) -> float:
        if not factor.is_number:
            raise self.fail("a division by a coefficient is not linear", "A Wald test takes linear restrictions only.")
        if factor.constant == 0:
            raise self.fail("a division by zero")
        return factor.constant

    def factor(self) -> _Form:
        if self.take("-"):
            self.deeper()
            negated = self.factor().times(-1.0)
            self.depth -= 1
            return negated
        word, p = self.next, len(self.names)
        self.place += 1
        if isinstance(word, int):
            return _Form(torch.eye(p, dtype=torch.float64)[word], 0.0)
        if isinstance(word, float):
            return _Form(torch.zeros(p, dtype=torch.float64), word)
        if word == "(":
            return self.bracket()
        found = "the end" if word is None else repr(word)
        raise self.fail(f"{found} stands where a number or a coefficient is expected")

    def bracket(self) -> _Form:
        self.deeper()
        inner = self.sum()
        if not self.take(")"):
            raise self.fail("a parenthesis is not closed")
        self.depth -= 1
        return inner

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fail(f"more than {DEEPEST} parentheses or signs within each other")

    def show(self, word: str | float | int) -> str:
        return repr(self.names[word]) if isinstance(word, int) else repr(word)


def _words(text: str, names: Sequence[str]) -> list[str | float | int]:
    """Marks as text, numbers as float, coefficients as their place (int)."""
    by_length = sorted(range(len(names)), key=lambda i: -len(names[i]))
    words: list[str | float | int] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        word, at = _word(text, at, names, by_length)
        words.append(word)
    return words


def _word(text: str, at: int, names: Sequence[str], by_length: list[int]) -> tuple[str | float | int, int]:
    for i in by_length:
        for spelled in (names[i], f"`{names[i]}`"):
            if text.startswith(spelled, at) and _ends(text, at + len(spelled), spelled):
                return i, at + len(spelled)
    number = _NUMBER.match(text, at)
    if number:
        if float(number.group()) == float("inf"):
            raise FormulaError(f"{number.group()} is not a finite number", where=f"hypothesis {text!r}")
        return float(number.group()), number.end()
    if text.startswith("==", at):
        return "=", at + 2
    if text[at] in _MARKS:
        return text[at], at + 1
    raise _unknown(text, at, names)


def _ends(text: str, end: int, name: str) -> bool:
    """Whether a name that was found ends there, and is not the beginning of a longer one."""
    if end >= len(text):
        return True
    after = text[end]
    return not (after in ":[(`" or (_is_word(name[-1]) and (_is_word(after) or after == ".")))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _unknown(text: str, at: int, names: Sequence[str]) -> FormulaError:
    if text[at] in "^<>!":
        return FormulaError(
            f"{text[at]!r} has no meaning in a hypothesis",
            where=f"hypothesis {text!r}",
            advice="Restrictions are linear equations: numbers, coefficients, + - * / and =.",
        )
    match = _WORD.match(text, at)
    word = match.group().strip() if match else text[at]
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.4)
    known = f"The nearest is {near[0]!r}." if near else f"The coefficients are {', '.join(names[:20])}."
    return FormulaError(f"{word!r} is not a coefficient of this fit", where=f"hypothesis {text!r}", advice=known)
