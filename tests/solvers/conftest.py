"""Rows held in arrays, and least squares of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.matrix import Dense
from thalweg.data.rows import DoubledBlock
from thalweg.losses import family
from thalweg.objective import Objective
from thalweg.solvers.base import Solution
from thalweg.solvers.iterate import solve
from thalweg.solvers.least_squares import LeastSquares


@dataclass
class ArrayRows:
    """Rows that are arrays, in blocks of a given number of rows."""

    x: Tensor
    y: Tensor
    low: Tensor | None = None
    weight: Tensor | None = None
    offset: Tensor | None = None
    size: int = 4096
    known: bool = True

    @property
    def columns(self) -> int:
        return self.x.shape[1]

    @property
    def count(self) -> int | None:
        return self.x.shape[0] if self.known else None

    def _parts(self) -> Iterator[slice]:
        return (slice(i, i + self.size) for i in range(0, self.x.shape[0], self.size))

    def blocks(self) -> Iterator[Block]:
        for part in self._parts():
            weight, offset = (None if t is None else t[part] for t in (self.weight, self.offset))
            yield Block(Dense(self.x[part]), self.y[part], weight, offset, start=part.start)

    def doubled(self) -> Iterator[DoubledBlock]:
        for part, block in zip(self._parts(), self.blocks(), strict=True):
            z = block.y if block.offset is None else block.y - block.offset
            low = None if self.low is None else self.low[part]
            yield DoubledBlock(self.x[part].double(), low, z.double(), None, block.weight)

    def sampled(self, every: int) -> ArrayRows:
        raise AssertionError("least squares takes no sample")


@pytest.fixture
def least_squares() -> Callable[..., Solution]:
    """Solve arrays: least_squares(x, y, low=, weight=, offset=, size=, known=, refine=)."""

    def run(x: Any, y: Any, refine: bool | None = None, **rows: Any) -> Solution:
        x, y = torch.as_tensor(x), torch.as_tensor(y)
        return solve(LeastSquares(refine), Objective(ArrayRows(x, y, **rows), family("gaussian")))

    return run


@pytest.fixture
def two_words() -> Callable[[list[list[Fraction]]], tuple[Tensor, Tensor]]:
    """Rational numbers as high and low words."""

    def convert(rows: list[list[Fraction]]) -> tuple[Tensor, Tensor]:
        high = [[float(v) for v in row] for row in rows]
        low = [
            [float(v - Fraction(h)) for v, h in zip(row, hs, strict=True)] for row, hs in zip(rows, high, strict=True)
        ]
        return torch.tensor(high, dtype=torch.float64), torch.tensor(low, dtype=torch.float64)

    return convert


@pytest.fixture
def exact_least_squares() -> Callable[..., tuple[list[Fraction], list[list[Fraction]], Fraction]]:
    """Coefficients, (X'WX)^-1 and residual sum of squares in rational arithmetic."""

    def exact(x: list[list[Fraction]], y: list[Fraction], w: list[Fraction] | None = None):
        w = [Fraction(1)] * len(y) if w is None else w
        p = len(x[0])
        table = [
            [sum(v * r[i] * r[j] for r, v in zip(x, w, strict=True)) for j in range(p)]
            + [sum(v * r[i] * z for r, z, v in zip(x, y, w, strict=True))]
            + [Fraction(int(i == j)) for j in range(p)]
            for i in range(p)
        ]
        for i in range(p):
            table[i] = [v / table[i][i] for v in table[i]]
            for k in set(range(p)) - {i}:
                table[k] = [a - table[k][i] * b for a, b in zip(table[k], table[i], strict=True)]
        theta = [row[p] for row in table]
        residuals = [z - sum(a * b for a, b in zip(r, theta, strict=True)) for r, z in zip(x, y, strict=True)]
        square = sum(v * e * e for v, e in zip(w, residuals, strict=True))
        return theta, [row[p + 1 :] for row in table], square

    return exact
