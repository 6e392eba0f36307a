"""Levenberg-Marquardt for many problems at once: K candidates of one curve over the same rows, or each over its own.

For candidate k at theta, with F the Jacobian (n, p), W the weights, r = f - y, D the largest column norms so far:

    1. G = F'WF,  g = F'Wr,  J = r'Wr / 2                                  (one batched product)
    2. (D^-1 G D^-1 + mu I) z = -D^-1 g,  d = D^-1 z,                        (one batched solve)  [1, section 6]
       without the parameters that stand on a bound and would leave it; those that d takes over a bound go as far as
       the bound, and the others are solved for anew
    3. theta + d, accepted where J falls: rho = (J(theta) - J(theta + d)) / (promised decrease)
    4. accepted: mu *= max(1/3, 1 - (2 rho - 1)^3), eta = 2; else: mu *= eta, eta *= 2                [2, equation 2.4]
    5. a candidate leaves the batch when |D d| <= tol |D theta|, or when no step is left that lowers J

Cross products square the condition number, and float64 leaves them half the digits: this is a way to a minimum, and
not to its last digits, which `thalweg.solvers.levenberg_marquardt` takes from there. Least squares only; a curve with
another loss, or one that does not take candidates in batches, is fitted one by one.

References
----------
.. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis, Lecture Notes in
   Mathematics 630 (1978), doi:10.1007/BFb0067700.
.. [2] K. Madsen, H. B. Nielsen, O. Tingleff, "Methods for non-linear least squares problems", 2nd edition, Technical
   University of Denmark (2004); the damping is of H. B. Nielsen, "Damping parameter in Marquardt's method",
   IMM-REP-1999-05 (1999).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from thalweg.curves.curve import Evaluator

FIRST_DAMPING = 1e-3  # of columns of length 1
LEAST_DAMPING = 1e-15
MOST_DAMPING = 1e14  # above, no step that can be told from none lowers J
ROUNDING = 1e-14  # of J: a promised decrease below this cannot be seen
LEFT = 1e-4  # of theta: what may be left to go without damping where a candidate has converged
UNFELT = 1e-13  # of the largest eigenvalue of the scaled cross products
CROSSINGS = 3  # solves of point 2 about bounds
ENTRIES = 2**23  # of the Jacobians of the candidates that are looked at together

Over = Callable[["Int[ndarray, 'k']"], Evaluator]
"""The curve over the rows of these candidates; where they share the rows, always the same evaluator."""


@final
@dataclass(frozen=True)
class Batch:
    """Where each candidate ended.

    Attributes
    ----------
    theta : ndarray, (K, p)
    value : ndarray, (K,)
        J, half the weighted sum of squares; inf where the curve was not finite at the start.
    converged : ndarray, (K,)
        Where no step was left; not where steps were short along a flat valley, nor at the limit of steps.
    steps : ndarray, (K,)
        Jacobians after the first.
    """

    theta: Float[ndarray, "K p"]
    value: Float[ndarray, "K"]
    converged: Bool[ndarray, "K"]
    steps: Int[ndarray, "K"]


def solve_batch(
    over: Over,
    y: Float[ndarray, "n"] | Float[ndarray, "K n"],
    weight: Float[ndarray, "n"] | Float[ndarray, "K n"] | None,
    start: Float[ndarray, "K p"],
    lower: Float[ndarray, "p"],
    upper: Float[ndarray, "p"],
    max_steps: int = 100,
    *,
    tol: float = 1e-8,
) -> Batch:
    """Fit every candidate from its start.

    Parameters
    ----------
    over : callable
        Numbers of candidates, (k,) -> the curve over their rows: columns (n,) that they share, or (k, n). Candidates
        that have ended are left out, so that it is asked again as they become fewer.
    y : ndarray, (n,) or (K, n)
    weight : ndarray, (n,) or (K, n), optional
        Of the squares. Rows of weight 0 (padding, where candidates have different numbers of rows) may hold anything.
    start : ndarray, (K, p)
        Moved into the bounds first.
    lower, upper : ndarray, (p,)
    max_steps : int
    tol : float
        Length of the last step, relative to theta, both in units of D.

    Returns
    -------
    Batch

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.curves.batch import solve_batch
    >>> from thalweg.curves.curve import Expression
    >>> from thalweg.curves.language import read_equation
    >>> x = np.linspace(0, 4, 20)
    >>> curve = Expression.of(read_equation("y = a * exp(-b * x)", ["x", "y"]))
    >>> rows = curve.over({"x": x}, 20)
    >>> free = np.full(2, np.inf)
    >>> starts = np.array([[1.0, 1.0], [5.0, 0.1]])
    >>> batch = solve_batch(lambda kept: rows, 3 * np.exp(-0.5 * x), None, starts, -free, free)
    >>> batch.theta.round(6).tolist(), batch.converged.tolist()
    ([[3.0, 0.5], [3.0, 0.5]], [True, True])
    """
    start = np.clip(np.asarray(start, dtype=np.float64), lower, upper)
    count, p = start.shape
    out = Batch(start.copy(), np.full(count, np.inf), np.zeros(count, bool), np.zeros(count, int))
    rows = _Rows(over, y, weight)
    together = max(1, ENTRIES // max(1, y.shape[-1] * p))
    for first in range(0, count, together):
        index = np.arange(first, min(first + together, count))
        with np.errstate(all="ignore"):
            _solve(rows, index, start[index], lower, upper, max_steps, tol, out)
    return out


def _solve(
    rows: _Rows,
    index: Int[ndarray, "k"],
    start: Float[ndarray, "k p"],
    lower: Float[ndarray, "p"],
    upper: Float[ndarray, "p"],
    max_steps: int,
    tol: float,
    out: Batch,
) -> None:
    """Points 1 to 5 for some candidates; `out` gets what becomes of them."""
    moving = _begun(rows, index, start)
    moving = moving.taken(np.isfinite(moving.value))
    for _ in range(max_steps):
        if not moving.index.size:
            return
        moves = _moves(moving, lower, upper)
        done = moves.done(moving, tol)
        if done.any():
            moving.left(out, done & _arrived(moving, lower, upper))
            moving, moves = moving.taken(~done), moves.taken(~done)
        if moving.index.size:
            _advance(rows, moving, moves)
            moving.left(out, np.zeros(moving.index.size, bool))


# ------------------------------------------------------------------------------------------------- what is computed


@final
class _Rows:
    """Point 1: rows, and what the candidates make of them."""

    def __init__(self, over: Over, y: ndarray, weight: ndarray | None) -> None:
        self.over, self.y, self.weight = over, y, weight
        self.root = None if weight is None else np.sqrt(weight)
        self.empty = None if weight is None or (weight > 0).all() else weight <= 0
        self._index: ndarray | None = None
        self._evaluator: Evaluator | None = None

    def at(self, index: ndarray, theta: ndarray) -> tuple[ndarray, ndarray, ndarray]:
        """J (k,), g (k, p) and G (k, p, p); J is inf where anything is not finite."""
        f, jacobian = self._rows_of(index).jacobian(list(theta.T[:, :, None]))
        residual = f - _of(self.y, index)
        jacobian = np.moveaxis(jacobian, 0, 1)  # (k, p, n)
        if self.root is not None:
            root = _of(self.root, index)
            residual, jacobian = residual * root, jacobian * (root if root.ndim == 1 else root[:, None, :])
            self._cleared(index, residual, jacobian)
        value = 0.5 * np.einsum("kn,kn->k", residual, residual)
        gradient = (jacobian @ residual[:, :, None])[:, :, 0]
        gram = jacobian @ jacobian.transpose(0, 2, 1)
        finite = np.isfinite(value + gradient.sum(axis=1) + np.trace(gram, axis1=1, axis2=2))
        return np.where(finite, value, np.inf), gradient, gram

    def _rows_of(self, index: ndarray) -> Evaluator:
        if self._evaluator is None or self._index is None or not np.array_equal(index, self._index):
            self._evaluator, self._index = self.over(index), index
        return self._evaluator

    def _cleared(self, index: ndarray, residual: ndarray, jacobian: ndarray) -> None:
        """Rows of no weight, whatever is in them."""
        if self.empty is None:
            return
        empty = np.broadcast_to(_of(self.empty, index), residual.shape)
        np.copyto(residual, 0.0, where=empty)
        np.copyto(jacobian, 0.0, where=empty[:, None, :])


def _of(values: ndarray, index: ndarray) -> ndarray:
    """The rows of some candidates; those that all share as they are."""
    return values if values.ndim == 1 else values[index]


@final
@dataclass
class _Moving:
    """The candidates that have not ended; an entry for each."""

    index: ndarray
    theta: ndarray
    value: ndarray
    gradient: ndarray
    gram: ndarray
    scale: ndarray
    damping: ndarray
    growth: ndarray
    steps: ndarray

    def taken(self, kept: ndarray) -> _Moving:
        """Only these."""
        return self if kept.all() else _Moving(*(getattr(self, field.name)[kept] for field in fields(self)))

    def left(self, out: Batch, converged: ndarray) -> None:
        """Write down where they are."""
        out.theta[self.index], out.value[self.index] = self.theta, self.value
        out.steps[self.index], out.converged[self.index] = self.steps, converged


def _begun(rows: _Rows, index: ndarray, theta: ndarray) -> _Moving:
    value, gradient, gram = rows.at(index, theta)
    count = len(index)
    scale = _norms(gram)
    damping, growth = np.full(count, FIRST_DAMPING), np.full(count, 2.0)
    return _Moving(index, theta, value, gradient, gram, scale, damping, growth, np.zeros(count, int))


def _norms(gram: ndarray) -> ndarray:
    """Lengths of the columns of W^(1/2) F, (k, p)."""
    return np.sqrt(np.einsum("kpp->kp", gram))


@final
@dataclass
class _Moves:
    """Point 2: where each candidate would go, what it is promised, and how far it is, relative to theta."""

    trial: ndarray
    promised: ndarray
    size: ndarray

    def taken(self, kept: ndarray) -> _Moves:
        return self if kept.all() else _Moves(self.trial[kept], self.promised[kept], self.size[kept])

    def done(self, moving: _Moving, tol: float) -> ndarray:
        """Point 5."""
        nothing = (self.promised <= ROUNDING * moving.value) & (moving.damping < 1.0)
        return (self.size <= tol) | nothing | (moving.damping > MOST_DAMPING) | ~np.isfinite(self.size)


def _moves(moving: _Moving, lower: ndarray, upper: ndarray) -> _Moves:
    theta, gradient = moving.theta, moving.gradient
    scale = np.where(moving.scale > 0, moving.scale, 1.0)
    free = _free(moving, lower, upper)
    move = np.zeros_like(theta)
    for _ in range(CROSSINGS):
        move = np.where(free, _damped(moving, scale, free, move), move)
        crossed = (theta + move < lower) | (theta + move > upper)
        move = np.clip(theta + move, lower, upper) - theta
        if not crossed.any():
            break
        free &= ~crossed
    trial = np.clip(theta + move, lower, upper)
    promised = -np.einsum("kp,kp->k", move, gradient) - 0.5 * np.einsum("kp,kpq,kq->k", move, moving.gram, move)
    around = np.linalg.norm(scale * theta, axis=1)
    size = np.linalg.norm(scale * move, axis=1) / np.where(around > 0, around, 1.0)
    return _Moves(trial, promised, size)


def _damped(moving: _Moving, scale: ndarray, free: ndarray, move: ndarray) -> ndarray:
    """d of the free parameters where the others make the `move` that is known of them."""
    gradient = moving.gradient + (moving.gram @ np.where(free, 0.0, move)[:, :, None])[:, :, 0]
    scaled = moving.gram / (scale[:, :, None] * scale[:, None, :]) * (free[:, :, None] & free[:, None, :])
    scaled += moving.damping[:, None, None] * np.eye(scale.shape[1])
    return np.linalg.solve(scaled, (-gradient / scale * free)[:, :, None])[:, :, 0] / scale


def _arrived(moving: _Moving, lower: ndarray, upper: ndarray) -> ndarray:
    """Whether next to nothing is left to go without damping: a short damped step may be one along a flat valley."""
    scale = np.where(moving.scale > 0, moving.scale, 1.0)
    free = _free(moving, lower, upper)
    scaled = moving.gram / (scale[:, :, None] * scale[:, None, :]) * (free[:, :, None] & free[:, None, :])
    inverse = np.linalg.pinv(scaled, rcond=UNFELT, hermitian=True)
    left = np.linalg.norm((inverse @ (moving.gradient / scale * free)[:, :, None])[:, :, 0], axis=1)
    return left <= LEFT * np.maximum(np.linalg.norm(scale * moving.theta, axis=1), np.finfo(float).tiny)


def _free(moving: _Moving, lower: ndarray, upper: ndarray) -> ndarray:
    """Parameters that do not stand on a bound which the gradient pushes them over."""
    low = (moving.theta <= lower) & (moving.gradient > 0)
    return ~(low | ((moving.theta >= upper) & (moving.gradient < 0)))


def _advance(rows: _Rows, moving: _Moving, moves: _Moves) -> None:
    """Points 3 and 4, in place."""
    value, gradient, gram = rows.at(moving.index, moves.trial)
    rho = np.where(np.isfinite(value), (moving.value - value) / moves.promised, -1.0)
    accepted = (rho > 1e-4) & (value <= moving.value)
    moving.theta[accepted], moving.value[accepted] = moves.trial[accepted], value[accepted]
    moving.gradient[accepted], moving.gram[accepted] = gradient[accepted], gram[accepted]
    moving.scale[accepted] = np.maximum(moving.scale, _norms(gram))[accepted]
    less = np.maximum(1 / 3, 1 - (2 * np.minimum(rho, 2.0) - 1) ** 3)
    moving.damping = np.maximum(moving.damping * np.where(accepted, less, moving.growth), LEAST_DAMPING)
    moving.growth = np.where(accepted, 2.0, 2 * moving.growth)
    moving.steps += 1
