"""Separation: a direction along which the likelihood never falls, so that no finite estimate exists.

A row's loss has a *recession side*: a 0/1 row with y = 1 is content as eta grows, one with y = 0 as eta falls, a count
of zero under a log link as eta falls; any other row wants a finite eta. A direction d with x_i'd on the content side of
every row that has one, x_i'd = 0 for every other row, and some x_i'd not 0, can be followed for ever: the likelihood
has no maximum (Albert & Anderson 1984, doi:10.1093/biomet/71.1.1; for other families Correia, Guimaraes & Zylkin 2019,
arXiv:1903.01633). Newton's method finds d by itself, because its steps come to lie along it, which is why no linear
program needs to be solved here:

1. rows that hardly move along the last step are taken to stand still: x_i'd = 0 (among many rows some move as little
   in earnest: smaller bounds are tried too);
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
from thalweg.objective import Objective, linear_predictor
from thalweg.solvers.curvature import weighted_triangle

HARDLY = (1e-5, 1e-8, 1e-11)  # parts of the largest |x'd| below which a row is taken to stand still (step 1)
ROUNDING = 1e-13  # relative error of d in the units of `_Movement.units`
NOTHING = 1e-11  # part of the largest |d_j| sd_j below which an entry of d is rounding
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
    error : Tensor, (p,)
        What rounding may have done to the entries of d: a row stands still where |x_i'd| <= |x_i|'error.
    """

    direction: Float[Tensor, "p"]
    complete: bool
    error: Float[Tensor, "p"]

    def moves(self, block: Block) -> tuple[Float[Tensor, "n"], Bool[Tensor, "n"]]:
        """x'd of a block's rows, and which of them move."""
        move = block.matrix.times(self.direction)
        return move, move.abs() > block.matrix.dense().abs() @ self.error


def _used(block: Block) -> Bool[Tensor, "n"]:
    """Rows with a weight."""
    assert block.y is not None
    return torch.ones_like(block.y, dtype=torch.bool) if block.loss_weight is None else block.loss_weight > 0


def _norms(objective: Objective) -> Float[Tensor, "p"]:
    """Root mean square of each column over the rows with a weight."""
    squares, rows = torch.zeros(objective.columns, dtype=torch.float64), 0
    for block in objective.blocks():
        used = _used(block)
        squares = squares.to(used.device) + block.matrix.gram(used.double()).diagonal()
        rows += int(used.sum())
    return (squares / max(rows, 1)).sqrt()


def _proven(objective: Objective, direction: Float[Tensor, "p"]) -> Recession | None:
    """Step 3: the direction as a direction of recession, unless a row moves to a side on which it is not content."""
    norms = _norms(objective)
    sizes = direction.abs() * norms
    direction = torch.where(sizes > NOTHING * sizes.max(), direction / sizes.max(), 0.0)
    error = ROUNDING * torch.where(norms > 0, direction.abs() + 1 / norms, 0.0)
    found = Recession(direction, False, error)
    moving, standing = False, False
    for block in objective.blocks():
        assert block.y is not None
        sides, used = objective.loss.recession(block.y), _used(block)
        assert sides is not None
        move, moves = found.moves(block)
        if not bool((torch.where(move > 0, *sides) | ~moves)[used].all()):
            return None
        moving, standing = moving or bool(moves[used].any()), standing or not bool(moves[used].all())
    return replace(found, complete=not standing) if moving else None


def _standing(
    objective: Objective, direction: Float[Tensor, "p"], kept: Bool[Tensor, "p"], hardly: float
) -> Float[Tensor, "p"]:
    """Steps 1 and 2: the part of a direction along which the rows that hardly move do not move at all."""
    largest = 0.0
    for block in objective.blocks():
        move = block.matrix.times(direction)[_used(block)]
        largest = max(largest, float(move.abs().max()) if move.numel() else 0.0)

    def weight(block: Block) -> Tensor:
        still = block.matrix.times(direction).abs() <= hardly * largest
        return (still & _used(block)).to(torch.float64)

    triangle, scale = weighted_triangle(objective, weight)
    zero = triangle.square().sum(0) == 0  # columns that hold nothing in these rows: their scale is a free choice
    scale = torch.where(zero, 1 / _norms(objective).cpu().clamp_min(1e-300), scale)
    _, values, right = np.linalg.svd(triangle[:, kept].numpy(), full_matrices=True)
    null = torch.from_numpy(right[int((values > NULL * values.max(initial=0.0)).sum()) :])
    out = torch.zeros_like(scale)
    out[kept] = scale[kept] * (null.T @ (null @ (direction.cpu() / scale)[kept]))
    return out


