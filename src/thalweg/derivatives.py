"""Where gradients come from: written by hand, or by autograd.

All of them return (f, gradient) of the same `MemoryProblem`, and the tests hold them to agree to rounding.

    by hand     gradient = c J(theta)' (w * loss'(y, eta)),  J from the predictor, loss' from the loss       (1)
    autograd    f.backward() through the same forward pass
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


class Derivative(ABC):
    """A way to the gradient.

    Attributes
    ----------
    name : str
        As users write it: derivative="hand".
    """

    name: str

    @abstractmethod
    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        """(f, gradient) at theta over some rows, or all."""


@final
class ByHand(Derivative):
    """Equation (1)."""

    name = "hand"

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        x, y, weight, offset, factor = problem.part(batch)
        eta = problem.predictor(theta, x)
        value, slope = problem.loss.terms(y, eta if offset is None else eta + offset, 1)
        if weight is not None:
            value, slope = weight * value, weight * slope
        return factor * value.sum(), problem.predictor.transpose_times(theta, x, slope).mul_(factor)


@final
class ByAutograd(Derivative):
    """The backward pass of PyTorch."""

    name = "autograd"

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        with torch.enable_grad():
            leaf = theta.detach().requires_grad_()
            value = problem.value(leaf, batch)
            (gradient,) = torch.autograd.grad(value, leaf)
        return value.detach(), gradient


BY_HAND, BY_AUTOGRAD = ByHand(), ByAutograd()
