"""What a descent on a problem can hope for: the ends of the curvature on its way, and steps at rates worth setting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.columns import Columns
from thalweg.diagnose.optimum import Optimum
from thalweg.diagnose.rates import fastest
from thalweg.diagnose.recursion import Recursion
from thalweg.diagnose.spectrum import Spectrum
from thalweg.diagnose.standardized import Changed, changed
from thalweg.diagnose.words import settable_rate
from thalweg.problem import Problem

BEYOND = 1e100  # lr times the largest curvature: such a descent never converges, and its squares overflow


@final
@dataclass(frozen=True, eq=False)
class Prospects:
    """A problem, where its descent starts, and what is known of its curvature.

    Attributes
    ----------
    problem : Problem
    start : Tensor, (p,)
    spectrum : Spectrum
        At the start.
    optimum : Optimum or None
    tol : float
        The part of the excess at the start that may be left.
    """

    problem: Problem
    start: Float[Tensor, "p"]
    spectrum: Spectrum
    optimum: Optimum | None
    tol: float

    @property
    def ends(self) -> tuple[float, float]:
        """(L, mu): the largest curvature that is known on the way, and the smallest at the optimum."""
        largest, smallest = self.spectrum.largest, self.spectrum.smallest
        if self.optimum is None or self.spectrum.kind == "exact":
            return largest, smallest
        positive = self.optimum.eigenvalues[self.optimum.eigenvalues > 0]
        if positive.numel() == 0:
            return largest, smallest
        return largest if self.spectrum.kind == "bound" else max(largest, float(positive[-1])), float(positive[0])

    @cached_property
    def excess(self) -> float:
        """f - least at the start."""
        if self.optimum is None:
            return math.nan
        return self.optimum.excess(self.start, float(self.problem.value(self.start)))

    @property
    def fastest(self) -> float:
        """The fastest plain rate, as it is told."""
        return settable_rate(fastest(*self.ends))

    def steps(self, lr: float | None, momentum: float = 0.0, nesterov: bool = False) -> float:
        """Steps until the excess is `tol` of what it was; NaN where no optimum is known."""
        if self.optimum is None or lr is None or not math.isfinite(lr):
            return math.nan
        z = self.optimum.distance(self.start)
        if lr * float(self.optimum.eigenvalues.max()) > BEYOND:
            return math.inf
        recursion = Recursion(self.optimum.eigenvalues, z, lr, momentum, nesterov)
        excess = recursion.excess_at(0)
        if self.optimum.kind != "exact" and not 0.1 * excess <= self.excess <= 10 * excess:
            return math.nan  # so far away the curvature at the optimum tells nothing
        return recursion.steps_to(self.tol * excess) if excess > 0 else 0

    def changed(self, columns: Columns | None, how: str) -> Changed | None:
        """The same with changed columns; None where the predictor has none."""
        bound = self.spectrum.kind == "bound"
        if columns is None or (self.optimum is None and not bound):
            return None
        return changed(self.problem, columns, self.optimum, self.start, self.tol, how=how, bound=bound)
