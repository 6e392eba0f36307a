"""Which solver a model gets, and the user's starting values as a vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.losses.base import Family
from thalweg.solvers.base import Solver
from thalweg.solvers.least_squares import LeastSquares
from thalweg.solvers.newton import Newton


def choose(family: Family, *, max_iter: int = 100, tol: float = 1e-10) -> Solver[Any]:
    """Least squares for a gaussian family with the identity link, Newton's method for all others."""
    if family.name == "gaussian" and family.link.name == "identity":
        return LeastSquares()
    return Newton(max_iter=max_iter, tol=tol)


def start_vector(
    start: Mapping[str, float] | Sequence[float] | None, names: Sequence[str]
) -> Float[Tensor, "p"] | None:
    """Starting values in the order of the coefficients.

    Raises
    ------
    OptionError
        A name that is no coefficient, a name left out, another number of values, or a value that is not finite.
    """
    if start is None:
        return None
    if isinstance(start, Mapping):
        unknown = [name for name in start if name not in names]
        absent = [name for name in names if name not in start]
        if unknown or absent:
            raise OptionError(
                f"start has {f'the unknown name {unknown[0]!r}' if unknown else f'no value for {absent[0]!r}'}",
                advice=f"The coefficients are {', '.join(names)}.",
            )
        start = [start[name] for name in names]
    try:
        values = [float(value) for value in start]
    except (TypeError, ValueError):
        raise OptionError(
            "start is not one number for each coefficient", advice=f"The coefficients are {', '.join(names)}."
        ) from None
    if len(values) != len(names) or not all(math.isfinite(value) for value in values):
        raise OptionError(
            f"start has {len(values)} values for {len(names)} coefficients, or one that is not finite",
            advice=f"The coefficients are {', '.join(names)}.",
        )
    return torch.tensor(values, dtype=torch.float64)
