"""The last digits of many small least-squares fits at once, and the triangles that their standard errors come from.

For group k at theta, with F the Jacobian (n, p), r = f - y and w the weights,

    1. Q R = W^(1/2) [F | r], of which R (p, p), q = (Q'W^(1/2) r) and J = |W^(1/2) r|^2 / 2 are kept    (batched)
    2. D_j = |R e_j|,  d = -D^-1 (S'S)^-1 D^-1 g,  S = R D^-1,  g = F'W r, over the parameters that no bound holds
    3. theta + d - gamma (s + d - d_before), while |D d| / |D theta| still shrinks; the theta from which the shortest
       step led on is kept

with s the last move and gamma the multiple of d - d_before that is nearest to d in units of D. R is that of the first
point, since its digits decide how fast the steps shrink, and not where they end, which is where g = 0. Without gamma
they shrink by the same share each time (by what the neglected second derivatives make of it); a curve with one
nonlinear parameter has one such share, and the secant through two steps finds its end [1].

This is step 6 of `thalweg.solvers.levenberg_marquardt` for many groups, in float64: orthogonal factors in place of the
cross products of `thalweg.curves.batch`, so that no digit is lost to their squared condition number.

References
----------
.. [1] D. G. Anderson, "Iterative procedures for nonlinear integral equations", Journal of the ACM 12 (1965),
   doi:10.1145/321296.321305, with one step of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from thalweg.curves.curve import Evaluator
from thalweg.curves.undetermined import UNFELT

POLISHES = 40
PATIENCE = 2  # steps in a row that are no shorter than the shortest so far
FAR = 1e-10  # a step that is no shorter from here is one of an R that has become another
SHORTEST = 2e-15  # relative to theta: nothing is left to gain
MOST_GAMMA = 20.0  # a share of 0.95
REGULAR = 1e-6  # least diagonal entry of a triangle with columns of length 1: its inverse is good to ten digits


@final
@dataclass(frozen=True)
class Triangles:
    """Point 1 for some groups.

    Attributes
    ----------
    value : ndarray, (K,)
        J; not finite where the curve is not.
    triangle : ndarray, (K, p, p)
    right : ndarray, (K, p)
    """

    value: Float[ndarray, "K"]
    triangle: Float[ndarray, "K p p"]
    right: Float[ndarray, "K p"]

    @property
    def gradient(self) -> Float[ndarray, "K p"]:
        """R'q."""
        return np.einsum("kij,ki->kj", self.triangle, self.right)

    @property
    def norms(self) -> Float[ndarray, "K p"]:
        """D."""
        return np.sqrt(np.einsum("kij,kij->kj", self.triangle, self.triangle))

    def held(self, theta: ndarray, lower: ndarray, upper: ndarray) -> Bool[ndarray, "K p"]:
        """Parameters on a bound that the gradient pushes them over."""
        return _held(self.gradient, theta, lower, upper)

    def scaled(self, held: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """R D^-1 without the columns of what is held, D, and whose rank is full without doubt."""
        norms = self.norms
        scale = np.where(norms > 0, norms, 1.0)
        scaled = np.where(held[:, None, :], 0.0, self.triangle / scale[:, None, :])
        diagonal = np.abs(np.einsum("kii->ki", scaled))
        finite = np.isfinite(scaled).all(axis=(1, 2))
        return scaled, scale, finite & (diagonal > REGULAR).all(axis=1)


def triangles(
    rows: Evaluator, y: Float[ndarray, "K n"], root: Float[ndarray, "K n"] | None, theta: Float[ndarray, "K p"]
) -> Triangles:
    """Point 1.

    Parameters
    ----------
    rows : Evaluator
        Of the curve over (K, n) rows.
    y : ndarray, (K, n)
    root : ndarray, (K, n), optional
        Square roots of the weights; rows where it is 0 may hold anything.
    theta : ndarray, (K, p)
    """
    count, p = theta.shape
    f, jacobian = rows.jacobian(list(theta.T[:, :, None]))
    stacked = np.zeros((count, max(y.shape[1], p + 1), p + 1))
    stacked[:, : y.shape[1], :p] = np.moveaxis(jacobian, 0, -1)
    np.subtract(f, y, out=stacked[:, : y.shape[1], p])
    if root is not None:
        stacked[:, : y.shape[1]] *= root[:, :, None]
        if not root.all():
            stacked[:, : y.shape[1]][root == 0] = 0.0
    finite = np.isfinite(stacked.sum(axis=(1, 2)))
    stacked[~finite] = 0.0
    whole = np.asarray(np.linalg.qr(stacked, mode="r"))
    value = 0.5 * np.einsum("ki,ki->k", whole[:, :, p], whole[:, :, p])
    return Triangles(np.where(finite, value, np.inf), whole[:, :p, :p], whole[:, :p, p])


@final
@dataclass(frozen=True)
class _Chord:
    """Point 2: H with H H' = (R'R)^-1 over what is not held, and D."""

    half: Float[ndarray, "K p p"]
    scale: Float[ndarray, "K p"]
    held: Bool[ndarray, "K p"]

    @classmethod
    def of(cls, at: Triangles, held: ndarray) -> _Chord:
        scaled, scale, regular = at.scaled(held)
        half = np.zeros_like(scaled)
        if regular.any():
            half[regular] = np.linalg.inv(scaled[regular])
        if not regular.all():
            half[~regular] = np.linalg.pinv(np.nan_to_num(scaled[~regular]), rcond=UNFELT)
        return cls(half / scale[:, :, None], scale, held)

    def taken(self, kept: ndarray) -> _Chord:
        """For some of the groups."""
        return _Chord(self.half[kept], self.scale[kept], self.held[kept])

    def move(self, gradient: ndarray) -> ndarray:
        """d."""
        right = self.half.transpose(0, 2, 1) @ np.where(self.held, 0.0, gradient)[:, :, None]
        return -(self.half @ right)[:, :, 0]


def _gradient(rows: Evaluator, y: ndarray, root: ndarray | None, theta: ndarray) -> ndarray:
    """g = F'W r, (k, p); not finite where the curve is not."""
    f, jacobian = rows.jacobian(list(theta.T[:, :, None]))
    residual = f - y
    if root is not None:
        residual *= root * root
        if not root.all():
            residual[root == 0] = 0.0
            jacobian = np.where(root == 0, 0.0, jacobian)
    return np.stack([np.einsum("kn,kn->k", column, residual) for column in jacobian], axis=1)


def _held(gradient: ndarray, theta: ndarray, lower: ndarray, upper: ndarray) -> Bool[ndarray, "K p"]:
    """Parameters on a bound that the gradient pushes them over."""
    return ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0)) | (lower == upper)


