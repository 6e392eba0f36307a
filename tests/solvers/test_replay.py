"""Solves that are replayed: the same outcome, history and views as the loop's. Their numbers: test_trajectory.py."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import thalweg as tw
from descent_cases import CASES, Case, limit_of
from thalweg.diagnose import rates as rate_checks
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.observers import History, Stop
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import State, Status
from thalweg.solvers.iterate import solve
from thalweg.solvers.replay import Replay


def both(case: Case, lr: Any, steps: int, *, stop: Callable[[], Any] = lambda: None, **options: Any) -> list[Any]:
    """(solution, history) of the replay and of the loop."""
    found = []
    for replay in (True, False):
        problem, history = case.problem(), History()
        solver = tw.GradientDescent(lr, steps, replay=replay, loss=case.convention, **options)
        found.append((solve(solver, problem, torch.from_numpy(case.start), [history], stop=stop()), history))
        history.close()
    return found


SOLVES: dict[str, dict[str, Any]] = {
    "stable": {"share": 0.3, "steps": 500},
    "no step": {"share": 0.3, "steps": 0},
    "at the limit": {"share": 1.0, "steps": 50},
    "momentum": {"share": 0.5, "steps": 300, "momentum": 0.9},
    "nesterov": {"share": 0.5, "steps": 300, "momentum": 0.9, "nesterov": True},
    "uncleared": {"share": 0.1, "steps": 40, "momentum": 1.0},
    "divergent": {"share": 3.0, "steps": 1000, "allow_divergence": True},
    "slowly divergent": {"share": 1.001, "steps": 1000, "allow_divergence": True},
    "divergent momentum": {"share": 1.5, "steps": 3000, "allow_divergence": True, "momentum": 0.9},
    "divergent, short": {"share": 1.01, "steps": 20, "allow_divergence": True},
    "loss below": {"share": 0.2, "steps": 900, "stop": lambda: tw.LossBelow(40.0)},
    "loss below at once": {"share": 0.2, "steps": 900, "stop": lambda: tw.LossBelow(1e9)},
    "gradient below": {"share": 0.2, "steps": 900, "stop": lambda: tw.GradientBelow(1e-4)},
    "gradient below, momentum": {"share": 0.2, "steps": 900, "stop": lambda: tw.GradientBelow(1e-4), "momentum": 0.8},
    "never below": {"share": 0.2, "steps": 90, "stop": lambda: tw.LossBelow(1e-9)},
    "two rules": {"share": 0.2, "steps": 900, "stop": lambda: tw.LossBelow(1e-9) | tw.MaxSteps(33)},
    "a rule that counts": {"share": 0.2, "steps": 900, "stop": lambda: tw.RelativeChange(1e-6)},
    "a function": {"share": 0.2, "steps": 900, "stop": lambda: lambda state: state.gradient_size < 0.01},
}


@pytest.mark.parametrize("name", SOLVES)
@pytest.mark.parametrize("which", ["line", "five columns"])
def test_a_solve_is_the_loops(which: str, name: str) -> None:
    """Steps, status, parameters, best state, advice and the whole history."""
    case, how = CASES[which], dict(SOLVES[name])
    lr = how.pop("share") * limit_of(case, how.get("momentum", 0.0), how.get("nesterov", False))
    (ours, seen), (theirs, trace) = both(case, lr, **how)
    assert (ours.status, ours.steps) == (theirs.status, theirs.steps)
    assert ours.details.keys() - {"replayed"} == theirs.details.keys()
    assert ours.details.get("rule") == theirs.details.get("rule")
    assert ours.details.get("best_step") == theirs.details.get("best_step")
    torch.testing.assert_close(ours.theta, theirs.theta, rtol=1e-9, atol=1e-9)
    assert seen.step == trace.step
    assert seen.rate == trace.rate
    finite = np.isfinite(trace.value)
    np.testing.assert_allclose(np.array(seen.value)[finite], np.array(trace.value)[finite], rtol=1e-9)
    np.testing.assert_allclose(seen.gradient_size[:-1], trace.gradient_size[:-1], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(seen.path[:-1], trace.path[:-1], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.5}, {"momentum": "auto"}, {"momentum": "auto", "nesterov": True}]
)
def test_a_rate_that_is_chosen(options: dict[str, Any]) -> None:
    """lr="auto" is a constant rate where the loss is a quadratic."""
    (ours, seen), (theirs, trace) = both(CASES["five columns"], "auto", 40, **options)
    assert (ours.status, ours.steps, ours.details["lr"]) == (theirs.status, theirs.steps, theirs.details["lr"])
    torch.testing.assert_close(seen.path, trace.path, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("share", "momentum", "status"),
    [(0.9999, 0.999, Status.LIMIT), (0.9999999, 0.99999, Status.LIMIT), (1.002, 0.0, Status.DIVERGED)],
)
def test_a_divergence_that_is_stopped(
    share: float, momentum: float, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that only rises is stopped; a stable rate is not, however high momentum throws the loss."""
    monkeypatch.setattr(rate_checks, "check_rate", lambda *_, **__: None)  # it would refuse the last rate
    case = CASES["five columns"]
    (ours, seen), (theirs, trace) = both(case, share * limit_of(case, momentum), 3000, momentum=momentum)
    assert (ours.status, ours.steps) == (theirs.status, theirs.steps)
    assert theirs.status is status or (status is Status.LIMIT and theirs.status is Status.CONVERGED)
    assert max(trace.value) > 1e4 * trace.value[0] or momentum < 0.9999
    assert (seen.step, ours.details.get("best_step")) == (trace.step, theirs.details.get("best_step"))


