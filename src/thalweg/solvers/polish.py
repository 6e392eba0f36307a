"""The last digits of Newton's method: the gradient's sums in doubled precision.

A float64 gradient is a sum of terms that cancel at the optimum; what is left is rounding, and the condition of the
design multiplies it. With theta and X in two words and the sums in doubled precision only the rounding of each row's
own loss' remains, which acts like a relative change of 1e-16 in the response:

1. eta = X theta + offset in two words; loss' at the high word, plus loss'' times the low word
2. g = X' (w loss') in two words
3. theta <- theta - H^-1 g with the H at hand, until the step no longer shrinks
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.doubled import cross, product
from thalweg.error_free import Pair, dd_add, quick_two_sum, two_sum
from thalweg.objective import Objective
from thalweg.solvers.curvature import Curvature

STEPS = 30
STILL = 1e-17  # relative size of a step that no longer changes theta


def polish(objective: Objective, theta: Float[Tensor, "p"], curvature: Curvature) -> tuple[Float[Tensor, "p"], int]:
    """Newton steps with doubled sums, from a theta that is near the optimum.

    Parameters
    ----------
    objective : Objective
        Its rows are read once per step, in two words.
    theta : Tensor, (p,)
        The optimum to about the square root of the precision, or better.
    curvature : Curvature
        A factor of H near the optimum.

    Returns
    -------
    (Tensor, int)
        theta rounded to float64, and the steps taken.
    """
    position: Pair = (theta, torch.zeros_like(theta))
    before = float("inf")
    for step in range(1, STEPS + 1):
        gradient = doubled_gradient(objective, position)
        move = -curvature.solve(gradient)
        size = _relative(move, position[0])
        if not size < before:
            return position[0], step
        position = quick_two_sum(*dd_add(position, (move, torch.zeros_like(move))))
        before = size / 2
        if size <= STILL:
            break
    return position[0], step


def _relative(move: Tensor, theta: Tensor) -> float:
    """The largest |move_j| / |theta_j|."""
    moved = move != 0
    return float((move[moved] / theta[moved]).abs().max()) if bool(moved.any()) else 0.0


def doubled_gradient(objective: Objective, theta: Pair) -> Float[Tensor, "p"]:
    """Steps 1 and 2, rounded to float64 at the end."""
    objective.passes += 1
    column = (theta[0][:, None], theta[1][:, None])
    total: Pair | None = None
    for rows in objective.rows.doubled():
        block = rows.block
        assert block is not None
        block = block.double()
        assert block.y is not None
        high, low = (word[:, 0] for word in product((rows.high, rows.low), column))
        if block.offset is not None:
            high, error = two_sum(high, block.offset)
            low = low + error
        slope = objective.loss.gradient(block.y, high) + objective.loss.curvature(block.y, high) * low
        slope = slope if block.loss_weight is None else slope * block.loss_weight
        part = cross((rows.high, rows.low), (slope[:, None], None))
        total = part if total is None else dd_add(total, part)
    assert total is not None
    return (total[0] + total[1])[:, 0]
