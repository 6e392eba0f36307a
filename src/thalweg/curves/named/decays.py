"""Exponentials, and what is an exponential in log x or in 1/x: powers, and rates against temperature."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import NamedCurve, Parameters
from thalweg.curves.named.grids import rate, rates
from thalweg.curves.named.rows import Rows, View, identity, logarithm, reciprocal
from thalweg.curves.named.starts import Shape, even, exponential, forms

GAS_CONSTANT = 8.314462618  # J / (mol K), CODATA 2018
STEP, STEP_OF_TWO = 0.4, 0.7


def _columns(rows: Rows, points: Float[ndarray, "m k"]) -> Float[ndarray, "m k n"]:
    """exp(-kappa z), or exp(-kappa (z - 1)) where it grows: height 1 at one end."""
    kappa = rate(points)[:, :, None]
    return np.exp(-kappa * (rows.z - (kappa < 0)))


def _in_users_units(rows: Rows, t: float, height: float) -> tuple[float, float]:
    """a and k of a exp(-k v)."""
    kappa = float(rate(np.asarray(t)))
    k = kappa / rows.span
    return height * exponential(k * rows.low + kappa * (kappa < 0)), k


def _one(
    name: Callable[[float, float], Parameters], rows: Rows, point: Float[ndarray, "1"], linear: Float[ndarray, "1"]
) -> Parameters:
    return name(*_in_users_units(rows, float(point[0]), float(linear[0])))


def _two(rows: Rows, point: Float[ndarray, "2"], linear: Float[ndarray, "2"]) -> Parameters:
    """The faster one first."""
    terms = [_in_users_units(rows, float(t), float(height)) for t, height in zip(point, linear, strict=True)]
    (a1, k1), (a2, k2) = sorted(terms, key=lambda term: -term[1])
    return {"a1": a1, "k1": k1, "a2": a2, "k2": k2}


def _pairs(rows: Rows) -> Float[ndarray, "m 2"]:
    t = rates(rows, STEP_OF_TWO)
    return np.stack([t[each] for each in np.triu_indices(len(t), 1)], axis=1)


def _shape(name: Callable[[float, float], Parameters], view: View = identity) -> Shape:
    return Shape(lambda rows: rates(rows, STEP)[:, None], even(STEP), _columns, partial(_one, name), view)


DECAYS: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "exponential_decay",
        ("x", "a", "k"),
        "a * exp(-k * x)",
        _shape(lambda a, k: {"a": a, "k": k}),
        "Decay from a at x = 0 with the rate k; the mean life is 1 / k, the half-life log(2) / k.",
    ),
    forms(
        "exponential_growth",
        ("x", "a", "k"),
        "a * exp(k * x)",
        _shape(lambda a, k: {"a": a, "k": -k}),
        "Growth from a at x = 0 with the rate k; it doubles every log(2) / k.",
    ),
    forms(
        "bi_exponential",
        ("x", "a1", "k1", "a2", "k2"),
        "a1 * exp(-k1 * x) + a2 * exp(-k2 * x)",
        Shape(_pairs, even(STEP_OF_TWO, STEP_OF_TWO), _columns, _two),
        "Two decays; the starting values put the faster one first.",
    ),
    forms(
        "power_law",
        ("x", "a", "b"),
        "a * x**b",
        _shape(lambda a, k: {"a": a, "b": -k}, logarithm),
        "A power of x; rows with x < 0 have no part in its starting values.",
    ),
    forms(
        "arrhenius",
        ("x", "a", "ea"),
        f"a * exp(-ea / ({GAS_CONSTANT} * x))",
        _shape(lambda a, k: {"a": a, "ea": k * GAS_CONSTANT}, reciprocal),
        "A rate against the temperature x in kelvin, with the activation energy ea in J/mol.",
        reference="Arrhenius (1889), doi:10.1515/zpch-1889-0416",
    ),
)