def test_the_best_state_is_found_in_whatever_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest of the least losses, of momentum that swings."""
    case, problem = CASES["line"], CASES["line"].problem()
    solver = tw.GradientDescent(0.01 * limit_of(case), 200, momentum=0.99, loss=case.convention)
    replay = Replay(solver, problem, solver.init(problem, torch.from_numpy(case.start)))
    values = replay.trajectory.values(range(201))
    monkeypatch.setattr("thalweg.solvers.replay.LOOK", 16)
    for last in (0, 15, 16, 100, 200):
        assert replay.best(last).step == int(values[: last + 1].argmin())


class Watcher:
    """Writes down the steps that it is shown."""

    def __init__(self, every: int | None = None, stop_at: int | None = None, error: type[BaseException] = Stop) -> None:
        self.seen: list[State] = []
        self.stop_at, self.error = stop_at, error
        if every is not None:
            self.every = every

    def __call__(self, state: State) -> None:
        self.seen.append(state)
        if state.step == self.stop_at:
            raise self.error


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("everies", [[None], [10], [10, 15], [7, None], []])
def test_observers_see_what_they_see_of_the_loop(everies: list[int | None], momentum: float) -> None:
    """Each state, or those that they say, and the last; the same numbers."""
    case, shown = CASES["line"], []
    for replay in (True, False):
        watchers = [Watcher(every) for every in everies]
        solver = tw.GradientDescent(0.3 * limit_of(case), 64, momentum=momentum, replay=replay, loss=case.convention)
        solve(solver, case.problem(), torch.from_numpy(case.start), watchers)
        shown.append([watcher.seen for watcher in watchers])
    for ours, theirs in zip(*shown, strict=True):
        assert [state.step for state in ours] == [state.step for state in theirs]
        for a, b in zip(ours, theirs, strict=True):
            assert vars(a).keys() == vars(b).keys()
            for name, value in vars(b).items():
                if isinstance(value, Tensor):
                    torch.testing.assert_close(vars(a)[name], value, rtol=1e-10, atol=1e-10)
                elif isinstance(value, float):
                    assert vars(a)[name] == pytest.approx(value, rel=1e-10, abs=1e-10, nan_ok=True)
                else:
                    assert vars(a)[name] == value, name


@pytest.mark.parametrize(("error", "status"), [(Stop, Status.STOPPED), (KeyboardInterrupt, Status.INTERRUPTED)])
def test_an_observer_ends_it(error: type[BaseException], status: Status) -> None:
    """At its step, with the states up to it in the history."""
    case, found = CASES["line"], []
    for replay in (True, False):
        history = History()
        solver = tw.GradientDescent(0.3 * limit_of(case), 500, replay=replay, loss=case.convention)
        watcher = Watcher(stop_at=17, error=error)
        solution = solve(solver, case.problem(), torch.from_numpy(case.start), [history, watcher])
        history.close()
        found.append((solution.status, solution.steps, history.step))
        assert solution.status is status
    assert found[0] == found[1]
    assert found[0][1] == 17


def test_a_long_history_keeps_its_limit() -> None:
    """A million states are thinned as the loop's would be, and none is made before somebody asks."""
    case, history = CASES["line"], History()
    solver = tw.GradientDescent(1e-5 * limit_of(case), 1_000_003, loss=case.convention)
    solve(solver, case.problem(), torch.from_numpy(case.start), [history])
    assert "theta" not in vars(history)
    history.close()
    assert history.every == 8
    assert history.step[:3] + history.step[-2:] == [0, 8, 16, 1_000_000, 1_000_003]
    assert history.path.shape == (len(history), 2) == (125_002, 2)


