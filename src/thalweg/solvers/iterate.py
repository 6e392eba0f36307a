"""The one loop: a generator of states, and what runs it to its end.

Whatever watches a solve (history, progress, a picture, a log) is an observer: a callable that is given each state
(`thalweg.observers`). An observer that wants to stop the solve raises `thalweg.observers.Stop`; a rule is asked at each
state. A checkpoint (`thalweg.store.checkpoint`) writes down what the next step needs.

The order at each state, which a resumed solve repeats:

    1. the best state so far            (least value)
    2. histories, then the rule         (what a checkpoint holds of them includes this state)
    3. the other observers
    4. the checkpoint, where it is due
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, final

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import IncompatibleError, OptionError, ThalwegWarning, tell
from thalweg.observers.adapt import adapted
from thalweg.observers.given import listed, refuse_class
from thalweg.observers.history import History
from thalweg.observers.rules import Rule, rule_of
from thalweg.observers.stopping import Stop
from thalweg.solvers.base import Leap, Solution, Solver, State, Status, Target
from thalweg.solvers.interrupt import Interrupt

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.store.checkpoint import Checkpoint
    from thalweg.store.journal import Journal

Observer = Callable[[State], None]
NOTED = 10  # parameters in the note on an error
ENDED = (Status.CONVERGED, Status.LIMIT, Status.STALLED)  # by itself, with a rule that might have ended it before


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
    observers: Any = (),
    *,
    stop: Any = None,
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool | None = None,
) -> Solution:
    """Run a solver to its end, or to the first state of which `stop` is true.

    An interrupt (Ctrl-C) after the first state returns the best state so far, with that status; nothing is lost. So
    does a descent that diverges. An observer that raises anything but `Stop` ends the solve with that exception, to
    which a note of what was reached is added.

    Parameters
    ----------
    solver, objective : Solver and what it minimizes
    theta : Tensor, (p,), optional
        The start.
    observers : sequence, or a single one
        Callables, rules, callbacks of scikit-learn: see `thalweg.observers`.
    stop : Rule, callable, or list of them, optional
        `solution.details["rule"]` says which one ended the solve; "rule_note", where the least loss is known, which
        of them nothing could have reached.
    checkpoint : path or Checkpoint, optional
        Where to write down the solve every 100 steps, so that it can go on after a kill: see
        `thalweg.store.checkpoint`. The first Ctrl-C then waits for the step in hand. Every step is taken: states that
        are known in closed form are not leapt over.
    resume : bool, optional
        True goes on from the checkpoint where there is one. False begins anew. None refuses to replace one.

    Raises
    ------
    OptionError, OutputError, ModelFileError
        A checkpoint that is there already, is another fit's, cannot be written, or is damaged.
    """
    return _Run(solver, objective, observers, stop, checkpoint, resume).outcome(theta)


def check_resume(resume: Any, checkpoint: Any) -> None:
    """Refuse a `resume` that is none, or that has no checkpoint to go on from.

    Raises
    ------
    OptionError
    """
    if resume is not None and not isinstance(resume, bool):
        raise OptionError(f"resume is {resume!r}", advice="Give True, False or None.")
    if resume and checkpoint is None:
        raise OptionError(
            "resume=True needs the file to go on from", advice='As in: checkpoint="run.ckpt", resume=True.'
        )


@final
class _Run(Generic[Target]):
    """One solve: what takes part in it, and how far it is."""

    def __init__(
        self,
        solver: Solver[Target],
        objective: Target,
        observers: Any,
        stop: Any,
        checkpoint: str | Path | Checkpoint | None,
        resume: bool | None,
    ) -> None:
        self.solver, self.whole, self.resume = solver, objective, resume
        self.rule: Rule | None = None if stop is None else rule_of(stop)
        self.checkpoint, watching = _checkpoint_among(checkpoint, listed(observers))
        self.observers = [adapted(each) for each in watching]
        self.histories = [each for each in self.observers if isinstance(each, History)]
        others = [(each, int(getattr(each, "every", 1))) for each in self.observers if not isinstance(each, History)]
        self.each = [observer for observer, every in others if every == 1]
        self.seldom = [(observer, every) for observer, every in others if every != 1]
        self.problem: Target = objective  # without the rows that the rule sets aside
        self.journal: Journal | None = None
        self.best: State | None = None
        self.last: State | None = None
        self.leapt = False  # whether the states came from a closed form
        self.torn = False  # whether an interrupt came in the middle of a step
        self.reason = ""

    def outcome(self, theta: Float[Tensor, "p"] | None) -> Solution:
        """Run to the end and tell the observers of it."""
        if self.rule is not None:
            self.rule.begin(self.whole)
            self.problem = self.rule.training(self.whole)
        resumed = self._journal_opened(theta)
        self._caution()
        try:
            for begin in _hooks(self.observers, "begin"):
                begin(self.solver, self.problem)
            solution = self._ended(self._looped(theta, resumed))
        except BaseException as error:
            for failed in _hooks(self.observers, "failed"):
                failed(error)
            raise
        for end in _hooks(self.observers, "end"):
            end(solution)
        return solution

    def _caution(self) -> None:
        """Warn of a predictor and a loss that hardly belong together, where the predictor knows of one."""
        caution = getattr(getattr(self.problem, "predictor", None), "caution", None)
        if caution is not None and (text := caution(self.problem.loss)):  # type: ignore[attr-defined]  # it is a problem
            tell(ThalwegWarning(text))

    def _journal_opened(self, theta: Float[Tensor, "p"] | None) -> State | None:
        """The state to go on from, where there is a checkpoint and it has one."""
        if self.checkpoint is None:
            return None
        from thalweg.store.journal import Journal

        self.journal = Journal(self.checkpoint, self.solver, self.problem, self.rule, self.histories)
        found = self.journal.begin(self.resume, theta)
        if found is None:
            return None
        self.last, self.best = found
        return self.last

    def _leapt(self, leap: Leap) -> Status | None:
        """Run over those states of a closed form that somebody looks at; the histories are given all of them."""
        self.leapt = True
        histories, self.histories = self.histories, []
        self.last = self.best = leap.first
        try:
            status = self._loop(iter(leap), Interrupt(wanted=False))
        finally:
            self.histories, self.best = histories, leap.best(self.last.step)
            for record in histories:
                leap.fill(record, self.last)
        if leap.reached and self.rule is not None:  # also where the last digit of the state in hand says otherwise
            self.rule.hit, status = True, Status.REACHED
        return status

    def _looped(self, theta: Float[Tensor, "p"] | None, resumed: State | None) -> Status | None:
        """Run the loop; how it ended, or None where the solver says so itself.

        It is leapt over where the states are known in closed form; never where there is a checkpoint, which holds
        states of the loop.
        """
        try:
            leap = None if self.journal else self.solver.leap(self.problem, theta, self.observers, self.rule)
            if leap is not None:
                return self._leapt(leap)
            with Interrupt(wanted=self.journal is not None) as interrupt:
                states = iterate(self.solver, self.problem, theta, resumed)
                if resumed is not None:
                    next(states)  # it was watched when it was reached
                    if self.rule is not None and self.rule.hit:
                        return Status.REACHED
                return self._loop(states, interrupt)
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.torn = True
            self._mend()
            return Status.INTERRUPTED
        except Stop as stop:
            self.reason = str(stop)
            return Status.STOPPED
        except Exception as error:
            self._remember(error)
            raise

    def _loop(self, states: Iterator[State], interrupt: Interrupt) -> Status | None:
        journal, rule, each, seldom, best = self.journal, self.rule, self.each, self.seldom, self.best
        for state in states:
            self.last = state
            if best is None or state.value <= best.value:
                self.best = best = state
            for record in self.histories:
                record(state)
            hit = rule is not None and rule(state)
            try:
                for observer in each:
                    observer(state)
                for observer, every in seldom:
                    if state.step % every == 0:
                        observer(state)
            except Exception:
                if journal is not None:
                    journal.save(state, best)
                raise
            if hit:
                return Status.REACHED
            if journal is not None:
                if interrupt.asked:
                    return Status.INTERRUPTED
                if journal.due(state.step):
                    journal.save(state, best)
        return None

    def _mend(self) -> None:
        """Finish points 1 and 2 of the order above for the last state: an interrupt may come between them."""
        if self.leapt or self.last is None or self.best is None:
            return
        if self.last.value <= self.best.value:
            self.best = self.last
        for record in self.histories:
            record.mend(self.last)

    def _ended(self, status: Status | None) -> Solution:
        last, best = self.last, self.best
        assert last is not None
        assert best is not None
        if status in (None, Status.REACHED):  # a rule may be true of a state that is no longer finite
            own = self.solver.terminate(self.problem, last)
            status = own if status is None or own is Status.DIVERGED else status
        assert status is not None
        self._show_last(last)
        if self.journal is not None and not self.torn:
            self.journal.save(last, best, status)
        if status is Status.DIVERGED:
            return self.solver.diverged(self.problem, best, last)
        state = self._kept(status, last, best)
        return self._detailed(self.solver.solution(self.problem, state, status), state)

    def _show_last(self, state: State) -> None:
        """The last state is shown to those who see few."""
        for observer, every in self.seldom:
            if state.step % every:
                with suppress(Stop):
                    observer(state)

    def _kept(self, status: Status, last: State, best: State) -> State:
        """Which state the solution is of."""
        chosen = None if self.rule is None else self.rule.chosen()
        if chosen is not None:
            return chosen
        if status is Status.INTERRUPTED or (status is Status.STOPPED and not math.isfinite(last.value)):
            return best
        return last

    def _detailed(self, solution: Solution, state: State) -> Solution:
        """The solution with what the rule has to say, and, where rows were set aside, of all rows."""
        more: dict[str, Any] = {} if self.rule is None else self.rule.details()
        reason = self.reason
        if solution.status is Status.REACHED and self.rule is not None:
            reason = self.rule.reason
        if reason:
            more["rule"] = reason
        if self.leapt:
            more["replayed"] = True
            solution = replace(solution, passes=1)
        if self.last is not None and state.step != self.last.step:
            more["stopped_at"] = self.last.step
        advice = solution.advice
        if solution.status in ENDED and (note := self._unreachable()):
            more["rule_note"] = note
            advice = f"{advice} {note}.".lstrip()
        solution = replace(solution, advice=advice, details={**solution.details, **more})
        if self.problem is self.whole:
            return solution
        whole: Any = self.whole
        value = float(whole.value(state.theta)) / whole.scale
        return replace(solution, value=value, no_covariance="rows were held out, and the fit stopped early")

    def _unreachable(self) -> str:
        """Which rules ask for a loss below the least there is; nothing where that is not known."""
        if self.rule is None or not self.rule.beyond(math.inf):
            return ""
        quadratic: Any = getattr(self.problem, "quadratic", None)
        parts = [] if quadratic is None else self.rule.beyond(quadratic.least)
        if not parts:
            return ""
        was = "was" if len(parts) == 1 else "were"
        return f"{' and '.join(map(repr, parts))} {was} never reached: the least loss is {quadratic.least:.6g}"

    def _remember(self, error: Exception) -> None:
        """Say with the error what was reached, and keep the best state on it: `error.best_state`."""
        if self.best is None or self.last is None:
            return
        theta = ", ".join(f"{value:.10g}" for value in self.best.theta[:NOTED].tolist())
        theta += ", ..." if self.best.theta.numel() > NOTED else ""
        error.add_note(
            f"The fit had reached step {self.last.step}. Its best state has loss {self.best.value:.6g} at step"
            f" {self.best.step}: theta = ({theta}); the whole of it is the best_state of this error."
        )
        if self.journal is not None and self.journal.written is not None:
            error.add_note(f"'{self.journal.checkpoint.path}' holds step {self.journal.written}: resume=True goes on.")
        error.best_state = self.best  # type: ignore[attr-defined]


def _checkpoint_among(checkpoint: Any, observers: Sequence[Any]) -> tuple[Checkpoint | None, list[Any]]:
    """The checkpoint, given as such or among the observers, and the others."""
    module = sys.modules.get("thalweg.store.checkpoint")  # not imported: then nobody can have made one
    found = [each for each in observers if module is not None and isinstance(each, module.Checkpoint)]
    others = [each for each in observers if not any(each is other for other in found)]
    if len(found) + (checkpoint is not None) > 1:
        raise OptionError(
            "two checkpoints are given, and a fit keeps one", advice="Give one: checkpoint= or among observers."
        )
    refuse_class(checkpoint)
    if checkpoint is None:
        return (found[0] if found else None), others
    from thalweg.store.checkpoint import Checkpoint

    return checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint), others


def _hooks(observers: Sequence[Any], name: str) -> list[Callable[..., None]]:
    return [hook for each in observers if (hook := getattr(each, name, None)) is not None]
