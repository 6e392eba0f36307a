"""Problems whose descents are diagnosed, and the plain loop that the predictions are held against."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from thalweg.objective import Objective
from thalweg.prepare import prepare
from thalweg.problem import problem_of


@pytest.fixture
def line():
    """20 points about a line, x in [0, 10)."""
    g = torch.Generator().manual_seed(10)
    x = torch.rand(20, generator=g).double() * 10
    return {"x": x, "y": 2 * x + 5 + torch.randn(20, generator=g).double()}


@pytest.fixture
def problem_from():
    """The problem of a formula's rows."""

    def make(formula: str, data: Any, family: str = "gaussian", loss: str = "mean", **given: Any) -> Any:
        link = given.pop("link", None)
        ready = prepare(formula, data, family=family, link=link, given=given, missing="error", options={}, known=())
        objective = Objective(ready.rows, ready.model)
        problem = problem_of(objective, ready.rows.spec.names, loss)
        problem.objective = objective
        return problem

    return make


@pytest.fixture
def quadratic_problem(problem_from):
    """A random least-squares problem with p columns, ill-conditioned on purpose."""

    def make(seed: int, p: int = 3, n: int = 30, loss: str = "mean") -> Any:
        g = torch.Generator().manual_seed(seed)
        scales = torch.logspace(0, 1, p, dtype=torch.float64)
        x = torch.randn(n, p, generator=g, dtype=torch.float64) * scales + torch.rand(p, generator=g).double()
        y = x @ torch.randn(p, generator=g, dtype=torch.float64) + torch.randn(n, generator=g, dtype=torch.float64)
        names = [f"x{j}" for j in range(p)]
        return problem_from(f"y ~ {' + '.join(names)}", {**dict(zip(names, x.T, strict=True)), "y": y}, loss=loss)

    return make


@pytest.fixture
def descend():
    """The loop, written out: theta and velocity after so many steps, and the values on the way."""

    def run(problem: Any, theta: Any, lr: float, steps: int, momentum: float = 0.0, nesterov: bool = False) -> Any:
        velocity, values = torch.zeros_like(theta), []
        for _ in range(steps):
            value, gradient = problem.value_and_gradient(theta)
            values.append(float(value))
            velocity = momentum * velocity + gradient
            theta = theta - lr * (gradient + momentum * velocity if nesterov else velocity)
        return theta, velocity, [*values, float(problem.value(theta))]

    return run
