"""Early stopping on rows set aside, against a loop that does the same by hand."""

from __future__ import annotations

import math

import pytest
import torch

import thalweg as tw
from thalweg.errors import IncompatibleError, OptionError
from thalweg.losses import family
from thalweg.observers import History, LossBelow, MaxSteps, Patience
from thalweg.observers.patience import rows_of
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import iterate, solve


@pytest.fixture
def noisy():
    """Twelve columns for sixteen rows: the held-out loss falls, then rises."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(40, 12, generator=generator, dtype=torch.float64)
    y = 2 * x[:, 0] + 3 * torch.randn(40, generator=generator, dtype=torch.float64)
    weight = torch.rand(40, generator=generator, dtype=torch.float64) + 0.5
    return MemoryProblem(Linear(tuple("abcdefghijkl")), x, y, family("gaussian"), weight=weight, offset=0.1 * y)


def by_hand(problem, patience, lr, most):
    """(best step, step at which to stop, least held-out loss), by plain sums over the two parts."""
    held, kept = patience.split(problem.rows)
    train = rows_of(problem, kept)
    best, least = 0, math.inf
    for state in iterate(tw.GradientDescent(lr=lr, steps=most), train):
        residual = problem.y[held] - problem.offset[held] - problem.x[held] @ state.theta
        w = problem.weight[held]
        loss = float((w * residual.square()).sum() / w.sum())
        if state.step % patience.every == 0:
            if loss < least - patience.min_delta:
                best, least = state.step, loss
            elif state.step - best >= patience.steps:
                return best, state.step, least
    return best, most, least


@pytest.mark.parametrize(
    "patience",
    [
        Patience(5),
        Patience(20, 0.4, seed=3),
        Patience(30, 0.3, every=7),
        Patience(10, 0.5, min_delta=0.05),
        Patience(10**6, 0.4),
    ],
    ids=repr,
)
def test_it_stops_and_keeps_the_state_that_a_loop_by_hand_finds(noisy, patience):
    best, end, least = by_hand(noisy, patience, 0.05, 300)
    history = History()
    solver = tw.GradientDescent(lr=0.05, steps=300, replay=False)
    solution = solve(solver, noisy, None, [history], stop=patience)
    assert (solution.steps, history.step[-1]) == (best, end)
    assert solution.details["held_out"]["loss"] == pytest.approx(least, rel=1e-12)
    assert solution.details["held_out"]["rows"] == len(patience.split(40)[0])
    assert solution.status is (Status.REACHED if end < 300 else solution.status)
    assert torch.equal(solution.theta, history.theta[best])
    # The value is that of all rows, as J of any other fit.
    assert solution.value == pytest.approx(float(noisy.value(solution.theta)) / noisy.scale, rel=1e-12)


def test_the_parts_are_those_of_the_seed_and_share_no_row():
    one, other = Patience(3, 0.25, seed=8).split(41), Patience(3, 0.25, seed=8).split(41)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert sorted(torch.cat(one).tolist()) == list(range(41))
    assert len(one[0]) == 10
    assert not torch.equal(one[0], Patience(3, 0.25, seed=9).split(41)[0])
    assert [len(part) for part in Patience(3, 0.01).split(5)] == [1, 4]
    assert [len(part) for part in Patience(3, 0.99).split(5)] == [4, 1]


def test_no_global_seed_is_touched(noisy):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    solve(tw.GradientDescent(lr=0.05, steps=3), noisy, stop=Patience(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_another_rule_keeps_the_state_that_it_asked_for(noisy):
    ended = solve(tw.GradientDescent(lr=0.05, steps=300), noisy, stop=Patience(10**6, 0.4) | MaxSteps(100))
    assert (ended.steps, ended.details["rule"]) == (100, "MaxSteps(100)")
    assert ended.details["held_out"]["step"] < 100


def test_it_is_refused_where_there_are_no_rows_to_set_aside():
    one = MemoryProblem(Linear(("a",)), torch.ones(1, 1), torch.ones(1), family("gaussian"))
    with pytest.raises(IncompatibleError, match="Patience"):
        solve(tw.GradientDescent(lr=0.1), one, stop=Patience(3))
    with pytest.raises(IncompatibleError, match="Patience"):
        tw.fit("progression ~ bmi", "diabetes", stop=LossBelow(1.0) | Patience(3))
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    with pytest.raises(IncompatibleError, match="Patience"):
        tw.fit(tw.Elementwise(), data, solver=tw.GradientDescent(lr=0.01), stop=Patience(3))


def test_as_an_observer_it_is_refused(noisy):
    with pytest.raises(OptionError, match="stop="):
        solve(tw.GradientDescent(lr=0.1), noisy, observers=[Patience(3)])


def test_a_loss_that_is_no_number_is_no_improvement(noisy, states):
    patience = Patience(2)
    patience.begin(noisy)
    patience.training(noisy)
    losses = iter([torch.tensor(v) for v in (math.nan, 3.0, math.nan, math.nan)])
    patience._judge.value = lambda theta: next(losses)
    assert [patience(state) for state in states([1.0] * 4)] == [False, False, False, True]
    assert (patience.least, patience.chosen().step) == (3.0, 1)


def test_held_out_rows_without_weight_are_refused(noisy):
    held, kept = Patience(3).split(40)
    for part in (held, kept):
        weight = torch.ones(40, dtype=torch.float64)
        weight[part] = 0.0
        problem = MemoryProblem(noisy.predictor, noisy.x, noisy.y, noisy.loss, weight=weight)
        with pytest.raises(IncompatibleError, match="weight"):
            solve(tw.GradientDescent(lr=0.1), problem, stop=Patience(3))
