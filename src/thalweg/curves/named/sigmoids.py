"""What rises from one level to another: the search that growth curves, steps and saturation share.

A shape is form(kappa (z - z0)), with form a function of one variable that goes from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import Parameters
from thalweg.curves.named.grids import centres, crossed, quantiles
from thalweg.curves.named.rows import Rows, View, identity, logarithm
from thalweg.curves.named.starts import Shape, even, exponential

CENTRE, SLOPE = 0.1, 0.5  # steps: of the centre in ranges, of the slope in e-folds
STEEP = 12.0  # a slope (per range) from which a centre between the others' would be missed
GENTLEST = 0.3
STEEPEST = 8.0  # per distance of neighbours
PLACES = 60  # centres of steep steps

Form = Callable[["Float[ndarray, 'm n']"], "Float[ndarray, 'm n']"]
Slope = Callable[["Float[ndarray, 'm']"], "Float[ndarray, 'm']"]


def logistic(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """1 / (1 + exp(-u))."""
    return 1 / (1 + np.exp(-u))


def gompertz(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """exp(-exp(-u))."""
    return np.exp(-np.exp(-u))


def weibull(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """1 - exp(-exp(u))."""
    return -np.expm1(-np.exp(u))


def weibull_survival(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """exp(-exp(u))."""
    return np.exp(-np.exp(u))


def normal(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """The normal distribution function, to 0.01, which a start does not notice."""
    return logistic(1.702 * u)


def _grid(rows: Rows, signed: bool) -> Float[ndarray, "m 2"]:
    """Gentle slopes about the data, steep ones where the rows are."""
    t = np.arange(np.log(GENTLEST), np.log(STEEPEST / rows.gap) + SLOPE, SLOPE)
    gentle, steep = t[np.exp(t) <= STEEP], t[np.exp(t) > STEEP]
    found = np.concatenate([crossed(centres(CENTRE), gentle), crossed(quantiles(rows, PLACES), steep)])
    return np.concatenate([found, found * [1, -1]]) if signed else found


def sigmoid(
    form: Form, parameters: Callable[[float, float, float], Parameters], view: View = identity, signed: bool = True
) -> Shape:
    """The search for a curve a form(k (v - v0)).

    Parameters
    ----------
    form : callable
    parameters : callable
        (a, k, v0) -> the curve's own parameters.
    view : callable
        v of x.
    signed : bool
        Whether k may be negative.
    """
    slope: Slope = np.sinh if signed else np.exp

    def columns(rows: Rows, points: Float[ndarray, "m 2"]) -> Float[ndarray, "m 1 n"]:
        return form(slope(points[:, 1])[:, None] * (rows.z - points[:, :1]))[:, None, :]

    def named(rows: Rows, point: Float[ndarray, "2"], linear: Float[ndarray, "1"]) -> Parameters:
        return parameters(float(linear[0]), float(slope(point[1])) / rows.span, rows.low + rows.span * float(point[0]))

    def steps(points: Float[ndarray, "m 2"]) -> Float[ndarray, "m 2"]:
        near = np.minimum(CENTRE, 0.7 / np.abs(slope(points[:, 1])))  # a steep step is missed by little
        return np.stack([near, np.full_like(near, SLOPE)], axis=1)

    return Shape(lambda rows: _grid(rows, signed), steps, columns, named, view)


def saturation(parameters: Callable[[float, float], Parameters]) -> Shape:
    """The search for a curve a x / (x + km): a logistic in log x whose slope is 1.

    Parameters
    ----------
    parameters : callable
        (a, km) -> the curve's own parameters.
    """

    def grid(rows: Rows) -> Float[ndarray, "m 1"]:
        return np.linspace(rows.low - 4, rows.low + rows.span + 6, 80)[:, None]

    def columns(rows: Rows, points: Float[ndarray, "m 1"]) -> Float[ndarray, "m 1 n"]:
        return logistic(rows.low + rows.span * rows.z - points)[:, None, :]

    def named(rows: Rows, point: Float[ndarray, "1"], linear: Float[ndarray, "1"]) -> Parameters:
        return parameters(float(linear[0]), exponential(float(point[0])))

    return Shape(grid, even(0.3), columns, named, logarithm)
