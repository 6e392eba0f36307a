"""Going on with a descent to see when it arrives: the count is then that of the loop itself, for every solver and loss.

The states are those that the fit would have gone through with more steps, from a copy of its last one. So many steps
are followed as cost some hundredths of a second; where that is not enough, the fall of the excess is continued at the
pace of the last half, if that was even, and is called an estimate.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    from thalweg.diagnose.optimum import Optimum
    from thalweg.problem import Problem

STEPS = 1000  # that are followed at most
WORK = 40_000_000  # rows times parameters times steps, at most
FEW = 20  # steps that are worth following
FALLS = 0.9  # of the excess of the first quarter: what is above it in the last does not fall
EVEN = 2.0  # quarters whose paces differ by no more than this factor go on like that


@final
@dataclass(frozen=True)
class Walk:
    """A descent that was followed on.

    Attributes
    ----------
    taken : int
        Steps that were followed.
    reached : float
        The steps after which the excess is at the target; NaN where it was not reached.
    trend : str
        "arrives", "falls", "stands" (it goes up and down, or nothing changes), or "grows".
    estimate : float
        Of the steps to the target, where it falls evenly; else NaN.
    last : Any
        The last state.
    """

    taken: int
    reached: float
    trend: str
    estimate: float
    last: Any


def affordable(problem: Problem) -> int:
    """How many steps may be followed; 0: none."""
    if "batches" not in problem.has:  # the rows are read block by block
        return 0
    most = min(STEPS if problem.device.type == "cpu" else STEPS // 5, WORK // max(problem.rows * len(problem.names), 1))
    return most if most >= FEW else 0


def walk(solver: Any, problem: Problem, state: Any, optimum: Optimum, target: float, *, every: int = 1) -> Walk | None:
    """A descent from a state until its excess is, and stays, at the target; None where that is too much work.

    Parameters
    ----------
    solver : DescentSolver
    state : DescentState
        Is not changed.
    target : float
        Of f - least.
    every : int
        Steps after which to look at the excess: those of an epoch, where epochs are set.
    """
    most = affordable(problem)
    if not most:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a scheduler's, of steps that the user did not take
        try:
            copy = solver.copied(problem, state)
            return _walked(solver, problem, copy, _excess(problem, optimum), target, most, every)
        except (ThalwegError, ValueError):  # a schedule that has an end, an optimizer that cannot be copied
            return None


def ends_at(solver: Any, problem: Problem, state: Any, steps: int, optimum: Optimum) -> float:
    """The excess after so many more steps; NaN where that is too much work."""
    if steps > affordable(problem):
        return math.nan
    state = solver.copied(problem, state)
    for _ in range(steps):
        state = solver.step(problem, state)
    value = float(problem.value(state.theta))
    return optimum.excess(state.theta, value) if math.isfinite(value) else math.inf


def _excess(problem: Problem, optimum: Optimum) -> Callable[[Any], float]:
    def excess(state: Any) -> float:
        value = state.value if state.whole or optimum.kind == "exact" else float(problem.value(state.theta))
        return optimum.excess(state.theta, value)

    return excess


def _walked(
    solver: Any, problem: Problem, state: Any, excess: Callable[[Any], float], target: float, most: int, every: int
) -> Walk:
    began = excess(state)
    seen, reached, taken = [], math.nan, 0
    for taken in range(1, most + 1):
        state = solver.step(problem, state)
        if not math.isfinite(state.value):
            return Walk(taken, math.nan, "grows", math.nan, state)
        if getattr(state, "stalled", False):
            if math.isnan(reached):
                return Walk(taken, math.nan, "stands", math.nan, state)
            break
        if taken % every:
            continue
        seen.append(excess(state))
        if seen[-1] > target:
            reached = math.nan
        elif math.isnan(reached):
            reached = taken
        elif taken - reached >= max(10, reached / 10):
            break
    if not math.isnan(reached):
        return Walk(taken, reached, "arrives", reached, state)
    return Walk(taken, reached, *_trend(seen, began, target, taken, every), state)


def _trend(seen: list[float], began: float, target: float, taken: int, every: int) -> tuple[str, float]:
    """How the excess goes, and when it would arrive."""
    if len(seen) < 4:
        return ("falls" if seen and seen[-1] < FALLS * began else "stands"), math.nan
    size = len(seen) // 4
    quarters = [median(seen[len(seen) - (4 - k) * size : len(seen) - (3 - k) * size]) for k in range(4)]
    if min(seen[-1], quarters[-1]) > 10 * began:
        return "grows", math.nan
    if not 0 < quarters[3] < FALLS * quarters[0]:
        return "stands", math.nan
    pace = [math.log(a / b) / (size * every) if a > b > 0 else 0.0 for a, b in pairwise(quarters)]
    if min(pace[1:]) <= 0 or max(pace[1:]) > EVEN * min(pace[1:]):
        return "falls", math.nan
    return "falls", math.ceil(taken + math.log(max(quarters[3] / target, 1.0)) / pace[2])
