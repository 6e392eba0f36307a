"""From a problem to its best minimum: the start that the user gave, starts from the data, and many at once.

    1. a start for every parameter     Levenberg-Marquardt from there; without doubts (`doubt`) that is it
    2. in doubt, or without a start    many starts (`minima`); the lowest objective wins
    3. the same curve written another way (`symmetries`): the one nearest to the user's start, or else the plainest
    4. where that has not converged: more steps, and then as many starts as 128

Frequencies are looked for as far as the rows can show them (`confined`). A curve that is finite at no start is an error
that names the row to blame (`finite`).

A solver or a rule of the user's, and starts=1, mean a single run: from the user's start, or the best from the data.
Curves that do not take candidates in batches (functions called as they are) are tried from a few starts one by one,
and only in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.confined import confined
from thalweg.curves.doubt import doubtful
from thalweg.curves.finite import not_finite
from thalweg.curves.minima import EQUAL, SAME, STARTS, Minima, Minimum, many_starts, rounding, screened
from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.sample import Sample, sample_of
from thalweg.curves.scales import Frequency, turn
from thalweg.curves.spec import CurveSpec
from thalweg.curves.starts import DECADES, scales
from thalweg.curves.symmetries import nearest, plainest, same_curves
from thalweg.data.rows import Rows
from thalweg.errors import OptionError
from thalweg.observers import History
from thalweg.solvers.base import Solution, Status
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

WARM = 100_000  # rows above which the first steps are taken on a sample
ONE_BY_ONE = 8  # starts of a curve that does not take candidates in batches
NEAR = 1e-4  # of each parameter: runs that end closer have met
MORE_STEPS, MORE_STARTS = 2000, 128  # where the best of the first starts has not converged
MORE_ENTRIES = 2_000_000  # of the Jacobian: above, more steps would take too long
UNFINISHED = (Status.LIMIT, Status.STALLED)
ENDED = (Status.CONVERGED, Status.LIMIT, Status.STALLED)  # by itself: anything else is somebody's wish


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
        Other minima that were seen, least first: their residual sums of squares (for another loss than squares: twice
        the objective).
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
    rows: Rows | None = None,
) -> Found:
    """The best minimum that is found.

    Parameters
    ----------
    problem : CurveProblem
    spec : CurveSpec
    parameters : Parameters
    observers : sequence
        They see the run that led to the minimum: the one from the user's start, or the last one from the best of many.
    solver, stop
        Of the user's: then there is a single run.
    starts : int, optional
        How many starts; by default 32, where they are needed. 1: a single run.
    seed : int
        Of the candidates.
    rows : Rows, optional
        Where the problem's rows come from, for messages.

    Raises
    ------
    OptionError
        `starts` is not a whole number of 1 or more; the curve is finite at no start.
    DataError
        A row in which the curve is finite nowhere.
    """
    if starts is not None and (isinstance(starts, bool) or not isinstance(starts, int) or starts < 1):
        raise OptionError(f"starts is {starts!r}", advice="Give a whole number, 1 or more.")
    looking = _Search(problem, parameters, observers, solver, stop, starts, seed)
    found = looking.found()
    if found.solution.status in ENDED and not np.isfinite(found.solution.value):
        raise not_finite(problem, looking.given, rows, starts=found.starts)
    return found


class _Search:
    """One search."""

    def __init__(
        self,
        problem: CurveProblem,
        parameters: Parameters,
        observers: Sequence[Any],
        solver: Any,
        stop: Any,
        starts: int | None,
        seed: int,
    ) -> None:
        self.problem, self.observers, self.solver, self.stop = problem, observers, solver, stop
        self.given = {name: parameters.start[name] for name in problem.names if name in parameters.start}
        self.complete = len(self.given) == len(problem.names)
        self.single = solver is not None or stop is not None or starts == 1
        self.count, self.wanted, self.seed = starts or STARTS, starts is not None, seed
        self.sample: Sample | None = None
        first = np.array([self.given.get(name, 1.0) for name in problem.names])
        problem.start = np.clip(first, problem.lower, problem.upper)

    def found(self) -> Found:
        """Points 1 to 3."""
        if not self.complete:
            self.sample = sample_of(self.problem)
            return self._without_start()
        solution = self._run(self._nearer(self.problem.start))
        if self.single or solution.status not in ENDED:
            return Found(self.problem, solution)
        try:
            self.sample = self.sample or sample_of(self.problem)
            if not self.wanted and not doubtful(self.problem, self.sample, solution):
                return Found(self.problem, solution)
            return self._many(solution)
        except KeyboardInterrupt:
            return Found(self.problem, replace(solution, status=Status.INTERRUPTED))

    def _nearer(self, start: Float[ndarray, "p"]) -> Float[ndarray, "p"]:
        """Over many rows the first steps are taken on a sample of them, where that ends well."""
        if self.single or self.problem.rows <= WARM or not self.problem.squares:
            return start
        self.sample = sample_of(self.problem)
        if self.sample is None:
            return start
        part = Part(self.sample.evaluator, self.sample.y, self.sample.weight)
        few = CurveProblem(
            self.problem.curve,
            lambda: (part,),
            self.problem.loss,
            self.sample.y.size,
            lower=self.problem.lower,
            upper=self.problem.upper,
        )
        found = solve(LevenbergMarquardt(polish=False), few, torch.from_numpy(start.copy()))
        return found.theta.numpy() if found.status is Status.CONVERGED else start

    def _run(self, start: Float[ndarray, "p"]) -> Solution:
        """A run that the observers see."""
        solver = self.solver or LevenbergMarquardt()
        return solve(solver, self.problem, torch.from_numpy(start.copy()), self.observers, stop=self.stop)

    # ------------------------------------------------------------------------------------------------- without a start

    def _without_start(self) -> Found:
        if self.sample is None:
            return self._one_by_one(None)
        if not self.single:
            return self._many(None)
        around = confined(self.problem, self.sample, self.given)
        theta, value = screened(around, self.sample, self.given, STARTS, self.seed)
        if len(theta):
            self.problem.start = theta[value.argmin()]
        return Found(self.problem, self._run(self.problem.start))

    # ----------------------------------------------------------------------------------------------------- many starts

    def _many(self, first: Solution | None) -> Found:
        if self.sample is None:
            return self._one_by_one(first)
        minima = Minima(starts=0 if first is None else 1)
        if first is not None and np.isfinite(first.value):
            minima.add(first.theta.numpy().copy(), first.value, self.problem.start)
        try:
            self._look(minima, self.count, self.seed)
        except KeyboardInterrupt:
            return self._interrupted(first, minima)
        found = self._concluded(first, minima)
        if found.solution.status not in UNFINISHED or self.wanted:
            return found
        try:
            return self._going_on(found, minima)
        except KeyboardInterrupt:
            return self._interrupted(found.solution, minima)

    def _look(self, minima: Minima, count: int, seed: int) -> None:
        """Many starts, among frequencies that the rows can show."""
        assert self.sample is not None
        around = confined(self.problem, self.sample, self.given)
        try:
            many_starts(around, self.sample, self.given, minima, count, seed)
        finally:
            if around is not self.problem:
                self.problem.passes += around.passes

    def _going_on(self, found: Found, minima: Minima) -> Found:
        """The best has not converged: more steps, then more starts, before it is given up."""
        at, value = found.solution.theta.numpy().copy(), found.solution.value
        if self.problem.rows * at.size <= MORE_ENTRIES:
            longer = LevenbergMarquardt(max_steps=MORE_STEPS, polish=False)
            on = solve(longer, self.problem, torch.from_numpy(at))
            minima.add(on.theta.numpy().copy(), on.value, at)
            if on.status is Status.CONVERGED:
                return self._again(minima)
        self._look(minima, MORE_STARTS - STARTS, self.seed + 1)
        if minima.best is not None and minima.best.value < value * (1 - EQUAL):
            return self._again(minima)
        return self._told(found.solution, minima)

    def _again(self, minima: Minima) -> Found:
        """The run to a better minimum, in place of the one that did not converge."""
        assert minima.best is not None
        self._forget()
        minima.best.start = minima.best.theta
        return self._told(self._run(self._written(minima.best.theta)), minima)

    def _concluded(self, first: Solution | None, minima: Minima) -> Found:
        """The run to the best minimum, and what is told of the others."""
        best = minima.best
        if best is None:
            return Found(self.problem, self._run(self.problem.start) if first is None else first, minima.starts)
        lowest = first is not None and first.status is Status.CONVERGED and self._as_low(first.value, best.value)
        if first is not None and lowest:
            best = Minimum(first.theta.numpy().copy(), first.value, self.problem.start)
        written = self._written(best.theta)
        if first is not None:
            if lowest and np.array_equal(written, best.theta):
                return self._told(first, minima)
            self._forget()
            self._remember(first, minima)
        return self._told(self._run(best.start if self._leads(best.start, written) else written), minima)

    def _as_low(self, value: float, best: float) -> bool:
        assert self.sample is not None
        return value <= best * (1 + EQUAL) + rounding(self.sample, best)

    def _leads(self, start: Float[ndarray, "p"], end: Float[ndarray, "p"]) -> bool:
        """Whether a run from here ends there: then the observers can see the whole way."""
        found = solve(LevenbergMarquardt(polish=False), self.problem, torch.from_numpy(start.copy()))
        return found.status is Status.CONVERGED and np.allclose(found.theta.numpy(), end, rtol=NEAR, atol=0.0)

    def _written(self, theta: Float[ndarray, "p"]) -> Float[ndarray, "p"]:
        """Point 3."""
        assert self.sample is not None
        known = list(scales(self.sample).values())
        angles = {j: each for j, some in enumerate(known) if (each := turn(some)) is not None}
        waves = [j for j, some in enumerate(known) if any(isinstance(each, Frequency) for each in some)]
        same = same_curves(self.sample, theta, self.problem.lower, self.problem.upper, angles)
        if self.complete:
            return same[nearest(same, self.problem.start)]
        names = self.problem.names
        return same[plainest(same, [names.index(name) for name in self.problem.curve.linear()], angles, waves)]

    def _forget(self) -> None:
        """The way to a minimum that was not the best is no part of the history."""
        for each in self.observers:
            if isinstance(each, History):
                for column in each._columns().values():
                    column.clear()
                each._packed = {}

    def _remember(self, first: Solution, minima: Minima) -> None:
        """The minimum to which the user's start led is one of the others."""
        near = [each for each in minima.others if abs(each - first.value) <= SAME * each]
        undetermined = first.details["undetermined"]
        higher = minima.best is not None and not self._as_low(first.value, minima.best.value * (1 + SAME))
        if higher and first.status is Status.CONVERGED and (undetermined is None or not len(undetermined)):
            minima.elsewhere += 1
            minima.others = minima.others if near else sorted([*minima.others, first.value])

    def _told(self, solution: Solution, minima: Minima) -> Found:
        others = tuple(2 * value for value in minima.others)
        return Found(
            self.problem, solution, minima.starts, others, sentence(minima, 2 * solution.value, given=self.complete)
        )

    def _interrupted(self, first: Solution | None, minima: Minima) -> Found:
        """The best so far."""
        if minima.best is None:
            raise KeyboardInterrupt
        if first is not None and first.value <= minima.best.value:
            return Found(self.problem, replace(first, status=Status.INTERRUPTED), minima.starts)
        solver = LevenbergMarquardt(max_steps=1, polish=False)
        solution = solve(solver, self.problem, torch.from_numpy(minima.best.theta), self.observers)
        return Found(self.problem, replace(solution, status=Status.INTERRUPTED, advice=""), minima.starts)

    # ------------------------------------------------------------------------------------------------------ one by one

    def _one_by_one(self, first: Solution | None) -> Found:
        """A curve that does not take candidates in batches: a few starts about the user's, or about 1."""
        minima = Minima(starts=0 if first is None else 1)
        if first is not None and np.isfinite(first.value):
            minima.add(first.theta.numpy().copy(), first.value, self.problem.start)
        generator = np.random.default_rng(self.seed)
        count = 1 if self.single else self.count if self.wanted else ONE_BY_ONE
        for number in range(count):
            start = self.problem.start
            if number or first is not None:
                start = start * 10 ** generator.uniform(-DECADES, DECADES, start.size)
                start = np.clip(start, self.problem.lower, self.problem.upper)
            found = solve(LevenbergMarquardt(polish=False), self.problem, torch.from_numpy(start))
            minima.starts += 1
            minima.add(found.theta.numpy().copy(), found.value, start)
        if minima.best is None or (first is not None and first.value <= minima.best.value * (1 + EQUAL)):
            return Found(self.problem, first or self._run(self.problem.start), minima.starts)
        if first is not None:
            self._forget()
        return self._told(self._run(minima.best.theta), minima)


