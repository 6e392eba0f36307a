"""Separation: a direction along which the likelihood never falls, so that no finite estimate exists.

A row's loss has a *recession side*: a 0/1 row with y = 1 is content as eta grows, one with y = 0 as eta falls, a count
of zero under a log link as eta falls; any other row wants a finite eta. A direction d with x_i'd on the content side of
every row that has one, x_i'd = 0 for every other row, and some x_i'd not 0, can be followed for ever: the likelihood
has no maximum (Albert & Anderson 1984, doi:10.1093/biomet/71.1.1; for other families Correia, Guimaraes & Zylkin 2019,
arXiv:1903.01633). Newton's method finds d by itself, because its steps come to lie along it; one reading of the rows
then proves it, which is why no linear program needs to be solved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.objective import Objective

WRONG = 1e-6  # part of the largest |x'd| by which a row may move to its wrong side: rounding, and steps not yet along d
TAKES_PART = 1e-5  # part of the largest |d_j| sd_j from which a column counts as one that runs away


@final
@dataclass(frozen=True)
class Recession:
    """A proven direction of recession.

    Attributes
    ----------
    direction : Tensor, (p,)
        d, scaled to a largest |d_j| sd_j of 1, with zeros in the columns that take no part.
    complete : bool
        x_i'd is on the content side, strictly, for every row.
    least : float
        The least x_i'd, in size, of the rows that move at all: how far to go until all of them are at their limit.
    """

    direction: Float[Tensor, "p"]
    complete: bool
    least: float


@final
@dataclass
class _Movement:
    """What one reading says of a direction."""

    largest: float = 0.0
    wrong: float = 0.0
    smallest: float = float("inf")
    least: float = float("inf")
    rows: int = 0
    squares: Tensor | None = None

    def add(self, sided: Tensor, free: Tensor, squares: Tensor) -> None:
        """sided: x'd towards the row's content side, or -|x'd| where it has none; free: whether it has one."""
        if sided.numel():
            self.largest = max(self.largest, float(sided.abs().max()))
            self.wrong = max(self.wrong, float((-sided).max()))
            moving = sided[sided > 1e-3 * self.largest]
            self.least = min(self.least, float(moving.min())) if moving.numel() else self.least
            self.smallest = min(self.smallest, float(sided.min()) if bool(free.all()) else 0.0)
        self.squares = squares if self.squares is None else self.squares + squares
        self.rows += sided.numel()


def movement(objective: Objective, direction: Float[Tensor, "p"]) -> _Movement:
    """One reading: how the rows with a weight move along a direction."""
    seen = _Movement()
    for block in objective.blocks():
        assert block.y is not None
        sides = objective.loss.recession(block.y)
        assert sides is not None
        up, down = sides
        move = block.matrix.times(direction)
        sided = torch.where(up & down, move.abs(), torch.where(up, move, torch.where(down, -move, -move.abs())))
        used = torch.ones_like(up) if block.loss_weight is None else block.loss_weight > 0
        squares = block.matrix.gram(used.to(move.dtype)).diagonal()
        seen.add(sided[used], (up | down)[used], squares)
    return seen


def recession(objective: Objective, theta: Float[Tensor, "p"], step: Float[Tensor, "p"]) -> Recession | None:
    """A direction of recession, if the coefficients or the last step prove one.

    Parameters
    ----------
    objective : Objective
        Its loss says which rows have a content side.
    theta : Tensor, (p,)
        The coefficients: where they put every row on its own side, they are such a direction (complete separation).
    step : Tensor, (p,)
        The last Newton step, which comes to lie along the direction where only some rows are separated.
    """
    if objective.loss.recession(torch.zeros(1, dtype=torch.float64)) is None:
        return None
    for direction, wrong in ((theta, 0.0), (step, WRONG)):
        seen = movement(objective, direction)
        if seen.largest > 0 and seen.wrong <= wrong * seen.largest:
            assert seen.squares is not None
            sizes = direction.abs() * (seen.squares / seen.rows).sqrt()
            part = torch.where(sizes > TAKES_PART * sizes.max(), direction, torch.zeros_like(direction))
            complete = seen.smallest > wrong * seen.largest
            return Recession(part / sizes.max(), complete, seen.least / float(sizes.max()))
    return None
