"""Mini-batches: the rows of an epoch, the loop as one writes it by hand, averaging, and lucky batches."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import IncompatibleError, OptionError
from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.armijo import Armijo
from thalweg.solvers.base import Status
from thalweg.solvers.batches import Order, per_epoch
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.minibatch import SGD
from thalweg.solvers.schedules import InverseDecay


def problem(kind: str = "gaussian", n: int = 50, dtype: torch.dtype = torch.float64) -> MemoryProblem:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    x[:, 0] = 1
    eta = x @ torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
    noise = torch.rand(n, generator=generator, dtype=torch.float64)
    y = eta + noise if kind == "gaussian" else (noise < torch.sigmoid(eta)).double()
    return MemoryProblem(Linear(("Intercept", "a", "b")), x.to(dtype), y.to(dtype), family(kind))


# --- the order of rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "size", "drop"), [(10, 3, False), (10, 3, True), (12, 4, False), (5, 9, False), (5, 9, True)]
)
def test_every_row_is_used_once_in_an_epoch(n, size, drop):
    order = Order.first(n, 7, torch.device("cpu"))
    orders = []
    for _ in range(4):
        taken = []
        for place in range(per_epoch(n, size, drop)):
            batch, order = order.take(size, drop)
            taken += batch.tolist()
            assert len(batch) == min(size, n) or (not drop and place == n // size)
        used = n - n % size if drop and n >= size else n
        assert len(set(taken)) == len(taken) == used
        orders.append(tuple(taken))
    assert len(set(orders)) > 1  # a new order for each epoch


def test_the_orders_are_those_of_one_generator():
    generator = torch.Generator().manual_seed(7)
    order = Order.first(20, 7, torch.device("cpu"))
    for _ in range(3):
        expected = torch.randperm(20, generator=generator)
        taken = []
        for _ in range(4):
            batch, order = order.take(6)
            taken.append(batch)
        assert torch.equal(torch.cat(taken), expected)


def test_no_global_seed_is_touched():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    solve(SGD(0.01, 2), problem())
    assert torch.equal(torch.get_rng_state(), before)


# --- steps ----------------------------------------------------------------------------------------------------------


def by_hand(target: MemoryProblem, epochs: int, size: int, **options) -> list[torch.Tensor]:
    """The loop that one writes with PyTorch, autograd and torch.optim.SGD."""
    theta = torch.zeros(3, dtype=target.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([theta], **options)
    generator = torch.Generator().manual_seed(5)
    path = [theta.detach().clone()]
    for _ in range(epochs):
        order = torch.randperm(target.rows, generator=generator)
        for batch in order.split(size):
            optimizer.zero_grad()
            target.value(theta, batch).backward()
            optimizer.step()
            path.append(theta.detach().clone())
    return path


@pytest.mark.parametrize("options", [{}, {"momentum": 0.8}, {"momentum": 0.8, "nesterov": True}])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_sgd_is_the_loop_of_pytorch_bit_for_bit(options, dtype):
    target = problem("binomial", dtype=dtype)
    solver = SGD(0.1, 4, batch_size=8, seed=5, derivative="autograd", **options)
    target.derivative = solver.derivative
    ours = [state.theta for state in iterate(solver, target)]
    theirs = by_hand(target, 4, 8, lr=0.1, **options)
    assert len(ours) == len(theirs) == 4 * 7 + 1
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", ["gaussian", "binomial"])
def test_gradients_by_hand_agree_with_autograd_on_batches(kind):
    target = problem(kind)
    ours = [state.theta for state in iterate(SGD(0.05, 5, batch_size=8, seed=5), target)]
    theirs = by_hand(target, 5, 8, lr=0.05)
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-14) for a, b in zip(ours, theirs, strict=True))


def test_equal_seeds_give_equal_runs_and_others_do_not():
    target = problem()
    one, same, other = (solve(SGD(0.05, 3, seed=seed), target).theta for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_steps_in_place_of_epochs():
    assert solve(SGD(0.05, steps=13, batch_size=8), problem()).steps == 13
    assert solve(SGD(0.05, 3, batch_size=8), problem()).steps == 3 * 7
    assert solve(SGD(0.05, 3, batch_size=8, drop_last=True), problem()).steps == 3 * 6


def test_one_batch_of_all_rows_is_gradient_descent():
    target = problem()
    ours = solve(SGD(0.05, 20, batch_size=1000), target).theta
    plain = solve(tw.GradientDescent(0.05, 20, replay=False), target).theta
    assert torch.allclose(ours, plain, rtol=1e-12)


# --- losses ---------------------------------------------------------------------------------------------------------


def test_the_loss_of_all_rows_is_known_at_each_epochs_end_and_of_the_batch_in_between():
    target = problem()
    for state in iterate(SGD(0.05, steps=24, batch_size=8), target):
        assert state.whole == (state.step % 7 == 0 or state.step == 24)
        batch = state.rows[max(state.position - 8, 0) if state.position < 50 else 48 : state.position]
        value, gradient = target.value_and_gradient(state.theta, batch)
        assert torch.equal(state.gradient, gradient)
        expected = target.value(state.theta) if state.whole else value
        assert state.value == pytest.approx(float(expected), rel=1e-13)


def test_evaluate_says_how_often():
    states = list(iterate(SGD(0.05, steps=10, batch_size=8, evaluate=3), problem()))
    assert [state.step for state in states if state.whole] == [0, 3, 6, 9, 10]


def test_a_lucky_batch_is_not_the_best_state():
    """What an interrupt keeps is judged by the loss over all rows, whatever a batch says of it."""
    target = problem()
    solver = SGD(0.1, steps=150, batch_size=1)
    states = list(iterate(solver, target))
    worse = [state for state in states if not state.whole and float(target.value(state.theta)) > state.best_value]
    lucky = min(worse, key=lambda state: state.value)
    assert lucky.value < lucky.best_value
    solution = solver.solution(target, lucky, Status.INTERRUPTED)
    assert solution.value * target.scale == pytest.approx(float(target.value(solution.theta)), rel=1e-12)
    assert torch.equal(solution.theta, lucky.best_theta)


def test_a_rule_about_the_loss_waits_for_that_of_all_rows():
    target = problem()
    seen = []
    solution = solve(SGD(0.05, 40, batch_size=1), target, None, [seen.append], stop=tw.LossBelow(0.2))
    assert any(state.value < 0.2 and not state.whole for state in seen[:-1])
    assert solution.status is Status.REACHED
    assert seen[-1].whole
    assert seen[-1].value < 0.2


def test_divergence_keeps_the_state_whose_whole_loss_was_least():
    target = problem()
    solution = solve(SGD(2.0, 200, batch_size=8), target)
    assert solution.status is Status.DIVERGED
    assert float(target.value(solution.theta)) <= float(target.value(torch.zeros(3, dtype=torch.float64)))


# --- settling -------------------------------------------------------------------------------------------------------


def test_a_mean_of_iterates_settles_where_the_iterates_do_not():
    target = problem(n=400)
    optimum, least = target.quadratic.optimum, target.quadratic.least
    plain = solve(SGD("auto", 40, batch_size=4), target).theta
    mean = solve(SGD("auto", 40, batch_size=4, average=True), target).theta
    falling = solve(SGD(InverseDecay(0.05, 0.005), 40, batch_size=4), target).theta
    excess = [float(target.value(theta)) - least for theta in (plain, mean, falling)]
    assert excess[1] < excess[0] / 5
    assert excess[2] < excess[0] / 5
    assert torch.allclose(mean, optimum, atol=0.05)


def test_the_mean_is_the_weighted_one_of_its_definition():
    target = problem()
    states = list(iterate(SGD(0.05, 3, batch_size=8, average=True), target))
    plain = list(iterate(SGD(0.05, 3, batch_size=8), target))
    mean = states[0].theta
    for t, (state, other) in enumerate(zip(states, plain, strict=True)):
        assert torch.equal(state.iterate, other.theta)
        if t:
            mean = mean + 4 / (t + 3) * (other.theta - mean)
        assert torch.allclose(state.theta, mean, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kind", ["gaussian", "binomial"])
def test_auto_does_not_diverge(kind):
    target = problem(kind, n=300)
    for size in (1, 8, 300):
        solution = solve(SGD("auto", 20, batch_size=size, momentum=0.9), target)
        assert solution.status is not Status.DIVERGED
        assert float(target.value(solution.theta)) < float(target.value(torch.zeros(3, dtype=torch.float64)))
        assert "curvature" in solution.details["lr_chosen"]


# --- kept for later -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"average": True}, {"drop_last": True, "lr": "auto"}])
@pytest.mark.parametrize("at", [0, 6, 7, 17])
def test_a_run_that_goes_on_from_a_snapshot_is_the_same_bit_for_bit(options, at):
    target = problem()
    solver = SGD(**{"lr": 0.05, "epochs": 4, "batch_size": 8, **options})
    states = list(iterate(solver, target))
    kept = solver.snapshot(states[at])
    assert all(isinstance(value, torch.Tensor | float | int | str) for value in kept.values())
    again = list(iterate(solver, target, state=solver.restored(target, kept)))
    for one, other in zip(states[at:], again, strict=True):
        for each in dataclasses.fields(one):
            a, b = getattr(one, each.name), getattr(other, each.name)
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b or (a != a and b != b)


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epochs": 3, "steps": 10}, "one of them"),
        ({"epochs": 0}, "whole number"),
        ({"batch_size": 0}, "whole number"),
        ({"batch_size": 2.5}, "whole number"),
        ({"evaluate": 0}, "whole number"),
        ({"seed": -1}, "whole number"),
        ({"seed": None}, "whole number"),
        ({"average": 1}, "True or False"),
        ({"drop_last": 1}, "True or False"),
        ({"lr": Armijo()}, "GradientDescent"),
        ({"lr": "0.1"}, "lr=0.1"),
        ({"lr": math.nan}, "above 0"),
        ({"momentum": "auto"}, "from 0 to 1"),
        ({"nesterov": True}, "momentum=0.9"),
    ],
)
def test_options_are_refused_with_what_to_do(options, says):
    with pytest.raises(OptionError, match=says):
        SGD(**{"lr": 0.1, **options})


def test_rows_that_are_not_in_memory_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr("thalweg.problem.KEEP_BYTES", 0)
    data = {"x": np.arange(10.0), "y": np.arange(10.0)}
    with pytest.raises(IncompatibleError, match="SGD needs batches"):
        tw.fit("y ~ x", data, solver=SGD(0.01))
