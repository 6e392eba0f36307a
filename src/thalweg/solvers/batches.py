"""The order in which mini-batches take the rows: shuffled anew for each epoch, by a generator of its own.

Epoch e = 0, 1, ... takes the rows in the order torch.randperm(n, generator=g), g one generator for all epochs, in
batches of b rows; the last batch of an epoch is smaller where b does not divide n. An order is explicit state: the
same place with the same two states of the generator gives the same batches for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int, UInt8
from torch import Tensor


@final
@dataclass(frozen=True)
class Order:
    """A place in the sequence of batches.

    Attributes
    ----------
    rows : Tensor of int64, (n,)
        The order of this epoch.
    position : int
        Rows of it that were taken.
    epoch : int
        From 0.
    before, after : Tensor of uint8
        States of the generator: from which this order was drawn, and from which the next one will be.
    """

    rows: Int[Tensor, "n"]
    position: int
    epoch: int
    before: UInt8[Tensor, "k"]
    after: UInt8[Tensor, "k"]

    @classmethod
    def first(cls, n: int, seed: int, device: torch.device) -> Order:
        """The beginning of epoch 0.

        Examples
        --------
        >>> order = Order.first(3, 0, torch.device("cpu"))
        >>> torch.equal(order.rows, torch.randperm(3, generator=torch.Generator().manual_seed(0)))
        True
        """
        return cls.drawn(n, torch.Generator().manual_seed(seed).get_state(), device)

    @classmethod
    def drawn(
        cls, n: int, before: UInt8[Tensor, "k"], device: torch.device, position: int = 0, epoch: int = 0
    ) -> Order:
        """The order that a generator in this state draws."""
        generator = torch.Generator()
        generator.set_state(before)
        rows = torch.randperm(n, generator=generator).to(device)
        return cls(rows, position, epoch, before, generator.get_state())

    def take(self, size: int, drop_last: bool = False) -> tuple[Int[Tensor, "m"], Order]:
        """The next batch, and the place after it; a new epoch begins where this one has no more."""
        n = self.rows.numel()
        most = n - n % size if drop_last and n >= size else n
        if self.position >= most:
            return Order.drawn(n, self.after, self.rows.device, epoch=self.epoch + 1).take(size, drop_last)
        end = min(self.position + size, most)
        return self.rows[self.position : end], Order(self.rows, end, self.epoch, self.before, self.after)


def per_epoch(n: int, size: int, drop_last: bool = False) -> int:
    """Batches of an epoch.

    Examples
    --------
    >>> per_epoch(10, 4), per_epoch(10, 4, drop_last=True)
    (3, 2)
    """
    return max(n // size, 1) if drop_last else -(-n // size)
