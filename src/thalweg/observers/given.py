"""What a user gave as observers, as a list of objects."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, signature
from typing import Any

from thalweg.errors import OptionError


def listed(observers: Any) -> list[Any]:
    """The observers, of which a single one may have been given without a list.

    Raises
    ------
    OptionError
        A class among them.

    Examples
    --------
    >>> from thalweg.observers import Log
    >>> len(listed(Log(every=500))), listed(None)
    (1, [])
    >>> listed([Log])
    Traceback (most recent call last):
    thalweg.errors.OptionError: Log is a class. Write Log().
    """
    if observers is None:
        return []
    found = list(observers) if isinstance(observers, Iterable) else [observers]
    for each in found:
        refuse_class(each)
    return found


def refuse_class(given: Any) -> None:
    """Refuse a class in place of an object: it can be called too, and would be with a state.

    Raises
    ------
    OptionError
    """
    if not isinstance(given, type):
        return
    wanted = signature(given).parameters.values()
    alone = all(each.default is not Parameter.empty or each.kind > Parameter.POSITIONAL_OR_KEYWORD for each in wanted)
    raise OptionError(f"{given.__name__} is a class", advice=f"Write {given.__name__}({'' if alone else '...'}).")
