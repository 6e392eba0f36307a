"""Many starts at once: a few hundred candidates looked at, the best of them followed, and the minima where they end.

    1. 16 K candidates (`starts`, `placed`), linear parameters solved for (`projection`), terms exchanged (`swept`)
    2. the K best by Levenberg-Marquardt in a batch (`batch`); those that are far behind are given up on the way, and
       all that are on it when a quarter has ended at the lowest objective
    3. the best three that are not where another is, by Levenberg-Marquardt over all rows, one by one

For a loss other than squares, points 1 and 2 look at squares on the scale of the link, weighted as that loss does at
its start; point 3 decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.batch import Batch, solve_batch
from thalweg.curves.placed import placed
from thalweg.curves.problem import CurveProblem
from thalweg.curves.projection import Projection
from thalweg.curves.sample import Sample
from thalweg.curves.starts import candidates, swept
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

STARTS = 32  # K
SCREENED = 16  # candidates for each of them
PARENTS = 8  # whose terms are exchanged
TRIES = 3  # of each for every term, over K
RACE = ((60, 1.0), (60, 0.5), (100, 0.25))  # steps, and the share of the starts that takes them
POLISHED = 3
AGREED = 0.25  # of the starts
SAME = 1e-6  # of the objective: minima that differ by less are one, until they are polished
EQUAL = 1e-9  # of the objective of polished minima
PLACED = 2  # starts of named curves that are followed whatever they promise


@final
@dataclass
class Minimum:
    """Where a start led.

    Attributes
    ----------
    theta : ndarray, (p,)
    value : float
        The objective over all rows.
    start : ndarray, (p,)
    """

    theta: Float[ndarray, "p"]
    value: float
    start: Float[ndarray, "p"]


@final
@dataclass
class Minima:
    """What is known of the minima; it grows, so that an interrupt loses nothing.

    Attributes
    ----------
    best : Minimum or None
    others : list of float
        The objective at the other minima that were seen, least first.
    elsewhere : int
        How many starts ended in them.
    starts : int
    """

    best: Minimum | None = None
    others: list[float] = field(default_factory=list)
    elsewhere: int = 0
    starts: int = 0

    def add(self, theta: Float[ndarray, "p"], value: float, start: Float[ndarray, "p"]) -> None:
        """Keep it where it is the best."""
        if np.isfinite(value) and (self.best is None or value < self.best.value):
            self.best = Minimum(theta, value, start)


def many_starts(
    problem: CurveProblem,
    sample: Sample,
    start: Mapping[str, float],
    minima: Minima,
    count: int = STARTS,
    seed: int = 0,
) -> None:
    """Points 1 to 3.

    Parameters
    ----------
    problem : CurveProblem
    sample : Sample
    start : mapping of str to float
        What the user gave.
    minima : Minima
        What is known already; what is found is added.
    count : int
        K.
    seed : int
    """
    theta, value = screened(problem, sample, start, count, seed)
    minima.starts += len(theta)
    if not len(theta):
        return
    best = theta[value.argmin()]
    minima.add(best, problem.value(list(best)), best)
    batch = _raced(sample, theta, problem.lower, problem.upper)
    _polish(problem, sample, batch, theta, minima)


def screened(
    problem: CurveProblem, sample: Sample, start: Mapping[str, float], count: int, seed: int
) -> tuple[Float[ndarray, "K p"], Float[ndarray, "K"]]:
    """Point 1: the best candidates and their J on the sample; among them some of named curves, whatever J they have."""
    projection = Projection(sample, problem.lower, problem.upper)
    drawn = candidates(sample, start, problem.lower, problem.upper, SCREENED * count, seed)
    first = _given(problem, sample, drawn, start)
    theta, value = projection(np.concatenate([first, drawn]))
    more, found = swept(projection, theta, value, PARENTS, TRIES * count, seed)
    theta, value = np.concatenate([theta, more]), np.concatenate([value, found])
    order = np.argsort(value, kind="stable")
    kept = np.arange(PLACED if len(first) > 1 else 0)  # one row: the user's, or the only start of a named curve
    best = np.concatenate([kept, np.setdiff1d(order, kept, assume_unique=True)])[:count]
    best = best[np.isfinite(value[best])]
    return theta[best], value[best]


def _given(
    problem: CurveProblem, sample: Sample, drawn: Float[ndarray, "K p"], start: Mapping[str, float]
) -> Float[ndarray, "k p"]:
    """Starts of named curves where the user gave none; and the user's, where it is whole."""
    names = list(problem.names)
    missing = [name for name in names if name not in start]
    if not missing:
        return np.array([[start[name] for name in names]])
    rows = []
    bent = {*missing} - {*problem.curve.linear()}  # the others are solved for
    for i, values in enumerate(placed(sample, problem.curve.equation)):
        for j in range(1 if bent <= values.keys() else SCREENED):
            row = drawn[(i * SCREENED + j) % len(drawn)].copy()
            for name, value in {**values, **start}.items():
                if name in names:
                    row[names.index(name)] = value
            rows.append(row)
    return np.array(rows).reshape(-1, len(names))