def recession(
    objective: Objective, theta: Float[Tensor, "p"], step: Float[Tensor, "p"], kept: Bool[Tensor, "p"]
) -> Recession | None:
    """A direction of recession, if the coefficients or the last step prove one.

    Parameters
    ----------
    objective : Objective
        Its loss says which rows have a content side.
    theta : Tensor, (p,)
        The coefficients: where they put every row on its own side, they are such a direction (complete separation).
    step : Tensor, (p,)
        The last Newton step, which comes to lie along the direction where only some rows are separated.
    kept : Tensor of bool, (p,)
        Columns that are no combination of earlier ones.
    """
    if objective.loss.recession(torch.zeros(1, dtype=torch.float64)) is None:
        return None
    for raw in (theta, step):
        if not bool(torch.isfinite(raw).all()) or not bool(raw.any()):
            continue
        for direction in _candidates(objective, raw, kept):
            found = _proven(objective, direction) if bool(direction.any()) else None
            if found is not None:
                return found
    return None


def _candidates(objective: Objective, raw: Float[Tensor, "p"], kept: Bool[Tensor, "p"]) -> Iterator[Float[Tensor, "p"]]:
    """A direction as it is, and without what moves the rows that hardly move."""
    yield torch.where(kept.to(raw.device), raw, 0.0)
    for hardly in HARDLY:
        yield _standing(objective, raw, kept, hardly).to(raw.device)


@final
class Still:
    """Rows that do not move along a direction; those that do keep their place, with a weight of 0.

    Parameters
    ----------
    rows : Readable
    recession : Recession
    """

    def __init__(self, rows: Readable, recession: Recession) -> None:
        self.rows, self.recession = rows, recession

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
        return Still(self.rows.sampled(every), self.recession)

    def _silenced(self, block: Block) -> Block:
        still = (~self.recession.moves(block.double())[1]).to(torch.float64)
        return replace(block, weight=still if block.weight is None else still * block.weight)


def remote(objective: Objective, theta: Float[Tensor, "p"], least: float) -> bool:
    """Whether theta puts a row with a content side so far out that its expected curvature is below `least`."""
    if objective.loss.recession(torch.zeros(1, dtype=torch.float64)) is None:
        return False
    for block in objective.blocks():
        assert block.y is not None
        sides = objective.loss.recession(block.y)
        assert sides is not None
        curvature = objective.loss.fisher(block.y, linear_predictor(block, theta))
        if bool(((sides[0] | sides[1]) & _used(block) & ~(curvature > least)).any()):
            return True
    return False


def far_along(objective: Objective, found: Recession, theta: Float[Tensor, "p"], eta: float) -> Float[Tensor, "p"]:
    """theta moved along a direction until every row that moves is at eta or beyond on its content side."""
    length = 0.0
    for block in objective.blocks():
        move, moves = found.moves(block)
        moves = moves & _used(block)
        at = block.matrix.times(theta) if block.offset is None else block.matrix.times(theta) + block.offset
        if bool(moves.any()):
            needed = (eta - at * move.sign())[moves] / move.abs()[moves]
            length = max(length, float(needed.max()))
    return theta + length * found.direction


def joined(objective: Objective, first: Recession, second: Recession) -> Recession:
    """first + c second, with c > 0 so small that the rows that move along `first` still move to the same side."""
    least, most = float("inf"), 0.0
    for block in objective.blocks():
        move, moves = first.moves(block)
        moves = moves & _used(block)
        if bool(moves.any()):
            least = min(least, float(move[moves].abs().min()))
            most = max(most, float(block.matrix.times(second.direction)[moves].abs().max()))
    c = 0.5 * least / most if most > 0 else 1.0
    return Recession(first.direction + c * second.direction, second.complete, first.error + c * second.error)
