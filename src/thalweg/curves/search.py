"""From a problem to its best minimum: the start that the user gave, starts from the data, and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem
from thalweg.curves.spec import CurveSpec
from thalweg.solvers.base import Solution
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt


@final
@dataclass(frozen=True)
class Found:
    """The best minimum and how it was found.

    Attributes
    ----------
    problem : CurveProblem
    solution : Solution
        Of the free parameters.
    starts : int
        How many starts were tried; 1 where the user's led there without doubt.
    minima : tuple of float
        The objective at the other minima that were seen, least first.
    sentence : str
        The same in words, for the summary; empty where there is nothing to say.
    """

    problem: CurveProblem
    solution: Solution
    starts: int = 1
    minima: tuple[float, ...] = ()
    sentence: str = ""


def search(
    problem: CurveProblem,
    spec: CurveSpec,
    parameters: Parameters,
    observers: Sequence[Any] = (),
    *,
    solver: Any = None,
    stop: Any = None,
    starts: int | None = None,
    seed: int = 0,
) -> Found:
    """The best minimum that is found."""
    first = np.array([parameters.start.get(name, 1.0) for name in parameters.free])
    problem.start = np.clip(first, problem.lower, problem.upper)
    solution = solve(solver or LevenbergMarquardt(), problem, torch.from_numpy(problem.start.copy()), observers, stop=stop)
    return Found(problem, solution)
