"""The minima of one curve in many groups of rows at once: points 2 to 4 of `thalweg.curves.by_group`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from thalweg.curves.batch import solve_batch
from thalweg.curves.chunks import Chunk, Table, alike, chunk
from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.gauss_newton import polish

BETTER = 1e-6  # of J: another group's solution that leaves so much less is a better start
CONVERGED = 1e-7  # length of the step that is left, relative to theta
NEAR, CLOSE = 1e-5, 1e-11  # where damped steps hand over to undamped ones; where those would lead astray
MOST_STEPS = 500


@final
@dataclass(frozen=True)
class Minima:
    """Where the groups ended.

    Attributes
    ----------
    theta : ndarray, (G, p)
        Free parameters.
    value : ndarray, (G,)
        J; inf where there is none.
    size : ndarray, (G,)
        The step that is left, relative to theta.
    """

    theta: Float[ndarray, "G p"]
    value: Float[ndarray, "G"]
    size: Float[ndarray, "G"]

    @property
    def converged(self) -> ndarray:
        """Which are minima."""
        return np.isfinite(self.value) & (self.size <= CONVERGED)

    def improved(self, groups: Int[ndarray, "k"], other: Minima) -> int:
        """Take over what is better, a minimum in the place of none, or a lower one, and count it."""
        mine, theirs = self.converged[groups], other.converged
        better = (theirs & ~mine) | ((theirs == mine) & (other.value < self.value[groups] * (1 - BETTER)))
        at = groups[better]
        self.theta[at], self.value[at], self.size[at] = other.theta[better], other.value[better], other.size[better]
        return int(better.sum())


@final
@dataclass(frozen=True)
class Engine:
    """One curve, the rows of all groups, and bounds.

    Attributes
    ----------
    curve : Curve
        Of the free parameters.
    table : Table
    lower, upper : ndarray, (p,)
    linear : tuple of int
        Parameters that starts need not have: they are solved for.
    """

    curve: Curve
    table: Table
    lower: Float[ndarray, "p"]
    upper: Float[ndarray, "p"]
    linear: tuple[int, ...]

    def solved(self, groups: Int[ndarray, "k"], start: Float[ndarray, "k p"]) -> Minima:
        """Point 3: each of these groups from its own start."""
        place = np.empty(len(self.table.sizes), int)
        place[groups] = np.arange(len(groups))

        def work(some: ndarray) -> tuple[ndarray, tuple[ndarray, ndarray, ndarray]]:
            with np.errstate(all="ignore"):
                return place[some], self._chunk(chunk(self.table, some), start[place[some]])

        found = Minima(start.copy(), np.full(len(groups), np.inf), np.full(len(groups), np.inf))
        for at, ended in map(work, alike(self.table, groups)):
            found.theta[at], found.value[at], found.size[at] = ended
        return found

    def _chunk(self, chunk: Chunk, start: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        damped = self._damped(chunk, np.arange(len(start)), start, NEAR)
        theta, size = polish(chunk.over(self.curve), damped, self.lower, self.upper)
        far = np.flatnonzero(~(size <= CONVERGED))
        if len(far):  # undamped steps led astray: damped ones as far as they come
            theta[far] = self._damped(chunk, far, damped[far], CLOSE)
            over = chunk.over(self.curve)
            theta[far], size[far] = polish(lambda index: over(far[index]), theta[far], self.lower, self.upper)
        return theta, self._values(chunk, theta), size

    def _damped(self, chunk: Chunk, index: ndarray, start: ndarray, tol: float) -> ndarray:
        weight = None if chunk.weight is None else chunk.weight[index]

        def over(some: ndarray) -> Evaluator:
            return chunk.rows(self.curve, index[some])

        return solve_batch(over, chunk.y[index], weight, start, self.lower, self.upper, MOST_STEPS, tol=tol).theta

    def _values(self, chunk: Chunk, theta: ndarray) -> ndarray:
        residual = chunk.rows(self.curve, np.arange(len(theta))).values(list(theta.T[:, :, None])) - chunk.y
        squares = residual * residual if chunk.weight is None else residual * residual * chunk.weight
        if chunk.weight is not None:
            squares[chunk.weight == 0] = 0.0
        value = 0.5 * squares.sum(axis=1)
        return np.where(np.isfinite(value), value, np.inf)

    def screened(self, groups: Int[ndarray, "k"], candidates: Float[ndarray, "C p"]) -> tuple[ndarray, ndarray]:
        """Points 2 and 4: the candidate that leaves least in each of these groups, (k, p), and J there, (k,)."""
        place = np.empty(len(self.table.sizes), int)
        place[groups] = np.arange(len(groups))

        def work(some: ndarray) -> tuple[ndarray, tuple[ndarray, ndarray]]:
            with np.errstate(all="ignore"):
                return place[some], self._least(chunk(self.table, some), candidates)

        best, value = np.empty((len(groups), candidates.shape[1])), np.empty(len(groups))
        for at, found in map(work, alike(self.table, groups)):
            best[at], value[at] = found
        return best, value

    def _least(self, chunk: Chunk, candidates: ndarray) -> tuple[ndarray, ndarray]:
        best, value = np.tile(candidates[0], (len(chunk.groups), 1)), np.full(len(chunk.groups), np.inf)
        for candidate in candidates:
            theta = self._projected(chunk, np.tile(candidate, (len(chunk.groups), 1)))
            left = self._values(chunk, theta)
            better = left < value
            best[better], value[better] = theta[better], left[better]
        return best, value

    def _projected(self, chunk: Chunk, theta: ndarray) -> ndarray:
        """The same with the linear parameters solved for, group by group, and moved into their bounds."""
        if not self.linear:
            return np.clip(theta, self.lower, self.upper)
        linear = list(self.linear)
        theta[:, linear] = 0.0
        rows, y, root = chunk.over(self.curve)(np.arange(len(theta)))
        f, jacobian = rows.jacobian(list(theta.T[:, :, None]))
        scale = 1.0 if root is None else root
        columns = np.nan_to_num(jacobian[linear] * scale, posinf=0.0, neginf=0.0)
        gram = np.einsum("ikn,jkn->kij", columns, columns)
        right = np.einsum("ikn,kn->ki", columns, np.nan_to_num((y - f) * scale, posinf=0.0, neginf=0.0))
        theta[:, linear] = np.einsum("kij,kj->ki", np.linalg.pinv(gram, rcond=1e-12, hermitian=True), right)
        return np.clip(theta, self.lower, self.upper)
