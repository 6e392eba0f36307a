"""The end of a descent in a sentence or two, with the number to set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from thalweg.diagnose.outlook import NEAR, Outlook
from thalweg.diagnose.rates import stable_limit
from thalweg.diagnose.remedy import Remedy
from thalweg.diagnose.words import count, digits_apart, short

if TYPE_CHECKING:
    from thalweg.diagnose.after import After


def sentence_of(end: Outlook, found: After) -> str:
    """Where it ended, what is left, and what to set."""
    parts = [_where(end, found), _arrived(end) if end.arrived else _going_on(end, found)]
    flat = int((end.optimum.eigenvalues == 0).sum())
    if flat:
        what = "one direction" if flat == 1 else f"{flat} directions"
        parts.append(f"The loss is flat along {what} of the parameters: there they stay where they began.")
    if _stalled(end, found):
        parts.append('In float32 a step no longer changes the parameters; dtype="float64" goes on.')
    return " ".join(parts)


def _where(end: Outlook, found: After) -> str:
    """The loss beside its least value."""
    head = "The loss" if end.steps is None else f"After {count(end.steps)} the loss"
    about = "about " if found.kind == "estimate" else ""
    if end.zero:
        return f"{head} is {short(found.value)}, and its least value is {about}0;"
    if end.least_reached:
        return f"{head} {short(found.value)} is its least value;"
    value, least = digits_apart(found.value, found.least)
    above = f"{short(100 * found.relative)}%" if found.relative < 10 else f"{short(found.relative)} times"
    return f"{head} {value} is {about}{above} above its least value {least};"


def _arrived(end: Outlook) -> str:
    if end.least_reached:
        return "there is nothing left to do."
    return f"that is within {end.tol:g} of the excess at the start: nothing needs to be set."


def _going_on(end: Outlook, found: After) -> str:
    """How many more steps, and what to set."""
    goal = _goal(end)
    told = alternatives(found.remedies)
    if math.isnan(found.more_steps):
        return _unknown(end, goal, found.remedies)
    if found.more_steps == math.inf:
        return f"{_never(end)}{f'. Set {told}' if told else ''}."
    about = "about " if end.more[1] == "estimate" else ""
    rate = " at this rate" if end.lr is not None or end.solver is None else ""
    line = f"{about}{count(found.more_steps, 'more step')}{rate} bring{'s' * (found.more_steps == 1)} {goal}"
    return f"{line}{'; or set' if end.steps is None else ': set'} {told}." if told else f"{line}."


def _goal(end: Outlook) -> str:
    if end.astray:
        return f"the coefficients from {short(end.standard_errors)} to {NEAR:g} standard errors of the optimum"
    return f"the excess to {end.tol:g} of what it " + ("was at the start" if _from_start(end) else "is now")


def _unknown(end: Outlook, goal: str, remedies: tuple[Remedy, ...]) -> str:
    """Where no number of steps is known."""
    if end.noisy:
        why = "its steps follow batches, so that at a constant rate it goes on moving about its least value"
    elif end.trend == "stands":
        why = "more steps like these do not bring it nearer"
    elif end.trend == "grows":
        why = "with more steps like these it grows"
    elif end.trend == "falls":
        why = "how many more steps it takes is not known"
    elif end.lr is None and not end.trend:
        why = ""
    else:
        why = "it is too far from the optimum to tell how many more steps it takes"
    nearer = alternatives(tuple(each for each in remedies if each.nearer))
    there = alternatives(tuple(each for each in remedies if not each.nearer))
    parts = (why, nearer and f"to come nearer, set {nearer}", there and f"to bring {goal}, set {there}")
    return "; ".join(filter(None, parts)) + "."


def _from_start(end: Outlook) -> bool:
    return end.start is not None or end.start_excess != end.excess


def _never(end: Outlook) -> str:
    largest = float(end.optimum.eigenvalues[-1])
    if end.momentum == 1 and not end.nesterov:
        return (
            "with momentum 1 (a gradient that is never cleared) it swings for ever and never converges:"
            " clear the gradient (momentum=0), or use momentum=0.9"
        )
    assert end.lr is not None
    limit = stable_limit(largest, end.momentum, end.nesterov)
    if end.lr >= limit:
        return f"lr {end.lr:g} is not below the stable limit {short(limit)} here, and it cannot converge"
    return "at this rate it takes more than 1e12 steps"


def alternatives(remedies: tuple[Remedy, ...]) -> str:
    """All of them as one list."""
    return ", or ".join(map(str, remedies))


def _stalled(end: Outlook, found: After) -> bool:
    """Whether lr g is below half the spacing of float32 at every parameter: the descent cannot move."""
    if end.problem.dtype != torch.float32 or end.lr is None or found.more_steps == 0:
        return False
    theta = end.theta.to(torch.float32)
    gradient = end.gradient.detach().to(device=theta.device, dtype=torch.float32)
    return bool((theta - end.lr * gradient == theta).all()) and bool(gradient.any())
