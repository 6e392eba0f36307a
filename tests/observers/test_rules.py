"""Stopping rules: alone, composed, forgotten, remembered, in closed form."""

from __future__ import annotations

import math
import random

import pytest
import torch

import thalweg as tw
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.observers import (
    AllOf,
    AnyOf,
    GradientBelow,
    LossBelow,
    MaxSteps,
    RelativeChange,
    Stop,
    StopWhen,
    TimeLimit,
)
from thalweg.observers.rules import rule_of
from thalweg.observers.stopping import Stopper
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import solve

LOSSES = [8.0, 4.0, 2.0, 3.0, 1.0, 1.0, 1.0, 0.5]
GRADIENTS = [5.0, 0.5, 3.0, 0.4, 0.3, 2.0, 0.2, 0.1]


def first(rule, states):
    """The first step at which a rule is true, shown the states in turn."""
    rule.begin(None)
    return next((state.step for state in states if rule(state)), None)


@pytest.mark.parametrize(
    ("rule", "step"),
    [
        (LossBelow(2.0), 4),  # below, not at
        (LossBelow(0.5), None),
        (GradientBelow(0.5), 3),
        (MaxSteps(5), 5),
        (MaxSteps(0), 0),
        (RelativeChange(0.3), 5),
        (RelativeChange(0.34), 3),  # from 2 to 3: one third of the larger
        (RelativeChange(0.3, patience=2), 6),
        (RelativeChange(0.3, patience=3), None),
        (StopWhen(lambda state: state.step == 2), 2),
        (LossBelow(2.0) | GradientBelow(0.6), 1),
        (LossBelow(2.0) & GradientBelow(0.6), 4),
        (LossBelow(1.5) & GradientBelow(0.25) | MaxSteps(7), 6),
        (LossBelow(1.5) & (GradientBelow(0.25) | MaxSteps(5)), 5),
        (RelativeChange(0.3, patience=2) & MaxSteps(2), 6),  # it counts from the first state on
        (MaxSteps(6) & RelativeChange(0.3, patience=2), 6),  # also while the other is not true yet
        (LossBelow(1.5) | (lambda state: state.step == 1), 1),
        ((lambda state: state.step == 1) & MaxSteps(1), 1),
    ],
    ids=repr,
)
def test_the_first_state_at_which_a_rule_is_true(rule, step, states):
    assert first(rule, states(LOSSES, GRADIENTS)) == step
    assert first(rule, states(LOSSES, GRADIENTS)) == step  # begun anew, it has forgotten the first time


def test_rules_read_as_they_are_written():
    nested = LossBelow(1.0) & (MaxSteps(9) | GradientBelow(1e-3)) | RelativeChange(1e-6, patience=3) | TimeLimit(60)
    assert repr(nested) == (
        "(LossBelow(1.0) & (MaxSteps(9) | GradientBelow(0.001))) | RelativeChange(1e-06, patience=3) | TimeLimit(60)"
    )
    assert repr(AnyOf(LossBelow(1), AnyOf(MaxSteps(1), MaxSteps(2)))) == "LossBelow(1.0) | MaxSteps(1) | MaxSteps(2)"


def test_the_reason_is_the_part_that_was_true(states):
    rule = LossBelow(1.5) & GradientBelow(0.35) | MaxSteps(6)
    assert first(rule, states(LOSSES, GRADIENTS)) == 4
    assert rule.reason == "LossBelow(1.5) & GradientBelow(0.35)"
    both = MaxSteps(4) | LossBelow(1.5)
    first(both, states(LOSSES))
    assert both.reason == "MaxSteps(4) | LossBelow(1.5)"


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_rule_goes_on_from_its_snapshot(cut, states):
    def made():
        return RelativeChange(0.3, patience=2) & GradientBelow(0.35) | MaxSteps(40)

    before, after = made(), made()
    shown = states(LOSSES, GRADIENTS)
    before.begin(None)
    after.begin(None)
    for state in shown[:cut]:
        before(state)
    after.restore(before.snapshot())
    assert after.hit == before.hit
    assert [before(s) for s in shown[cut:]] == [after(s) for s in shown[cut:]]


class Listed:
    """A trajectory of known losses and gradients."""

    def __init__(self, losses, gradients):
        self.losses, self.gradients = torch.tensor(losses), torch.tensor(gradients)

    def values(self, steps):
        return self.losses[steps]

    def gradient_norms(self, steps):
        return self.gradients[steps]

    def first_below(self, kind, value, limit):
        column = {"loss": self.losses, "gradient": self.gradients}[kind][: limit + 1]
        return next((i for i, each in enumerate(column.tolist()) if each < value), None)


def test_a_trajectory_is_stopped_where_its_states_would_be(states):
    draw = random.Random(5)
    for _ in range(200):
        losses, gradients = ([draw.random() for _ in range(150)] for _ in range(2))
        leaves = [
            lambda: LossBelow(draw.choice([0.01, 0.1, 0.5])),
            lambda: GradientBelow(draw.choice([0.01, 0.1])),
            lambda: MaxSteps(draw.randrange(200)),
        ]

        def tree(depth, leaves=leaves):
            if depth == 0 or draw.random() < 0.3:
                return draw.choice(leaves)()
            return draw.choice([AnyOf, AllOf])(tree(depth - 1), tree(depth - 1))

        rule, limit = tree(3), draw.randrange(150)
        assert rule.closed
        shown = states(losses, gradients)[: limit + 1]
        assert rule.first(Listed(losses, gradients), limit) == first(rule, shown), repr(rule)


