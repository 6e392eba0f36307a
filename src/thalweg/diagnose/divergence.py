"""During a descent: why it diverged, measured and not guessed, and what to do.

The causes are looked for in this order; the first that the numbers bear out is told, with its number and its remedy:

1. `causes_in_loss`: the gradient is wrong or not a number; a step up the hill; a start too far away; a linear predictor
   outside the family's domain; numbers too large for float32; a predictor that is no number.
2. `causes_in_rate`: no rate in proportion to the gradient (Adam, L-BFGS without a search); a schedule that went above
   the limit; Nesterov's smaller limit; weights, or a sum over rows, that multiply the curvature; a column; batches
   steeper than all rows together; momentum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from thalweg.diagnose.causes_in_loss import IN_LOSS
from thalweg.diagnose.causes_in_rate import IN_RATE
from thalweg.diagnose.evidence import Cause, Evidence, evidence_of
from thalweg.diagnose.setting import setting_of
from thalweg.diagnose.words import count, short

if TYPE_CHECKING:
    from thalweg.problem import Problem
    from thalweg.solvers.base import State

CAUSES: tuple[Callable[[Evidence], Cause | None], ...] = (*IN_LOSS, *IN_RATE)


def explain_divergence(problem: Problem, solver: Any, best: State, last: State) -> str:
    """Why a running descent blew up, and what to do.

    Parameters
    ----------
    problem : Problem
    solver : DescentSolver
    best, last : State
        The best state, and the one at which the descent was stopped.
    """
    cause = cause_of_divergence(problem, solver, best, last)
    kept = f"The state {_when(best, last)} is kept." if _when(best, last) else "The best state is kept."
    return f"{_story(best, last)}: {cause.sentence} {kept}"


def cause_of_divergence(problem: Problem, solver: Any, best: State, last: State) -> Cause:
    """The cause alone, with the code that names it.

    Returns
    -------
    Cause
        code: "gradient", "ascent", "decay", "start", "domain", "float32", "not a number", "adaptive",
        "search", "schedule", "nesterov", "weights", "sum", "uncentred", "scale", "outlier", "rate", "batch",
        "momentum" or "unknown".
    """
    evidence = evidence_of(problem, setting_of(solver, last), best, last)
    for cause in CAUSES:
        found = cause(evidence)
        if found is not None:
            return found
    limit = "" if math.isinf(evidence.limit) else f", below the stable limit {short(evidence.limit)} that was measured"
    return Cause(
        "unknown",
        f"the rate was {short(evidence.setting.rate)}{limit}, and the gradient is right, so that the curvature must"
        " have grown on the way. Set a smaller lr, or lr=thalweg.Armijo(), which searches.",
    )


def _story(best: State, last: State) -> str:
    """What happened."""
    what = f"grew to {short(last.value)}" if math.isfinite(last.value) else "was no number any more"
    if math.isfinite(last.value) and not math.isfinite(last.gradient_size):
        what = f"was {short(last.value)} and its gradient no number"
    when = _when(best, last)
    return f"The loss, {short(best.value)}{f' {when}' if when else ' at its best'}, {what} after {count(last.step)}"


def _when(best: State, last: State) -> str:
    """The step of the best state; mini-batches only remember where they began."""
    start = getattr(last, "start", None)
    if start is not None and torch.equal(start.to(best.theta), best.theta):
        return "at step 0"
    return f"at step {best.step}" if best.step <= last.step else ""
