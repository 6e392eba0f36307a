"""The normal equations of a least squares problem, in one reading of the rows.

For rows x_i with response z_i = y_i - offset_i, and a_i = [x_i, z_i] scaled by powers of two (exact),

    S = sum_i w_i a_i a_i'                                                                (1)

holds X'WX, X'Wz and z'Wz. It is summed in float64 (`plain`), or in doubled precision (`DoubledRows.normal`); either
also after the columns were multiplied by a matrix T that brings them near orthogonal:

    S = sum_i w_i (T'a_i) (T'a_i)'                                                        (2)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.rows import DoubledBlock
from thalweg.doubled import Doubled, cross, exponent, gram, matmul, power_of_two, product, scaled, shifted
from thalweg.error_free import Pair, dd_add
from thalweg.errors import DataError
from thalweg.objective import Objective
from thalweg.threads import Result, side_by_side

SAFE = 600  # a sum of squares between 2^-600 and 2^600 has neither overflowed nor lost digits below
ABSENT = -100_000  # exponent of a column of zeros


@final
@dataclass(frozen=True)
class Normal:
    """Equation (1).

    Attributes
    ----------
    matrix : Tensor, (p + 1, p + 1)
        S; the response last.
    shift : Tensor of int, (p + 1,)
        Columns were multiplied by 2^shift.
    rows : int
    device : torch.device
        Where the rows are; S and the shifts are on the processor.
    """

    matrix: Float[Tensor, "q q"]
    shift: Int[Tensor, "q"]
    rows: int
    device: torch.device


def plain(objective: Objective) -> Normal:
    """S in float64, from one reading; from three where squares of the data are beyond float64's range.

    Raises
    ------
    DataError
        No rows, or a value that is not finite.
    """
    matrix, rows, device = _plain_sums(objective, None)
    if rows == 0:
        raise _no_rows()
    shift = torch.zeros(matrix.shape[0], dtype=torch.int64)
    if not _safe(matrix.diagonal()):
        shift = _largest(objective)
        matrix, rows, device = _plain_sums(objective, shift)
    if not bool(torch.isfinite(matrix).all()):
        raise not_finite()
    step = -(exponent(matrix.diagonal()) >> 1)
    scale = power_of_two(step)
    return Normal(scale[:, None] * matrix * scale, shift + step, rows, device)


def total(objective: Objective, sums: Callable[[Block], list[Tensor]]) -> list[Tensor] | None:
    """Sums over all blocks, from one reading; None where there are no rows."""
    blocks = objective.blocks()
    out: list[Tensor] | None = None
    for found in side_by_side(sums, blocks) if objective.large else map(sums, blocks):
        out = found if out is None else [a.add_(b) for a, b in zip(out, found, strict=True)]
    return out


def transformed(objective: Objective, shift: Int[Tensor, "q"], transform: Float[Tensor, "q k"]) -> Float[Tensor, "k k"]:
    """Equation (2) in float64, from one reading."""
    return _plain_sums(objective, shift, transform)[0]


def _no_rows() -> DataError:
    return DataError("there are no rows to fit", advice="Look at the filter, or at the missing values, of the data.")


def not_finite() -> DataError:
    """NaN or infinity in a design column or in the response."""
    return DataError("a value in the data is not finite", advice="Drop or repair rows with NaN or infinity.")


def _safe(squares: Float[Tensor, "q"]) -> bool:
    """Whether no sum of squares is near the ends of float64's range. A column of zeros is told apart by scaling."""
    size = exponent(squares)
    return bool((torch.isfinite(squares) & (squares > 0) & (size.abs() <= SAFE)).all())


def _plain_sums(
    objective: Objective, shift: Tensor | None, transform: Tensor | None = None
) -> tuple[Float[Tensor, "q q"], int, torch.device]:
    """Equation (1) block by block."""

    def sums(block: Block) -> list[Tensor]:
        with np.errstate(all="ignore"):  # what overflows is found and scaled, what is not finite is refused, by `plain`
            found = _block_sums(block) if shift is None else _scaled_sums(block, shift, transform)
        return [*found, torch.tensor(block.rows)]

    parts = total(objective, sums)
    if parts is None:
        return torch.zeros(0, 0), 0, torch.device("cpu")
    left, right, square, rows = (part.cpu() for part in parts)
    top, bottom = torch.cat([left, right[:, None]], 1), torch.cat([right, square[None]])
    return torch.cat([top, bottom[None]]), int(rows), parts[0].device


def response(block: Block) -> Float[Tensor, "n"]:
    """z = y - offset."""
    assert block.y is not None
    return block.y if block.offset is None else block.y - block.offset


def _block_sums(block: Block) -> list[Tensor]:
    """X'WX, X'Wz, z'Wz."""
    z, w = response(block), block.loss_weight
    wz = z if w is None else w * z
    return [block.matrix.gram(w), block.matrix.transpose_times(wz), z @ wz]


def _scaled_sums(block: Block, shift: Int[Tensor, "q"], transform: Tensor | None = None) -> list[Tensor]:
    """The same of the scaled rows, or of the scaled rows times T."""
    rows = _plain_rows(block, shift)
    rows = rows if transform is None else matmul(rows, transform.to(rows.device))
    whole = matmul(rows.T, rows)
    return [whole[:-1, :-1], whole[:-1, -1], whole[-1, -1]]


def _plain_rows(block: Block, shift: Int[Tensor, "q"]) -> Float[Tensor, "n q"]:
    """sqrt(w) [X, z] 2^shift."""
    rows = torch.cat([block.matrix.dense(), response(block)[:, None]], 1)
    rows = shifted(rows, shift.to(rows.device))
    return rows if block.loss_weight is None else rows * block.loss_weight.sqrt()[:, None]


