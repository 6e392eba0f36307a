"""How many parameters a function has after its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from thalweg.errors import OptionError


def count_parameters(f: Callable[..., Any]) -> int:
    """Arguments of f(x, p1, p2, ...) after the first.

    Raises
    ------
    OptionError
        The signature does not tell.

    Examples
    --------
    >>> count_parameters(lambda x, a, b: a * x + b)
    2
    """
    try:
        listed = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        listed = []
    counted = [each for each in listed if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(counted) < 2 or any(each.kind is each.VAR_POSITIONAL for each in listed):
        raise OptionError(
            "unable to determine the number of fit parameters from the function's signature", advice="Give p0."
        )
    return len(counted) - 1
