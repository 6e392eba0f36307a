"""Small least squares in few operations: the fast path of a fit whose start is a good one.

A curve of three parameters over a thousand rows takes some 8 microseconds to evaluate with its Jacobian; everything
around it has to be as cheap. This is Levenberg-Marquardt on cross products, in one loop without states, observers or
bounds. It answers where it converges without trouble, and otherwise says nothing: `LevenbergMarquardt`, its plain twin,
then starts from the beginning.

    1. one product [F | r]'[F | r] has G = F'F, g = F'r and |r|^2;   D_j = the largest norm of column j of F so far
    2. (D^-1 G D^-1 + lambda) D d = -D^-1 g,   lambda >= 0 such that |D d| <= radius                 [1, section 5]
    3. rho = (|r|^2 - |r(theta + d)|^2) / what the linear curve promises; the radius follows rho      [1, section 4]
    4. near the end, where the fall of |r|^2 is lost in its rounding, an undamped step is taken as long as steps halve
    5. undamped steps shrink by a ratio that hardly changes: it ends where the next one would be below TOL |D theta|

What is not finite at a trial, value or derivative, is a step refused.

References
----------
.. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis, Lecture Notes in
   Mathematics 630 (1978), doi:10.1007/BFb0067700.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import final

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtrs

from thalweg.curves.curve import Evaluator, _Prepared

MOST = 60  # Jacobians
TOL = 1e-11
FIRST = 0.3  # radius at the start, over |D theta|: of 0.1 to 100 the one with the fewest Jacobians over 57 problems
WELL = 1e-5  # smallest squared pivot of the scaled cross products: below, their rounding is felt
SAME = 1e-9  # steps over which F, and |r|^2 but for what the linear curve promises, do not change
NEAR = 1e-4  # relative length of the steps of (4)
LOST = 1e-12  # relative change of |r|^2 that may be rounding
ENOUGH = 1e-4  # rho above which a step is taken
INNER = 6  # trials of lambda
BLOCK = 16_384  # rows: of 4,096 to a million the fastest for a decay of a million rows


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


def quick(
    evaluator: Evaluator, y: np.ndarray, root: np.ndarray | None, start: np.ndarray, most: int = MOST
) -> Quick | None:
    """The least squares of a curve, where they are found without trouble.

    Parameters
    ----------
    evaluator : Evaluator
    y : ndarray, (n,)
    root : ndarray, (n,), optional
        Square roots of the weights.
    start : ndarray, (p,)
    most : int
        Jacobians.

    Returns
    -------
    Quick or None
        None: no finite value at the start, a parameter that the curve does not feel, a small pivot, or `most` Jacobians
        were not enough.

    Examples
    --------
    >>> from thalweg.curves.function import curve_of_function
    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> curve, _ = curve_of_function(lambda x, a, b: a * np.exp(-b * x), ["x"], {"x": x})
    >>> quick(curve.over({"x": x}, 4), 3 * np.exp(-0.5 * x), None, np.ones(2)).theta.round(12)
    array([3. , 0.5])
    """
    with np.errstate(all="ignore"):
        pieces = _pieces(evaluator, y, root, len(start))
        return _descend(pieces, np.array(start, dtype=np.float64), min(most, MOST))


def _descend(pieces: list[Piece], theta: np.ndarray, most: int) -> Quick | None:
    here = _point(pieces, theta, 0.0)
    if here is None:
        return None
    radius, before = FIRST * (here.size or 1.0), 0.0  # before: the last undamped step's length, 0 for none
    for evaluations in range(2, most + 1):
        step = here.step(radius)  # 2
        if step is None:
            return None
        ratio = min(1.0, step.length / before) if before else 1.0
        ends = step.full and step.length * ratio <= TOL * here.size  # 5
        if ends and step.length <= SAME * here.size and step.promised <= SAME * here.value:
            return here.minimum(here.theta + step.move, here.value - step.promised, evaluations - 1)
        there = _point(pieces, here.theta + step.move, here.scale)
        if there is None:
            radius = 0.1 * step.length
            continue
        if ends:
            return there.minimum(there.theta, there.value, evaluations)
        fall = here.value - there.value
        if step.full and step.length <= NEAR * here.size and abs(fall) <= LOST * here.value:  # 4
            if ratio > 0.5 and before:
                return None
            here, before = there, step.length
            continue
        rho = fall / step.promised  # 3
        if rho < 0.25:
            radius = 0.25 * step.length
        elif rho > 0.75 and not step.full:
            radius *= 2
        if rho > ENOUGH:
            here, before = there, step.length if step.full else 0.0
    return None


Piece = tuple[Evaluator, np.ndarray, "np.ndarray | None", np.ndarray]
"""A curve over some rows, y, roots of the weights, and [F | r]', an array that every evaluation overwrites."""


