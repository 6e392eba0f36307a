"""One reading of the rows of a fit: each row's mean, and what its weight stands for.

A user's weight w_i means one of four things, and every statistic needs to know which:

| weights_kind | a weight says | a row counts as | its loss is multiplied by |
|---|---|---|---|
| frequency | this row was seen w_i times | w_i rows | w_i m_i |
| precision | this row's variance is dispersion / w_i | one row | w_i m_i |
| absolute | this row's variance is 1 / w_i, and known | one row | w_i m_i |
| sampling | this row stands for w_i of the population | one row | w_i m_i |

with m_i the binomial trials (1 elsewhere). A `Reading` keeps the two roles apart: `repeat` r_i is how many rows a row
counts as, `scale` s_i what multiplies the loss of one of them; r_i s_i = w_i m_i. A row of weight 0 is a row that
is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice
from typing import TypeVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.matrix import Matrix
from thalweg.data.rows import Readable
from thalweg.errors import OptionError
from thalweg.losses.base import Family
from thalweg.objective import DEALT, LARGE
from thalweg.threads import threads

WEIGHTS_KINDS = ("frequency", "precision", "absolute", "sampling")

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Reading:
    """Some rows of a fit at its coefficients.

    Attributes
    ----------
    family : Family
    theta : Tensor, (p,)
    matrix : Matrix, (n, p)
    y : Tensor, (n,)
    offset : Tensor, (n,)
        0 where there is none.
    repeat, scale : Tensor, (n,)
        How many rows a row counts as, and what multiplies the loss of each (the module's table).
    trials : Tensor, (n,), optional
    index : Tensor of int64, (n,)
        Place of each row in the order of reading, from 0.
    number : Tensor of int64, (n,)
        Number of each row in its source, from 0.
    """

    family: Family
    theta: Float[Tensor, "p"]
    matrix: Matrix
    y: Float[Tensor, "n"]
    offset: Float[Tensor, "n"]
    repeat: Float[Tensor, "n"]
    scale: Float[Tensor, "n"]
    trials: Float[Tensor, "n"] | None
    index: Int[Tensor, "n"]
    number: Int[Tensor, "n"]

    @cached_property
    def eta(self) -> Float[Tensor, "n"]:
        """The predictor with its offset; computed when it is asked for, so that a pass may do without the design."""
        return self.matrix.times(self.theta) + self.offset

    @cached_property
    def mu(self) -> Float[Tensor, "n"]:
        """The mean."""
        return self.family.mean(self.eta)

    @property
    def weight(self) -> Float[Tensor, "n"]:
        """r_i s_i = w_i m_i."""
        return self.repeat * self.scale

    @property
    def precision(self) -> Float[Tensor, "n"]:
        """The part of the weight that is neither repetition nor trials."""
        return self.scale if self.trials is None else self.scale / self.trials

    @property
    def user_weight(self) -> Float[Tensor, "n"]:
        """w_i as the user gave it, 1 where there is none."""
        return self.repeat * self.precision


def map_readings(
    work: Callable[[Reading], T],
    rows: Readable,
    family: Family,
    theta: Float[Tensor, "p"],
    weights_kind: str = "precision",
    *,
    keep_absent: bool = False,
) -> Iterator[T]:
    """One pass over the rows at theta, in float64: what `work` makes of each reading, in the order of the rows.

    Large tables are read by several threads, which changes neither the order nor a bit of the results.

    Parameters
    ----------
    work : callable
        Given a `Reading`.
    rows : Readable
    family : Family
    theta : Tensor, (p,), float64
    weights_kind : {"precision", "absolute", "frequency", "sampling"}
    keep_absent : bool
        Whether rows of weight 0 are read too.

    Raises
    ------
    OptionError
        An unknown weights_kind.
    """
    check_weights_kind(weights_kind)

    def one(numbered: tuple[int, Block]) -> T:
        reading = _read(numbered[1].double(), family, theta, weights_kind, numbered[0])
        return work(reading if keep_absent else _present(reading))

    blocks = _numbered(rows)
    large = rows.count is None or rows.count * rows.columns > LARGE
    if not large or theta.device.type != "cpu":
        yield from map(one, blocks)
        return
    with threads() as (pool, count):
        while dealt := list(islice(blocks, DEALT * count)):
            yield from pool.map(one, dealt)


def check_weights_kind(kind: str) -> None:
    """Refuse a word that is not one of the four."""
    if kind not in WEIGHTS_KINDS:
        raise OptionError(f"weights_kind is {kind!r}", advice=f"It is one of {', '.join(map(repr, WEIGHTS_KINDS))}.")


def _numbered(rows: Readable) -> Iterator[tuple[int, Block]]:
    """Each block with the number of rows before it."""
    before = 0
    for block in rows.blocks():
        yield before, block
        before += block.rows


def _read(block: Block, family: Family, theta: Tensor, weights_kind: str, before: int) -> Reading:
    y = block.y
    assert y is not None
    one = torch.ones_like(y)
    weight = one if block.weight is None else block.weight
    repeat, scale = (weight, one) if weights_kind == "frequency" else ((weight > 0).to(y.dtype), weight)
    place = torch.arange(block.rows, device=y.device)
    return Reading(
        family=family,
        theta=theta.to(y.device),
        matrix=block.matrix,
        y=y,
        offset=torch.zeros_like(y) if block.offset is None else block.offset,
        repeat=repeat,
        scale=scale if block.trials is None else scale * block.trials,
        trials=block.trials,
        index=before + place,
        number=block.start + place if block.numbers is None else block.numbers,
    )


def _present(reading: Reading) -> Reading:
    """The rows whose weight (and trials) are above 0."""
    kept = reading.weight > 0
    if bool(kept.all()):
        return reading
    values = {entry.name: getattr(reading, entry.name) for entry in fields(reading)}
    by_row = set(values) - {"family", "theta"}
    return Reading(**{k: v[kept] if k in by_row and v is not None else v for k, v in values.items()})
