"""Descent along the eigenvectors of a quadratic, in closed form: one number for each direction and step.

Along an eigenvector with eigenvalue L >= 0, a = lr L, momentum m, the distance z from the optimum and u = lr v obey

    u_{t+1} = a z_t + m u_t,    z_{t+1} = z_t - u_{t+1}                                              (heavy ball)   (1)
                                z_{t+1} = z_t - a z_t - m u_{t+1}                                    (Nesterov)     (2)

from z_0 = 1, u_0 = 0. Both classes here tell, for each step t and direction,

    factor = z_t,    change = z_t - 1,    velocity = u_t.

`change` has its own digits: where little has happened yet, z_t - 1 would lose them all, and it is what moves theta. So
has `factor`: where nearly all has happened, 1 + change would lose those, and it is what is left of the gradient.

Plain descent (m = 0): z_t = (1 - a)^t. For a < 1/2 as exp(t log1p(-a)) and expm1(t log1p(-a)): 1 - a itself would be
wrong by half a unit in its last place, which t steps multiply by t. Otherwise 1 - a is exact (up to a = 2, by
Sterbenz), and the power keeps the sign by the parity of t. Many evenly spaced steps are the sums of two short lists:
z_{s+t} = z_s z_t.

Momentum: (z, u)_t = M^t (1, 0) with the companion

    M = [[1 - a, -m], [a, m]]  (1)        M = [[1 - a (1 + m), -m^2], [a, m]]  (2)                                  (3)

powered by squaring: M, M^2, M^4, ... once, then the product of those that the binary digits of t ask for. Nothing is
divided by the difference of two eigenvalues, so that critical damping, where they meet, is no special case. A run of
equally spaced steps is doubled instead: the first k rows give the next k with one product by M^(k spacing).
The entry 1 - a of M is carried as its distance from 1 besides, e_{j+k} = e_j + e_k + e_j e_k + M^j_01 M^k_10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Float, Int

Rows = Float[np.ndarray, "k p"]
LONG = 64  # evenly spaced steps from which on two short lists of exponentials are multiplied out
NEAR = 0.5  # up to this distance from 1 a factor is known by its distance


def even(steps: Int[np.ndarray, "k"]) -> int:
    """The spacing of steps that rise evenly; 0 of any others, and of fewer than three."""
    if len(steps) < 3 or steps[1] <= steps[0] or not ((spaces := steps[1:] - steps[:-1]) == spaces[0]).all():
        return 0
    return int(spaces[0])


def _grid(steps: Int[np.ndarray, "k"], spacing: int) -> tuple[Int[np.ndarray, "h"], Int[np.ndarray, "l"]]:
    """Two short lists whose sums, row by row, are the steps (and some more): z_{s+t} = z_s z_t."""
    width = math.isqrt(len(steps)) + 1
    return steps[::width], spacing * np.arange(width)


def _stacked(grid: Float[np.ndarray, "h l p"]) -> Rows:
    """The rows of a grid, one after the other; of no directions too."""
    high, low, directions = grid.shape
    return grid.reshape(high * low, directions)


class Motion(NamedTuple):
    """z_t, z_t - 1 and u_t, (k, p) each, for z_0 = 1."""

    factor: Rows
    change: Rows
    velocity: Rows


@final
class PlainModes:
    """m = 0.

    Parameters
    ----------
    a : ndarray, (p,)
        lr times each eigenvalue, >= 0.
    """

    def __init__(self, a: Float[np.ndarray, "p"]) -> None:
        self.a, self.near = a, a < NEAR
        count = np.count_nonzero(self.near)
        self.all_near, self.none_near = count == len(a), count == 0
        self.log = np.log1p(-a if self.all_near else -np.where(self.near, a, 0.0))
        self.base = np.ones_like(a) if self.all_near else np.where(self.near, 1.0, 1.0 - a)

    @property
    def shrinks(self) -> bool:
        """Whether |z_t| never grows."""
        return bool((self.a <= 2.0).all())

    def factor(self, steps: Int[np.ndarray, "k"]) -> Rows:
        """z_t."""
        if (spacing := even(steps)) and len(steps) >= LONG:
            high, low = (self._factor(part) for part in _grid(steps, spacing))
            return _stacked(high[:, None] * low)[: len(steps)]
        return self._factor(steps)

    def change(self, steps: Int[np.ndarray, "k"]) -> Rows:
        """z_t - 1."""
        if (spacing := even(steps)) and len(steps) >= LONG:
            high, low = (self._change(part) for part in _grid(steps, spacing))
            high = high[:, None]
            return _stacked(high + low + high * low)[: len(steps)]
        return self._change(steps)

    def _factor(self, steps: Int[np.ndarray, "k"]) -> Rows:
        t = steps[:, None].astype(np.float64)
        if self.all_near:
            return np.exp(t * self.log)
        power = np.power(self.base, t)
        return power if self.none_near else np.where(self.near, np.exp(t * self.log), power)

    def _change(self, steps: Int[np.ndarray, "k"]) -> Rows:
        t = steps[:, None].astype(np.float64)
        if self.all_near:
            return np.expm1(t * self.log)
        rest = np.power(self.base, t) - 1.0
        return rest if self.none_near else np.where(self.near, np.expm1(t * self.log), rest)

    def motion(self, steps: Int[np.ndarray, "k"]) -> Motion:
        """All three; u_t = a z_{t-1}."""
        before = self.a * self.factor(np.maximum(steps - 1, 0))
        return Motion(self.factor(steps), self.change(steps), np.where(steps[:, None] > 0, before, 0.0))


@final
@dataclass(frozen=True)
class Companion:
    """A power of M, one 2x2 matrix for each direction, and its first entry's distance from 1."""

    m00: Float[np.ndarray, "p"]
    m01: Float[np.ndarray, "p"]
    m10: Float[np.ndarray, "p"]
    m11: Float[np.ndarray, "p"]
    change: Float[np.ndarray, "p"]

    def times(self, other: Companion) -> Companion:
        """The product of two powers, in whatever order."""
        cross = self.m01 * other.m10
        m00 = self.m00 * other.m00 + cross
        change = self.change + other.change + self.change * other.change + cross
        near = np.abs(change) < NEAR
        return Companion(
            np.where(near, 1.0 + change, m00),
            self.m00 * other.m01 + self.m01 * other.m11,
            self.m10 * other.m00 + self.m11 * other.m10,
            self.m10 * other.m01 + self.m11 * other.m11,
            np.where(near, change, m00 - 1.0),
        )

    def move(self, at: Motion) -> Motion:
        """M (z, u)."""
        factor = self.m00 * at.factor + self.m01 * at.velocity
        change = at.change + self.change * at.factor + self.m01 * at.velocity
        near = np.abs(change) < NEAR
        return Motion(
            np.where(near, 1.0 + change, factor),
            np.where(near, change, factor - 1.0),
            self.m10 * at.factor + self.m11 * at.velocity,
        )


