"""The replay against the loop that it replaces, and both against arithmetic with 100 digits.

A loop in float64 makes an error of at most

    eta_k = eps (n + p + 8) (|theta_k| + lr c |X| (|X| |theta_k| + |y|))                                            (1)

at step k: a gradient is two matrix products with n and p terms (Higham 2002, doi:10.1137/1.9780898718027, section 3.1)
and a few operations more. What follows multiplies it by the powers of the recursion's matrix M, so that after t steps

    |theta_t - exact| <= sum_{k < t} |M^(t-1-k)| eta_k,      |M^j| the largest over the directions,                 (2)

which grows like t at rest and like t |M|^t in a divergence. The replay rounds the eigenvalues and the start once, which
is a perturbation of each step by no more than (1): it is held to the same bound.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import thalweg as tw
from thalweg.convention import CONVENTIONS
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.observers import History, Stop
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import State, Status
from thalweg.solvers.iterate import solve
from thalweg.solvers.trajectory import Trajectory

EPS = float(np.finfo(float).eps)
MOMENTA = [(0.0, False), *((m, nesterov) for m in (0.5, 0.9, 0.99, 1.0) for nesterov in (False, True))]


@dataclass
class Case:
    """Data, weights, offset and a start, in float64."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    offset: np.ndarray | None = None
    convention: str = "mean"

    @property
    def start(self) -> np.ndarray:
        return np.random.default_rng(3).standard_normal(self.x.shape[1])

    def problem(self, **more: Any) -> MemoryProblem:
        given = {k: torch.from_numpy(v) for k, v in (("weight", self.weight), ("offset", self.offset)) if v is not None}
        names = tuple(f"x{j}" for j in range(self.x.shape[1]))
        x, y = torch.from_numpy(self.x), torch.from_numpy(self.y)
        return MemoryProblem(Linear(names), x, y, family("gaussian"), self.convention, **given, **more)

    def scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """A and b of f = |A theta - b|^2, with c and the weights in them."""
        problem = self.problem()
        root = np.sqrt(problem.scale / 2 * (np.ones(len(self.y)) if self.weight is None else self.weight))
        return root[:, None] * self.x, root * (self.y - (0.0 if self.offset is None else self.offset))


def cases() -> dict[str, Case]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((30, 5))
    y = x @ rng.standard_normal(5) + rng.standard_normal(30)
    ill = rng.standard_normal((40, 3)) @ np.diag([1e5, 30.0, 1.0])  # the Hessian's condition number is 1e10
    line = np.c_[np.ones(20), rng.uniform(0, 10, 20)]
    return {
        "one parameter": Case(x[:, :1], y),
        "line": Case(line, 2 * line[:, 1] + 5 + rng.standard_normal(20), convention="half mean"),
        "five columns": Case(x, y, convention="sum"),
        "weights and offset": Case(x, y, rng.uniform(0, 3, 30), rng.standard_normal(30), "half sum"),
        "ill-conditioned": Case(ill, rng.standard_normal(40)),
        "lower rank": Case(np.c_[x, x[:, 0] + x[:, 1], 0 * x[:, 0]], y),
        "more parameters than rows": Case(x[:4], y[:4]),
        "twenty columns": Case(rng.standard_normal((25, 20)), rng.standard_normal(25)),
    }


CASES = cases()


def limit_of(case: Case, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The rate above which descent diverges, from NumPy's singular values."""
    largest = 2 * np.linalg.norm(case.scaled()[0], 2) ** 2
    return 2 * (1 + momentum) / ((1 + 2 * momentum if nesterov else 1) * largest)


def rates(case: Case, momentum: float, nesterov: bool) -> dict[str, float]:
    limit = limit_of(case, momentum, nesterov)
    eigenvalues = 2 * np.linalg.svd(case.scaled()[0], compute_uv=False) ** 2
    positive = eigenvalues[eigenvalues > 1e-12 * eigenvalues[0]]
    damping = (1 - math.sqrt(momentum)) ** 2 / positive[0]  # critical: the two roots of the steepest direction meet
    return {
        "tiny": 1e-9 * limit,
        "small": 0.01 * limit,
        "1/L": 1 / positive[0],
        "critical": damping if 0 < momentum < 1 else 2 / (positive[0] + positive[-1]),
        "near the limit": 0.999 * limit,
        "the limit": limit,
        "divergent": 1.2 * limit,
    }


def loop(case: Case, lr: float, momentum: float, nesterov: bool, steps: int) -> np.ndarray:
    """The thetas, by the recursion of torch.optim.SGD and nothing else."""
    a, b = case.scaled()
    theta, velocity, path = case.start, np.zeros(a.shape[1]), [case.start]
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps):
            gradient = 2 * (a.T @ (a @ theta - b))
            velocity = momentum * velocity + gradient
            theta = theta - lr * (gradient + momentum * velocity if nesterov else velocity)
            path.append(theta)
    return np.array(path)


