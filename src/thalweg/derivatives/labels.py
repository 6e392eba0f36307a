"""The logistic loss of labels, in six operations: the counterpart of `thalweg.derivatives.squares` for two classes.

With s_i = 1 for a label 0 and -1 for a label 1, z_i = s_i (x_i'theta + offset_i):

    f = c sum_i w_i log(1 + exp(z_i)),      gradient = c sum_i w_i s_i x_i / (1 + exp(-z_i))                    (1)

The signs are put into the rows once. Beyond z = 40, log(1 + exp(z)) is z to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from thalweg.convention import is_mean

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem

LINEAR = 40.0  # exp(-40) is below the rounding of 40, and exp(40) within the range of float32


@final
class Labels:
    """Equations (1).

    Parameters
    ----------
    problem : MemoryProblem
        A binomial loss with the logit link, of labels, with a design.
    x : Tensor, (n, p)
        The design.
    """

    def __init__(self, problem: MemoryProblem, x: Float[Tensor, "n p"]) -> None:
        sign = 1 - 2 * problem.y
        self.x = sign[:, None] * x
        self.transposed = self.x.T
        self.weight = problem.weight
        self.offset = None if problem.offset is None else sign * problem.offset
        self.mean, self.scale = is_mean(problem.convention), problem.scale
        self.zero = x.new_zeros(x.shape[1])

    def __call__(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        """f and its gradient."""
        x, weight, offset, factor = self._part(batch)
        z = x.mv(theta) if offset is None else torch.addmv(offset, x, theta)
        losses, wrong = softplus(z, threshold=LINEAR), torch.sigmoid(z)
        total = losses.sum() if weight is None else losses.dot(weight)
        slope = wrong if weight is None else wrong.mul_(weight)
        transposed = self.transposed if batch is None else x.T
        return factor * total, torch.addmv(self.zero, transposed, slope, beta=0, alpha=factor)

    def _part(self, batch: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None, float]:
        """(x, weight, offset, c) of some rows."""
        if batch is None:
            return self.x, self.weight, self.offset, self.scale
        weight = None if self.weight is None else self.weight[batch]
        offset = None if self.offset is None else self.offset[batch]
        total = batch.numel() if weight is None else weight.sum().item()
        factor = 0.0 if not total else 1 / total if self.mean else self.scale
        return self.x.index_select(0, batch), weight, offset, factor
