"""What a curve's solver minimizes: J(theta) = sum_i w_i loss(y_i, f(x_i; theta)), and its linearization.

    f(x; theta + d) ~ f + F d,   F the Jacobian (n, p)                                                  (1)
    J(theta + d) ~ J + g'd + d'F'WFd / 2,   g = F' slope,   W = w E[loss'']                              (2)

With R'R = F'WF and q = R^-T g, (2) is |R d + q|^2 / 2 but for a constant: the p numbers of q and the triangle R are all
that a step needs, whatever the number of rows. R comes from a QR decomposition of [W^(1/2) F | W^(-1/2) slope]; over
many rows from the cross products, as long as they are well conditioned, which is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.device import DevicePart
from thalweg.curves.triangle import cholesky, condition, joined, triangle_of
from thalweg.losses.base import Family
from thalweg.threads import side_by_side

SIDE_BY_SIDE = 100_000  # rows above which several threads read them
MANY_ROWS = 20_000  # above, cross products in place of QR
CONDITION = 1e5  # of the scaled triangle: cross products square it
WIDER = bool(np.finfo(np.longdouble).eps < 1e-18)  # whether a long double is more than a double here
EXTENDED_ENTRIES = 2_000_000  # of the Jacobian: up to here the last steps are taken in long double

Vector = np.ndarray
Array = np.ndarray


@final
@dataclass(frozen=True)
class Part:
    """Some rows.

    Attributes
    ----------
    evaluator : Evaluator
        The curve over them.
    y : ndarray, (n,)
    weight : ndarray, (n,), optional
        Weights times trials.
    offset : ndarray, (n,), optional
        Added to the curve.
    """

    evaluator: Evaluator
    y: Vector
    weight: Vector | None = None
    offset: Vector | None = None

    @cached_property
    def root(self) -> Vector | None:
        """Square roots of the weights."""
        return None if self.weight is None else np.sqrt(self.weight)


@final
@dataclass(frozen=True)
class Linearization:
    """Equation (2) at a point.

    Attributes
    ----------
    value : float
        J; inf where the curve is not finite.
    triangle : ndarray, (p, p)
        R.
    right : ndarray, (p,)
        q.
    """

    value: float
    triangle: Array
    right: Vector

    @property
    def gradient(self) -> Vector:
        """g = R'q."""
        return self.triangle.T @ self.right

    @cached_property
    def norms(self) -> Vector:
        """Norms of the columns of W^(1/2) F."""
        return np.sqrt(np.einsum("ij,ij->j", self.triangle, self.triangle))


