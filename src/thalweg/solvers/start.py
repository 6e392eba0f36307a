"""Where Newton's method starts: inside the domain of the family, near the answer."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.errors import DataError
from thalweg.objective import Objective, working_response, working_sums
from thalweg.solvers.curvature import Curvature, Weighting


def starting_point(objective: Objective) -> Float[Tensor, "p"]:
    """One scoring step from the family's starting means, drawn towards a constant mean until it is feasible.

    1. theta_1 = (X'WX)^-1 X'Wz from the starting means (`working_sums`).
    2. theta_0 = the coefficients whose eta is nearest to a constant, g(mean of y): exact with an intercept.
    3. theta = theta_0 + t (theta_1 - theta_0) with t = 1, 1/2, 1/4, ... until every eta is inside.

    Raises
    ------
    DataError
        No feasible point is found; the text asks for `start`.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # squares beyond the range of float64 are refused just below
        right, left = working_sums(objective)
    check_range(objective, left.diagonal())
    theta = _steering(objective, left, lambda block: working_response(objective, block)[1]).solve(right)
    if bool(torch.isfinite(theta).all()) and _feasible(objective, theta):
        return theta
    constant = constant_point(objective)
    if constant is not None and _feasible(objective, constant):
        for halvings in range(1, 30):
            between = constant + 0.5**halvings * (theta - constant)
            if _feasible(objective, between):
                return between
        return constant
    raise DataError(
        "no starting values were found that keep every mean inside the family's domain",
        advice="Give some with start=, or choose a link that keeps it inside for all values (log).",
    )


def _feasible(objective: Objective, theta: Float[Tensor, "p"]) -> bool:
    """Whether every eta is inside the domain, and the objective a number."""
    return math.isfinite(objective(theta, 0).value)


def check_range(objective: Objective, squares: Float[Tensor, "p"]) -> None:
    """Refuse columns whose weighted squares leave the range of float64, which would otherwise seem to be zero.

    Raises
    ------
    DataError
        Naming the column by its place in the design.
    """
    outside = ~torch.isfinite(squares) | (squares < 1e-300)
    if not bool(outside.any()):
        return
    largest, weight = torch.zeros_like(squares), 0.0
    for block in objective.blocks():
        used = _weight(block) > 0
        largest = torch.maximum(largest, (block.matrix.dense().abs() * used[:, None]).amax(0))
        weight = max(weight, float(_weight(block).max()))
    for j in outside.nonzero()[:, 0].tolist():
        if float(largest[j]) > 0:
            raise DataError(
                f"design column {j + 1} reaches {float(largest[j]):.0e} with weights to {weight:.0e}:"
                " the sum of its squares leaves the range of float64",
                advice="Divide the column, or the weights, by a power of ten.",
            )


def constant_point(objective: Objective) -> Float[Tensor, "p"] | None:
    """Coefficients with which X theta + offset is nearest, in least squares, to g(weighted mean of y)."""
    total, weight = 0.0, 0.0
    for block in objective.blocks():
        assert block.y is not None
        w = _weight(block)
        total, weight = total + float((w * block.y).sum()), weight + float(w.sum())
    mean = torch.tensor([total / weight], dtype=torch.float64)
    eta = objective.loss.link.link(mean)  # type: ignore[attr-defined]
    left: Tensor | float = 0.0
    right: Tensor | float = 0.0
    for block in objective.blocks():
        assert block.y is not None
        target = eta.to(block.y.device).expand_as(block.y)
        target = target if block.offset is None else target - block.offset
        left, right = (
            left + block.matrix.gram(_weight(block)),
            right + block.matrix.transpose_times(_weight(block) * target),
        )
    if not isinstance(left, Tensor) or not isinstance(right, Tensor) or not bool(torch.isfinite(eta).all()):
        return None
    return _steering(objective, left, _weight).solve(right)


def _weight(block: Block) -> Tensor:
    """The rows' weights themselves."""
    assert block.y is not None
    return torch.ones_like(block.y) if block.loss_weight is None else block.loss_weight


def _steering(objective: Objective, left: Float[Tensor, "p p"], weight: Weighting) -> Curvature:
    """X'WX factored; from the rows, without columns that are combinations of others, where it is near singular."""
    curvature = Curvature(left)
    return curvature if curvature.reliable else Curvature.from_rows(objective, weight)
