"""Many candidates at once, with the parameters in which the curve is linear solved for: variable projection.

A curve that is linear in some parameters b while the others a stand still is f(a, b) = f(a, 0) + F(a) b, and F, its
Jacobian by b, does not depend on b. So for every candidate a

    1. f(a, 0) and F(a)                                        one evaluation of all candidates
    2. (D^-1 F'WF D^-1 + tiny) D b = D^-1 F'W (y - f(a, 0))    D the lengths of the columns of W^(1/2) F
    3. b moved into its bounds; what is free of them solved for once more
    4. J(a) = |W^(1/2) (y - f(a, 0) - F b)|^2 / 2

which leaves a search over a alone.

References
----------
.. [1] G. H. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
   variables separate", SIAM Journal on Numerical Analysis 10 (1973), doi:10.1137/0710036.
"""

from __future__ import annotations

from typing import final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.curve import Expression
from thalweg.curves.program import Program
from thalweg.curves.sample import Sample

TINY = 1e-12  # of columns of length 1: keeps heights finite where columns are one another's multiples
ENTRIES = 2**22  # of the Jacobians of the candidates that are looked at together


@final
class Projection:
    """A curve over some rows as a function of the parameters in which it is not linear.

    Parameters
    ----------
    sample : Sample
    lower, upper : ndarray, (p,)

    Attributes
    ----------
    linear : list of int
        The parameters that are solved for; there may be none.
    terms : list of list of int
        Nonlinear parameters that enter together: those of F_i, for every linear parameter i.
    """

    def __init__(self, sample: Sample, lower: Float[ndarray, "p"], upper: Float[ndarray, "p"]) -> None:
        self.sample, self.lower, self.upper = sample, lower, upper
        names = sample.curve.parameters
        linear = sample.curve.linear() if isinstance(sample.curve, Expression) else ()
        self.linear = [names.index(name) for name in linear]
        self.terms: list[list[int]] = []
        self._columns: Program | None = None
        if linear:
            self._compile(linear)

    def _compile(self, linear: tuple[str, ...]) -> None:
        """The curve and its columns F alone: the derivatives by the others are not wanted."""
        curve = self.sample.curve
        assert isinstance(curve, Expression)
        slopes = curve.graph.gradient(curve.root)
        nodes = [slopes[name] for name in linear]
        self._columns = Program(curve.graph, [curve.root, *nodes], curve.parameters)
        with np.errstate(all="ignore"):
            self._kept = self._columns.prepare(self.sample.columns)
        below = dict.fromkeys(curve.graph.depends_on(node) for node in nodes)
        self.terms = [[curve.parameters.index(name) for name in names] for names in below if names]

    def __call__(self, theta: Float[ndarray, "K p"]) -> tuple[Float[ndarray, "K p"], Float[ndarray, "K"]]:
        """The best linear parameters of every candidate, and J; inf where it is not finite.

        What theta holds of the linear parameters is not looked at.
        """
        theta = np.clip(theta, self.lower, self.upper)
        value = np.empty(len(theta))
        together = max(1, ENTRIES // (self.sample.y.size * (len(self.linear) + 1)))
        for first in range(0, len(theta), together):
            chunk = slice(first, first + together)
            with np.errstate(all="ignore"):
                theta[chunk], value[chunk] = self._projected(theta[chunk])
        return theta, value

    def _projected(self, theta: ndarray) -> tuple[ndarray, ndarray]:
        """Points 1 to 4 for some candidates."""
        sample, linear = self.sample, self.linear
        if self._columns is None:
            f = sample.evaluator.values(list(theta.T[:, :, None]))
            return theta, _half_squares((f - sample.y) * sample.root)
        theta = theta.copy()
        theta[:, linear] = 0.0
        f, *parts = self._columns.run(self._kept, list(theta.T[:, :, None]))  # 1
        columns = np.empty((len(theta), len(linear), sample.y.size))
        for i, part in enumerate(parts):
            np.multiply(part, sample.root, out=columns[:, i, :])
        left = np.broadcast_to((sample.y - f) * sample.root, (len(theta), sample.y.size))
        heights = _heights(columns, left, self.lower[linear], self.upper[linear])
        theta[:, linear] = heights
        return theta, _half_squares(left - (heights[:, None, :] @ columns)[:, 0, :])


def _half_squares(left: ndarray) -> ndarray:
    value = 0.5 * np.einsum("kn,kn->k", left, left)
    return np.where(np.isfinite(value), value, np.inf)


def _heights(columns: ndarray, left: ndarray, lower: ndarray, upper: ndarray) -> ndarray:
    """Points 2 and 3, (K, q); 0 for candidates that are not finite."""
    gram, right = columns @ columns.transpose(0, 2, 1), (columns @ left[:, :, None])[:, :, 0]
    finite = np.isfinite(gram.sum(axis=(1, 2)) + right.sum(axis=1))
    gram, right = np.where(finite[:, None, None], gram, 0.0), np.where(finite[:, None], right, 0.0)
    length = np.sqrt(np.einsum("kqq->kq", gram))
    length = np.where(length > 0, length, 1.0)
    gram = gram / length[:, :, None] / length[:, None, :]
    free = np.ones(right.shape, dtype=bool)
    heights = _solved(gram, right / length, free, np.zeros_like(right)) / length
    outside = (heights < lower) | (heights > upper)
    heights = np.clip(heights, lower, upper)
    if not outside.any():
        return heights
    again = _solved(gram, right / length, ~outside, heights * length) / length
    return np.clip(np.where(outside, heights, again), lower, upper)


def _solved(gram: ndarray, right: ndarray, free: ndarray, known: ndarray) -> ndarray:
    """The free unknowns, where the others are as they are known."""
    right = (right - (gram @ np.where(free, 0.0, known)[:, :, None])[:, :, 0]) * free
    gram = gram * (free[:, :, None] & free[:, None, :])
    identity = np.eye(gram.shape[1])
    gram = gram + identity * np.where(free, TINY, 1.0)[:, :, None]
    return np.linalg.solve(gram, right[:, :, None])[:, :, 0]
