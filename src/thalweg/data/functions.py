"""The closed list of functions that an expression may call, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Function:
    """One function of the list.

    Attributes
    ----------
    compute : callable
        From tensors (or numbers) to a tensor.
    arguments : int
        How many it takes.
    """

    compute: Callable[..., Tensor]
    arguments: int = 1


def _round(x: Tensor) -> Tensor:
    """To the nearest integer, halves to even, as R and NumPy."""
    return torch.round(x)


FUNCTIONS: dict[str, Function] = {
    "I": Function(lambda x: x),
    "log": Function(torch.log),
    "log2": Function(torch.log2),
    "log10": Function(torch.log10),
    "log1p": Function(torch.log1p),
    "exp": Function(torch.exp),
    "expm1": Function(torch.expm1),
    "sqrt": Function(torch.sqrt),
    "abs": Function(torch.abs),
    "sin": Function(torch.sin),
    "cos": Function(torch.cos),
    "tan": Function(torch.tan),
    "arcsin": Function(torch.arcsin),
    "arccos": Function(torch.arccos),
    "arctan": Function(torch.arctan),
    "sinh": Function(torch.sinh),
    "cosh": Function(torch.cosh),
    "tanh": Function(torch.tanh),
    "floor": Function(torch.floor),
    "ceil": Function(torch.ceil),
    "round": Function(_round),
    "pow": Function(torch.pow, arguments=2),
}
