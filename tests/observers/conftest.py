"""A small problem, and states without a solver."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.descent import DescentState


@pytest.fixture
def problem() -> MemoryProblem:
    """30 noisy rows of two columns: a logistic regression, whose descent runs its loop."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(30, generator=generator, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, 2.0], dtype=torch.float64) + noise > 0).double()
    return MemoryProblem(Linear(("a", "b")), x, y, family("binomial"))


@pytest.fixture
def states() -> Callable[..., list[DescentState]]:
    """States of these losses and gradients."""

    def made(losses: list[float], gradients: list[float] | None = None) -> list[DescentState]:
        sizes = gradients or [1.0] * len(losses)
        theta = torch.zeros(2, dtype=torch.float64)
        return [DescentState(theta + i, v, g, i, rate=0.1) for i, (v, g) in enumerate(zip(losses, sizes, strict=True))]

    return made
