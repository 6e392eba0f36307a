"""The one loop: hooks, observers that see few states, Ctrl-C, errors of observers, and what it costs."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import torch

import thalweg as tw
from thalweg.errors import ConvergenceWarning, IncompatibleError, OptionError
from thalweg.losses import family
from thalweg.observers import History, Log, Progress, Stop
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Solution, Solver, Status
from thalweg.solvers.descent import DescentState
from thalweg.solvers.iterate import iterate, solve
from thalweg.store.checkpoint import Checkpoint, read_checkpoint


@pytest.fixture
def problem():
    """A logistic regression: no closed form."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    y = (x.sum(1) + torch.randn(30, generator=generator, dtype=torch.float64) > 0).double()
    return MemoryProblem(Linear(("a", "b")), x, y, family("binomial"))


class Watcher:
    """Writes down every call."""

    def __init__(self, every=1, fail_at=None, kind=RuntimeError):
        self.every, self.fail_at, self.kind, self.calls = every, fail_at, kind, []

    def begin(self, solver, problem):
        self.calls.append("begin")

    def __call__(self, state):
        self.calls.append(state.step)
        if state.step == self.fail_at:
            raise self.kind("broken")

    def end(self, solution):
        self.calls.append(("end", solution.status))

    def failed(self, error):
        self.calls.append(("failed", type(error)))


@pytest.mark.parametrize("replayed", [True, False])
def test_hooks_and_who_sees_which_states(problem, replayed):
    if replayed:
        problem = MemoryProblem(problem.predictor, problem.x, problem.y, family("gaussian"))
    each, third, never = Watcher(), Watcher(every=3), Watcher(every=100)
    solve(tw.GradientDescent(lr=0.1, steps=8), problem, None, [each, third, never])
    assert each.calls[:-1] == ["begin", *range(9)]
    assert third.calls[:-1] == ["begin", 0, 3, 6, 8]  # and the last
    assert never.calls[:-1] == ["begin", 0, 8]
    assert {calls[-1][0] for calls in (each.calls, third.calls, never.calls)} == {"end"}


def test_stop_ends_at_the_state_that_was_seen(problem):
    watcher = Watcher(fail_at=4, kind=Stop)
    solution = solve(tw.SGD(lr=0.1, steps=50, batch_size=5), problem, None, [watcher])
    assert (solution.status, solution.steps) == (Status.STOPPED, 4)
    assert watcher.calls[-1] == ("end", Status.STOPPED)


def test_an_error_of_an_observer_carries_what_was_reached(problem):
    history, failing, other = History(), Watcher(fail_at=6), Watcher()
    with pytest.raises(RuntimeError, match="broken") as caught:
        solve(tw.GradientDescent(lr=0.1, steps=50), problem, None, [history, failing, other])
    assert "had reached step 6" in caught.value.__notes__[0]
    assert f"{float(history.theta[6][0]):.10g}" in caught.value.__notes__[0]
    assert torch.equal(caught.value.best_state.theta, history.theta[6])
    assert failing.calls[-1] == other.calls[-1] == ("failed", RuntimeError)


def test_an_error_of_an_observer_leaves_a_checkpoint_of_that_very_state(problem, tmp_path):
    path = tmp_path / "run.ckpt"
    whole, history = History(), History()
    truth = solve(tw.GradientDescent(lr=0.1, steps=50), problem, None, [whole])
    with pytest.raises(RuntimeError) as caught:
        solve(tw.GradientDescent(lr=0.1, steps=50), problem, None, [history, Watcher(fail_at=33)], checkpoint=path)
    assert "'" + str(path) + "' holds step 33: resume=True goes on." in caught.value.__notes__[1]
    assert read_checkpoint(path)[0]["step"] == 33
    resumed = History()
    solution = solve(tw.GradientDescent(lr=0.1, steps=50), problem, None, [resumed], checkpoint=path, resume=True)
    assert torch.equal(solution.theta, truth.theta)
    assert torch.equal(resumed.path, whole.path)


def test_an_error_before_the_first_state_has_nothing_to_tell(problem):
    with pytest.raises(IncompatibleError) as caught:
        next(iterate(tw.GradientDescent(lr=0.1), type("Nothing", (), {"has": frozenset()})()))
    assert not getattr(caught.value, "__notes__", [])


