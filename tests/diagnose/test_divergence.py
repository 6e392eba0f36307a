"""Causes of a divergence: each is told only where the numbers bear it out."""

from __future__ import annotations

import dataclasses
import re
import warnings

import pytest
import torch

import thalweg as tw
from thalweg.diagnose.divergence import cause_of_divergence, explain_divergence
from thalweg.diagnose.setting import first_above, setting_of
from thalweg.diagnose.start import bad_start
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.descent import DescentState
from thalweg.solvers.gradient_descent import GradientDescent
from thalweg.solvers.minibatch import SGD
from thalweg.solvers.torch_optimizer import TorchOptimizer


@pytest.fixture
def states():
    """The best and the last state of a descent, as `solve` keeps them."""

    def make(problem, start, last, rate, step=5):
        value, gradient = problem.value_and_gradient(start)
        best = DescentState(start, float(value), float(gradient.norm()), 0, gradient, rate, float(value), start=start)
        value, gradient = problem.value_and_gradient(last)
        new = {"theta": last, "value": float(value), "gradient": gradient, "step": step}
        return best, dataclasses.replace(best, **new, gradient_size=float(gradient.norm()))

    return make


def cause(problem, solver, pair):
    return cause_of_divergence(problem, solver, *pair)


def test_a_rate_of_a_mean_is_no_cause_of_a_sum(problem_from, line, states):
    """Above the limit of the mean too: then it is the rate, and not the convention."""
    start, far = torch.zeros(2, dtype=torch.float64), torch.full((2,), 1e6, dtype=torch.float64)
    problem = problem_from("y ~ x", line, loss="sum")
    assert cause(problem, GradientDescent(lr=0.02), states(problem, start, far, 0.02)).code == "sum"
    assert cause(problem, GradientDescent(lr=0.05), states(problem, start, far, 0.05)).code == "uncentred"


def test_the_rate_that_is_told_for_a_sum_is_stable(problem_from, line, states):
    start, far = torch.zeros(2, dtype=torch.float64), torch.full((2,), 1e6, dtype=torch.float64)
    problem = problem_from("y ~ x", line, loss="sum")
    found = cause(problem, GradientDescent(lr=0.02), states(problem, start, far, 0.02))
    told = re.search(r"Set lr=([\d.e-]+)", found.sentence)
    assert told is not None
    assert float(told[1]) < 2 / float(problem.quadratic.eigenvalues[-1])


def test_nothing_is_blamed_that_was_not_measured(problem_from, line, states):
    """A stable rate, a right gradient, full batches: the cause is not known, and that is what is said."""
    problem = problem_from("y ~ x", line)
    pair = states(problem, torch.zeros(2).double(), torch.full((2,), 1e6).double(), 0.01)
    found = cause(problem, GradientDescent(lr=0.01), pair)
    assert found.code == "unknown"
    assert "0.0289" in found.sentence


def test_float32_where_float64_holds(problem_from, line, states):
    double = problem_from("y ~ x", {**line, "y": line["y"] * 1e18})
    single = MemoryProblem(Linear(double.names), double.x.float(), double.y.float(), double.loss)
    start, last = torch.zeros(2), torch.tensor([1e20, 0.0])
    found = cause(single, GradientDescent(lr=0.01, dtype="float32"), states(single, start, last, 0.01))
    assert found.code == "float32"
    assert 'dtype="float64"' in found.sentence
    assert cause(single, GradientDescent(lr=0.1), states(single, start, last, 0.1)).code == "uncentred"


def test_the_text_names_both_states_and_the_one_that_is_kept(problem_from, line, states):
    problem = problem_from("y ~ x", line)
    pair = states(problem, torch.zeros(2).double(), torch.full((2,), 1e6).double(), 0.1)
    text = explain_divergence(problem, GradientDescent(lr=0.1), *pair)
    assert text.startswith(f"The loss, {pair[0].value:.3g} at step 0, grew to")
    assert "after 5 steps" in text
    assert text.endswith("The state at step 0 is kept.")


def test_no_library_warns_while_a_cause_is_sought(problem_from, line, states):
    problem = problem_from("z ~ x", {**line, "z": torch.round(torch.exp(line["x"] / 2))}, "poisson")
    pair = states(problem, torch.zeros(2).double(), torch.tensor([700.0, 10.0]).double(), 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cause(problem, GradientDescent(lr=0.1), pair).code == "uncentred"


def test_settings_are_read_from_every_solver():
    assert setting_of(GradientDescent(lr=0.1, momentum=0.9, nesterov=True), None).nesterov
    assert setting_of(SGD(lr=0.1, epochs=1, batch_size=8), None).batch_size == 8
    adam, sgd = setting_of(TorchOptimizer("Adam"), None), setting_of(TorchOptimizer("SGD", momentum=0.5), None)
    assert (adam.kind, adam.name, sgd.kind, sgd.momentum) == ("adaptive", "Adam", "descent", 0.5)
    assert setting_of(TorchOptimizer("LBFGS"), None).kind == "lbfgs"
    assert not setting_of(TorchOptimizer("LBFGS"), None).searched
    assert setting_of(TorchOptimizer("LBFGS", line_search_fn="strong_wolfe"), None).searched
    assert setting_of(tw.LBFGS(), None).searched
    assert setting_of(GradientDescent(lr=lambda step: 0.1 / (1 + step)), None).first == 0.1


def test_the_first_step_above_a_limit():
    assert first_above(lambda step: 0.1 * step, 0.35, 100) == 4
    assert first_above(lambda step: 0.1, 0.35, 100) is None


def test_lbfgs_without_a_search_is_told_so(problem_from, line, states):
    problem = problem_from("z ~ x", {**line, "z": torch.round(torch.exp(line["x"] / 2))}, "poisson")
    pair = states(problem, torch.zeros(2).double(), torch.tensor([700.0, 10.0]).double(), 1.0)
    found = cause(problem, TorchOptimizer("LBFGS", lr=1.0), pair)
    assert found.code == "search"
    assert "strong_wolfe" in found.sentence


def test_a_start_outside_names_its_row(problem_from, line):
    problem = problem_from("z ~ x", {**line, "z": 1 / (1 + line["x"])}, "gamma", link="inverse")
    error = bad_start(problem, torch.tensor([3.0, -1.0]).double(), "Give others.")
    row = int(torch.nonzero(3 - line["x"] <= 0)[0]) + 1
    assert f"row {row}, whose linear predictor is {3 - line['x'][row - 1]:.3g}" in str(error)
