"""The rows that a search for starts looks at: all of them where they are few, every so-manieth where they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.device import DevicePart
from thalweg.curves.problem import CurveProblem, Part

Rows = tuple[dict[str, ndarray], ndarray, "ndarray | None"]  # columns, y less offsets, weights

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

    def thinned(self, most: int) -> Sample:
        """At most so many of these rows."""
        kept = slice(None, None, max(1, -(-self.y.size // most)))
        columns = {name: column[kept] for name, column in self.columns.items()}
        return Sample(self.curve, columns, self.y[kept], None if self.weight is None else self.weight[kept])


def sample_of(problem: CurveProblem, most: int = MOST) -> Sample | None:
    """At most so many rows of a problem; None where its curve does not take candidates in batches."""
    stride = max(1, -(-problem.rows // most))
    before, taken = 0, []
    for part in problem.parts():
        rows = slice(-before % stride, None, stride)
        some = part.every(rows) if isinstance(part, DevicePart) else _every(part, rows, squares=problem.squares)
        if some is None:
            return None
        taken.append(some)
        before += len(part.y)
    columns = {name: np.concatenate([each[0][name] for each in taken]) for name in taken[0][0]}
    y = np.concatenate([each[1] for each in taken])
    weights = [each[2] for each in taken if each[2] is not None]
    weight = np.concatenate(weights) if weights else None
    if not problem.squares:
        y, weight = _as_squares(problem, y, weight)
    return _felt(problem.curve, columns, y, weight)


def _every(part: Part, rows: slice, *, squares: bool) -> Rows | None:
    columns = _columns_of(part.evaluator)
    if columns is None:
        return None
    y = part.y if part.offset is None or not squares else part.y - part.offset
    weight = None if part.weight is None else part.weight[rows]
    return {name: column[rows] for name, column in columns.items()}, y[rows], weight


def _as_squares(problem: CurveProblem, y: ndarray, weight: ndarray | None) -> tuple[ndarray, ndarray]:
    """Response and weights on the scale of the link, as the loss sees them at its start; but for offsets."""
    response = torch.from_numpy(np.ascontiguousarray(y))
    known = None if weight is None else torch.from_numpy(np.ascontiguousarray(weight))
    eta = problem.loss.link.link(problem.loss.starting_mean(response, known))
    curvature = problem.loss.fisher(response, eta).numpy()
    whole = np.where(np.isfinite(curvature) & (curvature > 0), curvature, 1.0) * (1.0 if weight is None else weight)
    return eta.numpy(), whole


def _felt(curve: Curve, columns: dict[str, ndarray], y: ndarray, weight: ndarray | None) -> Sample:
    """Without rows of weight 0."""
    finite = np.isfinite(y)
    if not finite.all():
        weight = np.where(finite, 1.0 if weight is None else weight, 0.0)
    if weight is None or (weight > 0).all():
        return Sample(curve, columns, y, weight)
    kept = weight > 0
    return Sample(curve, {name: column[kept] for name, column in columns.items()}, y[kept], weight[kept])


def _columns_of(evaluator: Evaluator) -> Mapping[str, ndarray] | None:
    """What a curve over rows was bound to, where it takes candidates in batches."""
    return getattr(evaluator, "columns", getattr(evaluator, "_columns", None)) if evaluator.batched else None
