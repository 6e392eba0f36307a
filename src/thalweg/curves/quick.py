"""Small least squares in few operations: the fast path of a fit whose start is a good one.

A curve of three parameters over a thousand rows takes some 10 microseconds to evaluate with its Jacobian; everything
around it has to be as cheap. This is Levenberg-Marquardt on cross products, in one loop without states, observers or
bounds. It answers where it converges without trouble, and otherwise says nothing: `LevenbergMarquardt`, its plain twin,
then starts from the beginning.

    1. G = F'F, g = F'r, D^2 = diag G
    2. (D^-1 G D^-1 + lambda) D d = -D^-1 g
    3. accepted where |r|^2 falls: lambda / 100; else 10 lambda
    4. ends where |D d| <= TOL |D theta| with lambda = 0: the last step was a Gauss-Newton one
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import final

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from thalweg.curves.curve import Evaluator

MOST = 40  # Jacobians
TOL = 1e-9
WELL = 1e-5  # smallest pivot of the scaled cross products: below, their rounding is felt
FIRST = 1e-2  # lambda at the start
NONE = 1e-5  # lambda below this is 0


@final
@dataclass(frozen=True)
class Quick:
    """A minimum.

    Attributes
    ----------
    theta : ndarray, (p,)
    squares : float
        |r|^2.
    inverse : ndarray, (p, p)
        (F'F)^-1.
    evaluations : int
    """

    theta: np.ndarray
    squares: float
    inverse: np.ndarray
    evaluations: int


def quick(evaluator: Evaluator, y: np.ndarray, root: np.ndarray | None, start: np.ndarray) -> Quick | None:
    """The least squares of a curve, where they are found without trouble.

    Parameters
    ----------
    evaluator : Evaluator
    y : ndarray, (n,)
    root : ndarray, (n,), optional
        Square roots of the weights.
    start : ndarray, (p,)

    Returns
    -------
    Quick or None
        None: the start is not finite, a pivot is small, or `MOST` Jacobians were not enough.
    """
    theta = np.array(start, dtype=np.float64)
    damping, evaluations = FIRST, 1
    r, jacobian = _weighted(evaluator, y, root, theta)
    value = float(r @ r)
    if not isfinite(value):
        return None
    while evaluations < MOST:
        gram, gradient = jacobian @ jacobian.T, jacobian @ r  # 1
        scale = np.sqrt(gram.diagonal())
        if not scale.all():
            return None
        gradient /= scale
        scaled = gram / scale
        scaled /= scale[:, None]
        while True:
            factor, step = _solved(scaled, gradient, damping)
            if factor is None:
                return None
            trial = theta + step / scale
            small = damping == 0.0 and sqrt(step @ step) <= TOL * sqrt(np.square(scale * theta).sum())
            r_new, jacobian_new = _weighted(evaluator, y, root, trial)
            evaluations += 1
            new = float(r_new @ r_new)
            if small and isfinite(new):
                if factor.diagonal().min() ** 2 < WELL:
                    return None
                inverse, _ = dpotri(factor, lower=0)
                inverse = np.triu(inverse) + np.triu(inverse, 1).T
                return Quick(trial, new, inverse / scale / scale[:, None], evaluations)
            if new < value:
                break
            if evaluations >= MOST or value - new > -1e-13 * value:  # a fall is lost in the rounding
                return None
            damping = max(10 * damping, 1e-3)
        theta, r, jacobian, value = trial, r_new, jacobian_new, new
        damping = damping / 100 if damping > 100 * NONE else 0.0
    return None


def _weighted(
    evaluator: Evaluator, y: np.ndarray, root: np.ndarray | None, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    f, jacobian = evaluator.jacobian(list(theta))
    r = f - y
    return (r, jacobian) if root is None else (r * root, jacobian * root)


def _solved(scaled: np.ndarray, gradient: np.ndarray, damping: float) -> tuple[np.ndarray | None, np.ndarray]:
    """2."""
    damped = scaled
    if damping:
        damped = scaled.copy()
        damped.flat[:: len(scaled) + 1] += damping
    factor, failed = dpotrf(damped, lower=0)
    if failed:
        return None, gradient
    step, _ = dpotrs(factor, gradient, lower=0)
    return factor, -step
