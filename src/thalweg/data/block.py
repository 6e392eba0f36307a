"""A block: some rows of a model, ready for a pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.matrix import Matrix


@dataclass(frozen=True)
class Block:
    """Rows of a model: what the objective sees.

    Attributes
    ----------
    matrix : Matrix, (n, p)
        The design.
    y : Tensor, (n,), optional
        The response as a number: proportions for a binomial with trials, 0 and 1 for labels. None when predicting.
    weight : Tensor, (n,), optional
        The user's weights; None means 1.
    offset : Tensor, (n,), optional
        Added to eta: the formula's `offset()`, the option `offset`, and log(exposure), summed.
    trials : Tensor, (n,), optional
        Binomial trials behind each proportion; they multiply the weight in the loss.
    start : int
        Number in the source of the first row.
    numbers : Tensor of int64, (n,), optional
        The rows' numbers in their source where rows between them were left out; None means start, start + 1, ...
    """

    matrix: Matrix
    y: Float[Tensor, "n"] | None = None
    weight: Float[Tensor, "n"] | None = None
    offset: Float[Tensor, "n"] | None = None
    trials: Float[Tensor, "n"] | None = None
    start: int = 0
    numbers: Int[Tensor, "n"] | None = None

    @property
    def rows(self) -> int:
        """n."""
        return self.matrix.shape[0]

    def __getitem__(self, rows: slice) -> Block:
        def cut(t: Tensor | None) -> Tensor | None:
            return None if t is None else t[rows]

        first, last, step = rows.indices(self.rows)
        numbers = cut(self.numbers)
        if numbers is None and step != 1:
            numbers = torch.arange(self.start + first, self.start + last, step)
        parts = (cut(self.y), cut(self.weight), cut(self.offset), cut(self.trials))
        return Block(self.matrix[rows], *parts, self.start + first, numbers)

    def double(self) -> Block:
        """The same rows in float64 (this block itself where it is that already)."""
        if self.matrix.dtype == torch.float64:
            return self

        def widen(t: Tensor | None) -> Tensor | None:
            return None if t is None else t.to(torch.float64)

        widened = (widen(self.y), widen(self.weight), widen(self.offset), widen(self.trials))
        return Block(self.matrix.to(torch.float64), *widened, self.start, self.numbers)

    @property
    def loss_weight(self) -> Float[Tensor, "n"] | None:
        """weight * trials: what multiplies a row's loss."""
        if self.weight is None or self.trials is None:
            return self.trials if self.weight is None else self.weight
        return self.weight * self.trials