def test_where_it_does_not_apply() -> None:
    """The loop runs; asked for by name, the replay says why it cannot be."""
    case = CASES["line"]
    start = torch.from_numpy(case.start)
    lr = 0.1 * limit_of(case)
    poisson = MemoryProblem(Linear(("a", "b")), torch.from_numpy(case.x), torch.ones(20).double(), family("poisson"))
    for problem, rate, reason in (
        (case.problem(), lambda step: lr, "not constant"),
        (case.problem(), tw.Armijo(), "not constant"),
        (poisson, 1e-6, "not a squared one"),
    ):
        history = History()
        solve(tw.GradientDescent(rate, 3), problem, torch.zeros(2), [history])
        assert "theta" in vars(history)
        with pytest.raises(OptionError, match=f"replay=True, and .*{reason}"):
            solve(tw.GradientDescent(rate, 3, replay=True), problem, start)


def test_float32_is_replayed_only_where_asked() -> None:
    """Its rounding is part of what is watched: the loop stalls, and the replay does not."""
    g = torch.Generator().manual_seed(10)
    x = torch.rand(8, generator=g) * 20
    data = {"x": x.tolist(), "y": (2 * x + 3 * (1 + torch.randn(8, generator=g))).tolist()}
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for replay in (None, True):
            solver = tw.GradientDescent(0.001, 10_000, loss="half sum", dtype="float32", replay=replay)
            fit = tw.fit("y ~ x", data, solver=solver, start=[0.0, 0.5])
            found[replay] = [round(value, 5) for value in fit.solution.theta.tolist()]
            assert fit.trace.theta[-1].dtype is torch.float32
    assert found == {None: [3.46988, 1.87083], True: [3.46996, 1.87083]}


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_start_without_a_gradient_is_the_end(momentum: float) -> None:
    """Of a long descent, whose history is taken in two lists, too."""
    data = {"x": np.arange(5.0), "y": np.zeros(5)}
    exact = {"x": np.arange(3.0), "y": 1 + 2 * np.arange(3.0)}
    for rows, start in ((data, None), (exact, [1.0, 2.0])):
        for replay in (True, False):
            solver = tw.GradientDescent(0.01, 1000, momentum=momentum, replay=replay)
            fit = tw.fit("y ~ x", rows, start=start, solver=solver)
            assert fit.solution.status is Status.CONVERGED
            assert fit.history["step"].to_list() == [0]
