"""From what a user writes as derivative=... to a derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from thalweg.derivatives.autograd import BY_AUTOGRAD
from thalweg.derivatives.base import Derivative
from thalweg.derivatives.given import Given
from thalweg.derivatives.hand import BY_HAND
from thalweg.derivatives.module import BY_MODULE
from thalweg.errors import OptionError

DERIVATIVES: Mapping[str, Derivative] = {each.name: each for each in (BY_HAND, BY_AUTOGRAD, BY_MODULE)}


def derivative_of(choice: str | Derivative | Callable[..., Any]) -> Derivative:
    """The derivative of this name, or the user's own gradient.

    Parameters
    ----------
    choice : {"hand", "autograd", "module"} or callable
        A function gradient(parameters, x, y): `thalweg.derivatives.Given` says of what it is given and what it returns.

    Raises
    ------
    OptionError
        A name that does not exist, or something that is neither.

    Examples
    --------
    >>> derivative_of("autograd").name
    'autograd'
    >>> derivative_of(lambda parameters, x, y: ...).name
    'given'
    """
    if isinstance(choice, Derivative):
        return choice
    if isinstance(choice, str) and choice in DERIVATIVES:
        return DERIVATIVES[choice]
    if callable(choice) and not isinstance(choice, type):
        return Given(choice)
    close = get_close_matches(choice, DERIVATIVES, n=1) if isinstance(choice, str) else []
    guess = f"Did you mean {close[0]!r}? " if close else ""
    known = ", ".join(map(repr, DERIVATIVES))
    raise OptionError(
        f"derivative is {choice!r}",
        advice=f"{guess}Use one of {known}, or a function gradient(parameters, x, y) of your own.",
    )
