"""Where the axes meet: J(theta) = sum_i w_i loss(y_i, eta_i), and the pass that evaluates it.

    eta_i = x_i' theta + offset_i,        J = sum_i w_i loss(y_i, eta_i)                            (1)
    gradient = sum_i w_i loss'(y_i, eta_i) x_i,      curvature = sum_i w_i loss''(y_i, eta_i) x_i x_i'    (2)

A pass returns these *sums* and the sum of weights; a mean is the sum divided by `weight`. Sums are float64 whatever
the type of the data. `docs/objective.md` tells the same with its reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.rows import Readable
from thalweg.losses.base import Family, Loss
from thalweg.threads import side_by_side, threads

LARGE = 1_000_000  # rows times columns
DEALT = 16  # blocks that a thread is given at a time


@dataclass(frozen=True)
class Sums:
    """What one pass returns.

    Attributes
    ----------
    value : float
        sum_i w_i loss_i.
    gradient : Tensor, (p,), optional
        From a pass of order 1 or 2.
    curvature : Tensor, (p, p), optional
        From a pass of order 2.
    weight : float
        sum_i w_i.
    rows : int
        Rows read.
    inside : bool
        Whether every eta was in the domain of the loss; where one was not, value is inf and the rest was not summed.
    """

    value: float
    gradient: Float[Tensor, "p"] | None
    curvature: Float[Tensor, "p p"] | None
    weight: float
    rows: int
    inside: bool = True


class Objective:
    """A loss over rows.

    Parameters
    ----------
    rows : Readable
        The rows, read anew at each pass.
    loss : Loss
        The loss of one row in eta.
    """

    has = frozenset({"value", "gradient", "curvature", "rows"})

    def __init__(self, rows: Readable, loss: Loss) -> None:
        self.rows, self.loss = rows, loss
        self.passes = 0

    @property
    def columns(self) -> int:
        """p."""
        return self.rows.columns

    @property
    def count(self) -> int | None:
        """Rows, where that is known without a reading."""
        return self.rows.count

    @property
    def large(self) -> bool:
        """Whether a pass costs enough to spare the curvature where an old one will do."""
        return self.count is None or self.count * self.columns > LARGE

    @property
    def device(self) -> torch.device:
        """Where the rows are; looks at the first block."""
        response = next(iter(self.rows.blocks())).y
        return torch.device("cpu") if response is None else response.device

    def sampled(self, every: int) -> Objective:
        """The same loss over every so-many-th row."""
        return Objective(self.rows.sampled(every), self.loss)

    def blocks(self) -> Iterator[Block]:
        """One reading of the rows, in float64."""
        self.passes += 1
        for block in self.rows.blocks():
            yield block.double()

    def __call__(self, theta: Float[Tensor, "p"], order: int, *, expected: bool = False) -> Sums:
        """One pass.

        Parameters
        ----------
        theta : Tensor, (p,), float64
            Where.
        order : int
            0 for the value, 1 with the gradient, 2 with the curvature.
        expected : bool
            Fisher's expected curvature in place of the observed one.
        """
        total = _Running()
        if not self.large or theta.device.type != "cpu":
            for block in self.blocks():
                if not self._add(total, block, theta, order, expected):
                    return total.outside()
            return total.sums()
        return self._threaded(theta, order, expected)

    def _threaded(self, theta: Tensor, order: int, expected: bool) -> Sums:
        """The same pass on several threads, each with single-threaded operations on blocks of its own.

        Blocks are dealt out in turn and the threads' sums are added in order, so that the result does not depend on
        which thread is quicker.
        """
        with threads() as (pool, count):
            totals = [_Running() for _ in range(count)]

            def work(total: _Running, share: list[Block]) -> bool:
                return all(self._add(total, block, theta, order, expected) for block in share)

            blocks = self.blocks()
            while dealt := list(islice(blocks, DEALT * count)):
                shares = [dealt[i::count] for i in range(count)]
                if not all(list(pool.map(work, totals, shares))):
                    return totals[0].outside()
        for other in totals[1:]:
            totals[0].merge(other)
        return totals[0].sums()

    def _add(self, total: _Running, block: Block, theta: Tensor, order: int, expected: bool) -> bool:
        """Add one block; False where an eta is outside the domain."""
        eta = linear_predictor(block, theta)
        if not self._inside(eta):
            return False
        assert block.y is not None
        total.add(block, self.loss.terms(block.y, eta, order, expected=expected))
        return True

    def _inside(self, eta: Tensor) -> bool:
        inside = self.loss.inside(eta)
        return inside is None or bool(inside.all())


def linear_predictor(block: Block, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
    """eta = X theta + offset, equation (1)."""
    eta = block.matrix.times(theta)
    return eta if block.offset is None else eta + block.offset


class _Running:
    """The sums of a pass while it runs: tensors on the rows' device, read once at the end."""

    def __init__(self) -> None:
        self.parts: list[Tensor] | None = None
        self.weight: Tensor | float = 0.0
        self.rows = 0

    def add(self, block: Block, terms: tuple[Tensor, ...]) -> None:
        """Add one block's rows, given (loss, loss', loss'') of each."""
        w = block.loss_weight
        weighted = terms if w is None else tuple(w * term for term in terms)
        parts = [weighted[0].sum()]
        if len(weighted) > 1:
            parts.append(block.matrix.transpose_times(weighted[1]))
        if len(weighted) > 2:
            parts.append(block.matrix.gram(weighted[2]))
        self._gather(parts, block.rows, block.rows if w is None else w.sum())

    def _gather(self, parts: list[Tensor], rows: int, weight: Tensor | float) -> None:
        self.parts = parts if self.parts is None else [a.add_(b) for a, b in zip(self.parts, parts, strict=True)]
        self.rows += rows
        self.weight = self.weight + weight

    def merge(self, other: _Running) -> None:
        """Add another thread's sums."""
        if other.parts is not None:
            self._gather(other.parts, other.rows, other.weight)

    def outside(self) -> Sums:
        """What a pass returns that met an eta outside the domain."""
        return Sums(float("inf"), None, None, float("nan"), self.rows, inside=False)

    def sums(self) -> Sums:
        if self.parts is None:
            raise ValueError("a pass over no rows")
        gradient = self.parts[1] if len(self.parts) > 1 else None
        curvature = self.parts[2] if len(self.parts) > 2 else None
        return Sums(float(self.parts[0]), gradient, curvature, float(self.weight), self.rows)