def _largest(objective: Objective) -> Int[Tensor, "q"]:
    """Shifts that bring the largest entry of each column to [1/2, 1), from one reading."""
    tops = []
    for block in objective.blocks():
        rows = torch.cat([block.matrix.dense(), response(block)[:, None]], 1)
        tops.append(_top(rows, _row_shift(block.loss_weight)))
    return _shift(tops)


def _top(rows: Float[Tensor, "n q"], row_shift: Int[Tensor, "n"] | None) -> Int[Tensor, "q"]:
    size = torch.where(rows == 0, ABSENT, exponent(rows))
    return (size if row_shift is None else size + row_shift[:, None]).amax(0)


def _shift(tops: list[Int[Tensor, "q"]]) -> Int[Tensor, "q"]:
    top = torch.stack(tops).amax(0).cpu()
    return torch.where(top <= ABSENT // 2, 0, -top)


def _row_shift(weight: Float[Tensor, "n"] | None) -> Int[Tensor, "n"] | None:
    """e with w = 4^e m, m in [1/2, 2); far below everything for w = 0, so that such a row becomes zero."""
    return None if weight is None else torch.where(weight == 0, ABSENT, exponent(weight) >> 1)


@final
@dataclass(frozen=True)
class ScaledRows:
    """Rows a_i 2^(shift + e_i) of equation (1) with what is left of their weights, w_i = 4^e_i m_i.

    To multiply a row by a power of two is exact where a square root of the weight would not be.
    """

    values: Doubled
    weight: Float[Tensor, "n"] | None


@final
class DoubledRows:
    """The rows in two words, read as often as wanted.

    Parameters
    ----------
    objective : Objective
        Whose readings are counted.
    shift : Tensor of int, (p + 1,), optional
        Columns are multiplied by 2^shift; None: found from the rows, which are then kept.
    """

    def __init__(self, objective: Objective, shift: Int[Tensor, "q"] | None = None) -> None:
        self.objective = objective
        self._kept: list[ScaledRows] | None = None
        if shift is None:
            blocks = list(self._read())
            if not blocks:
                raise _no_rows()
            if not all(bool(torch.isfinite(_side_by_side(b)[0]).all()) for b in blocks):
                raise not_finite()
            shift = _shift([_top(_side_by_side(b)[0], _row_shift(_weight(b))) for b in blocks])
            self._kept = [_scaled_rows(b, shift) for b in blocks]
        self.shift = shift

    def _read(self) -> Iterator[DoubledBlock]:
        self.objective.passes += 1
        return self.objective.rows.doubled()

    def _each(self, work: Callable[[ScaledRows], Result]) -> Iterator[Result]:
        """work(rows) of each block, from one reading; on several threads where the rows are many."""
        if self._kept is not None:
            return map(work, self._kept)
        return side_by_side(lambda block: work(_scaled_rows(block, self.shift)), self._read())

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return next(self._each(lambda rows: rows.values[0].device))

    def count(self) -> int:
        """n."""
        return sum(self._each(lambda rows: rows.values[0].shape[0]))

    def normal(self, transform: Float[Tensor, "q k"] | None = None) -> Pair:
        """Equation (2), or (1) where there is no T."""
        high, low = reduce(dd_add, self._each(lambda rows: _doubled_sums(rows, transform)))
        return high.cpu(), low.cpu()

    def residual_square(self, combination: Pair) -> float:
        """sum_i w_i (a_i'v)^2 for a pair v, (p + 1, 1): with v = [-theta, 1] the residual sum of squares."""
        return math.fsum(self._each(lambda rows: _square_sum(rows, combination)))

    def plain(self) -> Iterator[Float[Tensor, "n q"]]:
        """sqrt(w) a_i in one word, on the processor."""
        return self._each(_one_word)


def _one_word(rows: ScaledRows) -> Float[Tensor, "n q"]:
    high = rows.values[0]
    return (high if rows.weight is None else high * rows.weight.sqrt()[:, None]).cpu()


def _square_sum(rows: ScaledRows, combination: Pair) -> float:
    device = rows.values[0].device
    r = product(rows.values, (combination[0].to(device), combination[1].to(device)))[0].square()
    return float((r if rows.weight is None else r * rows.weight[:, None]).sum())


def _weight(block: DoubledBlock) -> Tensor | None:
    return block.weight if block.block is None else block.block.loss_weight


def _side_by_side(block: DoubledBlock) -> Doubled:
    """[X, z]."""
    high = torch.cat([block.high, block.y[:, None]], 1)
    if block.low is None and block.y_low is None:
        return high, None
    low = torch.zeros_like(block.high) if block.low is None else block.low
    y_low = torch.zeros_like(block.y) if block.y_low is None else block.y_low
    return high, torch.cat([low, y_low[:, None]], 1)


def _scaled_rows(block: DoubledBlock, shift: Int[Tensor, "q"]) -> ScaledRows:
    weight = _weight(block)
    high, low = _side_by_side(block)
    total, rest = shift.to(high.device), None
    if weight is not None:
        row_shift = _row_shift(weight)
        assert row_shift is not None
        total = total + row_shift[:, None]
        rest = weight * power_of_two(-2 * row_shift)
    return ScaledRows((shifted(high, total), None if low is None else shifted(low, total)), rest)


def _doubled_sums(rows: ScaledRows, transform: Tensor | None) -> Pair:
    values = rows.values
    if transform is not None:
        values = product(values, (transform.to(values[0].device), None))
    return gram(values) if rows.weight is None else cross(values, scaled(values, rows.weight[:, None]))
