"""How the levels of a category become columns: treatment, sum, Helmert, difference and polynomial contrasts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Category
from thalweg.data.transforms.poly import OrthogonalPoly, PolyLearner
from thalweg.errors import FormulaError, spelled_out

_LETTER = {"treatment": "T.", "sas": "T.", "sum": "S.", "helmert": "H.", "diff": "D.", "poly": ""}
_POWERS = {1: ".L", 2: ".Q", 3: ".C"}


def show_level(level: Hashable) -> str:
    """A level as names show it: 2, not 2.0, and control characters spelled out."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else spelled_out(str(level))


def base_index(category: Category, levels: Sequence[Hashable]) -> int:
    """Which level is the reference of a treatment coding.

    Raises
    ------
    FormulaError
        The reference is not among the levels.
    """
    if category.base is None:
        return len(levels) - 1 if category.contrast == "sas" else 0
    if category.base not in levels:
        known = ", ".join(map(repr, levels[:20]))
        raise FormulaError(
            f"the reference level {category.base!r} is not among the levels", advice=f"They are {known}."
        )
    return list(levels).index(category.base)


def fields(category: Category, levels: Sequence[Hashable], *, reduced: bool) -> tuple[str, ...]:
    """What stands in brackets behind the factor's name, column by column."""
    shown = [show_level(level) for level in levels]
    if not reduced:
        return tuple(shown)
    letter = _LETTER[category.contrast]
    if category.contrast == "poly":
        return tuple(_POWERS.get(k, f"^{k}") for k in range(1, len(levels)))
    left_out = {"sum": len(levels) - 1, "helmert": 0, "diff": 0}.get(category.contrast)
    left_out = base_index(category, levels) if left_out is None else left_out
    return tuple(letter + level for i, level in enumerate(shown) if i != left_out)


def is_dummy(category: Category, *, reduced: bool) -> bool:
    """Whether each row has at most one column that is not zero, and that one is 1."""
    return not reduced or category.contrast in ("treatment", "sas")


def coding(category: Category, levels: Sequence[Hashable], *, reduced: bool) -> Float[Tensor, "levels m"]:
    """The row of column values that each level stands for."""
    size = len(levels)
    if not reduced:
        matrix = np.eye(size)
    elif category.contrast in ("treatment", "sas"):
        matrix = np.delete(np.eye(size), base_index(category, levels), axis=1)
    else:
        matrix = {"sum": _sum, "helmert": _helmert, "diff": _diff, "poly": _poly}[category.contrast](size)
    return torch.from_numpy(np.ascontiguousarray(matrix))


def _sum(size: int) -> np.ndarray:
    matrix = np.eye(size, size - 1)
    matrix[-1] = -1
    return matrix


def _helmert(size: int) -> np.ndarray:
    matrix = np.zeros((size, size - 1))
    matrix[np.triu_indices(size - 1)] = -1
    for i in range(size - 1):
        matrix[i + 1, i] = i + 1
    return matrix


def _diff(size: int) -> np.ndarray:
    matrix = np.repeat([np.arange(1, size)], size, axis=0) / size
    matrix[np.triu_indices(size, m=size - 1)] -= 1
    return matrix


def _poly(size: int) -> np.ndarray:
    options = {"degree": size - 1, "raw": False}
    learner, x = PolyLearner(options), torch.arange(size, dtype=torch.float64)
    learner.update(x)
    return OrthogonalPoly(options, learner.state()).values(x).numpy()
