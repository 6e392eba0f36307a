"""What centring or standardizing the columns of a design would change, by making the curvature of the new columns.

With T the change of columns, X' = X T: the fitted values are the same, theta = T theta', and the Hessian is that of X',

    centred        x_j - mean_j                    (beside an intercept, which takes up the means)
    standardized   (x_j - mean_j) / sd_j           (without an intercept only x_j / sd_j: centring changes the model)

H' is summed over rows of X', and not made as T'HT, which loses digits where a mean is large against its spread.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import cast, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.columns import Columns, blocks
from thalweg.diagnose.optimum import Optimum
from thalweg.diagnose.rates import fastest, stable_limit
from thalweg.diagnose.recursion import Recursion
from thalweg.diagnose.spectrum import by_passes
from thalweg.diagnose.words import settable_rate
from thalweg.objective import linear_predictor
from thalweg.problem import MemoryProblem, Problem

ROUNDING = 1e-13


@final
@dataclass(frozen=True)
class Changed:
    """The descent on changed columns.

    Attributes
    ----------
    how : str
        "centred" or "standardized".
    condition : float
    limit, lr : float
        Stable limit and fastest rate, of plain descent.
    steps : float
        At that rate, until the excess is the tolerance's part of what it was; NaN where no optimum is known.
    """

    how: str
    condition: float
    limit: float
    lr: float
    steps: float


def changed(
    problem: Problem,
    columns: Columns,
    optimum: Optimum | None,
    start: Float[Tensor, "p"],
    tol: float,
    *,
    how: str = "standardized",
    bound: bool = False,
) -> Changed | None:
    """What centring ("centred") or standardizing ("standardized") would do; None where nothing is to be changed.

    Parameters
    ----------
    bound : bool
        A logistic loss: a row's curvature is at most 1/4, which bounds the largest curvature of all.
    """
    if not columns.moving or (how == "centred" and columns.intercept is None):
        return None
    shift, scale = _change(columns, how)
    at = None if optimum is None or optimum.kind == "exact" else optimum.theta
    constant = 0.25 if bound else 1.0
    values, vectors = torch.linalg.eigh(_hessian(problem, shift, scale, _curvatures(problem, at, constant)))
    positive = values > ROUNDING * values[-1]
    if not bool(positive.any()):
        return None
    largest, smallest = float(values[-1]), float(values[positive][0])
    if at is not None:  # the rate has to be borne on the way to the optimum too
        way = _curvatures(problem, None if bound else start.double().cpu(), constant)
        largest = max(largest, float(torch.linalg.eigvalsh(_hessian(problem, shift, scale, way))[-1]))
    rate = fastest(largest, smallest)
    lr = settable_rate(rate)
    steps = math.nan
    if optimum is not None:
        z = vectors.T @ _new(start.detach().double().cpu() - optimum.theta, columns, shift, scale)
        values = torch.where(positive, values, 0.0)
        excess = float(z.square() @ values) / 2
        steps = Recursion(values, z, lr).steps_to(tol * excess) if excess > 0 else 0
    return Changed(how, largest / smallest, stable_limit(largest), lr, steps)


def _change(columns: Columns, how: str) -> tuple[Float[Tensor, "p"], Float[Tensor, "p"]]:
    """(shift, scale): x' = (x - shift) / scale."""
    still = columns.constant
    centre = columns.intercept is not None
    shift = torch.where(still, 0.0, columns.mean) if centre else torch.zeros_like(columns.mean)
    scale = torch.where(still, 1.0, columns.spread) if how == "standardized" else torch.ones_like(shift)
    return shift, scale


def _hessian(
    problem: Problem, shift: Float[Tensor, "p"], scale: Float[Tensor, "p"], curvatures: Iterable[float | Tensor]
) -> Float[Tensor, "p p"]:
    """c sum_i w_i loss''_i x'_i x'_i', with loss'' given block by block."""
    read = blocks(problem)
    assert read is not None
    total = torch.zeros(len(shift), len(shift), dtype=torch.float64)
    for (x, w), curvature in zip(read, curvatures, strict=False):
        new = (x - shift) / scale
        weight = curvature if w is None else w * curvature
        total += new.T @ (weight * new if isinstance(weight, float) else weight[:, None] * new)
    return problem.scale * total


def _curvatures(problem: Problem, theta: Float[Tensor, "p"] | None, constant: float) -> Iterable[float | Tensor]:
    """loss'' of the rows of each block at theta; without one the same constant for all."""
    if theta is None:
        return repeat(constant)
    if by_passes(problem):
        assert problem.objective is not None
        return (
            problem.loss.curvature(cast(Tensor, block.y).cpu(), linear_predictor(block, theta.to(problem.device)).cpu())
            for block in problem.objective.blocks()
        )
    memory = cast(MemoryProblem, problem)
    eta = memory.x.double().cpu() @ theta
    eta = eta if memory.offset is None else eta + memory.offset.double().cpu()
    return [problem.loss.curvature(memory.y.double().cpu(), eta)]


def _new(
    theta: Float[Tensor, "p"], columns: Columns, shift: Float[Tensor, "p"], scale: Float[Tensor, "p"]
) -> Float[Tensor, "p"]:
    """T^{-1} theta: the same fitted values in the new columns."""
    new = theta * scale
    if columns.intercept is not None:
        new[columns.intercept] += (shift @ theta) / columns.high[columns.intercept]
    return new


def correlations(problem: Problem, columns: Columns) -> Float[Tensor, "p p"] | None:
    """Correlations of the columns by weight (without an intercept: cosines); zeros where a column is constant."""
    if len(columns.moving) < 2:
        return None
    shift, scale = _change(columns, "standardized")
    gram = _hessian(problem, shift, scale, repeat(1.0))
    root = gram.diagonal().clamp_min(1e-300).sqrt()
    return gram / root / root[:, None]
