"""The last digits of many small least-squares fits at once, and the triangles that their standard errors come from.

For group k at theta, with F the Jacobian (n, p), r = f - y and w the weights,

    1. Q R = W^(1/2) [F | r], of which R (p, p), q = (Q'W^(1/2) r) and J = |W^(1/2) r|^2 / 2 are kept    (batched)
    2. D_j = |R e_j|,  d = -D^-1 (R D^-1)^-1 q         over the parameters that are not held by a bound
    3. theta + d, while |D d| / |D theta| still shrinks; the theta from which the shortest step led on is kept

This is step 6 of `thalweg.solvers.levenberg_marquardt` for many groups, in float64: orthogonal factors in place of the
cross products of `thalweg.curves.batch`, so that no digit is lost to their squared condition number.
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
PATIENCE = 3  # steps in a row that are no shorter than the shortest so far
SHORTEST = 1e-15  # relative to theta: nothing is left to gain
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
        gradient = self.gradient
        return ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0)) | (lower == upper)

    def scaled(self, held: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """R D^-1 without the columns of what is held, D, and which groups have a triangle of full rank without doubt."""
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
    whole = np.linalg.qr(stacked, mode="r")
    value = 0.5 * np.einsum("ki,ki->k", whole[:, :, p], whole[:, :, p])
    return Triangles(np.where(finite, value, np.inf), whole[:, :p, :p], whole[:, :p, p])


def undamped(at: Triangles, held: ndarray) -> tuple[ndarray, ndarray]:
    """Point 2: the step d and the column norms D, (K, p) each."""
    scaled, scale, regular = at.scaled(held)
    move = np.zeros_like(at.right)
    if regular.any():
        move[regular] = -np.linalg.solve(scaled[regular], at.right[regular][:, :, None])[:, :, 0]
    if not regular.all():
        inverse = np.linalg.pinv(np.nan_to_num(scaled[~regular]), rcond=UNFELT)
        move[~regular] = -np.einsum("kij,kj->ki", inverse, at.right[~regular])
    return move / scale, scale


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
    rows = over(index)
    for _ in range(POLISHES):
        size, moved = _step(triangles(*rows, at), at, lower, upper)
        shorter = size < shortest[index]
        best[index[shorter]], shortest[index[shorter]] = at[shorter], size[shorter]
        idle = np.where(shorter, 0, idle + 1)
        going = np.isfinite(size) & (size > SHORTEST) & (idle < PATIENCE)
        if not going.any():
            break
        if going.all():
            at = moved
        else:
            index, at, idle = index[going], moved[going], idle[going]
            rows = over(index)
    return best, shortest


def _step(at: Triangles, theta: ndarray, lower: ndarray, upper: ndarray) -> tuple[ndarray, ndarray]:
    """Length of the step that is left, and where it leads."""
    move, scale = undamped(at, at.held(theta, lower, upper))
    around, length = np.linalg.norm(scale * theta, axis=1), np.linalg.norm(scale * move, axis=1)
    size = np.where(around > 0, length / np.where(around > 0, around, 1.0), length)
    return np.where(np.isfinite(at.value), size, np.inf), np.clip(theta + move, lower, upper)
