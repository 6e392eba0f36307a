"""How far a descent is from its optimum, and how many more steps it would take, against the loop and least squares."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.diagnose.after import after
from thalweg.errors import ConvergenceWarning
from thalweg.problem import MemoryProblem


@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("loss", ["mean", "sum", "half mean"])
@pytest.mark.parametrize("seed", range(3))
def test_the_steps_to_set_are_those_that_the_loop_needs(seed, loss, momentum, quadratic_problem, descend):
    problem = quadratic_problem(seed, p=2, loss=loss)
    start = torch.zeros(3, dtype=torch.float64)
    lr = 0.9 / float(problem.quadratic.eigenvalues[-1])
    theta, _, _ = descend(problem, start, lr, 15, momentum)
    end = after(problem, theta, lr=lr, momentum=momentum, steps=15, start=start)
    total = 15 + int(end.more_steps)
    excess = np.array(descend(problem, start, lr, total + 200, momentum)[2]) - problem.quadratic.least
    assert (excess[total:] <= 1e-6 * excess[0] * (1 + 1e-6)).all()
    assert excess[total - 1] > 1e-6 * excess[0] * (1 - 1e-6)
    assert f"set steps={total}" in end.sentence


def test_the_alternatives_keep_their_word(problem_from, line, descend):
    problem = problem_from("y ~ x", line)
    start = torch.zeros(2, dtype=torch.float64)
    end = after(problem, descend(problem, start, 0.01, 50)[0], lr=0.01, steps=50, start=start)
    assert len(end.alternatives) == 2
    for lr, momentum, steps in end.alternatives:
        excess = np.array(descend(problem, start, lr, int(steps), momentum)[2]) - end.least
        assert excess[-1] <= 1e-6 * excess[0] < excess[-2]
        assert f"lr={lr:g}" in end.sentence
        assert f"steps={steps}" in end.sentence


def test_distance_of_a_squared_loss(problem_from, line):
    problem, fit = problem_from("y ~ x", line), tw.fit("y ~ x", line)
    theta = fit.theta + torch.tensor([0.3, -0.02], dtype=torch.float64)
    end = after(problem, theta)
    assert end.kind == "exact"
    assert end.least == pytest.approx(float(problem.value(fit.theta)), rel=1e-12)
    assert end.excess == pytest.approx(float(problem.value(theta)) - end.least, rel=1e-9)
    assert end.relative == pytest.approx(end.excess / end.least, rel=1e-12)
    gradient = problem.value_and_gradient(theta)[1]
    assert end.gradient_norm == pytest.approx(float(gradient.norm()), rel=1e-12)
    design = torch.stack([torch.ones_like(line["x"]), line["x"]], 1)
    move = theta - fit.theta
    phi = float(problem.value(fit.theta))  # 2 J / n at the optimum is the mean of squares there
    assert end.standard_errors == pytest.approx(math.sqrt(move @ (design.T @ design) @ move / phi), rel=1e-9)


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_distance_of_a_logistic_loss(loss, problem_from, line):
    data = {**line, "z": (line["x"] + 3 * torch.sin(7 * line["x"]) > 5).double()}
    problem, fit = problem_from("z ~ x", data, "binomial", loss), tw.fit("z ~ x", data, family="binomial")
    theta = fit.theta + torch.tensor([1e-3, -2e-4], dtype=torch.float64)
    end = after(problem, theta)
    assert end.kind == "estimate"
    assert end.least == pytest.approx(float(problem.value(fit.theta)), rel=1e-12)
    assert end.excess == pytest.approx(float(problem.value(theta)) - end.least, rel=1e-5)
    move = theta - fit.theta
    assert end.standard_errors == pytest.approx(math.sqrt(move @ torch.linalg.solve(fit.covariance, move)), rel=1e-2)
    assert "about" in end.sentence


def test_an_estimate_of_steps_near_the_optimum_is_within_a_tenth(problem_from, line, descend):
    data = {**line, "z": torch.round(torch.exp(line["x"] / 5))}
    problem = problem_from("z ~ x", data, "poisson")
    start = tw.fit("z ~ x", data, family="poisson").theta + torch.tensor([0.1, -0.01], dtype=torch.float64)
    end = after(problem, start, lr=0.005, steps=0, start=start)
    values = np.array(descend(problem, start, 0.005, int(1.5 * end.more_steps))[2]) - end.least
    true = int(np.nonzero(values > 1e-6 * values[0])[0][-1]) + 1
    assert end.more_steps == pytest.approx(true, rel=0.1)


def test_at_the_optimum_nothing_is_left(problem_from, line):
    problem = problem_from("y ~ x", line)
    end = after(problem, problem.quadratic.optimum, lr=0.01, steps=7, start=torch.zeros(2, dtype=torch.float64))
    assert end.more_steps == 0
    assert "is its least value; there is nothing left to do" in end.sentence


def test_momentum_1_never_arrives(problem_from, line, descend):
    problem, start = problem_from("y ~ x", line), torch.zeros(2, dtype=torch.float64)
    end = after(problem, descend(problem, start, 0.01, 30, 1.0)[0], lr=0.01, momentum=1.0, steps=30, start=start)
    assert end.more_steps == math.inf
    assert "momentum 1" in end.sentence
    assert "clear the gradient" in end.sentence
    assert "momentum=0.9" in end.sentence
    assert re.search(r"lr=0\.0287 .* with steps=\d+", end.sentence)


def test_a_perfect_fit_has_no_relative_excess(problem_from):
    x = torch.arange(11, dtype=torch.float64)
    problem = problem_from("y ~ x", {"x": x, "y": 2 * x + 1})
    start = torch.zeros(2, dtype=torch.float64)
    end = after(problem, start + 0.5, lr=0.01, steps=3, start=start)
    assert end.relative == math.inf
    assert "its least value is 0" in end.sentence


def test_flat_directions_are_said(problem_from, line):
    problem = problem_from("y ~ x + z", {**line, "z": 2 * line["x"]})
    end = after(problem, torch.tensor([0.1, 0.1, 0.1], dtype=torch.float64), lr=1e-3)
    assert "flat along one direction" in end.sentence
    assert math.isfinite(end.more_steps)


def test_separated_classes_have_no_number_of_steps(problem_from, line):
    problem = problem_from("z ~ x", {**line, "z": (line["x"] > 5).double()}, "binomial")
    end = after(problem, torch.tensor([-3.0, 0.6], dtype=torch.float64), lr=0.1, steps=100)
    assert end.kind == "gradient only"
    assert math.isnan(end.more_steps)
    assert "separated" in end.sentence


def test_a_plateau_is_no_optimum(problem_from, line):
    """Far out every mean of a count is 0 and nothing bends: the least value is found from elsewhere."""
    data = {**line, "z": torch.round(torch.exp(line["x"] / 5))}
    problem = problem_from("z ~ x", data, "poisson")
    end = after(problem, torch.tensor([-1e4, -1e4], dtype=torch.float64), lr=0.01)
    assert end.least == pytest.approx(float(problem.value(tw.fit("z ~ x", data, family="poisson").theta)), rel=1e-9)
    assert end.excess > 1e3
    assert math.isnan(end.more_steps)  # and no curvature there tells a number of steps


def test_a_float32_descent_that_stalls_is_told_so(problem_from, line):
    double = problem_from("y ~ x", line)
    single = MemoryProblem(double.predictor, double.x.float(), double.y.float(), double.loss)
    near = double.quadratic.optimum + torch.tensor([0.3, 0.0], dtype=torch.float64)
    end = after(single, near.float(), lr=1e-9, steps=9, start=torch.zeros(2))
    assert "float32" in end.sentence
    assert "float32" not in after(single, near.float(), lr=1e-2, steps=9, start=torch.zeros(2)).sentence


def test_without_a_rate_the_fastest_is_told(problem_from, line):
    end = after(problem_from("y ~ x", line), torch.ones(2, dtype=torch.float64))
    assert math.isnan(end.more_steps)
    assert re.search(r"set lr=0\.0287 \(the fastest stable rate\) with steps=\d+", end.sentence)


def test_a_small_part_of_a_bad_start_is_not_yet_near():
    """A mean far above the noise: 1e-6 of the excess at the start leaves coefficients thousands of errors off."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=50)
    data = {"x": x, "y": 1e5 + 2 * x + 0.1 * generator.normal(size=50)}
    exact = tw.fit("y ~ x", data)
    with pytest.warns(ConvergenceWarning, match="standard errors of the optimum"):
        short = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=70))
    found = short.descent.solution.details["after"]
    assert found.excess < 1e-6 * short.trace.value[0]
    covariance = exact.covariance
    gap = short.theta - exact.theta
    phi = exact.statistics.dispersion * exact.statistics.df_residual / 50  # least value over n
    distance = float(gap @ torch.linalg.solve(covariance / exact.statistics.dispersion * phi, gap)) ** 0.5
    assert found.standard_errors == pytest.approx(distance, rel=1e-6)
    enough = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=70 + int(found.more_steps)))
    assert enough.solution.status.value == "converged"
    for name, error in exact.std_errors.items():
        assert abs(enough.coefficients[name] - exact.coefficients[name]) < 0.011 * error
