"""The options of a simulation, checked: each name means the same in every kind that has it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from thalweg.errors import OptionError

SPACINGS = ("random", "even")
MOST_DRAWS = 10**8  # entries of one column: 0.8 GB


def finite(name: str, value: Any) -> float:
    """A finite number."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found) or isinstance(value, bool):
        raise OptionError(f"{name} is {value!r}", advice="Give a finite number.")
    return found


def at_least_zero(name: str, value: Any) -> float:
    """A finite number, 0 or more."""
    found = finite(name, value)
    if found < 0:
        raise OptionError(f"{name} is {value!r}", advice="Give a number that is 0 or more.")
    return found


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    found = finite(name, value)
    if found <= 0:
        raise OptionError(f"{name} is {value!r}", advice="Give a number above 0.")
    return found


def whole(name: str, value: Any, low: int = 1, high: int = MOST_DRAWS) -> int:
    """A whole number in a range."""
    try:
        good = not isinstance(value, bool) and int(value) == value and low <= value <= high
    except (TypeError, ValueError, OverflowError):
        good = False
    if not good:
        raise OptionError(f"{name} is {value!r}", advice=f"Give a whole number from {low} to {high}.")
    return int(value)


def numbers(name: str, value: Any) -> tuple[float, ...]:
    """One finite number or more."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not len(value):
        raise OptionError(f"{name} is {value!r}", advice="Give a list of numbers, constant first: (0, 1, 0, -0.2).")
    return tuple(finite(name, each) for each in value)


def pairs(name: str, value: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two places of two clouds."""
    try:
        (a, b), (c, d) = value
    except (TypeError, ValueError):
        raise OptionError(f"{name} is {value!r}", advice="Give two points: ((2, 2), (-2, -2)).") from None
    return (finite(name, a), finite(name, b)), (finite(name, c), finite(name, d))


def word(name: str, value: Any) -> str:
    """How x is spaced."""
    if value not in SPACINGS:
        raise OptionError(f"{name} is {value!r}", advice=f"Use one of {', '.join(map(repr, SPACINGS))}.")
    return str(value)


def text(name: str, value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise OptionError(f"{name} is {value!r}", advice="Give an expression of x, as 'exp(-x) * sin(3*x)'.")
    return value


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "coefficients": numbers,
    "centers": pairs,
    "spread": positive,
    "spacing": word,
    "expression": text,
    "height": whole,
    "width": whole,
}


def shape_options(kind: str, known: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a kind: the caller's where given, else its own; all checked.

    Raises
    ------
    OptionError
        An option that the kind does not have, or a value that it cannot be.
    """
    for name in given:
        if name not in known:
            raise OptionError(f"{kind} has no option {name!r}", advice=nearest(name, known))
    options = {name: _CHECKS.get(name, finite)(name, given.get(name, value)) for name, value in known.items()}
    if "low" in options and not options["low"] < options["high"]:
        raise OptionError(
            f"low is {options['low']:g} and high is {options['high']:g}", advice="Give a low that is below high."
        )
    return options


def nearest(name: str, known: Collection[str]) -> str:
    """Did you mean ..., or all that there are."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
