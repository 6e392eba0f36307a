"""Separation: a direction along which the likelihood never falls, so that no finite estimate exists.

A row's loss has a *recession side*: a 0/1 row with y = 1 is content as eta grows, one with y = 0 as eta falls, a count
of zero under a log link as eta falls; any other row wants a finite eta. A direction d with x_i'd on the content side of
every row that has one, x_i'd = 0 for every other row, and some x_i'd not 0, can be followed for ever: the likelihood
has no maximum (Albert & Anderson 1984, doi:10.1093/biomet/71.1.1; for other families Correia, Guimaraes & Zylkin 2019,
arXiv:1903.01633). Newton's method finds d by itself, because its steps come to lie along it, which is why no linear
program needs to be solved here:

1. rows that hardly move along the last step are taken to stand still: x_i'd = 0;
2. d is projected on the null space of those rows, which removes what the step still held of other directions;
3. one reading of all rows proves the projected d, to the rounding of x_i'd: a single row on its wrong side refutes it.

At the limit the rows that move weigh nothing. The others (`Still`) have a likelihood of their own, and what its maximum
determines is what the data determine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.rows import DoubledBlock, Readable
from thalweg.objective import Objective
from thalweg.solvers.curvature import weighted_triangle

HARDLY = 1e-5  # part of the largest |x'd| below which a row is taken to stand still (step 1)
ROUNDING = 1e-13  # part of sum_j |x_ij d_j| that rounding may leave of x_i'd = 0
NULL = 1e-11  # singular value, relative, of the still rows below which a direction is in their null space


@final
@dataclass(frozen=True)
class Recession:
    """A proven direction of recession.

    Attributes
    ----------
    direction : Tensor, (p,)
        d, scaled to a largest |d_j| sd_j of 1, with zeros in the columns that take no part.
    complete : bool
        Every row moves: x_i'd is on the content side, strictly.
    """

    direction: Float[Tensor, "p"]
    complete: bool


@final
@dataclass
class _Movement:
    """What one reading says of a direction."""

    proven: bool = True
    moving: int = 0
    still: int = 0
    squares: Tensor | float = 0.0

    def add(self, move: Tensor, size: Tensor, sides: tuple[Tensor, Tensor], squares: Tensor) -> None:
        """Add the used rows of one block: x'd, sum |x_j d_j|, and the sides on which they are content."""
        up, down = sides
        moves = move.abs() > ROUNDING * size
        content = torch.where(move > 0, up, down)
        self.proven = self.proven and bool((content | ~moves).all())
        moving = int(moves.sum())
        self.moving, self.still = self.moving + moving, self.still + len(move) - moving
        self.squares = self.squares + squares


def _moved(block: Block, direction: Float[Tensor, "p"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """x'd and sum_j |x_j d_j| of a block's rows."""
    return block.matrix.times(direction), block.matrix.dense().abs() @ direction.abs()


def _used(block: Block) -> Bool[Tensor, "n"]:
    """Rows with a weight."""
    assert block.y is not None
    return torch.ones_like(block.y, dtype=torch.bool) if block.loss_weight is None else block.loss_weight > 0


def _movement(objective: Objective, direction: Float[Tensor, "p"]) -> _Movement:
    """One reading: how the rows with a weight move along a direction (step 3)."""
    seen = _Movement()
    for block in objective.blocks():
        assert block.y is not None
        sides, used = objective.loss.recession(block.y), _used(block)
        assert sides is not None
        move, size = _moved(block, direction)
        squares = block.matrix.gram(used.to(move.dtype)).diagonal()
        seen.add(move[used], size[used], (sides[0][used], sides[1][used]), squares)
    return seen


def _standing(objective: Objective, direction: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """Steps 1 and 2: the part of a direction along which the rows that hardly move do not move at all."""
    largest = 0.0
    for block in objective.blocks():
        move = block.matrix.times(direction)[_used(block)]
        largest = max(largest, float(move.abs().max()) if move.numel() else 0.0)

    def weight(block: Block) -> Tensor:
        hardly = block.matrix.times(direction).abs() <= HARDLY * largest
        return (hardly & _used(block)).to(torch.float64)

    triangle, scale = weighted_triangle(objective, weight)
    vectors, values, right = np.linalg.svd(triangle.numpy(), full_matrices=True)
    rank = int((values > NULL * values.max(initial=0.0)).sum())
    null = torch.from_numpy(right[rank:])
    return scale * (null.T @ (null @ (direction.cpu() / scale)))


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
    for raw in (theta, step):
        if not bool(torch.isfinite(raw).all()) or not bool(raw.any()):
            continue
        direction = _standing(objective, raw).to(raw.device)
        seen = _movement(objective, direction)
        if seen.proven and seen.moving:
            assert isinstance(seen.squares, Tensor)
            sizes = direction.abs() * (seen.squares / (seen.moving + seen.still)).sqrt()
            return Recession(direction / sizes.max(), seen.still == 0)
    return None


@final
class Still:
    """Rows that do not move along a direction; those that do keep their place, with a weight of 0.

    Parameters
    ----------
    rows : Readable
    direction : Tensor, (p,)
    """

    def __init__(self, rows: Readable, direction: Float[Tensor, "p"]) -> None:
        self.rows, self.direction = rows, direction

    @property
    def columns(self) -> int:
        return self.rows.columns

    @property
    def count(self) -> int | None:
        return self.rows.count

    def blocks(self) -> Iterator[Block]:
        return map(self._silenced, self.rows.blocks())

    def doubled(self) -> Iterator[DoubledBlock]:
        for rows in self.rows.doubled():
            assert rows.block is not None
            yield replace(rows, block=self._silenced(rows.block))

    def sampled(self, every: int) -> Still:
        return Still(self.rows.sampled(every), self.direction)

    def _silenced(self, block: Block) -> Block:
        move, size = _moved(block.double(), self.direction)
        still = (move.abs() <= ROUNDING * size).to(torch.float64)
        return replace(block, weight=still if block.weight is None else still * block.weight)


def far_along(
    objective: Objective, direction: Float[Tensor, "p"], theta: Float[Tensor, "p"], eta: float
) -> Float[Tensor, "p"]:
    """theta moved along a direction until every row that moves is at eta or beyond on its content side."""
    length = 0.0
    for block in objective.blocks():
        move, size = _moved(block, direction)
        moves = (move.abs() > ROUNDING * size) & _used(block)
        at = block.matrix.times(theta) if block.offset is None else block.matrix.times(theta) + block.offset
        if bool(moves.any()):
            needed = (eta - at * move.sign())[moves] / move.abs()[moves]
            length = max(length, float(needed.max()))
    return theta + length * direction


def joined(objective: Objective, first: Float[Tensor, "p"], second: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """first + c second, with c > 0 so small that the rows that move along `first` still move to the same side."""
    least, most = float("inf"), 0.0
    for block in objective.blocks():
        move, size = _moved(block, first)
        moves = (move.abs() > ROUNDING * size) & _used(block)
        if bool(moves.any()):
            least = min(least, float(move[moves].abs().min()))
            most = max(most, float(block.matrix.times(second)[moves].abs().max()))
    return first + (0.5 * least / most if most > 0 else 1.0) * second
