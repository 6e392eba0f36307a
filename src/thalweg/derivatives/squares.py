"""Squared errors of a linear predictor, in four operations.

At eight rows an operation of PyTorch costs a microsecond or two whatever it computes, and a loop of ten thousand steps
is as fast as its operations are few. What does not change from step to step is made once.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor


@final
class Squares:
    """f = c/2 sum_i w_i (x_i'theta - t_i)^2 and its gradient c X'(w * (X theta - t)).

    Parameters
    ----------
    x : Tensor, (n, p)
    target : Tensor, (n,)
        The response less the offset.
    weight : Tensor, (n,), optional
    scale : float
        c.
    """

    def __init__(
        self, x: Float[Tensor, "n p"], target: Float[Tensor, "n"], weight: Float[Tensor, "n"] | None, scale: float
    ) -> None:
        self.x, self.transposed, self.weight = x, x.T, weight
        self.minus, self.scale, self.half = -target, scale, scale / 2
        self.zero = x.new_zeros(x.shape[1])

    def __call__(self, theta: Float[Tensor, "p"]) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        residual = torch.addmv(self.minus, self.x, theta)
        weighted = residual if self.weight is None else self.weight * residual
        gradient = torch.addmv(self.zero, self.transposed, weighted, beta=0, alpha=self.scale)
        return torch.dot(weighted, residual) * self.half, gradient
