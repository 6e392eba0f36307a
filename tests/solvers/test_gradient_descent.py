"""Full-batch descent against torch.optim.SGD itself, closed forms, and what must be refused or told."""

from __future__ import annotations

import dataclasses
import math
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.diagnose.words import settable_rate
from thalweg.errors import ConvergenceWarning, DataError, DivergenceError, OptionError
from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.armijo import Armijo
from thalweg.solvers.base import Status
from thalweg.solvers.descent import FEW, read
from thalweg.solvers.gradient_descent import GradientDescent
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.schedules import ExponentialDecay, StepDecay


def problem(kind: str = "gaussian", n: int = 60, dtype: torch.dtype = torch.float64, seed: int = 0) -> MemoryProblem:
    """A random problem of three columns."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    x[:, 0] = 1
    eta = x @ torch.tensor([0.5, -1.0, 0.3], dtype=torch.float64)
    noise = torch.rand(n, generator=generator, dtype=torch.float64)
    y = {
        "gaussian": eta + noise,
        "binomial": (noise < torch.sigmoid(eta)).double(),
        "poisson": torch.floor(torch.exp(eta) + noise),
    }[kind]
    return MemoryProblem(Linear(("Intercept", "a", "b")), x.to(dtype), y.to(dtype), family(kind))


def thetas(solver, target, start=None) -> torch.Tensor:
    return torch.stack([state.theta for state in iterate(solver, target, start)])


def by_torch(target, steps: int, schedule=None, **options) -> torch.Tensor:
    """The same descent by torch.optim.SGD, with our gradients."""
    theta = torch.zeros(3, dtype=target.dtype)
    optimizer = torch.optim.SGD([theta], **options)
    path = [theta.clone()]
    for step in range(steps):
        theta.grad = target.value_and_gradient(theta.clone())[1]
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = schedule(step)
        optimizer.step()
        path.append(theta.clone())
    return torch.stack(path)


MOMENTA = [(0.0, False), (0.5, False), (0.9, True), (1.0, False), (1.0, True)]


@pytest.mark.parametrize(("momentum", "nesterov"), MOMENTA)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kind", ["gaussian", "binomial"])
def test_every_state_is_that_of_torch_optim_sgd_bit_for_bit(kind, dtype, momentum, nesterov):
    target = problem(kind, dtype=dtype)
    ours = thetas(GradientDescent(0.05, 40, momentum=momentum, nesterov=nesterov), target)
    theirs = by_torch(target, 40, lr=0.05, momentum=momentum, nesterov=nesterov)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("size", [1, FEW, FEW + 1, 300])
@pytest.mark.parametrize("scale", [1e-140, 1e-20, 1.0, 1e140, math.inf, math.nan])
def test_a_norm_is_read_whatever_its_range(size, scale):
    """Of few parameters as numbers, of many by a product or by a norm."""
    gradient = scale * torch.arange(1.0, size + 1, dtype=torch.float64)
    loss, found = read(torch.tensor(2.5), gradient)
    assert loss == 2.5
    expected = scale * math.sqrt(size * (size + 1) * (2 * size + 1) / 6)
    assert found == pytest.approx(expected, rel=1e-14, abs=0.0, nan_ok=True)


def test_an_uncleared_gradient_is_momentum_one():
    target = problem("binomial")
    theta = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    for _ in range(30):
        target.value(theta).backward()  # never cleared: it accumulates
        with torch.no_grad():
            theta -= 0.05 * theta.grad
    ours = thetas(GradientDescent(0.05, 30, momentum=1.0), target)[-1]
    assert torch.allclose(ours, theta.detach(), rtol=1e-13, atol=1e-14)


def test_a_schedule_is_followed_and_shown():
    target, rate = problem("binomial"), ExponentialDecay(0.3, 0.9)
    solver = GradientDescent(rate, 25, momentum=0.5)
    states = list(iterate(solver, target))
    assert [state.rate for state in states] == [rate(0), *(rate(t) for t in range(25))]
    theirs = by_torch(target, 25, schedule=rate, lr=0.3, momentum=0.5)
    assert torch.equal(torch.stack([state.theta for state in states]), theirs)


def test_any_callable_is_a_schedule():
    target = problem()
    ours = thetas(GradientDescent(lambda step: 0.1 / (1 + step), 10), target)
    assert torch.equal(ours, by_torch(target, 10, schedule=lambda step: 0.1 / (1 + step), lr=0.1))
    with pytest.raises(OptionError, match="learning rate nan at step 3"):
        thetas(GradientDescent(lambda step: math.nan if step == 3 else 0.1, 10), target)


# --- rates that are chosen or searched ------------------------------------------------------------------------------


def test_auto_is_half_the_stable_limit_of_a_quadratic():
    target = problem()
    eigenvalues = torch.linalg.eigvalsh(2 * target.x.T @ target.x / target.rows)
    state = GradientDescent("auto").init(target, None)
    assert state.rate == settable_rate(1 / float(eigenvalues[-1]))  # as it is told: to three digits
    assert "half the stable limit" in state.how


@pytest.mark.parametrize("seed", range(5))
def test_at_the_chosen_rate_the_loss_never_rises_and_the_steepest_direction_is_gone_at_once(seed):
    target = problem()
    start = torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    solver = GradientDescent("auto", 30)
    states = list(iterate(solver, target, start))
    rounding = 1 + 4 * sys.float_info.epsilon  # of the loss, once it is at its least
    assert all(later.value <= earlier.value * rounding for earlier, later in pairwise(states))
    steepest = torch.linalg.eigh(target.x.T @ target.x)[1][:, -1]
    before, after = ((state.theta - target.quadratic.optimum) @ steepest for state in states[:2])
    assert abs(after) <= 0.01 * abs(before)  # the rate is cut to three digits


@pytest.mark.parametrize("momentum", [0.3, 0.9, "auto"])
def test_no_other_rate_is_faster_on_a_quadratic(momentum):
    """The spectral radius of the recursion is least at the chosen rate."""
    target = problem()
    chosen = GradientDescent("auto", momentum=momentum).chosen(target, torch.zeros(3, dtype=torch.float64))

    def radius(lr: float) -> float:
        found = 0.0
        for curvature in target.quadratic.eigenvalues.tolist():
            companion = np.array([[1 - lr * curvature, -lr * chosen.momentum], [curvature, chosen.momentum]])
            found = max(found, np.abs(np.linalg.eigvals(companion)).max())
        return found

    best = radius(chosen.rate)
    for factor in (0.5, 0.9, 0.97, 1.03, 1.1, 1.5):
        assert radius(chosen.rate * factor) >= best - 1e-6


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("kind", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("momentum", [0.0, 0.9, "auto"])
def test_auto_converges(kind, momentum, nesterov):
    if nesterov and momentum == 0:
        return
    target = problem(kind)
    solver = GradientDescent("auto", 4000, momentum=momentum, nesterov=nesterov)
    solution = solve(solver, target)
    assert solution.status is Status.CONVERGED
    assert solution.details["lr_chosen"]
    assert float(torch.linalg.vector_norm(target.value_and_gradient(solution.theta)[1])) < 1e-6


def test_auto_halves_a_rate_that_was_too_long_for_the_way():
    """From far out, where the curvature of a count is small, the first rate is far too long."""
    target = problem("poisson")
    start = torch.tensor([-6.0, 0.0, 0.0], dtype=torch.float64)
    states = list(iterate(GradientDescent("auto", 300), target, start))
    values = [state.value for state in states]
    assert states[-1].rate < states[0].rate / 10
    assert all(after <= before + 1e-12 for before, after in pairwise(values))
    assert states[-1].gradient_size < 1e-4


def test_armijo_meets_its_condition_at_every_step_and_counts_evaluations():
    target, search = problem("poisson"), Armijo(initial=4.0, c=1e-2)
    calls, plain = 0, target.derivative

    class Counting(type(plain)):
        def __call__(self, *arguments):
            nonlocal calls
            calls += 1
            return super().__call__(*arguments)

    target.derivative = Counting()
    states = list(iterate(GradientDescent(search, 60), target))
    for before, after in pairwise(states):
        assert after.value <= before.value - search.c * after.rate * before.gradient_size**2 + 1e-12
        assert torch.equal(after.theta, before.theta - after.rate * before.gradient)
    assert states[-1].evaluations == calls
    assert states[-1].gradient_size < 1e-5


def test_armijo_is_not_stopped_by_the_rounding_of_the_loss():
    """Differences of the loss are rounding from a gradient of 1e-8 on; slopes go on to 1e-14."""
    target = problem()
    *_, last = iterate(GradientDescent(Armijo(), 500), target)
    assert last.gradient_size < 1e-13
    assert torch.allclose(last.theta, target.quadratic.optimum, rtol=1e-13)


def test_a_search_that_finds_nothing_stalls():
    target = problem()
    solver = GradientDescent(Armijo(), 100)
    state = solver.init(target, None)
    broken = dataclasses.replace(state, gradient=-state.gradient)
    after = solver.step(target, broken)
    assert solver.terminate(target, after) is Status.STALLED
    assert torch.equal(after.theta, state.theta)


# --- divergence -----------------------------------------------------------------------------------------------------


def limit_of(target) -> float:
    return 2 / float(target.quadratic.eigenvalues[-1])


def test_a_rate_above_the_limit_is_refused_before_the_first_step_unless_allowed():
    target = problem()
    with pytest.raises(DivergenceError, match="stable limit"):
        solve(GradientDescent(1.01 * limit_of(target)), target)
    solution = solve(GradientDescent(1.01 * limit_of(target), 100, allow_divergence=True, replay=False), target)
    assert solution.status is Status.DIVERGED
    assert solution.steps == 100


@pytest.mark.parametrize("seed", range(5))
def test_one_percent_above_the_limit_is_noticed_and_one_percent_below_is_not(seed):
    target = problem(seed=seed)
    for factor, diverges in ((1.01, True), (0.99, False)):
        solver = GradientDescent(factor * limit_of(target), 3000)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.modules["thalweg.diagnose.rates"], "check_rate", lambda *args, **options: None)
            *_, last = iterate(solver, target)
        assert (solver.terminate(target, last) is Status.DIVERGED) == diverges
        assert (last.step < 1500) == diverges


def test_swinging_for_ever_is_no_divergence():
    target = problem()
    solver = GradientDescent(0.9 * 2 * limit_of(target), 3000, momentum=1.0, replay=False)
    *_, last = iterate(solver, target)
    assert last.step == 3000
    assert solver.terminate(target, last) is Status.LIMIT


def test_a_loss_that_overflows_ends_the_descent_without_noise():
    target = problem("poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solution = solve(GradientDescent(1000.0, 500, allow_divergence=True), target)
    assert solution.status is Status.DIVERGED
    assert torch.isfinite(solution.theta).all()
    assert solution.advice


def test_a_mean_outside_its_domain_is_divergence_for_a_constant_rate_and_searched_around_otherwise():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(40, generator=generator, dtype=torch.float64)
    y = (1 / (0.5 + x)).mul_(1 + 0.1 * torch.rand(40, generator=generator, dtype=torch.float64))
    design = torch.stack([torch.ones_like(x), x], 1)
    target = MemoryProblem(Linear(("Intercept", "x")), design, y, family("gamma"))
    start = torch.tensor([1.0, 0.0], dtype=torch.float64)
    wild = solve(GradientDescent(50.0, 100), target, start)
    assert wild.status is Status.DIVERGED
    assert torch.equal(wild.theta, start)
    tame = solve(GradientDescent(Armijo(initial=50.0), 2000), target, start)
    assert tame.status is Status.CONVERGED
    with pytest.raises(DataError, match="domain"):
        solve(GradientDescent(0.1), target, -start)


def test_a_start_next_to_the_optimum_of_exact_data_is_no_reason_to_call_noise_divergence():
    target = problem()
    target = MemoryProblem(target.predictor, target.x, target.x @ torch.ones(3, dtype=torch.float64), target.loss)
    start = torch.ones(3, dtype=torch.float64) + 1e-12
    solver = GradientDescent(0.9 * limit_of(target), 50, momentum=0.99)
    *_, last = iterate(solver, target, start)
    assert last.step == 50


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lr": "0.1"}, "lr=0.1"),
        ({"lr": "quick"}, "auto"),
        ({"lr": -0.1}, "above 0"),
        ({"lr": 0}, "above 0"),
        ({"lr": math.nan}, "above 0"),
        ({"lr": math.inf}, "above 0"),
        ({"lr": True}, "above 0"),
        ({"lr": None}, "above 0"),
        ({"lr": StepDecay}, "StepDecay\\(...\\)"),
        ({"lr": 0.1, "momentum": 1.5}, "from 0"),
        ({"lr": 0.1, "momentum": -0.1}, "from 0"),
        ({"lr": 0.1, "momentum": "0.9"}, "from 0"),
        ({"lr": 0.1, "momentum": "auto"}, "lr"),
        ({"lr": 0.1, "nesterov": True}, "momentum=0.9"),
        ({"lr": 0.1, "nesterov": 1}, "True or False"),
        ({"lr": Armijo(), "momentum": 0.9}, "momentum out"),
        ({"lr": 0.1, "steps": 1.5}, "whole number"),
        ({"lr": 0.1, "steps": True}, "whole number"),
        ({"lr": 0.1, "loss": "total"}, "'sum'"),
        ({"lr": 0.1, "dtype": "float16"}, "'float32'"),
        ({"lr": 0.1, "derivative": "numeric"}, "'autograd'"),
    ],
)
def test_options_are_refused_with_what_to_do(options, says):
    with pytest.raises(OptionError, match=says):
        GradientDescent(**options)


def test_an_option_of_numpy_is_a_number():
    assert GradientDescent(np.float64(0.1)).lr == pytest.approx(0.1)
    assert GradientDescent(np.float32(0.5), momentum=np.float32(0.5)).lr == 0.5


# --- a state and its snapshot ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"lr": 0.1, "momentum": 0.9}, {"lr": "auto"}, {"lr": Armijo()}])
def test_a_descent_that_goes_on_from_a_snapshot_is_the_same_bit_for_bit(options):
    target = problem("poisson")
    solver = GradientDescent(steps=30, **options)
    states = list(iterate(solver, target))
    kept = solver.snapshot(states[11])
    assert all(isinstance(value, torch.Tensor | float | int | str) for value in kept.values())
    again = list(iterate(solver, target, state=solver.restored(target, kept)))
    for one, other in zip(states[11:], again, strict=True):
        for each in dataclasses.fields(one):
            a, b = getattr(one, each.name), getattr(other, each.name)
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_states_that_were_handed_out_never_change():
    target = problem("binomial")
    states, copies = [], []
    for state in iterate(GradientDescent(0.1, 30, momentum=0.9, nesterov=True), target):
        states.append(state)
        copies.append((state.theta.clone(), state.gradient.clone(), state.velocity.clone()))
    for state, (theta, gradient, velocity) in zip(states, copies, strict=True):
        assert torch.equal(state.theta, theta)
        assert torch.equal(state.gradient, gradient)
        assert torch.equal(state.velocity, velocity)


# --- what a fit makes of its end ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 3, 40)
    return {"x": x, "y": 2 * x + 1 + rng.normal(size=40)}


def test_a_descent_that_arrived_has_the_standard_errors_of_least_squares(line):
    exact = tw.fit("y ~ x", line)
    fit = tw.fit("y ~ x", line, solver=GradientDescent("auto", 2000, momentum="auto"))
    assert fit.solution.status is Status.CONVERGED
    assert fit.theta.tolist() == pytest.approx(exact.theta.tolist(), rel=1e-9)
    assert list(fit.std_errors.values()) == pytest.approx(list(exact.std_errors.values()), rel=1e-8)


def test_one_that_did_not_says_how_far_it_is_and_which_number_to_set(line):
    with pytest.warns(ConvergenceWarning, match="set steps=") as caught:
        fit = tw.fit("y ~ x", line, solver=GradientDescent(0.01, 20))
    assert fit.solution.status is Status.LIMIT
    assert fit.solution.inverse_curvature is None
    assert "standard errors from the optimum" in fit.covariance_reason
    steps = int(str(caught[0].message).split("set steps=")[1].split(",")[0].rstrip("."))
    again = tw.fit("y ~ x", line, solver=GradientDescent(0.01, steps))
    assert again.solution.status is Status.CONVERGED


def test_a_fit_that_was_asked_to_stop_is_told_no_more_than_a_note(line):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = tw.fit("y ~ x", line, solver=GradientDescent(0.01, 1000), stop=lambda state: state.value < 3)
    assert fit.solution.status is Status.REACHED
    assert fit.notes


def test_columns_that_repeat_each_other_are_named_and_the_means_stay(line):
    data = {**line, "z": 2 * line["x"] + 1}
    exact = tw.fit("y ~ x", line)
    with pytest.warns(tw.errors.CollinearityWarning, match="z = Intercept"):
        fit = tw.fit("y ~ x + z", data, solver=GradientDescent("auto", 5000, momentum="auto"))
    assert fit.theta[:2].tolist() == pytest.approx(exact.theta.tolist(), rel=1e-6)
    assert math.isnan(fit.coefficients["z"])
    assert fit.solution.details["theta"][2] != 0


def test_separated_classes_are_named_and_theta_stays_as_it_was():
    data = {"x": np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]), "y": np.array([0, 0, 0, 1, 1, 1.0])}
    with pytest.warns(tw.errors.SeparationWarning, match="x has|Intercept and x have"):
        fit = tw.fit("y ~ x", data, family="binomial", solver=GradientDescent(0.5, 200))
    assert fit.solution.status is Status.SEPARATED
    assert math.isnan(fit.coefficients["x"])
    assert torch.equal(fit.solution.details["theta"], fit.trace.theta[-1])
