"""The last digits of Newton's method: the gradient's sums in doubled precision.

A float64 gradient is a sum of terms that cancel at the optimum; what is left is rounding, and the condition of the
design multiplies it. With theta and X in two words and the sums in doubled precision only the rounding of each row's
own loss' remains, which acts like a relative change of 1e-16 in the response:

0. columns to a weighted norm near 1 by powers of two, and theta by their inverses: the slices of a row's product hold
   105 bits below its largest entry, which a column of size 1e-150 beside an intercept would lose whole
1. eta = X theta + offset in two words; loss' at the high word, plus loss'' times the low word
2. g = X' (w loss') in two words
3. theta <- theta - H^-1 g with the H at hand, until the step no longer shrinks
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.doubled import cross, exponent, power_of_two, product
from thalweg.error_free import Pair, dd_add, quick_two_sum, two_sum
from thalweg.objective import Objective
from thalweg.solvers.curvature import Curvature

STEPS = 30
STILL = 2.0**-54  # relative size of a step after which the next one is below the rounding of theta


def polish(objective: Objective, theta: Float[Tensor, "p"], curvature: Curvature) -> tuple[Float[Tensor, "p"], float]:
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
    (Tensor, float)
        theta rounded to float64, and sqrt(g' H^-1 g) of the last gradient: how far theta was from the optimum then.
    """
    scale = _column_scale(curvature).to(theta.device)
    kept = scale > 0
    start = torch.where(kept, theta / scale, 0.0)
    position: Pair = (start, torch.zeros_like(start))
    before = float("inf")
    for _ in range(STEPS):
        gradient = torch.where(kept, doubled_gradient(objective, position, scale) / scale, 0.0)
        move = torch.where(kept, -curvature.solve(gradient) / scale, 0.0)
        size = _relative(move, position[0])
        if not size < before:
            break
        position = quick_two_sum(*dd_add(position, (move, torch.zeros_like(move))))
        before = size / 2
        if size <= STILL:
            break
    return position[0] * scale, max(curvature.quadratic(gradient), 0.0) ** 0.5


def _column_scale(curvature: Curvature) -> Float[Tensor, "p"]:
    """Step 0: powers of two; 0 for columns that are not kept, whose coefficients are 0."""
    scale = torch.zeros(curvature.kept.shape[0], dtype=torch.float64)
    scale[curvature.kept] = power_of_two(exponent(curvature.scale))
    return scale


def _relative(move: Tensor, theta: Tensor) -> float:
    """The largest |move_j| / |theta_j|."""
    moved = move != 0
    return float((move[moved] / theta[moved]).abs().max()) if bool(moved.any()) else 0.0


def doubled_gradient(objective: Objective, theta: Pair, scale: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """Steps 1 and 2 for the columns times `scale`, rounded to float64 at the end."""
    objective.passes += 1
    column = (theta[0][:, None], theta[1][:, None])
    total: Pair | None = None
    for rows in objective.rows.doubled():
        block = rows.block
        assert block is not None
        block = block.double()
        assert block.y is not None
        design = (rows.high * scale, None if rows.low is None else rows.low * scale)
        high, low = (word[:, 0] for word in product(design, column))
        if block.offset is not None:
            high, error = two_sum(high, block.offset)
            low = low + error
        slope = objective.loss.gradient(block.y, high) + objective.loss.curvature(block.y, high) * low
        slope = slope if block.loss_weight is None else slope * block.loss_weight
        part = cross(design, (slope[:, None], None))
        total = part if total is None else dd_add(total, part)
    assert total is not None
    return (total[0] + total[1])[:, 0]
