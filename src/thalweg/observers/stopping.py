"""Rules that ask the user or the clock, and how a rule stops a solve from among its observers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import OptionError
from thalweg.observers.rules import Rule

if TYPE_CHECKING:
    from thalweg.solvers.base import State


class Stop(Exception):
    """Raised by an observer to end the solve at the state it was given."""


@final
class StopWhen(Rule):
    """Stop at the first state of which something is true.

    Parameters
    ----------
    condition : callable
        From a state to a bool, as ``lambda state: state.gradient_size < 1e-3``.

    Raises
    ------
    OptionError
        Not a function.

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
        if not callable(condition):
            raise OptionError(f"StopWhen is given {condition!r}", advice="Give a function from a state to a bool.")
        self.condition = condition

    def test(self, state: State) -> bool:
        return self.condition(state)

    def __repr__(self) -> str:
        return f"StopWhen({getattr(self.condition, '__name__', type(self.condition).__name__)})"


@final
class TimeLimit(Rule):
    """Stop at the first state after so many seconds, counted from the first state of this run.

    A fit that is resumed from a checkpoint has the whole time again.

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
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise OptionError(f"a time limit of {seconds!r} seconds", advice="Give a number above 0.")
        self.seconds = seconds
        self._started: float | None = None

    def begin(self, problem: Any) -> None:
        self.hit, self._started = False, None

    def test(self, state: State) -> bool:
        now = time.perf_counter()
        self._started = now if self._started is None else self._started
        return now - self._started >= self.seconds

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Nothing: the clock starts with each run."""

    def __repr__(self) -> str:
        return f"TimeLimit({self.seconds:g})"


@final
class Stopper:
    """A rule among the observers: raises `Stop` where the rule is true.

    One is made for each fit. A fit of several solves (negative binomial) begins it once: a time limit holds for all.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._begun = False

    def begin(self, solver: Any, problem: Any) -> None:
        """Start the rule at the first solve.

        Raises
        ------
        OptionError
            The rule sets rows aside, which an observer cannot do.
        """
        if self._begun:
            return
        self._begun = True
        self.rule.begin(problem)
        if self.rule.training(problem) is not problem:
            raise OptionError(
                f"{self.rule!r} is among the observers, and it changes what is minimized",
                advice="Give it as stop=.",
            )

    def __call__(self, state: State) -> None:
        if self.rule(state):
            raise Stop(self.rule.reason)
