"""The scale of a robust loss, found with the curve.

    1. least squares                                     (for the residuals of a start)
    2. s = 1.4826 median |r|, scale = tuning * s         (`thalweg.losses.robust`: 95% efficient for normal errors)
    3. the curve with that scale, from where it is       (its residuals give the next s)

until s stands still [1, section 7.8], as R's rlm does with scale.est = "MAD". The scale that comes out is taken as
given.

References
----------
.. [1] P. J. Huber, E. M. Ronchetti, Robust Statistics, 2nd ed., Wiley (2009), doi:10.1002/9780470434697.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from thalweg.curves.problem import CurveProblem
from thalweg.errors import DataError
from thalweg.losses import family
from thalweg.losses.base import Family
from thalweg.losses.families import FAMILIES
from thalweg.losses.robust import Robust, robust_scale

ROUNDS = 50
STILL = 1e-10  # relative change of the scale


def needs_scale(name: object, options: dict[str, float]) -> bool:
    """Whether this is a robust loss whose scale is to be found."""
    asked = name.strip().lower().replace("-", "_") if isinstance(name, str) else ""
    kind = FAMILIES.get(asked)
    return kind is not None and issubclass(kind, Robust) and "scale" not in options


def with_scale(
    name: str, fitted: Callable[[Family, np.ndarray | None], tuple[CurveProblem, np.ndarray]]
) -> tuple[Family, np.ndarray]:
    """The robust loss of this name with the scale that its own residuals have, and where its minimum is.

    Parameters
    ----------
    name : str
    fitted : callable
        (loss, start) -> the problem and the free parameters at its minimum.

    Raises
    ------
    DataError
        More than half of the residuals are zero: they have no scale.
    """
    kind = FAMILIES[name.strip().lower().replace("-", "_")]
    assert issubclass(kind, Robust)
    problem, theta = fitted(family("gaussian"), None)  # 1
    before = 0.0
    for _ in range(ROUNDS):
        spread = robust_scale(*residuals(problem, theta))  # 2
        if spread == 0.0:
            raise DataError(
                "more than half of the residuals are zero, which gives a robust loss no scale", advice="Give scale=."
            )
        loss = family(name, scale=kind.tuning * spread)
        if abs(spread - before) <= STILL * spread:
            break
        before = spread
        problem, theta = fitted(loss, theta)  # 3
    return loss, theta


def residuals(problem: CurveProblem, theta: np.ndarray) -> tuple[Tensor, Tensor]:
    """y - f of all rows, and their weights."""
    left, weights = [], []
    for part in problem.parts():
        f = part.evaluator.values(list(theta))
        left.append(part.y - (f if part.offset is None else f + part.offset))
        weights.append(np.ones_like(part.y) if part.weight is None else part.weight)
    return torch.from_numpy(np.concatenate(left)), torch.from_numpy(np.concatenate(weights))
