"""A curve's rows weighted, decorrelated, or with a Jacobian that the user wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np
from scipy.linalg import solve_triangular

from thalweg.curves.curve import Evaluator, Theta
from thalweg.errors import FormulaError


@final
class Scaled(Evaluator):
    """Each row times a number, (n,)."""

    def __init__(self, inner: Evaluator, root: np.ndarray) -> None:
        self.inner, self.root = inner, root
        self.rows, self.extended, self.batched = inner.rows, inner.extended, inner.batched

    def values(self, theta: Theta) -> np.ndarray:
        return self.inner.values(theta) * self.root

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f, jacobian = self.inner.jacobian(theta)
        return f * self.root, jacobian * self.root


@final
class Whitened(Evaluator):
    """L^-1 f, where L L' is the covariance of the rows."""

    def __init__(self, inner: Evaluator, factor: np.ndarray) -> None:
        self.inner, self.factor, self.rows = inner, factor, inner.rows

    def values(self, theta: Theta) -> np.ndarray:
        return whitened(self.factor, self.inner.values(theta))

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f, jacobian = self.inner.jacobian(theta)
        both = whitened(self.factor, np.column_stack([f, *jacobian]))
        return both[:, 0], np.ascontiguousarray(both[:, 1:].T)


def whitened(factor: np.ndarray, values: np.ndarray) -> np.ndarray:
    """L^-1 values, by substitution.

    Examples
    --------
    >>> whitened(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([4.0, 5.0]))
    array([2., 3.])
    """
    return np.asarray(solve_triangular(factor, values, lower=True, check_finite=False))


@final
class WithJacobian(Evaluator):
    """With the user's Jacobian, (M, N).

    Parameters
    ----------
    inner : Evaluator
    jac : callable
        Of x and the parameters.
    x : object
    transposed : bool
        Whether it returns (N, M), as MINPACK's `col_deriv` says.
    """

    def __init__(self, inner: Evaluator, jac: Callable[..., Any], x: Any, transposed: bool = False) -> None:
        self.inner, self.jac, self.x, self.transposed, self.rows = inner, jac, x, transposed, inner.rows

    def values(self, theta: Theta) -> np.ndarray:
        return self.inner.values(theta)

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f = self.inner.values(theta)
        with np.errstate(all="ignore"):
            jacobian = np.asarray(self.jac(self.x, *[np.float64(entry) for entry in theta]), dtype=np.float64)
        if not self.transposed:
            jacobian = jacobian.T
        if jacobian.shape != (len(theta), self.rows):
            shape = jacobian.shape if self.transposed else jacobian.shape[::-1]
            raise FormulaError(
                f"jac returned the shape {shape}", advice=f"It is ({self.rows}, {len(theta)}): rows first."
            )
        return f, np.ascontiguousarray(jacobian)