def polish(
    over: Callable[[ndarray], tuple[Evaluator, ndarray, ndarray | None]],
    theta: Float[ndarray, "K p"],
    lower: Float[ndarray, "p"],
    upper: Float[ndarray, "p"],
) -> tuple[Float[ndarray, "K p"], Float[ndarray, "K"]]:
    """Point 3.

    Parameters
    ----------
    over : callable
        Numbers of groups, (k,) -> the curve over their rows, y and square roots of the weights.
    theta : ndarray, (K, p)
    lower, upper : ndarray, (p,)

    Returns
    -------
    theta : ndarray, (K, p)
    size : ndarray, (K,)
        Length of the step that is left there, relative to theta, in units of D; inf where the curve is not finite.
    """
    best, shortest = theta.copy(), np.full(len(theta), np.inf)
    index, at, idle = np.arange(len(theta)), theta.copy(), np.zeros(len(theta), int)
    rows, last, chord = over(index), (np.zeros_like(theta), np.zeros_like(theta)), None
    for _ in range(POLISHES):
        gradient = _gradient(*rows, at)
        held = _held(gradient, at, lower, upper)
        if chord is None or (held != chord.held).any() or (idle[shortest[index] > FAR] > 0).any():
            chord = _Chord.of(triangles(*rows, at), held)
        move = chord.move(gradient)
        size = _size(move, at, chord.scale)
        shorter = size < shortest[index]
        best[index[shorter]], shortest[index[shorter]] = at[shorter], size[shorter]
        idle = np.where(shorter, 0, idle + 1)
        going = np.isfinite(size) & (size > SHORTEST) & (idle < PATIENCE)
        if not going.any():
            break
        moved = np.clip(at + _accelerated(move, *last, chord.scale), lower, upper)
        last = moved - at, move
        at = moved
        if not going.all():
            index, at, idle, last = index[going], at[going], idle[going], (last[0][going], last[1][going])
            rows, chord = over(index), chord.taken(going)
    return best, shortest


def _size(move: ndarray, theta: ndarray, scale: ndarray) -> Float[ndarray, "K"]:
    """Length of a step, relative to theta; inf where there is none."""
    around, length = np.linalg.norm(scale * theta, axis=1), np.linalg.norm(scale * move, axis=1)
    size = np.where(around > 0, length / np.where(around > 0, around, 1.0), length)
    return np.where(np.isfinite(size), size, np.inf)


def _accelerated(move: ndarray, last: ndarray, before: ndarray, scale: ndarray) -> ndarray:
    """d - gamma (s + d - d_before); d itself at the first step, and where a step brings nothing to go by."""
    change = move - before
    weight = scale * scale
    denominator = (weight * change * change).sum(axis=1)
    gamma = (weight * move * change).sum(axis=1) / np.where(denominator > 0, denominator, np.inf)
    known = (last != 0).any(axis=1) & (np.abs(gamma) <= MOST_GAMMA)
    return move - np.where(known, gamma, 0.0)[:, None] * (last + change)
