"""Curves whose means have come to the edge of what the loss allows: a count of 0, a probability of 1.

There the loss of a row has no bound on its curvature, its leverage is 1 and every step is short: what looks like a
minimum is a corner. The best curve then lies on the edge, and bounds on the parameters find it.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from thalweg.curves.device import DevicePart
from thalweg.curves.problem import CurveProblem

EDGE = 1e-6  # of the median distance from the edge


def at_the_edge(problem: CurveProblem, theta: Tensor) -> str:
    """A sentence on the first mean that is at the edge; empty where none is, and for squares, which have no edge.

    Parameters
    ----------
    problem : CurveProblem
    theta : Tensor, (p,)
    """
    ends = problem.loss.eta_range
    if problem.squares or not np.isfinite(ends).any():
        return ""
    before = 0
    for part in problem.parts():
        if isinstance(part, DevicePart):
            return ""
        f = np.asarray(part.evaluator.values(theta.tolist()), dtype=np.float64)
        eta = f if part.offset is None else f + part.offset
        for end in ends:
            distance = np.abs(eta - end)
            if np.isfinite(end) and bool((distance <= EDGE * np.median(distance)).any()):
                row = before + int(distance.argmin()) + 1
                return (
                    f"The mean of row {row} has come to {end:g}, the edge of what a {problem.loss.name} mean can be:"
                    " the best curve lies on that edge, where its errors mean nothing. Bound the parameters so that it"
                    " stays inside, as in bounds={'c': (0.01, None)}."
                )
        before += len(eta)
    return ""
