"""Gradients from values alone: what derivatives are held against, because it knows none of their formulas.

Central differences with Ridders' extrapolation: for each parameter a table of

    a[0][k] = (f(theta + h_k e_j) - f(theta - h_k e_j)) / (2 h_k),      h_k = h_0 / 2^k,
    a[m][k] = (4^m a[m-1][k] - a[m-1][k-1]) / (4^m - 1),

whose error terms fall as h^2, h^4, h^6, ...; the entry that changed least against its two parents is the answer, and
that change is its error, unless smaller h contradict it. The first h is large, so that rounding cancels little.

Reference: Ridders (1982), Accurate computation of F'(x) and F'(x) F''(x), doi:10.1016/S0141-1195(82)80057-0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import Problem

HALVINGS = 14
NOISE = 8 * 2.0**-53  # of a value: what rounding may do to a difference of two, and to what is made of it


def central_difference(f: Callable[[float], float], h: float) -> tuple[float, float]:
    """The derivative of f at 0 and an estimate of its error.

    Parameters
    ----------
    f : callable
        float64 to float64; where it is not finite, smaller steps are taken.
    h : float
        The first step, > 0: of the size over which f bends.

    Returns
    -------
    tuple of float
        (derivative, error); (NaN, inf) where f is not finite even at the smallest step.

    Examples
    --------
    >>> slope, error = central_difference(math.sin, 0.5)
    >>> abs(slope - 1) < 1e-12, error < 1e-10
    (True, True)
    """
    found: list[tuple[float, float, float]] = []  # of each row its best entry, by how much that changed, and rounding
    older: list[float] = []
    for halving in range(HALVINGS):
        step = math.ldexp(h, -halving)
        above, below = f(step), f(-step)
        row = [(above - below) / (2 * step)]
        if not math.isfinite(row[0]):
            older = []
            continue
        best, error = row[0], math.inf
        for m, parent in enumerate(older, start=1):
            row.append((4**m * row[m - 1] - parent) / (4**m - 1))
            change = max(abs(row[m] - row[m - 1]), abs(row[m] - parent))
            if change <= error:
                best, error = row[m], change
        found.append((best, error, NOISE * max(abs(above), abs(below)) / step))
        older = row
    return _steadiest(found)


def _steadiest(found: list[tuple[float, float, float]]) -> tuple[float, float]:
    """The entry that changed least.

    One agreement may be an accident. At a large h: so what smaller steps say, but for their rounding, counts as a
    change. At a small h, where differences of few digits coincide: so no change is less than the rounding.
    """
    best, error = math.nan, math.inf
    for k, (value, change, own) in enumerate(found):
        later = [abs(value - other) - rounding for other, _, rounding in found[k + 1 :]]
        change = max([change, own, *later])
        if change < error:
            best, error = value, change
    return best, error


def difference_gradient(problem: Problem, theta: Float[Tensor, "p"]) -> tuple[Float[Tensor, "p"], Float[Tensor, "p"]]:
    """The gradient of a problem by central differences, and the error of each entry.

    Parameters
    ----------
    problem : Problem
        In float64: fewer digits leave nothing of a difference.
    theta : Tensor, (p,), float64
    """
    found = []
    for j in range(theta.numel()):
        unit = torch.zeros_like(theta)
        unit[j] = 1
        along = partial(_value_along, problem, theta, unit)
        found.append(central_difference(along, _reach(problem, theta, unit)))
    return theta.new_tensor([slope for slope, _ in found]), theta.new_tensor([error for _, error in found])


def _value_along(problem: Problem, theta: Float[Tensor, "p"], unit: Float[Tensor, "p"], t: float) -> float:
    return float(problem.value(theta + t * unit))


def _reach(problem: Problem, theta: Float[Tensor, "p"], unit: Float[Tensor, "p"]) -> float:
    """The first step: one that changes the rows' losses by about one unit, by the curvature in this direction."""
    curvature = float(unit @ problem.hessian_product(theta, unit)) / (problem.scale * problem.rows)
    size = max(1.0, abs(float(theta @ unit)))
    return min(1 / math.sqrt(curvature), 2.0**20 * size) if 0 < curvature < math.inf else size
