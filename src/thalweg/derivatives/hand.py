"""Gradients as one writes them on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from jaxtyping import Float, Int
from torch import Tensor

from thalweg.derivatives.base import Derivative

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


@final
class ByHand(Derivative):
    """gradient = c J(theta)' (w * loss'(y, eta)): equation (1) of the package."""

    name = "hand"

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        if batch is None and problem.squares is not None:
            return problem.squares(theta)
        if problem.labels is not None:
            return problem.labels(theta, batch)
        return plainly(problem, theta, batch)


def plainly(
    problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
    """Equation (1) for any loss and predictor: the plain twin of `Squares` and `Labels`."""
    x, y, weight, offset, factor = problem.part(batch)
    eta = problem.predictor(theta, x)
    value, slope = problem.loss.terms(y, eta if offset is None else eta + offset, 1)
    if weight is not None:
        value, slope = weight * value, weight * slope
    return factor * value.sum(), problem.predictor.transpose_times(theta, x, slope).mul_(factor)


BY_HAND = ByHand()
