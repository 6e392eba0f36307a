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
from collections.abc import Iterator
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from descent_cases import CASES, Case, limit_of
from thalweg.convention import CONVENTIONS
from thalweg.losses import family
from thalweg.observers import History
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.iterate import solve
from thalweg.solvers.trajectory import Trajectory

EPS = float(np.finfo(float).eps)
MOMENTA = [(0.0, False), *((m, nesterov) for m in (0.5, 0.9, 0.99, 1.0) for nesterov in (False, True))]


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
