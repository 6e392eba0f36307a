"""What a solver was set to, read from its attributes: what a divergence is explained with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

PLAIN = ("SGD", "ASGD")  # of torch.optim: steps in proportion to the gradient
SEARCHED = 2000  # steps of a schedule that are looked at


@final
@dataclass(frozen=True)
class Setting:
    """How a descent stepped.

    Attributes
    ----------
    kind : str
        "descent" (steps in proportion to the gradient), "adaptive" (Adam and its kind), or "lbfgs".
    name : str
        As users write the solver.
    first, rate : float
        Of the first and of the last step; NaN where there was none.
    schedule : callable or None
        From step to rate, where it changes and is known.
    momentum, nesterov, maximize, weight_decay :
        As told.
    batch_size : int or None
        Rows of a batch; None: all.
    searched : bool
        A line search chose the rate.
    """

    kind: str
    name: str
    first: float
    rate: float
    schedule: Callable[[int], float] | None
    momentum: float
    nesterov: bool
    maximize: bool
    weight_decay: float
    batch_size: int | None
    searched: bool


def setting_of(solver: Any, last: Any) -> Setting:
    """The setting of a solver whose last state this is.

    Examples
    --------
    >>> import thalweg as tw
    >>> setting_of(tw.GradientDescent(lr=0.1, momentum=0.9), None).momentum
    0.9
    """
    optimizer = getattr(solver, "optimizer", None)
    options = getattr(solver, "options", {}) if optimizer is not None else vars(solver)
    name = type(solver).__name__ if optimizer is None else optimizer.__name__
    lr = getattr(solver, "lr", None) if optimizer is None else getattr(solver, "schedule", None)
    momentum = getattr(last, "momentum", None) if optimizer is None else options.get("momentum", 0.0)
    momentum = options.get("momentum", 0.0) if momentum is None else momentum
    searched = bool(getattr(last, "searched", False)) or (name == "LBFGS" and optimizer is None)
    schedule = lr if callable(lr) and not searched else None
    rate = float(getattr(last, "rate", math.nan))
    told = options.get("lr", rate)
    return Setting(
        kind="lbfgs" if name == "LBFGS" else "descent" if optimizer is None or name in PLAIN else "adaptive",
        name=name,
        first=float(schedule(0)) if schedule is not None else float(told) if isinstance(told, int | float) else rate,
        rate=rate,
        schedule=schedule,
        momentum=float(momentum) if isinstance(momentum, int | float) else 0.0,
        nesterov=bool(options.get("nesterov", False)),
        maximize=bool(options.get("maximize", False)),
        weight_decay=float(options.get("weight_decay", 0.0) or 0.0),
        batch_size=getattr(solver, "batch_size", None),
        searched=searched or (name == "LBFGS" and bool(options.get("line_search_fn"))),
    )


def first_above(schedule: Callable[[int], float], limit: float, steps: int) -> int | None:
    """The first step at which a schedule is above a limit."""
    return next((t for t in range(min(steps, SEARCHED) + 1) if schedule(t) > limit), None)