def growth(a: np.ndarray, momentum: float, nesterov: bool, steps: int) -> np.ndarray:
    """|M^j| for j < steps, the largest over the directions: by multiplication, one step at a time."""
    one = np.ones_like(a)
    down, back = (a * (1 + momentum), momentum**2) if nesterov else (a, momentum)
    m = np.stack([np.stack([1 - down, -back * one], -1), np.stack([a, momentum * one], -1)], -2)
    power, norms = np.broadcast_to(np.eye(2), m.shape), []
    for _ in range(steps):
        norms.append(np.abs(power).sum(axis=(1, 2)).max())
        power = power @ m
    return np.array(norms)


def bound(case: Case, path: np.ndarray, lr: float, momentum: float, nesterov: bool, at: list[int]) -> np.ndarray:
    """(2) at some steps."""
    a, b = case.scaled()
    largest = np.linalg.norm(a, 2)
    size = np.linalg.norm(path, axis=1)
    eta = EPS * (sum(a.shape) + 8) * (size + 2 * lr * largest * (largest * size + np.linalg.norm(b)))
    norms = growth(2 * lr * np.linalg.svd(a, compute_uv=False) ** 2, momentum, nesterov, max(at))
    return np.array([eta[0] + norms[:t][::-1] @ eta[:t] for t in at])


def trajectory(case: Case, lr: float, momentum: float = 0.0, nesterov: bool = False) -> Trajectory:
    problem = case.problem()
    assert problem.quadratic is not None
    return Trajectory(problem.quadratic, torch.from_numpy(case.start), lr, momentum, nesterov, problem.scale)


@pytest.mark.parametrize(("momentum", "nesterov"), MOMENTA)
@pytest.mark.parametrize("name", CASES)
def test_the_replay_is_the_loop(name: str, momentum: float, nesterov: bool) -> None:
    """Within the bound (2), at every rate."""
    case, at = CASES[name], [0, 1, 2, 7, 150]
    for kind, lr in rates(case, momentum, nesterov).items():
        path = loop(case, lr, momentum, nesterov, max(at))
        replayed = trajectory(case, lr, momentum, nesterov).thetas(at).numpy()
        error = np.linalg.norm(replayed - path[at], axis=1)
        allowed = 2 * bound(case, path, lr, momentum, nesterov, at)  # both may be wrong by (2)
        assert error[0] == 0.0
        assert (error <= allowed).all(), (kind, error / allowed)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.99, True)])
def test_a_hundred_thousand_steps(momentum: float, nesterov: bool) -> None:
    """A rate so small that the descent is still on its way."""
    case, t = CASES["line"], 100_000
    lr = 1e-6 * limit_of(case, momentum, nesterov)
    path = loop(case, lr, momentum, nesterov, t)
    error = np.linalg.norm(trajectory(case, lr, momentum, nesterov).thetas(t).numpy()[0] - path[-1])
    assert error <= 2 * bound(case, path, lr, momentum, nesterov, [t])[0]
    assert error <= 1e-10 * np.linalg.norm(path[-1] - path[0])


def exact(case: Case, lr: float, momentum: float, nesterov: bool, steps: int) -> Iterator[tuple[Any, Any, Any]]:
    """theta, loss and gradient at each step, with 100 digits, of the numbers that the float64 data are."""
    problem = case.problem()
    x, target, weight = mp.matrix(case.x.tolist()), mp.matrix(case.y.tolist()), mp.eye(len(case.y))
    if case.offset is not None:
        target -= mp.matrix(case.offset.tolist())
    if case.weight is not None:
        weight = mp.diag(case.weight.tolist())
    c = mp.mpf(2 if not case.convention.startswith("half") else 1)
    if case.convention.endswith("mean"):
        c /= sum(weight[i, i] for i in range(len(case.y)))
    assert float(c) == pytest.approx(problem.scale, rel=1e-15)
    hessian, slope = c * (x.T * weight * x), c * (x.T * weight * target)
    constant = c / 2 * (target.T * weight * target)[0]
    lr, momentum = mp.mpf(lr), mp.mpf(momentum)
    theta, velocity = mp.matrix(case.start.tolist()), mp.zeros(case.x.shape[1], 1)
    for _ in range(steps + 1):
        product = hessian * theta
        gradient = product - slope
        yield theta, (theta.T * (product / 2 - slope))[0] + constant, gradient
        velocity = momentum * velocity + gradient
        theta = theta - lr * (gradient + momentum * velocity if nesterov else velocity)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.5, True), (1.0, False)])
