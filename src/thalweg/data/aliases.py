"""Stand-ins for the names of a formula that Python's parser would not take as they are."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import final

from thalweg.data.tokens import Token

# Keywords that can begin or join a Python expression are left to the parser, which makes them nodes that are refused.
EXPRESSION_KEYWORDS = frozenset(
    {"lambda", "for", "if", "else", "in", "is", "not", "and", "or", "await", "yield", "None", "True", "False"}
)


@final
class Aliases:
    """Stand-ins, of the same length, for names that Python's parser would not take or would change.

    Names in backquotes, keywords that are column names (class) and names beyond ASCII (which Python normalises) each
    become one letter that occurs nowhere in the formula, filled up with underscores.
    """

    def __init__(self, tokens: Sequence[Token], formula: str) -> None:
        shown = {t.text: t.name for t in tokens if t.kind in ("name", "quoted") and self._unfit(t)}
        first = self._unused_letters(formula, len(shown))
        self.names: dict[str, str] = {}
        pieces, at = [], tokens[0].start
        letters = {text: chr(first + i) for i, text in enumerate(shown)}
        for token in tokens:
            pieces.append(formula[at : token.start])
            at = token.start + len(token.text)
            if token.text in letters:
                alias = letters[token.text].ljust(len(token.text), "_")
                self.names[alias] = token.name
                pieces.append(alias)
            else:
                pieces.append(token.text)
        self.text = re.sub(r"\s", " ", "".join(pieces))
        self.pattern = re.compile("|".join(map(re.escape, sorted(self.names, key=len, reverse=True))) or r"(?!)")

    @staticmethod
    def _unfit(token: Token) -> bool:
        reserved = keyword.iskeyword(token.text) and token.text not in EXPRESSION_KEYWORDS
        return token.kind == "quoted" or reserved or not token.text.isascii()

    @staticmethod
    def _unused_letters(formula: str, count: int) -> int:
        first = 0x4E00  # letters that Unicode normalisation leaves alone
        while any(first <= ord(char) < first + count for char in formula):
            first += count
        return first

    def restore(self, text: str) -> str:
        """The names again, in backquotes where they need them."""
        return self.pattern.sub(lambda found: quote(self.names[found.group()]), text.replace("\n", " "))


def quote(name: str) -> str:
    """A column's name as it is written inside an expression."""
    return name if name.isidentifier() and not (keyword.iskeyword(name) and name != "class") else f"`{name}`"
