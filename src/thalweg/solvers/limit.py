"""Where Newton's method ends when the data are separated: the limit of the likelihood's maximizers.

Along a direction of recession (`thalweg.diagnose.separation`) the rows that move come to weigh nothing. The others have
a likelihood of their own; what its maximum determines is what the data determine, and everything else has no estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.diagnose.separation import Recession, Still, far_along, joined
from thalweg.objective import Objective
from thalweg.solvers.base import Solution, State, Status
from thalweg.solvers.curvature import combinations, weighted_triangle
from thalweg.solvers.polish import polish

if TYPE_CHECKING:
    from thalweg.solvers.newton import Newton, NewtonState

FAR = 40.0  # of eta: exp(-40) is below the rounding of a weight
NOT_FOUND = "The coefficients that the data do determine were not found to full precision."


@final
@dataclass(frozen=True)
class Limit:
    """What is left of a likelihood at the end of its directions of recession.

    Attributes
    ----------
    theta : Tensor, (p,)
        The maximum over the rows that do not move; 0 in columns that they leave open.
    recession : Recession
        All directions in one: every row that moves along any of them moves to its content side.
    inverse : Tensor, (p, p), optional
        The inverse curvature of those rows; None where every row moves.
    found : bool
        Whether that maximum was reached.
    unknown : Tensor of bool, (p,)
        Coefficients that those rows do not determine.
    """

    theta: Float[Tensor, "p"]
    recession: Recession
    inverse: Float[Tensor, "p p"] | None
    found: bool
    unknown: Bool[Tensor, "p"]


def separated(solver: Newton, objective: Objective, state: NewtonState, found: Recession) -> Solution:
    """The limit along the directions of recession: what it determines, and what has no estimate."""
    aliased = (~state.factor.kept).to(state.theta.device)
    limit = limit_of(solver, objective, found, ~state.factor.kept)
    gone = limit.unknown.to(aliased.device) & ~aliased
    found = replace(limit.recession, direction=torch.where(gone, limit.recession.direction, 0.0))
    theta = far_along(objective, found, limit.theta, FAR)
    return Solution(
        theta=theta,
        status=Status.SEPARATED,
        advice="" if limit.found else NOT_FOUND,
        inverse_curvature=limit.inverse,
        value=objective(theta, 0).value,
        steps=state.step,
        passes=objective.passes,
        aliased={int(j): "" for j in aliased.nonzero()[:, 0]},
        details={
            "gradient_size": state.gradient_size,
            "recession": found,
            "undetermined": gone.nonzero()[:, 0].tolist(),
            "combinations": solver.combinations(objective, state),
        },
    )


def limit_of(solver: Newton, objective: Objective, found: Recession, aliased: Bool[Tensor, "p"]) -> Limit:
    """The other coefficients where the rows that move along a direction of recession have gone to their limit.

    Those rows then weigh nothing. Newton's method finds the maximum over the others, whose likelihood may rise for
    ever along another direction, and so on; what the last maximum leaves open has no estimate.
    """
    if found.complete:
        unknown = torch.ones_like(found.direction, dtype=torch.bool)
        return Limit(torch.zeros_like(found.direction), found, None, True, unknown)
    still = Objective(Still(objective.rows, found), objective.loss)
    state: State = solver.init(still, None)
    while (status := solver.terminate(still, state)) is None:
        state = solver.step(still, state)
    state = cast("NewtonState", state)
    if state.recession is not None:
        further = limit_of(solver, still, state.recession, aliased)
        return replace(further, recession=joined(objective, found, further.recession))
    theta = polish(still, state.theta, state.factor)[0] if not still.large else state.theta
    inverse = solver.inverse(still, theta, state)
    return Limit(theta, found, inverse, status is Status.CONVERGED, _open(still, state, aliased))


def _open(still: Objective, state: NewtonState, aliased: Tensor) -> Tensor:
    """Coefficients that the rows do not determine: columns left out, and those that they are combinations of.

    Columns that all rows together leave out (`aliased`) hold their coefficients at 0 and leave nothing open.
    """
    kept = state.factor.kept
    triangle, scale = weighted_triangle(still, user_weight)
    left_out = ~kept
    for column, terms in combinations(triangle, scale, kept).items():
        if not bool(aliased[column]):
            left_out[list(terms)] = True
    return left_out


def user_weight(block: Block) -> Float[Tensor, "n"]:
    """The rows' own weights."""
    assert block.y is not None
    return torch.ones_like(block.y) if block.loss_weight is None else block.loss_weight