@final
class MomentumModes:
    """m > 0.

    Parameters
    ----------
    a : ndarray, (p,)
        lr times each eigenvalue, >= 0.
    momentum : float
        m.
    nesterov : bool
        (2) instead of (1).
    """

    shrinks = False

    def __init__(self, a: Float[np.ndarray, "p"], momentum: float, nesterov: bool) -> None:
        down, back = (a * (1.0 + momentum), momentum * momentum) if nesterov else (a, momentum)
        one = np.ones_like(a)
        self.powers = [Companion(1.0 - down, -back * one, a, momentum * one, -down)]  # M^(2^j)

    def power(self, exponent: int) -> Companion:
        """M^exponent, exponent >= 1."""
        found: Companion | None = None
        for j in range(exponent.bit_length()):
            if exponent >> j & 1:
                found = self._doubled(j) if found is None else self._doubled(j).times(found)
        assert found is not None
        return found

    def _doubled(self, j: int) -> Companion:
        """M^(2^j)."""
        while len(self.powers) <= j:
            self.powers.append(self.powers[-1].times(self.powers[-1]))
        return self.powers[j]

    def motion(self, steps: Int[np.ndarray, "k"]) -> Motion:
        """All three."""
        if spacing := even(steps):
            return self._evenly(int(steps[0]), spacing, len(steps))
        return self._anywhere(steps)

    def factor(self, steps: Int[np.ndarray, "k"]) -> Rows:
        """z_t."""
        return self.motion(steps).factor

    def change(self, steps: Int[np.ndarray, "k"]) -> Rows:
        """z_t - 1."""
        return self.motion(steps).change

    def _rest(self, rows: int) -> Motion:
        """Step 0."""
        shape = (rows, len(self.powers[0].m00))
        return Motion(np.ones(shape), np.zeros(shape), np.zeros(shape))

    def _anywhere(self, steps: Int[np.ndarray, "k"]) -> Motion:
        """By the binary digits of each step."""
        at = self._rest(len(steps))
        for j in range(int(steps.max(initial=0)).bit_length()):
            rows = np.nonzero(steps >> j & 1)[0]
            if len(rows) == len(steps):
                at = self._doubled(j).move(at)
            elif len(rows):
                moved = self._doubled(j).move(Motion(*(column[rows] for column in at)))
                for column, new in zip(at, moved, strict=True):
                    column[rows] = new
        return at

    def _evenly(self, first: int, spacing: int, count: int) -> Motion:
        """Equally spaced steps, by doubling."""
        at = Motion(*(np.empty((count, len(self.powers[0].m00))) for _ in range(3)))
        for column, new in zip(at, self._anywhere(np.array([first])), strict=True):
            column[:1] = new
        done, power = 1, self.power(spacing)
        while done < count:
            more = min(done, count - done)
            moved = power.move(Motion(*(column[:more] for column in at)))
            for column, new in zip(at, moved, strict=True):
                column[done : done + more] = new
            done += more
            power = power.times(power) if done < count else power
        return at
