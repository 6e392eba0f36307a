"""Starting values of a curve that is linear in its heights, from the data.

A curve is heights times shapes, and a shape has one to three parameters (a rate; a centre and a width). In the units
of `thalweg.curves.named.rows` these lie in a known box: a rate or a width that the rows can show is no larger than
their range, give or take, and no smaller than their distance. So there is nothing to guess:

1. screen   the sum of squares at points of that box, heights projected out (`projection`), upon no baseline, an offset,
            an offset and a slope
2. refine   the best few of each by a compass search (to the best of the 3^d neighbours, or half the step)
3. choose   n log(R + tiny) + 20 q,  q the columns of the baseline: an offset must be beyond doubt, so that data of
            the curve alone give the start of the curve alone, and a peak upon a slope that of the peak

The estimators of the textbooks (logarithms and a line, integral equations, Lineweaver-Burk, half heights) are closer
guesses at one point of the same box; each has data on which it fails, as an offset, a dense end, a value below 0.

References: Golub & Pereyra (1973), doi:10.1137/0710036; compass search: Kolda, Lewis & Torczon (2003),
doi:10.1137/S003614450242889.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import NamedCurve, Parameters, Starts
from thalweg.curves.named.projection import heights, residual_squares
from thalweg.curves.named.rows import Rows, View, identity, prepared

OFFSET = "c"
REFINED = 6  # points of each baseline
ROUNDS = 16
FINE = 0.01  # of the first step
DOUBT = 20.0  # of n log R, per column of a baseline: a chance of 1e-5 where there is none
EXACT = 1e-6  # of the sum of squares of y about a line: below it, nothing is gained by a better start
ROUNDING = 1e-28  # of the sum of squares of y
LARGEST = 1e300
LARGEST_EXPONENT = 690.0

Steps = Callable[["Float[ndarray, 'm d']"], "Float[ndarray, 'm d']"]


@final
@dataclass(frozen=True)
class Shape:
    """The part of a curve that is not linear.

    Attributes
    ----------
    grid : callable
        Rows -> the points of step 1, (m, d).
    steps : callable
        Points (m, d) -> the distance of neighbours in the grid about each, (m, d): they change the curve by a part.
    columns : callable
        (rows, points (m, d)) -> the curves of height 1, (m, k, n).
    parameters : callable
        (rows, point (d,), heights (k,)) -> the curve's parameters in the user's units.
    view : callable
        v of x in which the curve has a location and a scale.
    most : int
        Rows to look at.
    averaged : bool
        Whether neighbours may be averaged.
    """

    grid: Callable[[Rows], Float[ndarray, "m d"]]
    steps: Steps
    columns: Callable[[Rows, Float[ndarray, "m d"]], Float[ndarray, "m k n"]]
    parameters: Callable[[Rows, Float[ndarray, "d"], Float[ndarray, "k"]], Parameters]
    view: View = identity
    most: int = 500
    averaged: bool = True


@final
@dataclass(frozen=True)
class Found:
    """A refined point: where, upon which baseline, and its score of step 3."""

    point: Float[ndarray, "d"]
    baseline: int
    score: float


def forms(
    name: str,
    arguments: tuple[str, ...],
    expression: str,
    shape: Shape,
    about: str,
    positive: tuple[str, ...] = (),
    reference: str = "",
) -> tuple[NamedCurve, NamedCurve]:
    """The curve, and the curve with an offset c as its last parameter."""
    alone, raised = _starts(shape, frozenset(positive), False), _starts(shape, frozenset(positive), True)
    return (
        _curve(name, arguments, expression, alone, positive, about, reference),
        _curve(name, (*arguments, OFFSET), f"{expression} + {OFFSET}", raised, positive, about, reference),
    )


def _curve(
    name: str,
    arguments: tuple[str, ...],
    expression: str,
    starts: Starts,
    positive: tuple[str, ...],
    about: str,
    reference: str,
) -> NamedCurve:
    return NamedCurve(
        name=name,
        arguments=arguments,
        expression=expression,
        start=lambda x, y, w: starts(x, y, w)[0],
        positive=frozenset(positive),
        about=about,
        reference=reference,
        starts=starts,
    )


def _starts(shape: Shape, positive: frozenset[str], offset: bool) -> Starts:
    """Steps 1 to 3 as a function of the data."""

    def starts(x: ndarray, y: ndarray, w: ndarray | None) -> list[Parameters]:
        with np.errstate(all="ignore"):
            rows = prepared(x, y, w, shape.view, shape.most, shape.averaged)
            found = _search(shape, rows, int(offset))
            return [finite(_named(shape, rows, each, offset), positive) for each in found]

    return starts


def _named(shape: Shape, rows: Rows, found: Found, offset: bool) -> Parameters:
    linear, level = heights(rows, shape.columns(rows, found.point[None])[0], found.baseline)
    parameters = shape.parameters(rows, found.point, linear * rows.size)
    return parameters | ({OFFSET: level * rows.size} if offset else {})


def finite(parameters: Parameters, positive: frozenset[str] = frozenset()) -> Parameters:
    """Numbers that a solver can start from, whatever the data were."""
    found = {name: float(np.clip(np.nan_to_num(value), -LARGEST, LARGEST)) for name, value in parameters.items()}
    return {name: abs(value) or 1.0 if name in positive else value for name, value in found.items()}


def exponential(exponent: float) -> float:
    """exp, short of overflow and underflow."""
    return float(np.exp(np.clip(exponent, -LARGEST_EXPONENT, LARGEST_EXPONENT)))


# ------------------------------------------------------------------------------------------------------- steps 1 to 3


def _search(shape: Shape, rows: Rows, least: int) -> list[Found]:
    grid = shape.grid(rows)
    columns = shape.columns(rows, grid)
    room = rows.y.size - columns.shape[1] - grid.shape[1]  # a baseline for which the rows are too few explains all
    found = []
    for baseline in range(least, 3):
        if baseline == least or baseline < room:
            squares = residual_squares(rows, columns, baseline)  # 1
            found += _refined(shape, rows, _apart(shape, grid, squares), baseline)  # 2
    return _distinct(shape, sorted(found, key=lambda each: each.score))  # 3


def _apart(shape: Shape, grid: ndarray, squares: ndarray) -> ndarray:
    """The best points of which none is the neighbour of another."""
    chosen: list[ndarray] = []
    left = np.ones(len(grid), dtype=bool)
    while left.any() and len(chosen) < REFINED:
        best = grid[left][np.argmin(squares[left])]
        chosen.append(best)
        left &= (np.abs(grid - best) > 2.5 * shape.steps(best[None])).any(axis=1)
    return np.stack(chosen)


def _refined(shape: Shape, rows: Rows, points: ndarray, baseline: int) -> list[Found]:
    """Step 2, for several points side by side."""
    first = shape.steps(points) / 2
    steps, squares = first, np.full(len(points), np.inf)
    ways = product((-1.0, 0.0, 1.0), repeat=points.shape[1])
    compass = np.array(sorted(ways, key=lambda way: np.abs(way).sum()))  # the centre first: it wins where all are equal
    for _ in range(ROUNDS):
        around = points[:, None] + compass * steps[:, None]
        columns = shape.columns(rows, around.reshape(-1, points.shape[1]))
        tried = residual_squares(rows, columns, baseline).reshape(around.shape[:2])
        best = tried.argmin(axis=1)
        points, squares = around[np.arange(len(best)), best], tried.min(axis=1)
        steps = np.where((best == 0)[:, None], steps / 2, steps)
        if (steps < FINE * first).all():
            break
    return [Found(p, baseline, _score(rows, float(r), baseline)) for p, r in zip(points, squares, strict=True)]


def _score(rows: Rows, squares: float, baseline: int) -> float:
    """Step 3."""
    bent = rows.y - (rows.y @ rows.basis.T) @ rows.basis
    tiny = EXACT * (bent @ bent) + ROUNDING * (rows.y @ rows.y) + 1e-300
    return rows.y.size * float(np.log(squares + tiny)) + DOUBT * baseline


def _distinct(shape: Shape, found: list[Found]) -> list[Found]:
    """Without those that another, better one has led to as well."""
    kept: list[Found] = []
    for each in found:
        near = 0.5 * shape.steps(each.point[None])[0]
        if all((np.abs(each.point - other.point) > near).any() for other in kept):
            kept.append(each)
    return kept


def even(*steps: float) -> Steps:
    """The same distances everywhere."""
    return lambda points: np.broadcast_to(np.array(steps), points.shape)
