"""One reading of the rows of a fit: each row's mean, and what its weight stands for.

A user's weight w_i means one of three things, and every statistic needs to know which:

| weights_kind | a weight says | a row counts as | its loss is multiplied by |
|---|---|---|---|
| frequency | this row was seen w_i times | w_i rows | w_i m_i |
| precision | this row's variance is dispersion / w_i | one row | w_i m_i |
| sampling | this row stands for w_i of the population | one row | w_i m_i |

with m_i the binomial trials (1 elsewhere). A `Reading` keeps the two roles apart: `repeat` r_i is how many rows a row
counts as, `scale` s_i what multiplies the loss of one of them; r_i s_i = w_i m_i. A row of weight 0 is a row that
is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.matrix import Matrix
from thalweg.data.rows import Readable
from thalweg.errors import OptionError
from thalweg.losses.base import Family
from thalweg.objective import linear_predictor

WEIGHTS_KINDS = ("frequency", "precision", "sampling")


@dataclass(frozen=True)
class Reading:
    """Some rows of a fit at its coefficients.

    Attributes
    ----------
    matrix : Matrix, (n, p)
    y, eta, mu : Tensor, (n,)
        Response, predictor with its offset, mean.
    offset : Tensor, (n,)
    repeat, scale : Tensor, (n,)
        How many rows a row counts as, and what multiplies the loss of each (the module's table).
    trials : Tensor, (n,), optional
    index : Tensor of int64, (n,)
        Place of each row in the order of reading, from 0.
    number : Tensor of int64, (n,)
        Number of each row in its source as its block tells it, from 0.
    """

    matrix: Matrix
    y: Float[Tensor, "n"]
    eta: Float[Tensor, "n"]
    mu: Float[Tensor, "n"]
    offset: Float[Tensor, "n"]
    repeat: Float[Tensor, "n"]
    scale: Float[Tensor, "n"]
    trials: Float[Tensor, "n"] | None
    index: Int[Tensor, "n"]
    number: Int[Tensor, "n"]

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


def readings(
    rows: Readable,
    family: Family,
    theta: Float[Tensor, "p"],
    weights_kind: str = "precision",
    *,
    keep_absent: bool = False,
) -> Iterator[Reading]:
    """One pass over the rows at theta, in float64.

    Parameters
    ----------
    rows : Readable
    family : Family
    theta : Tensor, (p,), float64
    weights_kind : {"precision", "frequency", "sampling"}
    keep_absent : bool
        Whether rows of weight 0 are yielded too.
    """
    check_weights_kind(weights_kind)
    before = 0
    for block in rows.blocks():
        reading = _read(block.double(), family, theta, weights_kind, before)
        before += block.matrix.shape[0]
        yield reading if keep_absent else _present(reading)


def check_weights_kind(kind: str) -> None:
    """Refuse a word that is not one of the three."""
    if kind not in WEIGHTS_KINDS:
        raise OptionError(
            f"weights_kind is {kind!r}", advice=f"It is one of {', '.join(map(repr, WEIGHTS_KINDS))}; see the manual."
        )


def _read(block: Block, family: Family, theta: Tensor, weights_kind: str, before: int) -> Reading:
    y = block.y
    assert y is not None
    eta = linear_predictor(block, theta.to(y.device))
    one = torch.ones_like(y)
    weight = one if block.weight is None else block.weight
    repeat, scale = (weight, one) if weights_kind == "frequency" else (one, weight)
    if weights_kind != "frequency" and block.weight is not None:
        repeat = (weight > 0).to(y.dtype)
    place = torch.arange(y.shape[0], device=y.device)
    return Reading(
        matrix=block.matrix,
        y=y,
        eta=eta,
        mu=family.mean(eta),
        offset=torch.zeros_like(y) if block.offset is None else block.offset,
        repeat=repeat,
        scale=scale if block.trials is None else scale * block.trials,
        trials=block.trials,
        index=before + place,
        number=block.start + place,
    )


def _present(reading: Reading) -> Reading:
    """The rows whose weight (and trials) are above 0."""
    kept = reading.weight > 0
    if bool(kept.all()):
        return reading
    fields = {name: value[kept] for name, value in vars(reading).items() if value is not None}
    return Reading(**{"trials": None, **fields})
