"""Stable limits, fastest rates and predicted steps, against the loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from thalweg.diagnose.rates import (
    check_rate,
    contraction,
    fastest,
    growth,
    polyak,
    spectral_radii,
    stable_limit,
)
from thalweg.diagnose.recursion import Recursion
from thalweg.errors import DivergenceError

KINDS = [(0.0, False), (0.3, False), (0.9, False), (0.5, True), (0.95, True)]


def looped(eigenvalues, z, lr, momentum, nesterov, steps):
    """The excess at each step, by the loop."""
    eigenvalues, z = eigenvalues.numpy(), z.numpy()
    v, excess = 0.0 * z, []
    for _ in range(steps + 1):
        excess.append(z * z @ eigenvalues / 2)
        slope = eigenvalues * z
        v = momentum * v + slope
        z = z - lr * (slope + momentum * v if nesterov else v)
    return np.array(excess)


def companion(eigenvalue, lr, momentum, nesterov):
    """The 2 x 2 matrix of (z, v), written from the update itself."""
    if nesterov:
        top = [1 - lr * eigenvalue * (1 + momentum), -lr * momentum**2]
    else:
        top = [1 - lr * eigenvalue, -lr * momentum]
    return np.array([top, [eigenvalue, momentum]])


@pytest.mark.parametrize(("momentum", "nesterov"), KINDS)
def test_radii_are_those_of_the_companion_matrix(momentum, nesterov):
    values = torch.tensor([0.01, 0.3, 1.0, 2.5, 7.0], dtype=torch.float64)
    for lr in (0.01, 0.2, 0.5, 1.0):
        found = spectral_radii(values, lr, momentum, nesterov)
        right = [abs(np.linalg.eigvals(companion(float(v), lr, momentum, nesterov))).max() for v in values]
        # abs: a double root, where numpy's eigenvalues are right to the square root of the rounding
        assert found.numpy() == pytest.approx(np.array(right), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("momentum", "nesterov"), KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_below_the_limit_it_converges_and_above_it_diverges(seed, momentum, nesterov, quadratic_problem, descend):
    problem = quadratic_problem(seed, p=2 + seed % 3)
    limit = stable_limit(float(problem.quadratic.eigenvalues[-1]), momentum, nesterov)
    start = torch.zeros(len(problem.names), dtype=torch.float64)
    check_rate(problem, 0.99 * limit, momentum, nesterov)
    with pytest.raises(DivergenceError):
        check_rate(problem, 1.01 * limit, momentum, nesterov)
    gap = float(problem.value(start)) - problem.quadratic.least
    values = descend(problem, start, 0.99 * limit, 1200, momentum, nesterov)[2]
    assert values[-1] - problem.quadratic.least < 1e-3 * gap
    unstable = descend(problem, start, 1.01 * limit, 1200, momentum, nesterov)[2]
    assert unstable[-1] - problem.quadratic.least > 1e3 * gap


def test_the_heavy_ball_with_momentum_1_is_let_through_and_never_converges(quadratic_problem, descend):
    problem = quadratic_problem(1)
    lr = 0.5 * stable_limit(float(problem.quadratic.eigenvalues[-1]), 1.0)
    check_rate(problem, lr, 1.0)
    start = torch.zeros(len(problem.names), dtype=torch.float64)
    values = np.array(descend(problem, start, lr, 1500, 1.0)[2]) - problem.quadratic.least
    assert 0.01 * values[0] < values[-500:].max() < 100 * values[0]
    z = problem.quadratic.eigenvectors.T @ (start - problem.quadratic.optimum)
    assert Recursion(problem.quadratic.eigenvalues, z, lr, 1.0).steps_to(1e-6 * values[0]) == math.inf


def test_momentum_above_1_is_refused(quadratic_problem):
    with pytest.raises(DivergenceError, match=r"momentum 1\.1 is above 1"):
        check_rate(quadratic_problem(1), 1e-3, 1.1)


def test_what_is_no_quadratic_is_not_refused(problem_from, line):
    check_rate(problem_from("z ~ x", {**line, "z": (line["x"] > 5).double()}, "binomial"), 1e9)


def test_the_refusal_says_the_limit_its_column_and_what_to_set(problem_from, line):
    problem = problem_from("y ~ x", line)
    with pytest.raises(DivergenceError) as caught:
        check_rate(problem, 0.1)
    eigenvalues = torch.linalg.eigvalsh(hessian(line["x"]))
    text = str(caught.value)
    assert f"the stable limit {2 / eigenvalues[-1]:.3g} (2 / largest curvature, set by `x`, which spans" in text
    assert "is not centred" in text
    assert f"the loss grows {(1 - 0.1 * eigenvalues[-1]) ** 2:.3g}x a step" in text
    assert "with x standardized, lr=0.5 needs 1 step" in text
    assert "allow_divergence=True" in text


def hessian(x):
    """Of the mean of squared errors of a line."""
    design = torch.stack([torch.ones_like(x), x])
    return 2 * design @ design.T / len(x)


def test_the_growth_is_that_of_the_loop(problem_from, line, descend):
    problem = problem_from("y ~ x", line)
    values = descend(problem, torch.zeros(2, dtype=torch.float64), 0.1, 30)[2]
    assert values[-1] / values[-2] == pytest.approx(growth(problem.quadratic.eigenvalues, 0.1), rel=1e-9)


@pytest.mark.parametrize(("largest", "smallest"), [(1.0, 1.0), (3.0, 0.2), (50.0, 1e-3)])
def test_no_rate_is_faster_than_the_fastest(largest, smallest):
    ends = torch.tensor([smallest, largest], dtype=torch.float64)

    def worst(lr):
        return float(spectral_radii(ends, lr).max())

    rate = fastest(largest, smallest)
    assert worst(rate) == pytest.approx(contraction(largest, smallest), abs=1e-15)
    assert all(worst(rate * factor) > worst(rate) for factor in (0.9, 0.999, 1.001, 1.1))


@pytest.mark.parametrize(("largest", "smallest"), [(3.0, 0.2), (50.0, 1e-3)])
def test_no_heavy_ball_is_faster_than_polyaks(largest, smallest):
    values = torch.logspace(math.log10(smallest), math.log10(largest), 50, dtype=torch.float64)
    lr, momentum = polyak(largest, smallest)
    best = float(spectral_radii(values, lr, momentum).max())
    assert best == pytest.approx(math.sqrt(momentum), rel=1e-6)
    for a in (0.95, 1.0, 1.05):
        for m in (momentum * 0.97, momentum, min(momentum * 1.01, 1)):
            assert float(spectral_radii(values, lr * a, m).max()) >= best * (1 - 1e-9)


@pytest.mark.parametrize(("momentum", "nesterov"), KINDS)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.9, 0.99])
def test_predicted_steps_are_those_of_the_loop(momentum, nesterov, part):
    g = torch.Generator().manual_seed(int(1000 * part) + int(100 * momentum))
    for p in (1, 4):
        values = torch.rand(p, generator=g, dtype=torch.float64) + 0.02
        z = torch.randn(p, generator=g, dtype=torch.float64)
        lr = part * stable_limit(float(values.max()), momentum, nesterov)
        recursion = Recursion(values, z, lr, momentum, nesterov)
        excess = looped(values, z, lr, momentum, nesterov, 6000)
        assert recursion.excess(np.arange(500)) == pytest.approx(excess[:500], rel=1e-8, abs=1e-12 * excess[0])
        last_above = int(np.nonzero(excess > 1e-6 * excess[0])[0][-1])
        assert last_above < len(excess) - 100  # the loop was long enough
        assert recursion.steps_to(1e-6 * excess[0]) == last_above + 1


@pytest.mark.parametrize("momentum", [0.0, 0.25])
def test_critical_rates(momentum):
    values, z = torch.tensor([4.0], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    lr = (1 - math.sqrt(momentum)) ** 2 / 4.0  # both roots are sqrt(momentum); without momentum one step is enough
    excess = looped(values, z, lr, momentum, False, 60)
    assert Recursion(values, z, lr, momentum).excess(np.arange(61)) == pytest.approx(excess, rel=1e-6, abs=1e-14)
    assert Recursion(values, z, lr, momentum).steps_to(1e-6 * excess[0]) == int(np.nonzero(excess > 2e-6)[0][-1]) + 1


def test_steps_go_on_from_a_velocity(quadratic_problem, descend):
    problem = quadratic_problem(3)
    q = problem.quadratic
    start = torch.zeros(len(problem.names), dtype=torch.float64)
    lr, goal = 0.3 / float(q.eigenvalues[-1]), 1e-6 * (float(problem.value(start)) - q.least)
    theta, velocity, _ = descend(problem, start, lr, 40, 0.8)
    whole = Recursion(q.eigenvalues, q.eigenvectors.T @ (start - q.optimum), lr, 0.8).steps_to(goal)
    rest = Recursion(
        q.eigenvalues, q.eigenvectors.T @ (theta - q.optimum), lr, 0.8, velocity=q.eigenvectors.T @ velocity
    ).steps_to(goal)
    assert whole == 40 + rest


def test_slow_directions_keep_their_digits():
    values, z = torch.tensor([1e-9], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    found = Recursion(values, z, 1.0).steps_to(0.5e-9 * 1e-6)
    assert found == pytest.approx(-math.log(1e-6) / (2 * -math.log1p(-1e-9)), rel=1e-9)


def test_a_flat_loss_bears_every_rate():
    assert stable_limit(0.0) == math.inf
    assert Recursion(torch.zeros(2).double(), torch.ones(2).double(), 5.0).steps_to(1e-9) == 0
