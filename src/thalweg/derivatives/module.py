"""Gradients the way a user of PyTorch writes them: an nn.Module, loss.backward(), and .grad cleared before the next.

module.zero_grad()
loss = c * sum(w * loss(module(x), y))
loss.backward()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.derivatives.base import Derivative

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


@final
class ByModule(Derivative):
    """loss.backward() through the module that the predictor is."""

    name = "module"

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        return problem.twin(theta, batch)


@final
class Twin:
    """A problem as a module with its loss.

    The module's parameters are views of one flat vector, and their gradients of another: to put theta in and to take
    the gradient out is one copy each, however many parameters the module has.

    Parameters
    ----------
    problem : MemoryProblem
    """

    def __init__(self, problem: MemoryProblem) -> None:
        predictor = problem.predictor
        self.problem, self.x = problem, predictor.inputs(problem.x)
        self.module = predictor.module().to(device=problem.device, dtype=problem.dtype)
        self.theta = torch.zeros(predictor.size, dtype=problem.dtype, device=problem.device)
        self.gradient = torch.zeros_like(self.theta)
        slopes = predictor.state(self.gradient)
        for name, value in predictor.state(self.theta).items():
            parameter = self.module.get_parameter(name)
            parameter.data, parameter.grad = value, slopes[name]

    def __call__(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        y, weight, offset, factor = self.problem.responses(batch)
        self.theta.copy_(theta)
        self.gradient.zero_()  # backward() adds to what is there: not clearing is momentum 1
        with torch.enable_grad():
            eta = self.module(self.x if batch is None else self.x.index_select(0, batch))
            loss = self.problem.total(y, eta if eta.shape == y.shape else eta.reshape(y.shape), weight, offset, factor)
            if loss.requires_grad:
                loss.backward(self.problem.one)
        return loss.detach(), self.gradient.clone()


BY_MODULE = ByModule()
