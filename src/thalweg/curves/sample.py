"""The rows that a search for starts looks at: all of them where they are few, every so-manieth where they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.problem import CurveProblem, Part

MOST = 1000  # rows


@final
@dataclass(frozen=True)
class Sample:
    """Some rows of a curve.

    Attributes
    ----------
    curve : Curve
        Of the free parameters.
    columns : mapping of str to ndarray, (n,)
        What it reads.
    y : ndarray, (n,)
        The response, less offsets.
    weight : ndarray, (n,), optional
        Of the squares.
    """

    curve: Curve
    columns: Mapping[str, Float[ndarray, "n"]]
    y: Float[ndarray, "n"]
    weight: Float[ndarray, "n"] | None

    @cached_property
    def evaluator(self) -> Evaluator:
        """The curve over these rows."""
        return self.curve.over(self.columns, self.y.size)

    @cached_property
    def root(self) -> Float[ndarray, "n"]:
        """Square roots of the weights."""
        return np.ones(self.y.size) if self.weight is None else np.sqrt(self.weight)

    @cached_property
    def total(self) -> float:
        """sum w y^2 / 2: the objective of a curve that is 0."""
        return 0.5 * float(((self.root * self.y) ** 2).sum())

    def with_response(self, y: Float[ndarray, "n"]) -> Sample:
        """The same rows with something else to explain."""
        return Sample(self.curve, self.columns, y, self.weight)


def sample_of(problem: CurveProblem, most: int = MOST) -> Sample | None:
    """At most so many rows of a problem; None where its curve does not take candidates in batches."""
    stride = max(1, -(-problem.rows // most))
    before, taken = 0, []
    for part in problem.parts():
        columns = columns_of(part.evaluator)
        if columns is None:
            return None
        taken.append(_every(part, columns, slice(-before % stride, None, stride)))
        before += part.y.size
    names = taken[0][0].keys()
    columns = {name: np.concatenate([each[0][name] for each in taken]) for name in names}
    y = np.concatenate([each[1] for each in taken])
    weight = None if taken[0][2] is None else np.concatenate([each[2] for each in taken])
    return _felt(problem.curve, columns, y, weight)


def _every(part: Part, columns: Mapping[str, ndarray], rows: slice) -> tuple[dict[str, ndarray], ndarray, ndarray | None]:
    y = part.y if part.offset is None else part.y - part.offset
    weight = None if part.weight is None else part.weight[rows]
    return {name: column[rows] for name, column in columns.items()}, y[rows], weight


def _felt(curve: Curve, columns: dict[str, ndarray], y: ndarray, weight: ndarray | None) -> Sample:
    """Without rows of weight 0."""
    if weight is None or (weight > 0).all():
        return Sample(curve, columns, y, weight)
    kept = weight > 0
    return Sample(curve, {name: column[kept] for name, column in columns.items()}, y[kept], weight[kept])


def columns_of(evaluator: Evaluator) -> Mapping[str, ndarray] | None:
    """What a curve over rows was bound to, where it takes candidates in batches."""
    return getattr(evaluator, "columns", getattr(evaluator, "_columns", None)) if evaluator.batched else None
