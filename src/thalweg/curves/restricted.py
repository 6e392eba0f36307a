"""A curve of fewer parameters: some held, some computed from others.

With all parameters p = p(theta) of the free ones, J_free = J_all dp / dtheta, where dp / dtheta comes from the graph of
the ties. For curves that are graphs themselves `Expression.restricted` puts the ties into the graph instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from thalweg.curves.curve import Columns, Curve, Evaluator, Theta, in_order
from thalweg.curves.graph import Graph
from thalweg.curves.language import build
from thalweg.curves.program import Program
from thalweg.data.nodes import Node


@final
class Restricted(Curve):
    """Another curve with some parameters held or tied.

    Parameters
    ----------
    inner : Curve
    fixed : mapping of str to float
    ties : mapping of str to Node
        Expressions of other parameters of the curve.
    """

    def __init__(self, inner: Curve, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> None:
        self.inner, self.inputs, self.title = inner, inner.inputs, inner.title
        graph = Graph()
        places = {name: graph.constant(value) for name, value in fixed.items()}
        for name, node in in_order(ties):
            made = Graph()
            places[name] = made.copy_into(graph, build(made, node, ()), places)
        self.parameters = tuple(name for name in inner.parameters if name not in places)
        self.positive = inner.positive.difference(places)
        self.derivatives = inner.derivatives
        self._ties = _Ties(graph, [places.get(n, -1) for n in inner.parameters], inner.parameters, self.parameters)

    def over(self, columns: Columns, rows: int) -> Evaluator:
        return _Fewer(self.inner.over(columns, rows), self._ties)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        return Restricted(self, fixed, ties) if fixed or ties else self


@final
class _Ties:
    """All parameters from the free ones, with their derivatives.

    Parameters
    ----------
    graph : Graph
    roots : sequence of int
        The node of each parameter of the whole curve; -1 for a free one.
    every : sequence of str
    free : sequence of str
    """

    def __init__(self, graph: Graph, roots: Sequence[int], every: Sequence[str], free: Sequence[str]) -> None:
        nodes = [graph.parameter(name) if root < 0 else root for root, name in zip(roots, every, strict=True)]
        self.pairs: list[tuple[int, int]] = []  # (j of all, k of the free) with a derivative
        slopes: list[int] = []
        for j, node in enumerate(nodes):
            for name, slope in graph.gradient(node).items():
                self.pairs.append((j, free.index(name)))
                slopes.append(slope)
        self._program = Program(graph, [*nodes, *slopes], free)
        self._prepared = self._program.prepare({})
        self.count, self.free = len(nodes), len(free)
        self.places = [free.index(name) if root < 0 else -1 for root, name in zip(roots, every, strict=True)]

    def __call__(self, theta: Theta) -> tuple[list[Any], list[Any]]:
        """All parameters, and the derivatives of `pairs`."""
        with np.errstate(all="ignore"):
            values = self._program.run(self._prepared, theta)
        return values[: self.count], values[self.count :]


@final
class _Fewer(Evaluator):
    """The evaluator of a restricted curve."""

    def __init__(self, inner: Evaluator, ties: _Ties) -> None:
        self.inner, self.rows, self._ties = inner, inner.rows, ties
        self.extended, self.batched = inner.extended, inner.batched

    def limit(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        """Bounds of the free parameters; those that are tied go where their ties lead."""
        limit = getattr(self.inner, "limit", None)  # of a curve whose derivatives are differences
        if limit is not None:
            places = self._ties.places
            limit([-np.inf if k < 0 else lower[k] for k in places], [np.inf if k < 0 else upper[k] for k in places])

    def values(self, theta: Theta) -> np.ndarray:
        return self.inner.values(self._ties(theta)[0])

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        every, slopes = self._ties(theta)
        value, whole = self.inner.jacobian(every)
        out = np.zeros((self._ties.free, *whole.shape[1:]), dtype=whole.dtype)
        for (j, k), slope in zip(self._ties.pairs, slopes, strict=True):
            out[k] += whole[j] * slope
        return value, out
