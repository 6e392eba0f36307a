"""Columns that lie far from 0 for their spread, as years do: where a curve asks for its value at 0, that overflows.

a exp(-k year) with k = 0.4 and years about 2000 has a = e^800 times what is measured: no number, and every number that
is one is the wrong one. A fit that looks like it is told of: a parameter near the end of the numbers, one that is not
determined, no convergence, or residuals that follow the column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.doubt import structured
from thalweg.curves.problem import CurveProblem
from thalweg.curves.sample import Sample, sample_of
from thalweg.curves.undetermined import Determination
from thalweg.solvers.base import Solution, Status

FAR = 10.0  # standard deviations of a column from its mean to 0
HUGE = 1e100  # of a parameter
STRAINED = 100.0  # condition number below which a column far from 0 does no harm, as where a peak's place is free


def far_off(problem: CurveProblem, solution: Solution, known: Determination | None = None) -> tuple[str, bool]:
    """What to say, and whether it is worth a warning: not where residuals are the only sign; "" for nothing.

    Parameters
    ----------
    problem : CurveProblem
    solution : Solution
        Of the free parameters.
    known : Determination, optional
        What the data say of the parameters.
    """
    theta = solution.theta.numpy()
    values = dict(zip(problem.names, theta.tolist(), strict=True))
    huge = [name for name, value in values.items() if abs(value) > HUGE]
    undetermined = known is not None and len(known.undetermined) > 0
    failed = bool(huge) or undetermined or solution.status in (Status.LIMIT, Status.STALLED)
    strained = problem.squares and known is not None and known.condition > STRAINED
    sample = sample_of(problem) if failed or strained else None
    far = {} if sample is None else _far(sample)
    if sample is None or not far:
        return (_overflow(huge, values), True) if huge else ("", False)
    if not failed and not _follows(sample, far, theta):
        return "", False
    sign = _overflow(huge, values) + " " if huge else ""
    return sign + " ".join(_sentence(name, column) for name, column in far.items()), failed


def _far(sample: Sample) -> dict[str, Float[ndarray, "n"]]:
    """Columns whose mean is far larger than their spread, in a curve that is not linear in its parameters."""
    if set(sample.curve.linear()) == set(sample.curve.parameters):
        return {}
    finite = {name: column[np.isfinite(column)] for name, column in sample.columns.items()}
    return {
        name: column
        for name, column in finite.items()
        if column.size and 0 < FAR * float(column.std()) < abs(float(column.mean()))
    }


def _follows(sample: Sample, far: Mapping[str, ndarray], theta: Float[ndarray, "p"]) -> bool:
    """Whether the residuals are not scattered along one of the columns."""
    left = (sample.evaluator.values(list(theta)) - sample.y) * sample.root
    return any(structured(left[np.argsort(sample.columns[name], kind="stable")], theta.size) for name in far)


def _sentence(name: str, column: Float[ndarray, "n"]) -> str:
    low, high = float(column.min()), float(column.max())
    origin = f"{low:.10g}"
    return (
        f"{name} lies far from 0 for its spread ({low:.6g} to {high:.6g}), and this fit is in doubt: subtract an origin"
        f" from {name}, as in ({name} - {origin})."
    )


def _overflow(names: Sequence[str], values: Mapping[str, float]) -> str:
    shown = ", ".join(f"{name} ({values[name]:.3g})" for name in names)
    return f"{shown} {'is' if len(names) == 1 else 'are'} near the largest number there is: the best fit may be beyond."