@pytest.mark.parametrize("name", ["line", "weights and offset", "ill-conditioned"])
def test_the_replay_against_a_hundred_digits(name: str, momentum: float, nesterov: bool) -> None:
    """Parameters, losses and gradients; the parameters at least as near as the loop's own bound."""
    case, at = CASES[name], [0, 1, 2, 7, 100]
    with mp.workdps(100):
        for kind, lr in rates(case, momentum, nesterov).items():
            states = [s for t, s in enumerate(exact(case, lr, momentum, nesterov, max(at))) if t in at]
            thetas = np.array([[float(v) for v in theta] for theta, _, _ in states])
            values = np.array([float(value) for _, value, _ in states])
            sizes = np.array([float(mp.norm(gradient)) for _, _, gradient in states])
            replayed = trajectory(case, lr, momentum, nesterov)
            path = loop(case, lr, momentum, nesterov, max(at))
            allowed = bound(case, path, lr, momentum, nesterov, at)
            error = np.linalg.norm(replayed.thetas(at).numpy() - thetas, axis=1)
            assert (error <= allowed).all(), (kind, error / allowed)
            steep = 2 * np.linalg.norm(case.scaled()[0], 2) ** 2  # |H|: what an error of theta does to the gradient
            assert (np.abs(replayed.gradient_norms(at).numpy() - sizes) <= steep * allowed).all(), kind
            error = np.abs(replayed.values(at).numpy() - values)  # f(theta + d) - f(theta) = g'd + d'Hd / 2
            assert (error <= sizes * allowed + steep / 2 * allowed**2 + 8 * EPS * values).all(), kind


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (1.0, False)])
def test_digits_of_a_start_that_has_hardly_moved(momentum: float, nesterov: bool) -> None:
    """A thousand steps of 1e-12: what has moved is right to 12 digits, where theta itself has none of it."""
    case = CASES["line"]
    lr = 1e-12 * limit_of(case)
    with mp.workdps(100):
        *_, (theta, _, _) = exact(case, lr, momentum, nesterov, 1000)
        moved = np.array([float(v - mp.mpf(s)) for v, s in zip(theta, case.start, strict=True)])
    replayed = trajectory(case, lr, momentum, nesterov)
    change = (replayed._modes.change(np.array([1000])) * replayed._distance) @ replayed._back
    np.testing.assert_allclose(change[0], moved, rtol=1e-12)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.25, False), (0.9, True)])
