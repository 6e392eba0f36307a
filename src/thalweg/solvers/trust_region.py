"""One Jacobian of a curve, decomposed: the steps that can be taken from it.

    R D^-1 = U S V',    d(lambda) = -D^-1 V S (S^2 + lambda)^-1 U'q

`thalweg.solvers.levenberg_marquardt` has the whole and the references.
"""

from __future__ import annotations

from functools import cached_property
from math import sqrt
from typing import final

import numpy as np
from scipy.linalg.lapack import dgesdd

from thalweg.curves.problem import CurveProblem, Linearization

CROSSINGS = 3  # solves of one step about bounds
UNFELT = 1e-13  # singular values of the scaled Jacobian below this, of the largest, are zero
ROUNDING = 4 * 2.0**-52  # of the largest effect of a parameter: a smaller effect is rounding

Array = np.ndarray


@final
class Steps:
    """Points 2 and 3 at one Jacobian."""

    def __init__(
        self,
        objective: CurveProblem,
        linear: Linearization,
        scale: Array,
        at: Array,
        held: Array | None = None,
        shift: Array | None = None,
    ) -> None:
        self.linear, self.at = linear, at
        self.scale = scale if scale.all() else np.where(scale > 0, scale, 1.0)
        self.free = np.ones(len(at), dtype=bool)
        if objective.bounded:
            self.free = self._free(objective)
        if held is not None:
            self.free = self.free & ~held
        self._decompose(linear.right if shift is None else linear.right + linear.triangle @ shift)

    def _free(self, objective: CurveProblem) -> Array:
        """Parameters that are not on a bound which the gradient pushes them over."""
        gradient = self.linear.gradient
        low = (self.at <= objective.lower) & (gradient > 0)
        high = (self.at >= objective.upper) & (gradient < 0)
        return ~(low | high | (objective.lower == objective.upper))

    def _decompose(self, right: Array) -> None:
        scaled = self.linear.triangle / self.scale
        if not self.free.all():
            scaled = scaled * self.free
        u, s, vt, info = dgesdd(scaled)
        if info:
            u, s, vt = np.linalg.svd(scaled)
        self.s, self.vt = s, vt
        self.q = u.T @ right
        self.felt = s > UNFELT * s[0] if s[0] > 0 else np.zeros(len(s), dtype=bool)

    def relative(self, move: Array) -> float:
        """|D d| / |D theta|."""
        return length_of(self.scale * move) / (length_of(self.scale * self.at) or 1.0)

    def _step(self, damping: float) -> Array:
        """d(lambda)."""
        s = self.s
        if damping == 0.0:
            c = np.divide(self.q, s, out=np.zeros_like(s), where=self.felt)
        else:
            c = s * self.q / (s * s + damping)
        return -(self.vt.T @ c) / self.scale

    @cached_property
    def undamped(self) -> Array:
        """d(0)."""
        return self._step(0.0)

    def within(self, radius: float) -> tuple[Array, bool]:
        """The step of length `radius` or less, and whether the radius bounds it."""
        move = self.undamped
        if length_of(self.scale * move) <= 1.1 * radius:
            return move, False
        return self._step(self._damping(radius)), True

    def inside(self, objective: CurveProblem, radius: float) -> tuple[Array, bool]:
        """The same within bounds: what would cross one stops there, and the others' step is taken about that."""
        move, bound = self.within(radius)
        held = np.zeros(len(move), dtype=bool)
        for _ in range(CROSSINGS):
            new = moved_inside(objective, self.at, self.at + move)
            crossed = (new != self.at + move) & ~held
            if not crossed.any():
                break
            held = held | crossed
            shift = np.where(held, new - self.at, 0.0)
            others, bound = Steps(objective, self.linear, self.scale, self.at, held, shift).within(radius)
            move = np.where(held, shift, others)
        return move, bound

    def _damping(self, radius: float) -> float:
        """lambda with |D d(lambda)| = radius, by Newton's method on its reciprocal [1, equation 5.5]."""
        s, c = self.s, (self.s * self.q)
        damping = length_of(c) / radius * 1e-3
        low, high = 0.0, length_of(c) / radius
        for _ in range(30):
            below = s * s + damping
            length = length_of(c / below)
            if abs(length - radius) <= 0.1 * radius:
                break
            low, high = (damping, high) if length > radius else (low, damping)
            slope = -float(np.sum(c * c / below**3)) / length if length > 0 else 0.0
            if slope == 0.0:  # beneath all numbers: the step is as short as it gets
                break
            damping -= (length - radius) / slope * (length / radius)
            if not low < damping < high:
                damping = max(1e-3 * high, float(np.sqrt(low * high)))
        return damping

    def decrease(self, move: Array) -> float:
        """What (2) promises of a step: J - (J + g'd + |R d|^2 / 2)."""
        moved = self.linear.triangle @ move
        return -float(self.linear.right @ moved + 0.5 * (moved @ moved))

    def inverse_times(self, gradient: Array) -> Array:
        """H0 g = D (F'WF)^-1 D D^-1 g in scaled coordinates: g is given as D^-1 g, and D times the step comes back."""
        right = self.vt @ (gradient * self.free)
        return self.vt.T @ np.divide(right, self.s * self.s, out=np.zeros_like(right), where=self.felt)

    def inverse(self) -> tuple[Array, Array]:
        """(F'WF)^-1 with zeros for what is not free or not felt, and the directions (k, p) that are not felt."""
        weights = np.divide(1.0, self.s, out=np.zeros_like(self.s), where=self.felt)
        half = (self.vt.T * weights) / self.scale[:, None]
        unfelt = self.vt[~self.felt] * self.free
        unfelt = unfelt[np.abs(unfelt).max(axis=1) > 0.5 / np.sqrt(len(self.at))] if len(unfelt) else unfelt
        return half @ half.T, unfelt


def moved_inside(objective: CurveProblem, at: Array, new: Array) -> Array:
    """A point moved into the bounds."""
    return np.clip(new, objective.lower, objective.upper) if objective.bounded else new


def below_rounding(norms: Array, at: Array) -> Array:
    """Parameters of which a change by their own size (or by 1, if that is more) changes the curve by its rounding."""
    sizes = np.abs(at)
    return norms * np.maximum(sizes, 1.0) <= ROUNDING * float((norms * sizes).max(initial=0.0))


def length_of(x: Array) -> float:
    """|x|."""
    return sqrt(float(x @ x))
