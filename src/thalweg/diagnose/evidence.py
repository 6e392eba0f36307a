"""What is measured of a descent that diverged: its states, the curvature where it was, and where it was going."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.blame import Blame, blame_of
from thalweg.diagnose.columns import columns_of
from thalweg.diagnose.optimum import Optimum, doubled, optimum_of
from thalweg.diagnose.rates import stable_limit
from thalweg.diagnose.setting import Setting
from thalweg.diagnose.spectrum import Spectrum, hessian_at, logistic_bound, quadratic_at, spectrum_of
from thalweg.problem import MemoryProblem, Problem


@final
@dataclass(frozen=True, eq=False)
class Evidence:
    """A divergence, with what has to be measured made when it is asked for.

    Attributes
    ----------
    problem : Problem
    setting : Setting
    start : Tensor, (p,)
        Where the descent began.
    best, last : State
    """

    problem: Problem
    setting: Setting
    start: Float[Tensor, "p"]
    best: Any
    last: Any

    @cached_property
    def constant(self) -> bool:
        """Whether one curvature holds, or bounds, everywhere."""
        return quadratic_at(self.problem) is not None or logistic_bound(self.problem) is not None

    @cached_property
    def optimum(self) -> Optimum | None:
        """Where it should have gone; sought from where it was best."""
        return optimum_of(self.problem, self.best.theta)

    @cached_property
    def places(self) -> dict[str, Float[Tensor, "p"]]:
        """Where curvatures are looked at."""
        if self.constant:
            return {"": self.start}
        found = {"at the start": self.start}
        if not torch.equal(self.best.theta, self.start.to(self.best.theta)):
            known = self.best.step <= self.last.step
            found[f"at step {self.best.step}" if known else "where it was best"] = self.best.theta
        if self.optimum is not None:
            found["at the optimum"] = self.optimum.theta.to(self.start)
        return found

    @cached_property
    def spectra(self) -> dict[str, Spectrum]:
        """The curvature there, where it is finite."""
        found = {}
        for name, theta in self.places.items():
            matrix = None if self.constant else hessian_at(self.problem, theta)
            if matrix is None or bool(torch.isfinite(matrix).all()):
                found[name] = spectrum_of(self.problem, theta)
        return found

    @cached_property
    def steepest(self) -> tuple[str, Spectrum] | None:
        """The place of the largest curvature."""
        return max(self.spectra.items(), key=lambda item: item[1].largest, default=None)

    @property
    def limit(self) -> float:
        """The stable limit there; inf where no curvature is known."""
        return math.inf if self.steepest is None else self.limit_of(self.steepest[1].largest)

    def limit_of(self, largest: float) -> float:
        """The stable limit of a curvature, with this momentum."""
        return stable_limit(largest, min(self.setting.momentum, 1.0), self.setting.nesterov)

    @cached_property
    def blame(self) -> Blame | None:
        """The column behind the largest curvature."""
        if self.steepest is None:
            return None
        return blame_of(self.problem, self.steepest[1], columns_of(self.problem))

    @cached_property
    def double(self) -> Problem:
        """The problem in float64."""
        return doubled(self.problem)

    def eta(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"] | None:
        """The linear predictor of every row at theta, in float64 on the CPU; None of rows that are not in memory."""
        problem = self.double
        if not isinstance(problem, MemoryProblem):
            return None
        with torch.no_grad():
            found = problem.predictor(theta.to(problem.dtype), problem.x).reshape(-1)
        return (found if problem.offset is None else found + problem.offset.reshape(-1)).double().cpu()

    @property
    def finite(self) -> bool:
        """Whether the last parameters are numbers."""
        return bool(torch.isfinite(self.last.theta).all())


def evidence_of(problem: Problem, setting: Setting, best: Any, last: Any) -> Evidence:
    """Of the two states that a solve keeps."""
    start = getattr(last, "start", None)
    start = getattr(best, "start", None) if start is None else start
    return Evidence(problem, setting, cast(Tensor, best.theta if start is None else start).detach(), best, last)


@final
@dataclass(frozen=True)
class Cause:
    """Why a descent diverged.

    Attributes
    ----------
    code : str
        One of those that `thalweg.diagnose.divergence.cause_of_divergence` lists.
    sentence : str
        The same with its number, and what to set; lower case at its beginning.
    """

    code: str
    sentence: str
