"""The one loop: a generator of states, and the two lines that run it to its end.

Whatever watches a solve (history, progress, a picture, a checkpoint) is an observer: a callable that is given each
state. An observer that wants to stop the solve raises `thalweg.observers.Stop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import IncompatibleError
from thalweg.objective import Objective
from thalweg.observers.stopping import Stop
from thalweg.solvers.base import Solution, Solver, State, Status

Observer = Callable[[State], None]


def iterate(solver: Solver, objective: Objective, theta: Float[Tensor, "p"] | None = None) -> Iterator[State]:
    """States from the start to the one at which the solver terminates.

    Raises
    ------
    IncompatibleError
        The objective lacks what the solver needs.
    """
    missing = solver.needs - objective.has
    if missing:
        raise IncompatibleError(
            f"{type(solver).__name__} needs {', '.join(sorted(missing))} of the objective, which has only"
            f" {', '.join(sorted(objective.has))}"
        )
    state = solver.init(objective, theta)
    yield state
    while solver.terminate(objective, state) is None:
        state = solver.step(objective, state)
        yield state


def solve(
    solver: Solver,
    objective: Objective,
    theta: Float[Tensor, "p"] | None = None,
    observers: Sequence[Observer] = (),
) -> Solution:
    """Run a solver to its end.

    An interrupt (Ctrl-C) after the first state returns the best state so far, with that status; nothing is lost.
    """
    best: State | None = None
    status: Status | None = None
    try:
        for state in iterate(solver, objective, theta):
            best = state if best is None or not state.value > best.value else best
            for observer in observers:
                observer(state)
        best, status = state, solver.terminate(objective, state)
    except KeyboardInterrupt:
        if best is None:
            raise
        status = Status.INTERRUPTED
    except Stop:
        status = Status.STOPPED
    assert best is not None
    return solver.solution(objective, best, status or Status.INTERRUPTED)
