"""How many parameters a function has after its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from thalweg.errors import OptionError


def count_parameters(f: Callable[..., Any]) -> int:
    """Arguments of f(x, p1, p2, ...) after the first, without ``*args`` and those by keyword only.

    Raises
    ------
    OptionError
        The signature does not tell.

    Examples
    --------
    >>> count_parameters(lambda x, a, b: a * x + b)
    2
    """
    count = _plain(f) if type(f) is FunctionType and not hasattr(f, "__wrapped__") else _read(f)
    if count < 2:
        raise OptionError("Unable to determine number of fit parameters", advice="Give p0.")
    return count - 1


def _plain(f: FunctionType) -> int:
    """Of a plain function, whose code tells without the time that `inspect` takes."""
    return f.__code__.co_argcount


def _read(f: Callable[..., Any]) -> int:
    try:
        listed = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 0
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in listed)
