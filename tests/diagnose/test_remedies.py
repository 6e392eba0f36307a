"""What a convergence warning says to set, set: the next fit is within the tolerance, or nearer if no more is said."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch

import thalweg as tw
from thalweg.errors import ConvergenceWarning, ThalwegWarning
from thalweg.solvers.base import Status

FITS = {
    "squared": ("y ~ x", "gaussian"),
    "logistic": ("labels ~ x", "binomial"),
    "Poisson": ("counts ~ x", "poisson"),
}
GD, TORCH = tw.GradientDescent, tw.TorchOptimizer
SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": (GD, {"lr": 0.003, "steps": 50}),
    "a sum": (GD, {"lr": 0.0002, "steps": 40, "loss": "sum"}),
    "heavy ball": (GD, {"lr": 0.003, "steps": 30, "momentum": 0.5}),
    "Nesterov": (GD, {"lr": 0.003, "steps": 30, "momentum": 0.5, "nesterov": True}),
    "auto": (GD, {"lr": "auto", "steps": 30}),
    "auto pair": (GD, {"lr": "auto", "steps": 15, "momentum": "auto"}),
    "schedule": (GD, {"lr": tw.CosineDecay(0.003, steps=50), "steps": 50}),
    "Armijo": (GD, {"lr": tw.Armijo(), "steps": 10}),
    "Adam": (TORCH, {"optimizer": "Adam", "lr": 0.02, "steps": 100}),
    "Adam of a sum": (TORCH, {"optimizer": "Adam", "lr": 0.02, "steps": 100, "loss": "sum"}),
    "RMSprop": (TORCH, {"optimizer": "RMSprop", "lr": 0.1, "steps": 150}),
    "Adagrad": (TORCH, {"optimizer": "Adagrad", "lr": 0.1, "steps": 50}),
    "torch's SGD": (TORCH, {"optimizer": "SGD", "lr": 0.003, "steps": 50}),
    "torch's momentum": (TORCH, {"optimizer": "SGD", "lr": 0.003, "steps": 30, "momentum": 0.5}),
    "torch's batches": (TORCH, {"optimizer": "SGD", "lr": 0.003, "steps": 30, "batch_size": 5}),
    "torch's schedule": (TORCH, {"optimizer": "SGD", "lr": 0.003, "steps": 30, "scheduler": "StepLR",
                                 "scheduler_options": {"step_size": 10}}),
    "SGD": (tw.SGD, {"lr": 0.003, "batch_size": 5, "epochs": 10}),
    "SGD of steps": (tw.SGD, {"lr": 0.003, "batch_size": 5, "steps": 30}),
    "averaged SGD": (tw.SGD, {"lr": 0.003, "batch_size": 5, "epochs": 10, "average": True}),
    "SGD of one batch": (tw.SGD, {"lr": 0.003, "batch_size": 20, "epochs": 30}),
    "LBFGS": (tw.LBFGS, {"steps": 1}),
    "torch's LBFGS": (TORCH, {"optimizer": "LBFGS", "steps": 1, "max_iter": 1}),
}  # fmt: skip


@pytest.fixture
def data(line):
    x = line["x"]
    return {**line, "labels": ((x + 4 * torch.sin(9 * x)) > 5).double(), "counts": torch.round(torch.exp(x / 5))}


def followed(kind: Any, options: dict[str, Any], remedy: Any) -> Any:
    """The solver that a user builds who does what is said."""
    if remedy.solver:
        return getattr(tw, remedy.solver)(**remedy.options)
    instead = {"epochs": "steps", "steps": "epochs"}
    dropped = {instead[name] for name in remedy.options if name in instead}
    return kind(**{name: value for name, value in {**options, **remedy.options}.items() if name not in dropped})


def quietly(*arguments: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        return tw.fit(*arguments, **options)


@pytest.mark.parametrize("loss", FITS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_said_helps(solver, loss, data):
    (formula, family), (kind, options) = FITS[loss], SOLVERS[solver]
    fit = quietly(formula, data, family=family, solver=kind(**options))
    if fit.solution.status is Status.CONVERGED:
        pytest.skip("it converged")
    assert fit.solution.status is Status.LIMIT
    after = fit.solution.details["after"]
    assert after.remedies
    for remedy in after.remedies:
        assert str(remedy) in fit.solution.advice
        assert any(isinstance(value, int | float) for value in remedy.options.values())
        assert remedy.solver or any(options.get(name) != value for name, value in remedy.options.items())
        new = quietly(formula, data, family=family, solver=followed(kind, options, remedy))
        assert new.solution.status is not Status.DIVERGED
        if remedy.sure:
            assert new.solution.status is Status.CONVERGED
        else:
            assert new.solution.details["after"].excess < after.excess
    if loss == "squared":
        assert any(remedy.sure for remedy in after.remedies)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_count_in_all_places(solver, data):
    kind, options = SOLVERS[solver]
    with pytest.warns(ConvergenceWarning) as caught:
        fit = tw.fit("y ~ x", data, solver=kind(**options))
    assert str(caught[0].message) == fit.diagnose().after.sentence == str(fit.diagnose().after)


def test_a_count_that_was_walked_is_exact(data):
    """One step fewer does not do, for a loss that is no quadratic."""
    options = {"family": "poisson", "solver": tw.TorchOptimizer("Adam", lr=0.02, steps=100)}
    more = quietly("counts ~ x", data, **options).diagnose().after.more_steps
    assert math.isfinite(more)
    for steps, there in ((100 + int(more), True), (99 + int(more), False)):
        new = quietly("counts ~ x", data, family="poisson", solver=tw.TorchOptimizer("Adam", lr=0.02, steps=steps))
        assert (new.diagnose().after.more_steps == 0) is there


def test_auto_is_not_told_to_be_what_it_is(data):
    fit = quietly("y ~ x", data, solver=tw.GradientDescent("auto", steps=50))
    assert "half the stable limit" in fit.solution.details["lr_chosen"]
    told = [remedy.options["lr"] for remedy in fit.solution.details["after"].remedies if "lr" in remedy.options]
    assert told
    assert fit.solution.details["lr"] not in told


@pytest.mark.parametrize("name", ["Adam", "plain", "torch's SGD", "SGD", "LBFGS"])
def test_a_network_is_told_a_number_in_time(name):
    waves = tw.simulate("sine", n=100, seed=0, noise=0.1)
    kind, options = SOLVERS[name]

    def fitted(solver: Any) -> Any:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).double()
        return quietly(network, waves, x="x", y="y", solver=solver)

    fit = fitted(kind(**options))
    after = fit.solution.details["after"]
    assert after.remedies
    for remedy in after.remedies:
        assert str(remedy) in fit.solution.advice
        assert fitted(followed(kind, options, remedy)).solution.details["after"].value < after.value


@pytest.mark.parametrize(
    ("formula", "family", "options"),
    [
        ("y ~ x", "gaussian", {"lr": 1.0, "batch_size": 5}),
        ("y ~ x", "gaussian", {"lr": 0.1, "batch_size": 5, "momentum": 0.9}),
        ("y ~ x", "gaussian", {"lr": 0.1, "batch_size": 5, "loss": "sum"}),
        ("counts ~ x", "poisson", {"lr": 1.0, "batch_size": 5}),
    ],
)
def test_a_rate_that_batches_bear(formula, family, options, data):
    fit = quietly(formula, data, family=family, solver=tw.SGD(**options))
    assert fit.solution.status is Status.DIVERGED
    assert "batch of 5 rows" in fit.solution.advice
    lr = float(fit.solution.advice.split("set lr=")[1].split(",")[0])
    new = quietly(formula, data, family=family, solver=tw.SGD(**{**options, "lr": lr, "epochs": 50}))
    assert new.solution.status is not Status.DIVERGED
    assert new.solution.value < 0.1 * float(fit.trace.value[0]) * fit.descent.problem.rows
