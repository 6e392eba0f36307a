"""A solve without its loop: full-batch descent with a constant rate on a quadratic, from `Trajectory`.

1. Where it applies (`why_not`): a squared loss of a linear predictor in memory, derivatives by hand, a constant rate,
   float64. float32 is replayed only where that is asked for (replay=True): the states are then those of exact
   arithmetic, rounded at the end, and what a float32 loop does for want of digits is not seen. (The lesson
   `line-by-hand` stalls in float32 at b = 3.46988, because the rate times the gradient has become less than half a
   unit in the last place of b; float64 and exact arithmetic go on to 3.46997.)
2. The end is the first state at which the loop would end: the one its solver calls the last (`DescentSolver.terminate`
   is asked at the steps where its answer can be anything but "go on"), or one before it that the stopping rule names.
   A gradient that is 0 only because exact arithmetic goes on shrinking it ends nothing.
3. `thalweg.solvers.iterate` runs over the states of a `Replay` as over those of its loop; those that nobody looks at
   are not among them. An observer that says `every` looks at multiples of it, any other, and a rule that is a plain
   function, at each. A `History` is given the whole trajectory, which it reads when somebody reads the history.

The loop is the plain twin of all this, and the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.observers.history import History
from thalweg.problem import MemoryProblem, Problem
from thalweg.solvers.base import State, Status
from thalweg.solvers.descent import BEYOND, RISING, read
from thalweg.solvers.trajectory import Trajectory

if TYPE_CHECKING:
    from thalweg.observers.rules import Rule
    from thalweg.solvers.gradient_descent import GradientDescent, MomentumState

Observer = Callable[[State], None]
CHUNK = 1024  # states that are made at a time for those who watch
LOOK = 2**16  # losses that are compared at a time
HUGE = 1e150  # a gradient, and the root of a loss, from here on may be infinite to a loop, which squares and adds


def why_not(solver: GradientDescent, problem: Problem) -> str | None:
    """Why a descent has to run its loop, as the end of a sentence; None: it need not."""
    if not isinstance(problem, MemoryProblem):
        return "the rows are read block by block"
    if callable(solver.lr) or getattr(solver.lr, "search", None) is not None:
        return "the learning rate is not constant"
    if problem.derivative.name != "hand":
        return f"its gradients come from derivative={problem.derivative.name!r}"
    if problem.quadratic is None:
        return "the loss is not a squared one of a linear predictor with at most 2,000 parameters"
    return None


def leap(
    solver: GradientDescent,
    problem: Problem,
    theta: Float[Tensor, "p"] | None,
    observers: Sequence[Observer],
    rule: Rule | None,
) -> Replay | None:
    """The states of a solve in closed form; None where the loop has to run.

    Raises
    ------
    OptionError
        replay=True where it does not apply, with the reason.
    """
    if solver.replay is False or (problem.dtype != torch.float64 and not solver.replay):
        return None
    reason = why_not(solver, problem)
    if reason is None:
        return Replay(solver, problem, solver.init(problem, theta), observers, rule)
    if solver.replay:
        raise OptionError(f"replay=True, and {reason}", advice="Leave replay out: the loop runs where it has to.")
    return None


@final
class Replay:
    """The states of one descent, and where it ends.

    Parameters
    ----------
    solver : GradientDescent
    problem : Problem
        With a quadratic.
    first : MomentumState
        Its start.
    observers : sequence of callables
        Those who are to be given states.
    rule : Rule, optional
        That may end it earlier.
    """

    def __init__(
        self,
        solver: GradientDescent,
        problem: Problem,
        first: MomentumState,
        observers: Sequence[Observer] = (),
        rule: Rule | None = None,
    ) -> None:
        quadratic = problem.quadratic
        assert quadratic is not None
        self.solver, self.problem, self.first, self.rule = solver, problem, first, rule
        self.closed = rule is None or rule.closed
        self.reached = False  # whether the rule, asked for its first step, named the end
        watching = [observer for observer in observers if not isinstance(observer, History)]
        self.spacings = {int(getattr(observer, "every", 1)) for observer in watching} | ({1} - {int(self.closed)})
        self.trajectory = Trajectory(
            quadratic, first.theta, first.rate, first.momentum, solver.nesterov, scale=problem.scale
        )

    # --- states -------------------------------------------------------------------------------------------------

    def state(self, step: int) -> MomentumState:
        """The state at a step."""
        return next(self.states(np.array([step])))

    def states(self, steps: Int[np.ndarray, "k"]) -> Iterator[MomentumState]:
        """The states at some steps."""
        first = self.first
        for start in range(0, len(steps), CHUNK):
            part = steps[start : start + CHUNK]
            rows = self.trajectory.rows(part)
            tensors = (rows[name].to(first.theta) for name in ("theta", "gradient", "velocity"))
            numbers = (part.tolist(), self.rises(part), rows["value"].tolist(), rows["gradient_size"].tolist())
            for step, rises, value, size, theta, gradient, velocity in zip(*numbers, *tensors, strict=True):
                changes = {"theta": theta, "gradient": gradient, "velocity": velocity, "rises": rises}
                changes |= {"step": step - 1, "evaluations": first.evaluations + step}
                state = first.next(**changes, value=value, gradient_size=size)
                yield first if step == 0 else self._measured(state)

    def _measured(self, state: MomentumState) -> MomentumState:
        """With loss and gradient as a loop computes them, where overflow or rounding decides what they are."""
        huge = HUGE * min(1.0, self.problem.scale)
        if 0.0 < state.gradient_size < huge and state.value < huge * HUGE:
            return state
        value, gradient = self.problem.value_and_gradient(state.theta)
        loss, size = read(value, gradient)
        return state.next(step=state.step - 1, value=loss, gradient=gradient, gradient_size=size)

    def rises(self, steps: Int[np.ndarray, "k"]) -> list[int]:
        """How many steps in a row raised the loss, up to `RISING`."""
        if self.trajectory.monotone:
            return [0] * len(steps)
        back = np.maximum(steps[:, None] - np.arange(RISING + 1), 0)  # the same place twice does not rise
        low, high = int(back.min()), int(back.max())
        if high - low < back.size:
            values = self.trajectory.values(range(low, high + 1)).numpy()[back - low]
        else:
            values = self.trajectory.values(back.reshape(-1)).numpy().reshape(back.shape)
        return np.cumprod(values[:, :-1] > values[:, 1:], axis=1).sum(axis=1).tolist()

    def best(self, last: int) -> MomentumState:
        """The state of least loss up to a step; of several the latest."""
        if self.trajectory.monotone:
            return self.state(last)
        least, at = np.inf, 0
        for start in range(0, last + 1, LOOK):
            values = self.trajectory.values(range(start, min(start + LOOK, last + 1))).nan_to_num(torch.inf, torch.inf)
            place = len(values) - 1 - int(values.flip(0).argmin())
            least, at = (float(values[place]), start + place) if values[place] <= least else (least, at)
        return self.state(at)

    # --- the end ------------------------------------------------------------------------------------------------

    def end(self) -> tuple[MomentumState, Status]:
        """The state at which the solver terminates, and with what."""
        limit = self.solver.limit(self.problem)
        at_once = self.solver.terminate(self.problem, self.first)  # its gradient is 0, not a rounding away from it
        if at_once is not None:
            return self.first, at_once
        begin = 0
        while (at := self._eventful(begin, limit)) is not None:
            state = self.state(at)
            status = self.solver.terminate(self.problem, state)
            if status is not None:
                return state, status
            begin = limit if self._rests(at) else at + 1
        state = self.state(limit)
        return state, self.solver.terminate(self.problem, state) or Status.LIMIT

    def _rests(self, step: int) -> bool:
        """Whether all that is left of the motion has become too small for a number: no state differs from here on."""
        rows = self.trajectory.rows(step)
        return not rows["gradient"].any() and not rows["velocity"].any()

    def _eventful(self, begin: int, limit: int) -> int | None:
        """The first step from `begin` on, before the limit, at which the solver may terminate; None: at none."""
        if begin >= limit:
            return None
        if self.trajectory.monotone and bool(self.trajectory.gradient_norms(limit - 1) > 0.0):
            return None  # neither loss nor gradient rises, and the gradient is not 0 yet
        return self.trajectory.first(self._may_end, limit - 1, begin)

    def _may_end(self, steps: Int[Tensor, "k"]) -> Bool[Tensor, "k"]:
        """Where `GradientDescent.terminate` may say anything but None."""
        values, sizes = self.trajectory.losses_and_norms(steps)
        huge = HUGE * min(1.0, self.problem.scale)
        found = ~(values < huge * HUGE) | ~(sizes < huge) | (sizes == 0.0)
        if self.solver.allow_divergence:
            return found
        found |= values > BEYOND * abs(self.first.start_value)
        if self.first.momentum or self.trajectory.monotone:
            return found
        # The loss of plain descent is a convex function of the step: once it rises it goes on rising.
        before = (steps - RISING).clamp_min(0)
        return found | (self.trajectory.values(before + 1) > self.trajectory.values(before)) & (steps >= RISING)

    # --- what a solve asks for ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[MomentumState]:
        """The states that somebody looks at, and the last."""
        last, _ = self.end()
        if self.rule is not None and self.closed:
            at = self.rule.first(self.trajectory, last.step)
            last, self.reached = (last, False) if at is None else (self.state(at), True)
        yield from self.states(self._watched(last.step))
        yield last

    def _watched(self, end: int) -> Int[np.ndarray, "k"]:
        """The steps before the end that an observer looks at."""
        return np.unique(np.concatenate([np.arange(0), *(np.arange(0, end, every) for every in self.spacings)]))

    def fill(self, history: History, last: MomentumState) -> None:
        """Give a history all states up to the last."""
        history.defer(lambda every: self._columns(every, last), last.theta.numel(), last.step)

    def _columns(self, every: int, last: MomentumState) -> dict[str, list[Any]]:
        """Every so many states, and the last, as the columns of a `History` but for the seconds."""
        steps = np.append(np.arange(0, last.step, every), last.step)
        thetas = self.trajectory.thetas(steps).to(last.theta)
        values, sizes = (column.tolist() for column in self.trajectory.losses_and_norms(steps))
        for place, state in ((0, self.first), (len(steps) - 1, last)):
            values[place], sizes[place] = state.value, state.gradient_size
        rates = [self.first.rate] * len(steps)
        return {"step": steps.tolist(), "value": values, "gradient_size": sizes, "rate": rates, "theta": [*thetas]}
