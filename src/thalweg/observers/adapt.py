"""What may stand in observers=[...]: functions of a state, rules, and callbacks of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thalweg.errors import OptionError
from thalweg.observers.given import refuse_class
from thalweg.observers.rules import Rule
from thalweg.observers.stopping import Stopper

if TYPE_CHECKING:
    from thalweg.solvers.base import State

HOOKS = ("setup", "teardown", "on_fit_task_begin", "on_fit_task_end")


def adapted(observer: Any) -> Callable[[State], None]:
    """The observer that a fit calls.

    Parameters
    ----------
    observer : callable, Rule, or callback of scikit-learn
        A rule stops the fit where it is true. Something adapted already comes back as it is.

    Raises
    ------
    OptionError
        None of them.
    NotAvailableError
        A callback, where scikit-learn is older than 1.9.

    Examples
    --------
    >>> import thalweg as tw
    >>> from thalweg.observers import adapted
    >>> adapted(print) is print
    True
    """
    check_observer(observer)
    if isinstance(observer, Rule):
        return Stopper(observer)
    if all(hasattr(observer, hook) for hook in HOOKS):
        from thalweg.observers.scikit_learn import CallbackObserver

        return CallbackObserver(observer)
    return observer


def check_observer(observer: Any) -> None:
    """Refuse what is no observer: a class of one, and whatever can neither be called nor is a callback.

    Raises
    ------
    OptionError
    """
    refuse_class(observer)
    if callable(observer) or all(hasattr(observer, hook) for hook in HOOKS):
        return
    advice = "Give a function of one argument, the solver's state."
    if hasattr(observer, "call_on_fit_task_end"):
        advice = "scikit-learn hands it to callbacks: give the callback itself, as ProgressBar()."
    raise OptionError(f"progress or an observer is {observer!r}", advice=advice)