def sentence(minima: Minima, squares: float, *, given: bool) -> str:
    """How the minimum was found.

    Parameters
    ----------
    minima : Minima
    squares : float
        The residual sum of squares at the best.
    given : bool
        Whether the user gave a start for every parameter, one of those that were tried.

    Examples
    --------
    >>> print(sentence(Minima(others=[7.0], elsewhere=5, starts=32), 10.0, given=False))
    The best minimum of 32 starts, chosen from the data; 5 of them ended at another minimum, whose residual sum of \
squares is 1.4 times as large.
    """
    if minima.starts < 2:
        return ""
    head = f"The best minimum of {minima.starts} starts"
    head += (
        f": the given one, whose minimum was in doubt, and {minima.starts - 1} more"
        if given
        else ", chosen from the data"
    )
    if not minima.others:
        return f"{head}."
    count = len(minima.others)
    where = "another minimum, whose" if count == 1 else f"{count} other minima; the next one's"
    ratio = 2 * minima.others[0] / squares if squares > 0 else np.inf
    larger = f"{ratio:.3g} times as large" if ratio < 1e6 else "larger by far"
    if ratio < 1.1:
        larger = f"{100 * (ratio - 1):.2g}% larger"
    return f"{head}; {minima.elsewhere} of them ended at {where} residual sum of squares is {larger}."
