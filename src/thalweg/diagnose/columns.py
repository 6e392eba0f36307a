"""The columns of a design: mean, spread, range, and rows that stand far out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.spectrum import by_passes, design
from thalweg.problem import MemoryProblem, Problem


@final
@dataclass(frozen=True, eq=False)
class Columns:
    """What the columns of a design look like; rows count alike, as they do for `scale(x)` in a formula.

    Attributes
    ----------
    names : tuple of str
    mean, spread : Tensor, (p,)
        Mean and standard deviation (divided by the number of rows).
    low, high : Tensor, (p,)
    far : Tensor, (p,)
        The number of the row farthest from the mean, counted from 0, and
    share : Tensor, (p,)
        its part of the sum of squares about the mean.
    rows : int
    """

    names: tuple[str, ...]
    mean: Float[Tensor, "p"]
    spread: Float[Tensor, "p"]
    low: Float[Tensor, "p"]
    high: Float[Tensor, "p"]
    far: Tensor
    share: Float[Tensor, "p"]
    rows: int

    @property
    def constant(self) -> Tensor:
        """Which columns are the same in every row."""
        return self.low == self.high

    @property
    def intercept(self) -> int | None:
        """The first column that is constant and not 0."""
        found = torch.nonzero(self.constant & (self.high != 0))
        return int(found[0]) if found.numel() else None

    @property
    def moving(self) -> list[int]:
        """The columns that are not constant."""
        return torch.nonzero(~self.constant)[:, 0].tolist()


def blocks(problem: Problem) -> Iterator[tuple[Float[Tensor, "n p"], Float[Tensor, "n"] | None]] | None:
    """(X, weights) block by block, in float64 on the CPU; None where the predictor is no design."""
    x = design(problem)
    if x is not None:
        weight: Any = cast(MemoryProblem, problem).weight
        return iter([(x.cpu(), None if weight is None else weight.double().cpu())])
    if not by_passes(problem) or problem.objective is None:
        return None
    read = problem.objective.blocks()
    return ((b.matrix.dense().cpu(), None if b.loss_weight is None else b.loss_weight.cpu()) for b in read)


def columns_of(problem: Problem) -> Columns | None:
    """Statistics of the columns, in two readings of the rows: means, then what is about them."""
    first, again = blocks(problem), blocks(problem)
    if first is None or again is None:
        return None
    total, rows = torch.zeros(len(problem.names), dtype=torch.float64), 0
    low, high = torch.full_like(total, torch.inf), torch.full_like(total, -torch.inf)
    for x, _ in first:
        total, rows = total + x.sum(0), rows + x.shape[0]
        low, high = torch.minimum(low, x.amin(0)), torch.maximum(high, x.amax(0))
    mean = torch.where(low == high, low, total / rows)
    squares, largest = torch.zeros_like(total), torch.full_like(total, -1.0)
    far, seen = torch.zeros_like(total, dtype=torch.int64), 0
    for x, _ in again:
        about = (x - mean).square()
        top, place = about.max(0)
        far, largest = torch.where(top > largest, place + seen, far), torch.maximum(largest, top)
        squares, seen = squares + about.sum(0), seen + x.shape[0]
    share = torch.where(squares > 0, largest / squares, 0.0)
    return Columns(problem.names, mean, (squares / rows).sqrt(), low, high, far, share, rows)