def _pieces(evaluator: Evaluator, y: np.ndarray, root: np.ndarray | None, p: int) -> list[Piece]:
    """The rows, or where they are many blocks of them that stay in the cache of the processor."""
    n = len(y)
    space = np.empty((p + 1) * min(n, BLOCK))
    if n <= BLOCK or not isinstance(evaluator, _Prepared):
        return [(evaluator, y, root, np.empty((p + 1, n)) if n > BLOCK else space.reshape(p + 1, n))]
    made: list[Piece] = []
    for begin in range(0, n, BLOCK):
        rows = slice(begin, min(begin + BLOCK, n))
        count = rows.stop - begin
        columns = {name: column[rows] for name, column in evaluator._columns.items()}
        buffer = space[: (p + 1) * count].reshape(p + 1, count)
        made.append(
            (_Prepared(evaluator.compiled, columns, count), y[rows], None if root is None else root[rows], buffer)
        )
    return made


def _point(pieces: list[Piece], theta: np.ndarray, scale: np.ndarray | float) -> _Point | None:
    """1; None where anything is not finite, or a parameter is not felt."""
    product = _product(pieces[0], theta)
    for piece in pieces[1:]:
        product += _product(piece, theta)
    *squares, total = product.diagonal().tolist()
    if not sum(squares, total) < inf or min(squares) <= 0.0:
        return None
    return _Point(theta, total, np.maximum(np.sqrt(squares), scale), product)


def _product(piece: Piece, theta: np.ndarray) -> np.ndarray:
    """[F | r]'[F | r] of some rows."""
    evaluator, y, root, rows = piece
    if isinstance(evaluator, _Prepared):  # without the array that `jacobian` would fill first
        value, *slopes = evaluator.compiled.both.run(evaluator._both, list(theta))
        for row, slope in zip(rows, slopes, strict=False):
            row[...] = slope
    else:
        value, rows[:-1] = evaluator.jacobian(list(theta))
    np.subtract(value, y, out=rows[-1])
    if root is not None:
        rows *= root
    return rows.dot(rows.T)


@final
class _Step:
    """d, the length of D d, whether lambda is 0, and by how much |r|^2 falls if the curve is linear."""

    __slots__ = ("full", "length", "move", "promised")

    def __init__(self, move: np.ndarray, length: float, full: bool, promised: float) -> None:
        self.move, self.length, self.full, self.promised = move, length, full, promised


@final
class _Point:
    """The cross products at theta, and scaled ones."""

    __slots__ = ("gradient", "gram", "product", "scale", "size", "theta", "value")

    def __init__(self, theta: np.ndarray, value: float, scale: np.ndarray, product: np.ndarray) -> None:
        self.theta, self.value, self.scale, self.product = theta, value, scale, product
        scaled = product[:-1] / scale[:, None]
        self.gram, self.gradient = scaled[:, :-1] / scale, scaled[:, -1]
        size = scale * theta
        self.size = sqrt(size.dot(size))

    def step(self, radius: float) -> _Step | None:
        """2; None where G has no Cholesky factor."""
        damping = 0.0
        for _ in range(INNER):
            factor, failed = dpotrf(self._damped(damping), 0)
            if failed:
                return None
            scaled, _ = dpotrs(factor, self.gradient)
            square = float(scaled.dot(scaled))
            length = sqrt(square)
            if length <= 1.5 * radius:
                break
            turned, _ = dtrtrs(factor, scaled, 0, 1)  # Newton's method on 1 / |D d| - 1 / radius
            damping += square / float(turned.dot(turned)) * (length / radius - 1)
        promised = float(scaled.dot(self.gradient)) + damping * square
        return _Step(-scaled / self.scale, length, damping == 0.0, promised)

    def _damped(self, damping: float) -> np.ndarray:
        if damping == 0.0:
            return self.gram
        damped = self.gram.copy()
        damped.ravel()[:: len(damped) + 1] += damping
        return damped

    def minimum(self, theta: np.ndarray, squares: float, evaluations: int) -> Quick | None:
        """The answer; None where a pivot is small."""
        gram = self.product[:-1, :-1]
        norms = np.sqrt(gram.diagonal())
        factor, failed = dpotrf(gram / norms / norms[:, None])
        if failed or factor.diagonal().min() ** 2 < WELL:
            return None
        upper, _ = dpotri(factor)
        inverse = upper + upper.T
        inverse.flat[:: len(norms) + 1] *= 0.5
        inverse /= norms
        inverse /= norms[:, None]
        return Quick(theta, squares, inverse, evaluations)
