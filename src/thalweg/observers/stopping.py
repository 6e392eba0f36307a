"""Observers that end a solve at the state they were given; the fit keeps that state and says how it ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.solvers.base import State


class Stop(Exception):
    """Raised by an observer to end the solve at the state it was given."""


@final
class StopWhen:
    """Stop at the first state of which something is true.

    Parameters
    ----------
    condition : callable
        From a state to a bool, as ``lambda state: state.gradient_size < 1e-3``.

    Examples
    --------
    >>> import warnings
    >>> import thalweg as tw
    >>> from thalweg.observers import StopWhen
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     fit = tw.fit("progression ~ bmi", "diabetes", family="poisson", observers=[StopWhen(lambda s: s.step == 1)])
    >>> fit.solution.status.value, fit.solution.steps
    ('stopped by an observer', 1)
    """

    def __init__(self, condition: Callable[[State], bool]) -> None:
        self.condition = condition

    def __call__(self, state: State) -> None:
        if self.condition(state):
            raise Stop


@final
class TimeLimit:
    """Stop at the first state after so many seconds, counted from the first state.

    Parameters
    ----------
    seconds : float
        > 0.

    Raises
    ------
    OptionError
        Not a positive number of seconds.

    Examples
    --------
    >>> from thalweg.observers import TimeLimit
    >>> limit = TimeLimit(3600)
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise OptionError(f"a time limit of {seconds!r} seconds", advice="Give a number above 0.")
        self.seconds = seconds
        self._started: float | None = None

    def __call__(self, state: State) -> None:
        now = time.perf_counter()
        self._started = now if self._started is None else self._started
        if now - self._started >= self.seconds:
            raise Stop
