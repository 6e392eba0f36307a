"""Why a start is none: the loss there is no number."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.optimum import doubled
from thalweg.diagnose.words import short
from thalweg.errors import DataError
from thalweg.problem import MemoryProblem, Problem


def bad_start(problem: Problem, theta: Float[Tensor, "p"], advice: str) -> DataError:
    """The error for a start at which the loss is not finite: which row, or which type of number, is the reason.

    Parameters
    ----------
    advice : str
        What to do about values that are outside.
    """
    what = "the starting values put a mean outside the family's domain, or out of range"
    if problem.curve is not None:
        what = "the curve is not finite at the starting values, or outside the family's domain"
    double = doubled(problem)
    if not isinstance(double, MemoryProblem):
        return DataError(what, advice=advice)
    theta = theta.detach().to(double.dtype)
    value = float(double.value(theta))
    if math.isfinite(value) and problem.dtype == torch.float32:
        return DataError(
            f"the loss at the start is {short(value)}, which is beyond what float32 holds (3.4e+38)",
            advice='Set dtype="float64", or bring the columns and the response to the size of 1.',
        )
    return DataError(what, where=_row(double, theta), advice=advice)


def _row(problem: MemoryProblem, theta: Float[Tensor, "p"]) -> str | None:
    """The first row whose loss is not finite, with its linear predictor."""
    with torch.no_grad():
        eta = problem.predictor(theta, problem.x)
        eta = eta if problem.offset is None else eta + problem.offset
        bad = torch.nonzero(~torch.isfinite(problem.loss.value(problem.y, eta).reshape(-1)))[:, 0]
    if not bad.numel():
        return None
    row = int(bad[0])
    what = "linear predictor" if problem.curve is None else "value of the curve"
    return f"row {row + 1}, whose {what} is {short(float(eta.reshape(-1)[row]))}"
