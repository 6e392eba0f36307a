"""Where the axes meet: J(theta) = sum_i w_i loss(y_i, eta_i), and the pass that evaluates it.

    eta_i = x_i' theta + offset_i,        J = sum_i w_i loss(y_i, eta_i)
    gradient = sum_i w_i loss'(y_i, eta_i) x_i,      curvature = sum_i w_i loss''(y_i, eta_i) x_i x_i'

A pass returns these *sums* and the sum of weights; a mean is the sum divided by `weight`. Sums are float64 whatever
the type of the data.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.losses.base import Loss


@dataclass(frozen=True)
class Sums:
    """What one pass returns.

    Attributes
    ----------
    value : float
        sum_i w_i loss_i.
    gradient : Tensor, (p,), optional
        From a pass of order 1 or 2.
    curvature : Tensor, (p, p), optional
        From a pass of order 2.
    weight : float
        sum_i w_i.
    rows : int
        Rows read.
    inside : bool
        Whether every eta was in the domain of the loss; where it was not, value is inf.
    """

    value: float
    gradient: Float[Tensor, "p"] | None
    curvature: Float[Tensor, "p p"] | None
    weight: float
    rows: int
    inside: bool = True


class Objective:
    """A loss over rows."""

    has = frozenset({"value", "gradient", "curvature", "rows"})

    def __init__(self, rows: Readable, loss: Loss) -> None:
        self.rows, self.loss = rows, loss
        self.passes = 0