def test_digits_of_a_gradient_that_has_all_but_gone(momentum: float, nesterov: bool) -> None:
    """Of 1e-40 of the first gradient 9 digits are right; a loop's rounding ends near 1e-13."""
    case = Case(np.array([[1.0], [2.0]]), np.array([1.0, 3.0]))
    lr = 0.37 * limit_of(case, momentum, nesterov)
    with mp.workdps(100):
        *_, (_, _, gradient) = exact(case, lr, momentum, nesterov, 900)
        truth = float(mp.norm(gradient))
    assert truth < 1e-15
    assert float(trajectory(case, lr, momentum, nesterov).gradient_norms(900)) == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize(
    "steps", [range(65), range(5, 300, 7), range(100, 109), [0], [3, 3, 1], [299, 0, 17, 255, 256], []]
)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (1.0, True)])
def test_steps_one_by_one_in_a_run_or_anywhere(steps: Any, momentum: float, nesterov: bool) -> None:
    """All ways to ask give the same rows, and an int, a list, an array and a tensor are asked alike."""
    one = trajectory(CASES["five columns"], 0.3 * limit_of(CASES["five columns"]), momentum, nesterov)
    rows = one.rows(steps)
    singly = [one.rows(step) for step in steps]
    for name, column in rows.items():
        assert len(column) == len(list(steps))
        for row, single in zip(column, singly, strict=True):
            torch.testing.assert_close(row, single[name][0], rtol=1e-12, atol=1e-13)
    for asked in (np.array(list(steps), dtype=int), torch.tensor(list(steps), dtype=torch.int64)):
        assert torch.equal(one.thetas(asked), rows["theta"])
        assert torch.equal(one.values(asked), rows["value"])
        assert torch.equal(one.gradient_norms(asked), rows["gradient_size"])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    p=st.integers(1, 20),
    share=st.floats(1e-8, 1.3),
    momentum=st.sampled_from([0.0, 0.1, 0.9, 0.999, 1.0]),
    nesterov=st.booleans(),
    t=st.integers(0, 200),
    convention=st.sampled_from(CONVENTIONS),
)
def test_any_step_of_any_descent(
    seed: int, p: int, share: float, momentum: float, nesterov: bool, t: int, convention: str
) -> None:
    """Random designs, rates, momenta, steps and conventions: within the bound (2)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((p + 5, p)) * 10.0 ** rng.uniform(-1, 1, p)
    case = Case(x, rng.standard_normal(p + 5), convention=convention)
    nesterov = nesterov and momentum > 0
    lr = share * limit_of(case, momentum, nesterov)
    path = loop(case, lr, momentum, nesterov, t)
    error = np.linalg.norm(trajectory(case, lr, momentum, nesterov).thetas(t).numpy()[0] - path[-1])
    assert error <= 2 * bound(case, path, lr, momentum, nesterov, [t])[0]


# --- the limit ------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(1, 5), m=st.sampled_from([0.0, 0.3, 0.9]), nesterov=st.booleans())
def test_the_limit_parts_convergence_from_divergence(seed: int, p: int, m: float, nesterov: bool) -> None:
    """By NumPy's loop: at 0.99 of the limit the distance from the optimum vanishes, at 1.01 it grows without bound."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((p + 3, p)))[0]
    case = Case(basis * rng.uniform(1.0, 3.0, p), rng.standard_normal(p + 3), convention="sum")
    optimum = np.linalg.lstsq(case.x, case.y)[0]
    limit = limit_of(case, m, nesterov and m > 0)
    below, above = (loop(case, share * limit, m, nesterov and m > 0, 1500) - optimum for share in (0.99, 1.01))
    assert np.linalg.norm(below[-1]) < 1e-3 * np.linalg.norm(below[0])
    assert not np.linalg.norm(above[-1]) <= 1e3 * np.linalg.norm(above[0])


# --- solves ---------------------------------------------------------------------------------------------------------


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
    assert ours.details.keys() == theirs.details.keys()
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


def test_a_divergence_that_is_stopped() -> None:
    """Without allow_divergence: a start so far out that momentum throws the loss above all bounds, and a late rise."""
    case = CASES["line"]
    for momentum in (0.999, 1.0):
        (ours, seen), (theirs, trace) = both(case, 0.9999 * limit_of(case, momentum), 2000, momentum=momentum)
        assert (ours.status, ours.steps, len(seen)) == (theirs.status, theirs.steps, len(trace))


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
    solver = tw.GradientDescent(1e-5 * limit_of(case), 1_000_000, loss=case.convention)
    solve(solver, case.problem(), torch.from_numpy(case.start), [history])
    assert "theta" not in vars(history)
    history.close()
    assert history.every == 8
    assert history.step[:3] + history.step[-2:] == [0, 8, 16, 999_992, 1_000_000]
    assert history.path.shape == (len(history), 2) == (125_001, 2)


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


@pytest.mark.parametrize(("momentum", "share"), [(0.0, 0.1), (0.0, 0.999), (0.0, 1.1), (0.9, 0.3), (1.0, 0.3)])
def test_float32(momentum: float, share: float) -> None:
    """The replay of a float32 problem is within the float32 loop's bound of it."""
    case, at = CASES["weights and offset"], [1, 7, 100]
    lr = share * limit_of(case, momentum)
    given = {"weight": torch.from_numpy(case.weight).float(), "offset": torch.from_numpy(case.offset).float()}
    x, y, start = (torch.from_numpy(each).float() for each in (case.x, case.y, case.start))
    paths = []
    for replay in (True, False):
        problem = MemoryProblem(Linear(tuple("abcde")), x, y, family("gaussian"), case.convention, **given)
        solver = tw.GradientDescent(
            lr, max(at), momentum=momentum, replay=replay, dtype="float32", loss=case.convention, allow_divergence=True
        )
        history = History()
        solve(solver, problem, start, [history])
        assert history.theta[-1].dtype is torch.float32
        paths.append(history.path.numpy())
    share32 = float(torch.finfo(torch.float32).eps) / EPS
    allowed = 2 * share32 * bound(case, paths[1], lr, momentum, False, at)
    assert (np.linalg.norm(paths[0][at] - paths[1][at], axis=1) <= allowed).all()


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
