"""What a curve's solver minimizes, as the pictures of the way there ask for it: a loss at any parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.curves.curve import Curve
from thalweg.curves.fit import part_of
from thalweg.curves.problem import CurveProblem, Part

if TYPE_CHECKING:
    from thalweg.data.rows import Rows
    from thalweg.losses.base import Family


@final
class CurveLoss:
    """The sum of a curve's losses.

    Parameters
    ----------
    curve : Curve
        Of the free parameters.
    rows : Rows
    loss : Family
    """

    has = frozenset({"value"})
    quadratic = None
    dtype, device = torch.float64, torch.device("cpu")

    def __init__(self, curve: Curve, rows: Rows, loss: Family) -> None:
        def parts() -> Iterator[Part]:
            return (part_of(curve, block) for block in rows.blocks())

        kept = list(parts()) if rows.count * (len(curve.inputs) + 1) * 8 <= 2**26 else None
        self.rows, self.loss = rows.count, loss
        self._problem = CurveProblem(curve, parts if kept is None else lambda: kept, loss, rows.count)

    def value(self, theta: Float[Tensor, "p"]) -> Tensor:
        """J; infinite where the curve has no value."""
        return torch.tensor(self._problem.value(theta.tolist()), dtype=torch.float64)