@final
class CurveProblem:
    """A curve and its rows.

    Parameters
    ----------
    curve : Curve
        Of the free parameters.
    parts : callable
        One reading of the rows.
    loss : Family
    lower, upper : ndarray, (p,), optional
        Bounds; infinite where there is none.
    rows : int
    start : ndarray, (p,), optional
        Where a solver begins that is given no start.
    """

    has = frozenset({"value", "residuals", "jacobian"})

    def __init__(
        self,
        curve: Curve,
        parts: Callable[[], Iterable[Part | DevicePart]],
        loss: Family,
        rows: int,
        *,
        lower: Vector | None = None,
        upper: Vector | None = None,
        start: Vector | None = None,
    ) -> None:
        p = len(curve.parameters)
        self.curve, self.parts, self.loss, self.rows = curve, parts, loss, rows
        self.names = curve.parameters
        self.lower = np.full(p, -np.inf) if lower is None else lower
        self.upper = np.full(p, np.inf) if upper is None else upper
        self.start = np.ones(p) if start is None else start
        self.squares = loss.name == "gaussian" and loss.link.name == "identity"
        self.passes = 0
        self._careful = rows <= MANY_ROWS  # whether R comes from QR

    @cached_property
    def bounded(self) -> bool:
        """Whether any parameter has a bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @cached_property
    def extendable(self) -> bool:
        """Whether the last steps can be taken in long double."""
        first = next(iter(self.parts()))
        small = self.rows * len(self.names) <= EXTENDED_ENTRIES
        return small and self.squares and first.evaluator.extended and WIDER

    # --------------------------------------------------------------------------------------------------- values

    def value(self, theta: Sequence[Any]) -> float:
        """J at theta; inf where the curve is not finite, or outside the loss's domain."""
        self.passes += 1
        total = 0.0
        for part in self.parts():
            total += self._value(part, theta)
            if not np.isfinite(total):
                return np.inf
        return total

    def _value(self, part: Part | DevicePart, theta: Sequence[Any]) -> float:
        if isinstance(part, DevicePart):
            return part.value(self.loss, theta, squares=self.squares)
        f = part.evaluator.values(theta)
        eta = f if part.offset is None else f + part.offset
        if self.squares:
            with np.errstate(all="ignore"):
                r = eta - part.y
                r = r if part.root is None else r * part.root
                value = 0.5 * float(r @ r)
            return value if value == value else np.inf
        losses = self.loss.terms(torch.from_numpy(part.y), torch.tensor(eta), 0)[0].numpy()
        value = float(losses.sum() if part.weight is None else part.weight @ losses)
        return value if np.isfinite(value) else np.inf

    def linearize(self, theta: Sequence[Any]) -> Linearization:
        """J, R and q at theta."""
        self.passes += 1
        p, value, gathered = len(self.names), 0.0, None
        for reduced, more in self._each(lambda part: self._reduced(part, theta)):
            value += more
            if not np.isfinite(value) or not np.isfinite(reduced).all():
                return Linearization(np.inf, np.full((p, p), np.nan), np.full(p, np.nan))
            gathered = reduced if gathered is None else joined(gathered, reduced, careful=self._careful)
        assert gathered is not None
        triangle = gathered if self._careful else cholesky(gathered)
        if not self._careful and (triangle is None or condition(triangle[:p, :p]) > CONDITION):
            self._careful = True
            return self.linearize(theta)
        assert triangle is not None
        return Linearization(value, triangle[:p, :p], triangle[:p, p])

    def _each(self, work: Callable[[Any], tuple[Array, float]]) -> Iterable[tuple[Array, float]]:
        """What `work` makes of each part, on several threads where the rows are many."""
        parts = self.parts()

        def quietly(part: Any) -> tuple[Array, float]:
            with np.errstate(all="ignore"):  # each thread has a state of its own
                return work(part)

        return side_by_side(quietly, parts) if self.rows > SIDE_BY_SIDE else map(work, parts)

    def _reduced(self, part: Part | DevicePart, theta: Sequence[Any]) -> tuple[Array, float]:
        """[F | r] of some rows as a triangle, or as cross products, and J."""
        if isinstance(part, DevicePart):
            sums, value = part.reduced(self.loss, theta, squares=self.squares, careful=self._careful)
            return (sums.T if self._careful else sums), value
        augmented, value = self._augmented(part, theta)
        return (triangle_of(augmented) if self._careful else augmented @ augmented.T), value

    def _augmented(self, part: Part, theta: Sequence[Any]) -> tuple[Array, float]:
        """[W^(1/2) F | W^(-1/2) slope]' as rows (p + 1, n), and J of these rows."""
        f, jacobian = part.evaluator.jacobian(theta)
        out = np.empty((len(jacobian) + 1, len(f)))
        eta = f if part.offset is None else f + part.offset
        with np.errstate(all="ignore"):
            if self.squares:
                np.subtract(eta, part.y, out=out[-1])
                out[:-1] = jacobian
                if part.root is not None:
                    out *= part.root
                return out, 0.5 * float(out[-1] @ out[-1])
            return out, self._working(part, eta, jacobian, out)

    def _working(self, part: Part, eta: Vector, jacobian: Array, out: Array) -> float:
        y, at = torch.from_numpy(part.y), torch.tensor(np.asarray(eta))
        losses, slope, curvature = (t.numpy() for t in self.loss.terms(y, at, 2, expected=True))
        inside = self.loss.inside(at)
        if inside is not None and not bool(inside.all()):
            return np.inf
        root = np.sqrt(curvature)
        out[-1] = np.divide(slope, root, out=np.zeros_like(slope), where=root > 0)
        np.multiply(jacobian, root, out=out[:-1])
        if part.root is not None:
            out *= part.root
        return float(losses.sum() if part.weight is None else part.weight @ losses)

    # ------------------------------------------------------------------------------------------------ last digits

    def gradient(self, theta: Sequence[Any]) -> tuple[Vector, float]:
        """g = F' slope, in the precision of theta for least squares, and J."""
        self.passes += 1
        total: Any = 0.0
        value = 0.0
        for sums, more in self._each(lambda part: self._gradient(part, theta)):
            total, value = total + sums, value + more
        return total, value

    def _gradient(self, part: Part | DevicePart, theta: Sequence[Any]) -> tuple[Vector, float]:
        if isinstance(part, DevicePart):
            return part.gradient(self.loss, theta, squares=self.squares)
        with np.errstate(all="ignore"):
            f, jacobian = part.evaluator.jacobian(theta)
            slope, more = self._slope(part, f)
            if jacobian.dtype == np.float64:
                return jacobian @ slope, more
            return (jacobian * slope).sum(axis=1), more

    def _slope(self, part: Part, f: Vector) -> tuple[Vector, float]:
        """w loss' of each row, and J of these rows."""
        if self.squares:
            r = f - part.y if part.offset is None else (f - part.y) + part.offset
            slope = r if part.weight is None else r * part.weight
            return slope, 0.5 * float(r @ slope)
        eta = torch.tensor(np.asarray(f if part.offset is None else f + part.offset, dtype=np.float64))
        losses, slope = (t.numpy() for t in self.loss.terms(torch.from_numpy(part.y), eta, 1))
        if part.weight is not None:
            losses, slope = losses * part.weight, slope * part.weight
        return slope, float(losses.sum())

    def hessian_product(self, theta: Tensor, v: Tensor) -> Tensor:
        """F'WF v, for whoever asks for curvature."""
        triangle = torch.from_numpy(self.linearize(list(theta.numpy())).triangle)
        return triangle.T @ (triangle @ v)
