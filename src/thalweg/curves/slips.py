"""Names in a curve that are hardly what was meant: e of exponentials, π, x², and a column that is spelled otherwise."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from thalweg.curves.vocabulary import CONSTANTS
from thalweg.data.lookalikes import raised
from thalweg.data.nodes import Binary, Name, Node, column_names, walk
from thalweg.data.tokens import Token, place
from thalweg.errors import FormulaError, ThalwegWarning, tell

SHORTEST = 3  # letters of a name of which one may be missing; in shorter ones any two are alike


def check_names(tokens: Sequence[Token], text: str, known: Collection[str]) -> None:
    """Refuse names that are powers or constants on paper: x² and π.

    Raises
    ------
    FormulaError
    """
    for token in tokens:
        if token.kind != "name" or token.text in known:
            continue
        power = raised(token.text)
        if power is not None:
            raise FormulaError(
                f"{token.text!r} is no column, and no name of a parameter",
                where=place(text, token.start),
                advice=f"Write {power} for a power.",
            )
        if token.text == "π":
            raise FormulaError("π is no column", where=place(text, token.start), advice="Write pi for the number.")


def check_base(plain: Node, columns: Collection[str], text: str) -> None:
    """Refuse a parameter e or E that is the base of an exponential: the number is meant.

    A power without a name in it, as in an orbit's 1 - e**2, and one that is a column as it stands are left alone.

    Raises
    ------
    FormulaError
    """
    for part in walk(plain):
        match part:
            case Binary("**", Name("e" | "E" as name), power) if name not in columns and _is_rate(power, columns):
                raise FormulaError(
                    f"{name!r} raised to a power is a parameter here, and not the base of exponentials",
                    where=f"{text!r:.60}",
                    advice=f"Write exp(-b*t) for an exponential; a parameter called {name} needs another name.",
                )


def _is_rate(power: Node, columns: Collection[str]) -> bool:
    if isinstance(power, Name) and power.name in columns:
        return False
    return bool({*column_names(power)} - CONSTANTS.keys())


def meant(parameters: Iterable[str], columns: Collection[str]) -> str:
    """Which column a curve without any may have meant, or which there are."""
    lower = {name.lower(): name for name in columns}
    for cutoff in (1.0, 0.6):
        for name in parameters:
            near = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=cutoff)
            if near:
                return f"Did you mean the column {lower[near[0]]!r} where you wrote {name!r}?"
    listed = [*map(repr, columns)]
    return f"Columns are {', '.join(listed[:12])}{', ...' if len(listed) > 12 else ''}."


def warn_of_columns(written: Iterable[str], unused: Collection[str]) -> None:
    """Warn of a parameter that is nearly a column which nothing reads.

    Parameters
    ----------
    written : iterable of str
        The parameters that the user wrote.
    unused : collection of str
        Columns that neither the curve nor weights, offsets and the like read.
    """
    for name in written:
        near = next((column for column in unused if alike(name, column)), None)
        if near is not None:
            tell(
                ThalwegWarning(
                    f"{name!r} is a parameter of the curve, and the data have a column {near!r} that nothing reads: if"
                    " the column was meant, write its name as the data have it."
                )
            )


def alike(name: str, column: str) -> bool:
    """Whether two names differ by case alone, or in longer names by one letter or two neighbours exchanged.

    Names that differ in their digits are names of different things.

    Examples
    --------
    >>> alike("T", "t"), alike("tim", "time"), alike("tmie", "time"), alike("a", "b"), alike("tau1", "tau2")
    (True, True, True, False, False)
    """
    name, column = name.lower(), column.lower()
    if name == column:
        return True
    if min(len(name), len(column)) < SHORTEST or abs(len(name) - len(column)) > 1:
        return False
    if re.findall(r"\d", name) != re.findall(r"\d", column):
        return False
    if len(name) != len(column):
        longer, shorter = sorted((name, column), key=len, reverse=True)
        return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))
    differing = [i for i, (a, b) in enumerate(zip(name, column, strict=True)) if a != b]
    if len(differing) == 1:
        return len(name) > SHORTEST
    exchanged = len(differing) == 2 and all(j - i == 1 for i, j in pairwise(differing))
    return exchanged and name[differing[0]] == column[differing[1]] and name[differing[1]] == column[differing[0]]