def working_response(objective: Objective, block: Block) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"]]:
    """z and W of the first scoring step from the family's starting means.

    With mu_0 from the family and eta_0 = g(mu_0), the working response is z = eta_0 - loss'/E[loss''] - offset and
    W = w h'(eta_0)^2 / V(mu_0) (McCullagh & Nelder 1989, section 2.5).
    """
    family = objective.loss
    assert isinstance(family, Family)
    assert block.y is not None
    eta = family.link.link(family.starting_mean(block.y, block.loss_weight))
    _, slope, curvature = family.terms(block.y, eta, 2, expected=True)
    z = eta - slope / curvature
    z = z if block.offset is None else z - block.offset
    return z, curvature if block.loss_weight is None else curvature * block.loss_weight


def working_sums(objective: Objective) -> tuple[Float[Tensor, "p"], Float[Tensor, "p p"]]:
    """X'Wz and X'WX of `working_response`."""

    def sums(block: Block) -> tuple[Tensor, Tensor]:
        z, weight = working_response(objective, block)
        return block.matrix.transpose_times(weight * z), block.matrix.gram(weight)

    blocks = objective.blocks()
    parts = side_by_side(sums, blocks) if objective.large else map(sums, blocks)
    right, left = reduce(lambda a, b: (a[0].add_(b[0]), a[1].add_(b[1])), parts)
    return right, left


__all__ = ["Objective", "Sums", "linear_predictor", "working_response", "working_sums"]
