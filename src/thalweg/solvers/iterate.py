"""The one loop: a generator of states, and the two lines that run it to its end.

Whatever watches a solve (history, progress, a picture, a checkpoint) is an observer: a callable that is given each
state. An observer that wants to stop the solve raises `thalweg.observers.Stop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import IncompatibleError
from thalweg.observers.stopping import Stop
from thalweg.solvers.base import Solution, Solver, State, Status, Target

Observer = Callable[[State], None]


def iterate(
    solver: Solver[Target], objective: Target, theta: Float[Tensor, "p"] | None = None, state: State | None = None
) -> Iterator[State]:
    """States from the start (or from a state that was reached before) to the one at which the solver terminates.

    Raises
    ------
    IncompatibleError
        The objective lacks what the solver needs.
    """
    has: frozenset[str] = objective.has  # type: ignore[attr-defined]  # of every target
    missing = solver.needs - has
    if missing:
        raise IncompatibleError(
            f"{type(solver).__name__} needs {', '.join(sorted(missing))} of the objective, which has only"
            f" {', '.join(sorted(has))}"
        )
    state = solver.init(objective, theta) if state is None else state
    yield state
    while solver.terminate(objective, state) is None:
        state = solver.step(objective, state)
        yield state


def solve(
    solver: Solver[Target],
    objective: Target,
    theta: Float[Tensor, "p"] | None = None,
    observers: Sequence[Observer] = (),
    *,
    stop: Callable[[State], object] | None = None,
) -> Solution:
    """Run a solver to its end, or to the first state of which `stop` is true.

    An interrupt (Ctrl-C) after the first state returns the best state so far, with that status; nothing is lost. So
    does a descent that diverges.
    """
    leapt = solver.leap(objective, theta, observers, stop)
    if leapt is not None:
        return leapt
    best: State | None = None
    status: Status | None = None
    try:
        for state in iterate(solver, objective, theta):
            best = state if best is None or state.value <= best.value else best
            for observer in observers:
                observer(state)
            if stop is not None and stop(state):
                status = Status.REACHED
                break
        status = status or solver.terminate(objective, state)
        if status is Status.DIVERGED and best is not None:
            return solver.diverged(objective, best, state)
        best = state
    except KeyboardInterrupt:
        if best is None:
            raise
        status = Status.INTERRUPTED
    except Stop:
        status = Status.STOPPED
    assert best is not None
    return solver.solution(objective, best, status or Status.INTERRUPTED)