def test_only_rules_of_the_state_alone_are_closed():
    assert (LossBelow(1) | MaxSteps(3)).closed
    for rule in (RelativeChange(0.1), TimeLimit(1), StopWhen(bool), tw.Patience(3), MaxSteps(1) & RelativeChange(0.1)):
        assert not rule.closed


@pytest.mark.parametrize(
    "make",
    [
        lambda: LossBelow("x"),
        lambda: LossBelow(math.nan),
        lambda: GradientBelow(0),
        lambda: GradientBelow(math.inf),
        lambda: MaxSteps(-1),
        lambda: MaxSteps(2.5),
        lambda: MaxSteps(True),
        lambda: RelativeChange(-1e-3),
        lambda: RelativeChange(1e-3, patience=0),
        lambda: TimeLimit(0),
        lambda: TimeLimit("60"),
        lambda: StopWhen(3),
        lambda: tw.Patience(0),
        lambda: tw.Patience(3, held_out=1.0),
        lambda: tw.Patience(3, every=0),
        lambda: tw.Patience(3, seed=-1),
        lambda: tw.Patience(3, min_delta=-1.0),
        lambda: rule_of(3),
        lambda: rule_of("LossBelow"),
        lambda: rule_of([]),
    ],
)
def test_bad_values_are_refused(make):
    with pytest.raises(OptionError):
        make()


def test_nothing_but_rules_composes():
    with pytest.raises(TypeError):
        _ = LossBelow(1.0) | 3


# --- in a fit -------------------------------------------------------------------------------------------------------


def test_the_solution_says_which_rule_it_was(problem):
    solver = tw.GradientDescent(lr=0.5, steps=500)
    solution = solve(solver, problem, stop=[LossBelow(0.4), TimeLimit(100)])
    losses = [float(problem.value(solution.theta))]
    assert solution.status is Status.REACHED
    assert solution.details["rule"] == "LossBelow(0.4)"
    assert losses[0] < 0.4
    before = solve(tw.GradientDescent(lr=0.5, steps=solution.steps - 1), problem)
    assert float(problem.value(before.theta)) >= 0.4


def test_a_function_is_a_rule(problem):
    solution = solve(tw.GradientDescent(lr=0.5, steps=500), problem, stop=lambda state: state.step == 7)
    assert (solution.status, solution.steps) == (Status.REACHED, 7)


def test_a_time_limit_works_as_rule_and_as_observer(problem):
    solver = tw.GradientDescent(lr=0.5, steps=10**9)
    ruled = solve(solver, problem, stop=TimeLimit(0.05))
    watched = solve(solver, problem, observers=[TimeLimit(0.05)])
    assert (ruled.status, watched.status) == (Status.REACHED, Status.STOPPED)
    assert ruled.details["rule"] == watched.details["rule"] == "TimeLimit(0.05)"
    assert min(ruled.steps, watched.steps) > 1


def test_one_time_limit_holds_for_a_fit_of_several_solves(monkeypatch, states):
    """Begun twice, as by a fit that alternates two solves, its clock goes on; a fit of its own starts it anew."""
    clock = iter([0.0, 40.0, 70.0, 100.0, 130.0])
    monkeypatch.setattr("thalweg.observers.stopping.time.perf_counter", lambda: next(clock))
    limit = TimeLimit(60)
    stopper, state = Stopper(limit), states([1.0])[0]
    stopper.begin(None, None)
    stopper(state)
    stopper.begin(None, None)
    stopper(state)
    with pytest.raises(Stop, match="TimeLimit"):
        stopper(state)
    another = Stopper(limit)
    another.begin(None, None)
    another(state)
    another(state)


def test_a_rule_does_not_hide_a_divergence(problem):
    """inf - 1e300 is at most a share of inf: yet the descent has diverged."""
    squared = MemoryProblem(problem.predictor, problem.x, problem.y, family("gaussian"))
    for replay in (None, False):
        solver = tw.GradientDescent(lr=1e3, steps=1000, allow_divergence=True, replay=replay)
        solution = solve(solver, squared, stop=RelativeChange(1e-3))
        assert solution.status is Status.DIVERGED
        assert "rule" not in solution.details


def test_fit_takes_rules(problem):
    data = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7.5]}
    fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=500), stop=LossBelow(1.0) | MaxSteps(400))
    assert fit.solution.details["rule"] == "LossBelow(1.0)"
    assert fit.trace.value[-1] < 1.0 <= fit.trace.value[-2]
    newton = tw.fit("progression ~ bmi", "diabetes", family="poisson", stop=MaxSteps(1))
    assert (newton.solution.status, newton.solution.details["rule"]) == (Status.REACHED, "MaxSteps(1)")


@pytest.mark.parametrize("value", ["1", True, b"1"])
def test_a_loss_is_a_number(value):
    with pytest.raises(OptionError, match="LossBelow is given"):
        LossBelow(value)