def interrupt_after(seconds, times=1):
    """A real SIGINT to this process, as Ctrl-C sends it."""

    def send():
        for _ in range(times):
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "make", [lambda: tw.GradientDescent(lr=0.01, steps=10**9), lambda: tw.SGD(lr=0.1, steps=10**9)]
)
def test_ctrl_c_gives_back_the_best_so_far(problem, make):
    history = History()
    thread = interrupt_after(0.2)
    solution = solve(make(), problem, None, [history])
    thread.join()
    assert solution.status is Status.INTERRUPTED
    assert solution.steps > 10
    assert solution.value / 1.0 == pytest.approx(min(history.value) / problem.scale, rel=1e-12)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("place", ["__call__", "_keep", "in the columns"])
def test_an_interrupt_in_the_midst_of_a_record_loses_nothing(problem, place, monkeypatch):
    """Solution and history are of the same states, in columns of one length."""
    history, calls = History(), 0
    keep, call = History._keep, History.__call__

    def interrupted(self, state):
        nonlocal calls
        calls += 1
        if calls != 8:
            return (call if place == "__call__" else keep)(self, state)
        if place == "in the columns":
            self.step.append(state.step)
            self.value.append(state.value)
        raise KeyboardInterrupt

    monkeypatch.setattr(History, "__call__" if place == "__call__" else "_keep", interrupted)
    solution = solve(tw.GradientDescent(lr=0.01, steps=50), problem, None, [history])
    assert solution.status is Status.INTERRUPTED
    assert history.step == list(range(8))
    assert len({len(column) for column in history._columns().values()}) == 1
    assert solution.steps == 7
    assert solution.value == pytest.approx(min(history.value) / problem.scale, rel=1e-12)


@pytest.mark.parametrize(
    "make", [lambda: tw.GradientDescent(lr=0.01, steps=10**9), lambda: tw.SGD(lr=0.1, steps=10**9)]
)
def test_ctrl_c_with_a_checkpoint_writes_the_state_in_hand(problem, make, tmp_path):
    """Nothing is lost: neither the steps since the last checkpoint, nor one."""
    history, path = History(), tmp_path / "run.ckpt"
    thread = interrupt_after(0.2)
    solution = solve(make(), problem, None, [history], checkpoint=Checkpoint(path, every=10**9))
    thread.join()
    description, _ = read_checkpoint(path)
    assert (solution.status, description["step"], description["status"]) == (Status.INTERRUPTED, history.step[-1], None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # On for a little, and equal to one that was never interrupted.
    more, once = History(), History()
    rule = tw.MaxSteps(history.step[-1] + 5)
    solve(make(), problem, None, [more], stop=rule, checkpoint=path, resume=True)
    solve(make(), problem, None, [once], stop=rule)
    assert torch.equal(more.path, once.path)
    assert more.value == once.value


def test_a_second_ctrl_c_does_not_wait(problem, tmp_path):
    def endless(state):
        if state.step == 3:
            time.sleep(20)

    thread, started = interrupt_after(0.2, times=2), time.perf_counter()
    solution = solve(
        tw.GradientDescent(lr=0.01, steps=10**9),
        problem,
        None,
        [endless],
        checkpoint=Checkpoint(tmp_path / "c", every=1),
    )
    thread.join()
    assert time.perf_counter() - started < 10
    assert solution.status is Status.INTERRUPTED
    assert read_checkpoint(tmp_path / "c")[0]["step"] == 2


class Counting(Solver):
    """A solver that does nothing, over states that are there."""

    needs = frozenset()
    has = frozenset()

    def __init__(self, count):
        theta = torch.zeros(2, dtype=torch.float64)
        self.states = [DescentState(theta, 1.0, 1.0, i, rate=0.1) for i in range(count + 1)]

    def init(self, objective, theta):
        return self.states[0]

    def step(self, objective, state):
        return self.states[state.step + 1]

    def terminate(self, objective, state):
        return Status.LIMIT if state.step + 1 == len(self.states) else None

    def solution(self, objective, state, status):
        return Solution(state.theta, status, "", None, state.value, state.step, 0)


def test_the_loop_costs_little():
    """With a history, a rule and an observer of every 20th state: microseconds a step, where a step takes 20 to 30."""
    solver = Counting(20_000)
    took = []
    for _ in range(5):
        started = time.perf_counter()
        solve(solver, solver, None, [History(), Watcher(every=20)], stop=tw.LossBelow(0.0))
        took.append((time.perf_counter() - started) / 20_000)
    assert min(took) < 6e-6  # 1.5e-6 on an idle core


def test_one_observer_needs_no_list(problem, capsys):
    solve(tw.GradientDescent(lr=0.1, steps=3), problem, None, Log(every=3))
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines() if line.startswith("step")] == ["0", "3"]
    assert solve(tw.GradientDescent(lr=0.1), problem, None, tw.MaxSteps(2)).steps == 2
    assert solve(tw.GradientDescent(lr=0.1, steps=3), problem, None, None).steps == 3


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"observers": [Log]}, "Log()"),
        ({"observers": Log}, "Log()"),
        ({"observers": [Progress]}, "Progress()"),
        ({"observers": [tw.Patience]}, "Patience(...)"),
        ({"observers": [Checkpoint]}, "Checkpoint(...)"),
        ({"stop": tw.LossBelow}, "LossBelow(...)"),
        ({"stop": [tw.MaxSteps(3), tw.TimeLimit]}, "TimeLimit(...)"),
        ({"checkpoint": Checkpoint}, "Checkpoint(...)"),
    ],
)
def test_a_class_in_place_of_an_object_is_named(problem, given, word):
    """Before the first step, and before any hook is called."""
    with pytest.raises(OptionError, match=r"is a class") as caught:
        solve(tw.GradientDescent(lr=0.1, steps=3), problem, **given)
    assert str(caught.value).endswith(f"Write {word}.")


