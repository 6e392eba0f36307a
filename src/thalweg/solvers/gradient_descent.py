"""Full-batch gradient descent, plain and with momentum.

    v_0 = 0,   v_{t+1} = momentum v_t + g(theta_t),   theta_{t+1} = theta_t - lr v_{t+1}              (heavy ball)
    nesterov:                                         theta_{t+1} = theta_t - lr (g + momentum v_{t+1})

as `torch.optim.SGD` computes them. An uncleared gradient in PyTorch is the heavy ball with momentum 1.

References: Polyak (1964), doi:10.1016/0041-5553(64)90137-5; Nesterov (1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.problem import Problem
from thalweg.solvers.base import State
from thalweg.solvers.descent import DescentSolver, DescentState, start_of


@final
@dataclass(frozen=True)
class MomentumState(DescentState):
    """With the velocity v_t."""

    velocity: Float[Tensor, "p"] | None = None


@final
class GradientDescent(DescentSolver):
    """Full-batch gradient descent.

    Parameters
    ----------
    lr : float
        Learning rate, > 0.
    steps : int
    momentum : float
        In [0, 1]; 1 is an uncleared gradient.
    nesterov : bool
    allow_divergence : bool
        Run a rate that is known to diverge.
    """

    def __init__(
        self,
        lr: float,
        steps: int = 1000,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        allow_divergence: bool = False,
        loss: str = "mean",
        derivative: str = "hand",
        dtype: str = "float64",
        device: str | None = None,
    ) -> None:
        super().__init__(steps, loss=loss, derivative=derivative, dtype=dtype, device=device)
        self.lr, self.momentum, self.nesterov, self.allow_divergence = lr, momentum, nesterov, allow_divergence

    def init(self, objective: Problem, theta: Float[Tensor, "p"] | None) -> MomentumState:
        start = start_of(objective, theta)
        value, gradient = objective.value_and_gradient(start)
        size = float(torch.linalg.vector_norm(gradient))
        return MomentumState(start, float(value), size, 0, gradient, self.lr, torch.zeros_like(start))

    def step(self, objective: Problem, state: State) -> MomentumState:
        assert isinstance(state, MomentumState)
        assert state.gradient is not None
        velocity = state.gradient
        if self.momentum:
            assert state.velocity is not None
            velocity = self.momentum * state.velocity + state.gradient
        direction = state.gradient + self.momentum * velocity if self.nesterov else velocity
        theta = torch.sub(state.theta, direction, alpha=self.lr)
        value, gradient = objective.value_and_gradient(theta)
        size = float(torch.linalg.vector_norm(gradient))
        return MomentumState(theta, float(value), size, state.step + 1, gradient, self.lr, velocity)
