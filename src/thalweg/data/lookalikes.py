"""What is written otherwise on paper, in other programs or by slip of the keyboard, and what to write instead."""

from __future__ import annotations

import re

SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
AND_OR = "Multiply comparisons for 'and': (x > 2) * (x < 4). For 'or' nest them: where(x < 2, 1, x > 4)."
POWER = "Write ** for a power, as in x**2."
_TEXT = "Write a text in plain quotes: \"text\" or 'text'."
_IN_BACKQUOTES = "Write a column's name that holds unusual characters in backquotes: `a b`."

# The character: what it is called where it has no glyph, and what to write.
WRITTEN = {
    **dict.fromkeys("·×∙⋅•∗✕", "Write * for a product."),
    **dict.fromkeys("÷∕⁄", "Write / for a quotient."),
    **dict.fromkeys("−–—‐‑‒", "Write - for minus, the hyphen of the keyboard."),
    **dict.fromkeys("“”„«»‘’‚", _TEXT),
    "≤": "Write <= for at most.",
    "≥": "Write >= for at least.",
    "≠": "Write != for unequal.",
    "√": "Write sqrt(x) for a root.",
    "∞": "A number is finite; bounds say what a parameter may be.",
    "&": AND_OR,
    "!": "Write x != 2 for unequal; there are no factorials.",
    "%": "There is no remainder; of x divided by 2 it is x - 2 * floor(x / 2).",
}
_CALLED = {
    "{": "braces",
    "}": "braces",
    "\\": "a backslash",
    "@": "the sign @",
    ";": "a semicolon",
    "`": "a backquote without its partner",
    '"': "a text without its closing quote",
    "'": "a text without its closing quote",
    "%": "the sign %",
}


def named(character: str) -> str:
    """A character in words."""
    return _CALLED.get(character, f"the character {character!r}")


def advice(character: str) -> str | None:
    """What to do about a character that neither a formula nor a curve holds.

    Examples
    --------
    >>> advice("×")
    'Write * for a product.'
    """
    if character in WRITTEN:
        return WRITTEN[character]
    if not character.isprintable():
        return "It shows nothing on a screen: delete it."
    return None if character in "`'\"" else _IN_BACKQUOTES


def raised(text: str) -> str | None:
    """A name with digits written above the line as the power that it stands for; None for any other.

    Examples
    --------
    >>> raised("x²"), raised("t¹⁰"), raised("x2")
    ('x**2', 't**10', None)
    """
    found = re.fullmatch(rf"(.*?)([{SUPERSCRIPTS}]+)", text)
    if found is None:
        return None
    power = "".join(str(SUPERSCRIPTS.index(digit)) for digit in found[2])
    return f"{found[1]}**{power}"


def power_of(formula: str, at: int) -> str:
    """What to write for the ^ at this place of a formula.

    Examples
    --------
    >>> power_of("y = a * x^b", 9)
    'Write x**b for a power.'
    >>> power_of("y = (a + x) ^ 2", 12)
    'Write ** for a power, as in x**2.'
    """
    base, exponent = re.search(r"[\w.]+\s*$", formula[:at]), re.match(r"\s*[\w.]+(?![\w.(])", formula[at + 1 :])
    if base is None or exponent is None:
        return POWER
    return f"Write {base[0].strip()}**{exponent[0].strip()} for a power."