def _raced(sample: Sample, start: ndarray, lower: ndarray, upper: ndarray) -> Batch:
    """Point 2."""
    steps = RACE[0][0]
    batch = solve_batch(lambda _: sample.evaluator, sample.y, sample.weight, start, lower, upper, steps)
    for steps, share in RACE[1:]:
        if _agreed(batch):
            return batch
        left = np.flatnonzero(~batch.converged & np.isfinite(batch.value))
        left = left[np.argsort(batch.value[left], kind="stable")[: max(POLISHED, int(len(start) * share))]]
        if left.size:
            more = solve_batch(
                lambda _: sample.evaluator, sample.y, sample.weight, batch.theta[left], lower, upper, steps
            )
            batch.theta[left], batch.value[left] = more.theta, more.value
            batch.converged[left] = more.converged
    return batch


def _agreed(batch: Batch) -> bool:
    """Whether the lowest value is where many starts have ended: then the stragglers are not waited for."""
    ended = batch.value[batch.converged]
    if not ended.size or ended.min() > batch.value.min():
        return False
    return bool((ended <= ended.min() * (1 + SAME)).sum() >= AGREED * len(batch.value))


def _polish(problem: CurveProblem, sample: Sample, batch: Batch, start: ndarray, minima: Minima) -> None:
    """Point 3. What is known of the batch to lie higher is not followed."""
    order = np.argsort(batch.value, kind="stable")
    order = order[np.isfinite(batch.value[order])]
    heads = _heads(batch.value[order])
    floor = rounding(sample, float(batch.value[order[0]]) if order.size else 0.0)
    whole = problem.squares and sample.y.size == problem.rows
    agreed = _agreed(batch)
    for number, i in enumerate(order[heads[: 1 if agreed else POLISHED]]):
        known = whole and batch.converged[i] and minima.best is not None
        if number and known and batch.value[i] > minima.best.value * (1 + SAME) + floor:  # type: ignore[union-attr]
            continue
        solver = LevenbergMarquardt(max_steps=200, polish=False)
        found = solve(solver, problem, torch.from_numpy(batch.theta[i].copy()))
        minima.add(found.theta.numpy().copy(), found.value, start[i])
    if whole:
        _count(batch, minima, floor)


def _heads(value: Float[ndarray, "k"]) -> ndarray:
    """The first of each run of values, which ascend, that are the same."""
    if not value.size:
        return np.zeros(0, dtype=int)
    apart = np.diff(value) > SAME * np.abs(value[1:])
    return np.concatenate([[0], 1 + np.flatnonzero(apart)])


def _count(batch: Batch, minima: Minima, floor: float) -> None:
    """Minima other than the best: places where two starts or more have ended, as one may be still on its way."""
    assert minima.best is not None
    ended = np.sort(batch.value[batch.converged])
    higher = ended[ended > minima.best.value * (1 + SAME) + floor]
    heads = [*_heads(higher), higher.size]
    for first, last in pairwise(heads):
        if last - first > 1:
            minima.elsewhere += int(last - first)
            minima.others.append(float(higher[first]))


def rounding(sample: Sample, value: float) -> float:
    """What of an objective of this value may be rounding: of each residual some units in the last place of y."""
    eps = 8 * np.finfo(float).eps
    return float(eps * np.sqrt(4 * value * sample.total) + eps**2 * sample.total * sample.y.size)
