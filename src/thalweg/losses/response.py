"""Whether a response can come from its family."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import DomainError
from thalweg.losses.base import Family


def check_response(family: Family, y: Float[Tensor, "*n"], start: int, place: Callable[[int], str]) -> None:
    """Raise if a row's response is outside the family's domain.

    Parameters
    ----------
    family : Family
    y : Tensor, (n,)
        The response of some consecutive rows.
    start : int
        Number of the first of them in the source, from 0.
    place : callable
        From such a number to where the row stands, in the user's terms: `Source.place`.

    Raises
    ------
    DomainError
        The text names the first such row, its value, and how many of these rows are like it.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> check_response(family("gamma"), torch.tensor([1.0, -2.5]), 15, lambda row: f"row {row + 1}")
    Traceback (most recent call last):
    thalweg.errors.DomainError: a gamma response must be > 0, but row 17 holds -2.5. Leave the row out, ...
    """
    wrong = torch.nonzero(family.violations(y))[:, 0]
    if not wrong.numel():
        return
    first = int(wrong[0])
    others = f" (and {wrong.numel() - 1} more of the {y.shape[0]} rows read with it)" if wrong.numel() > 1 else ""
    article = "an" if family.title[0] in "aeiou" else "a"
    raise DomainError(
        f"{article} {family.title} response must be {family.domain}, but {place(start + first)} holds"
        f" {float(y[first]):g}{others}",
        advice=family.advice,
    )
