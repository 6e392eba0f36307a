"""Gradients by the backward pass of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.derivatives.base import Derivative

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


@final
class ByAutograd(Derivative):
    """torch.autograd.grad(f(theta), theta)."""

    name = "autograd"

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        if not torch.is_grad_enabled():  # asking costs a tenth of entering a context
            with torch.enable_grad():
                return self(problem, theta, batch)
        leaf = theta.detach().requires_grad_()
        value = problem.value(leaf, batch)
        (gradient,) = torch.autograd.grad(value, leaf, problem.one, allow_unused=True)
        return value.detach(), torch.zeros_like(theta) if gradient is None else gradient


BY_AUTOGRAD = ByAutograd()