def test_one_observer_of_a_fit_needs_no_list(capsys):
    tw.fit("progression ~ bmi", "diabetes", observers=Log(every=500))
    tw.fit(torch.nn.Linear(1, 1), "diabetes", y="progression", x="bmi", observers=Log(every=500))
    assert capsys.readouterr().err.count("converged") == 2


@pytest.mark.parametrize("given", [{"progress": Progress}, {"observers": [Log]}, {"observers": Log}])
def test_a_fit_refuses_a_class_too(given):
    with pytest.raises(OptionError, match=r"is a class. Write"):
        tw.fit("progression ~ bmi", "diabetes", **given)


# --- what a fit says of its end -------------------------------------------------------------------------------------

LINE = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 4.0, 4.0, 7.0]}  # the least mean of squares is 0.45


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize("replay", [None, False])
@pytest.mark.parametrize("steps", [5, 2000])
def test_a_rule_that_nothing_can_reach_is_said_to_be_one(steps, replay):
    solver = tw.GradientDescent(lr=0.1, steps=steps, replay=replay)
    fit = tw.fit("y ~ x", LINE, solver=solver, stop=tw.LossBelow(0.25) | tw.LossBelow(0.1) & tw.MaxSteps(3))
    note = "LossBelow(0.25) and LossBelow(0.1) were never reached: the least loss is 0.45"
    assert fit.solution.details["rule_note"] == note
    assert note in " ".join(fit.summary().split())
    assert note in " ".join(fit.descent.summary().split())


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize("stop", [tw.LossBelow(0.46), tw.LossBelow(0.25) | tw.MaxSteps(5), tw.GradientBelow(1e-30)])
def test_no_such_note_where_it_is_not_so(stop):
    fit = tw.fit("y ~ x", LINE, solver=tw.GradientDescent(lr=0.1, steps=50), stop=stop)
    assert "rule_note" not in fit.solution.details


def test_no_such_note_where_the_least_loss_is_unknown(problem):
    solution = solve(tw.GradientDescent(lr=0.1, steps=5), problem, stop=tw.LossBelow(1e-9))
    assert "rule_note" not in solution.details


@pytest.mark.parametrize("solver", [tw.GradientDescent(lr=1e-4, steps=10**6), tw.SGD(lr=1e-4, steps=10**6)])
def test_an_interrupted_fit_says_where(solver):
    def interrupt(state):
        if state.step == 1500:
            raise KeyboardInterrupt

    start = r"Interrupted at step 1,500; the best state so far is kept\. \w"
    with pytest.warns(ConvergenceWarning, match=start):
        tw.fit("y ~ x", LINE, solver=solver, observers=[interrupt])
