"""Set-ups that diverge, through `fit`: each is caught, its best state is kept, and the right cause is named.

A set-up is either refused before its first step, or ends as DIVERGED with an advice that names its cause. The cause is
held by its code as well: `cause_of_divergence` is asked what `explain_divergence` wrote into the advice.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

import thalweg as tw
from thalweg.diagnose import divergence
from thalweg.errors import DataError, DivergenceError, ThalwegError, ThalwegWarning
from thalweg.solvers.base import Status
from thalweg.solvers.gradient_descent import GradientDescent
from thalweg.solvers.minibatch import SGD
from thalweg.solvers.torch_optimizer import TorchOptimizer


def data() -> dict[str, torch.Tensor]:
    """20 points about a line, counts and positive numbers about curves, and columns that make trouble."""
    g = torch.Generator().manual_seed(10)
    x = torch.rand(20, generator=g).double() * 10
    y = 2 * x + 5 + torch.randn(20, generator=g).double()
    far, heavy = x.clone(), torch.ones_like(x)
    far[6], heavy[int(x.argmax())] = 1e4, 1e6
    return {
        "x": x,
        "y": y,
        "down": -y,
        "centred": x - x.mean(),
        "wide": 1000 * torch.randn(20, generator=g).double(),
        "far": far,
        "counts": torch.round(torch.exp(x / 2)),
        "rates": 1 / (0.1 + x / 10),
        "labels": ((x + 4 * torch.sin(9 * x)) > 5).double(),
        "large": 1e19 * y,
        "heavy": heavy,
        "many": torch.full_like(x, 1e6),
    }


def spiked() -> dict[str, torch.Tensor]:
    """100 rows of which one is steep by itself."""
    g = torch.Generator().manual_seed(3)
    x = torch.cat([torch.zeros(99), torch.tensor([30.0])]).double()
    return {"x": x, "y": torch.randn(100, generator=g).double()}


def sign_wrong_far_out(parameters, x, y):
    """Right near the start and of the wrong sign in one entry beyond: no check before the first step can see it."""
    error = parameters["Intercept"] + parameters["x"] * x[:, 1] - y
    sign = -1 if parameters["x"] > 2.3 else 1
    return {"Intercept": 2 * error.mean(), "x": sign * 2 * (error * x[:, 1]).mean()}


def not_a_number_far_out(parameters, x, y):
    """A root that leaves its domain on the way."""
    error = parameters["Intercept"] + parameters["x"] * x[:, 1] - y
    root = torch.sqrt(2 - parameters["x"])
    return {"Intercept": 2 * error.mean(), "x": 2 * (error * x[:, 1]).mean() * root / root}


class Root(torch.nn.Module):
    """A predictor that is no number where its parameter is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor([4.0], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sqrt(self.a) * x


@dataclass(frozen=True)
class Setup:
    """One that diverges: `code` of its cause, or `refused` with an error; words that the text must hold."""

    solver: Callable[[], Any]
    code: str = ""
    words: tuple[str, ...] = ()
    formula: Any = "y ~ x"
    data: Callable[[], dict[str, torch.Tensor]] = data
    options: dict[str, Any] = field(default_factory=dict)
    refused: type[ThalwegError] | None = None


def gd(lr: Any, **options: Any) -> Callable[[], Any]:
    """Gradient descent that is let run."""
    return lambda: GradientDescent(lr=lr, **{"allow_divergence": True, **options})


def optimizer(name: str, **options: Any) -> Callable[[], Any]:
    """One of torch's."""
    return lambda: TorchOptimizer(name, **options)


POISSON, GAMMA = {"family": "poisson"}, {"family": "gamma"}

SETUPS = {
    "rate above the limit, refused": Setup(
        gd(0.1, allow_divergence=False), refused=DivergenceError, words=("stable limit 0.0289", "`x`", "not centred")
    ),
    "momentum, refused": Setup(
        gd(0.1, momentum=0.5, allow_divergence=False), refused=DivergenceError, words=("0.0433", "(1 + 0.5)")
    ),
    "uncentred column": Setup(gd(0.1), "uncentred", ("stable limit 0.0289", "not centred", "35.1x", "lr=0.0287")),
    "column of another scale": Setup(gd(0.01), "scale", ("`wide`", "times the spread"), "y ~ x + wide"),
    "outlier row": Setup(gd(0.01), "outlier", ("`far`", "row 7"), "y ~ far"),
    "just too fast": Setup(gd(0.3), "rate", ("`centred`", "stable limit"), "y ~ centred - 1"),
    "sum over rows": Setup(gd(0.02, loss="sum"), "sum", ('loss="sum"', "20 rows", "lr=0.001", 'loss="mean"')),
    "half sum over rows": Setup(gd(0.02, loss="half sum"), "sum", ('loss="half sum"', 'loss="half mean"')),
    "huge weights in a sum": Setup(
        gd(0.001, loss="sum"), "weights", ("weights", "1,000,000 times"), options={"weights": "many"}
    ),
    "one huge weight": Setup(gd(0.0285), "weights", ("weight", "row 16"), options={"weights": "heavy"}),
    "heavy ball above its limit": Setup(gd(0.06, momentum=0.9), "uncentred", ("0.0549", "(1 + 0.9)")),
    "uncleared gradient above its limit": Setup(gd(0.06, momentum=1.0), "uncentred", ("0.0578", "(1 + 1)")),
    "nesterov's smaller limit": Setup(
        gd(0.025, momentum=0.9, nesterov=True), "nesterov", ("0.0289", "0.0196", "nesterov=False")
    ),
    "momentum above 1": Setup(
        optimizer("SGD", lr=0.001, momentum=1.3), "momentum", ("momentum 1.3 is above 1", "momentum=0.9")
    ),
    "schedule that rises": Setup(gd(lambda step: 0.001 * 1.1**step), "schedule", ("step 36", "0.0289", "0.0309")),
    "torch's schedule that rises": Setup(
        optimizer("SGD", lr=0.01, scheduler="ExponentialLR", scheduler_options={"gamma": 1.1}), "schedule", ("0.0289",)
    ),
    "batches steeper than all rows": Setup(
        lambda: SGD(lr=0.1, epochs=100, batch_size=2), "batch", ("batch of 2 rows", "901"), data=spiked
    ),
    "batches above the limit of all rows": Setup(
        lambda: SGD(lr=0.1, epochs=50, batch_size=8), "uncentred", ("stable limit 0.0289",)
    ),
    "identity link of counts": Setup(
        gd(1.0), "domain", ("linear predictor of row", "identity link", "Armijo"), "counts ~ x",
        options={**POISSON, "link": "identity", "start": [1.0, 1.0]},
    ),
    "inverse link": Setup(
        gd(1.0), "domain", ("gamma family with the inverse link",), "rates ~ x", options={**GAMMA, "start": [1.0, 0.1]}
    ),
    "exp out of range": Setup(
        gd(0.01, allow_divergence=False), "uncentred", ("0.00113", "at the optimum"), "counts ~ x", options=POISSON
    ),
    "start too far away": Setup(
        gd(0.001, allow_divergence=False), "start", ("start is too far away", "Start nearer"), "y ~ centred",
        options={"link": "sqrt", "start": [50.0, 1.0]},
    ),
    "start out of range, refused": Setup(
        gd(0.001), refused=DataError, words=("row 1", "linear predictor is 905"), formula="counts ~ x",
        options={**POISSON, "start": [900.0, 1.0]},
    ),
    "float32 out of range, refused": Setup(
        gd(0.01, dtype="float32"), refused=DataError, words=("float32", 'dtype="float64"'), formula="large ~ x"
    ),
    "momentum 1 on counts": Setup(
        gd(0.0009, momentum=1.0, allow_divergence=False), "momentum", ("never lets go", "Clear the gradient"),
        "counts ~ x", options=POISSON,
    ),
    "logistic regression with a giant rate": Setup(
        gd(1e6, allow_divergence=False), "uncentred", ("stable limit 0.231",), "labels ~ x",
        options={"family": "binomial"},
    ),
    "Adam with giant steps": Setup(
        optimizer("Adam", lr=1e4), "adaptive", ("Adam moves a parameter by about its lr", "lr=0.048")
    ),
    "RMSprop with giant steps": Setup(
        optimizer("RMSprop", lr=200.0), "adaptive", ("RMSprop",), "counts ~ x", options=POISSON
    ),
    "torch's SGD": Setup(optimizer("SGD", lr=0.1), "uncentred", ("stable limit 0.0289",)),
    "up the hill": Setup(optimizer("SGD", lr=0.01, maximize=True), "ascent", ("maximize=True",)),
    "decay that overshoots": Setup(optimizer("SGD", lr=0.01, weight_decay=300.0), "decay", ("weight_decay 300",)),
    "gradient of the wrong sign on the way": Setup(
        gd(0.02, derivative=sign_wrong_far_out), "gradient", ("that of x", "sign is wrong"),
        options={"start": [0.0, 2.2]},
    ),
    "gradient that is no number on the way": Setup(
        gd(0.01, derivative=not_a_number_far_out), "gradient", ("that of x is nan",)
    ),
    "module that is no number on the way": Setup(
        lambda: GradientDescent(lr=0.2, derivative="autograd"), "not a number", ("Root", "row 1"), Root(),
        options={"y": "down", "x": "x"},
    ),
}  # fmt: skip


def run(setup: Setup) -> Any:
    return tw.fit(setup.formula, setup.data(), solver=setup.solver(), **setup.options)


@pytest.mark.parametrize("name", [name for name, setup in SETUPS.items() if setup.refused])
def test_refused_before_the_first_step(name):
    setup = SETUPS[name]
    assert setup.refused is not None
    with pytest.raises(setup.refused) as caught:
        run(setup)
    for word in setup.words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", [name for name, setup in SETUPS.items() if not setup.refused])
def test_caught_with_its_cause(name, monkeypatch):
    setup, causes = SETUPS[name], []
    named = divergence.cause_of_divergence
    monkeypatch.setattr(divergence, "cause_of_divergence", lambda *a: causes.append(named(*a)) or causes[-1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = run(setup)
    solution = fit.solution
    assert solution.status is Status.DIVERGED
    assert [cause.code for cause in causes] == [setup.code]
    for word in setup.words:
        assert word in solution.advice
    assert [str(each.message) for each in caught if issubclass(each.category, tw.errors.DivergenceWarning)] == [
        solution.advice
    ]
    assert all(issubclass(each.category, ThalwegWarning) for each in caught)
    assert bool(torch.isfinite(solution.theta).all())
    descent = getattr(fit, "descent", fit)
    kept = float(descent.problem.value(solution.theta.to(descent.problem.dtype)))
    whole = [value for value in descent.trace.value if math.isfinite(value)]
    assert math.isfinite(kept)
    assert kept <= whole[0] * (1 + 1e-9)


def test_there_are_enough_of_them():
    assert len(SETUPS) >= 20
