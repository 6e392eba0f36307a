"""A direction of recession by linear programming, where Newton's method stopped without running along one.

With s_i = 1 for a row that is content as eta grows and -1 for one that is as eta falls, over d and 0 <= t_i <= 1:

    maximize sum_i t_i    subject to    s_i x_i'd >= t_i  for rows with a content side,    x_i'd = 0  for the others.

The maximum is 0 exactly when there is no separation (Konis 2007, https://ora.ox.ac.uk/objects/uuid:8f9ee0d0-d78e-4101-9ab4-f9cbceed2a2a).
All rows are held at once, hence only few of them; what is found is proven like any other candidate.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import linprog
from scipy.sparse import eye_array, hstack
from torch import Tensor

from thalweg.diagnose.separation import Recession, recession
from thalweg.objective import Objective

MOST = 100_000  # rows times columns


def recession_by_program(objective: Objective, kept: Bool[Tensor, "p"]) -> Recession | None:
    """A direction of recession over all rows, or None: there is none, the loss has none, or the rows are too many."""
    none = torch.zeros(1, dtype=torch.float64)
    if objective.count is None or objective.count * objective.columns > MOST or not bool(kept.any()):
        return None
    if objective.loss.recession(none) is None:
        return None
    x, side = _sided(objective)
    scale = x[:, kept].abs().amax(0).clamp_min(1e-300)
    direction = torch.zeros(kept.shape[0], dtype=torch.float64)
    direction[kept] = _program((x[:, kept] / scale).numpy(), side.numpy()) / scale
    return recession(objective, direction, direction, kept) if bool(direction.any()) else None


def _sided(objective: Objective) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n"]]:
    """The rows that have a weight, and s of each; 0 for a row without a content side."""
    rows, sides = [], []
    for block in objective.blocks():
        assert block.y is not None
        found = objective.loss.recession(block.y)
        assert found is not None
        used = torch.ones_like(block.y, dtype=torch.bool) if block.loss_weight is None else block.loss_weight > 0
        rows.append(block.matrix.dense()[used].cpu())
        sides.append((found[0].double() - found[1].double())[used].cpu())
    return torch.cat(rows), torch.cat(sides)


def _program(x: np.ndarray, side: np.ndarray) -> Float[Tensor, "k"]:
    """d of the linear program; zeros where the program has no other solution."""
    sided, p = side != 0, x.shape[1]
    count = int(sided.sum())
    above = hstack([-side[sided, None] * x[sided], eye_array(count)])
    equal = None if sided.all() else hstack([x[~sided], eye_array(int((~sided).sum()), count) * 0])
    result = linprog(
        np.r_[np.zeros(p), -np.ones(count)],
        A_ub=above,
        b_ub=np.zeros(count),
        A_eq=equal,
        b_eq=None if equal is None else np.zeros(equal.shape[0]),
        bounds=[(None, None)] * p + [(0, 1)] * count,
        method="highs",
    )
    found = result.x is not None and -result.fun > 0.5
    return torch.from_numpy(result.x[:p].copy()) if found else torch.zeros(p, dtype=torch.float64)
