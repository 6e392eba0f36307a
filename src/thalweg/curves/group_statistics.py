"""What is known of each group at its minimum: standard errors, sums of squares, criteria; the statistics of many fits.

For a group with n rows of positive weight, p parameters determined, R the triangle there and S = dp/dtheta (ties):

    df = n - p,   sigma^2 = RSS / df,   covariance = sigma^2 S (R'R)^-1 S'                                       (1)
    log L = -n/2 (log(2 pi RSS / n) + 1) + 1/2 sum log w,   AIC = -2 log L + 2 p,   BIC = -2 log L + p log n     (2)

as `thalweg.inference.statistics` has them for one fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from thalweg.curves.curve import in_order
from thalweg.curves.gauss_newton import Triangles
from thalweg.curves.graph import Graph
from thalweg.curves.language import build
from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem, Linearization
from thalweg.curves.program import Compiled
from thalweg.curves.undetermined import NUMB, UNDETERMINED, determination, sentences

EPSILON = 2.0**-52


@final
@dataclass(frozen=True)
class Inverses:
    """(R'R)^-1 of some groups, and what their rows do not determine.

    Attributes
    ----------
    inverse : ndarray, (K, p, p)
        0 for what is held or not determined.
    held : ndarray of bool, (K, p)
        On a bound.
    undetermined : ndarray of bool, (K, p)
    rank : ndarray of int, (K,)
        Parameters less the directions that are not determined.
    told : dict of int to str
        The sentence for a group, by its place.
    """

    inverse: Float[ndarray, "K p p"]
    held: Bool[ndarray, "K p"]
    undetermined: Bool[ndarray, "K p"]
    rank: ndarray
    told: dict[int, str]


def inverses(at: Triangles, theta: ndarray, lower: ndarray, upper: ndarray, names: Sequence[str]) -> Inverses:
    """Those of groups at their minima; groups in doubt are looked at one by one."""
    held = at.held(theta, lower, upper)
    scaled, scale, regular = at.scaled(held)
    regular &= ~_numb(at, theta).any(axis=1)
    count, p = theta.shape
    inverse, undetermined = np.zeros((count, p, p)), np.zeros((count, p), bool)
    if regular.any():
        half = np.linalg.inv(scaled[regular]) / scale[regular][:, :, None]
        inverse[regular] = half @ half.transpose(0, 2, 1)
    rank, told = np.full(count, p), dict[int, str]()
    for k in np.flatnonzero(~regular & np.isfinite(at.value)):
        one = _AtMinimum(Linearization(float(at.value[k]), at.triangle[k], at.right[k]))
        found = determination(cast(CurveProblem, one), theta[k], [int(j) for j in np.flatnonzero(held[k])])
        if found is None:
            continue
        inverse[k], rank[k] = found.inverse, p - len(found.directions)
        undetermined[k, list(found.undetermined)] = True
        sentence = sentences(found, dict(zip(names, theta[k].tolist(), strict=True)))
        told |= {int(k): sentence[0]} if sentence else {}
    return Inverses(inverse, held, undetermined, rank, told)


def _numb(at: Triangles, theta: ndarray) -> ndarray:
    """Parameters that the curve does not feel, by the rule of `thalweg.curves.undetermined`."""
    norms, sizes = at.norms, np.abs(theta)
    floor = np.maximum(np.sqrt(2 * at.value), EPSILON * (norms * sizes).max(axis=1, initial=0.0))
    return (norms == 0) | (norms * np.maximum(sizes, 1.0) <= NUMB * floor[:, None])


@final
@dataclass(frozen=True)
class _AtMinimum:
    """As much of a problem as `determination` asks for."""

    linear: Linearization

    def linearize(self, theta: Any) -> Linearization:
        return self.linear


# ----------------------------------------------------------------------------------------------- held and tied ones


def whole(parameters: Parameters, free: Float[ndarray, "G p"]) -> tuple[Float[ndarray, "G P"], Float[ndarray, "G P p"]]:
    """All parameters of every group from the free ones, and how they move with them."""
    graph = Graph()
    nodes = {name: graph.constant(value) for name, value in parameters.fixed.items()}
    nodes |= {name: graph.parameter(name) for name in parameters.free}
    for name, node in in_order(parameters.ties):
        made = Graph()
        nodes[name] = made.copy_into(graph, build(made, node, ()), nodes)
    theta = np.empty((len(free), len(parameters.names)))
    slopes = np.zeros((*theta.shape, free.shape[1]))
    for j, name in enumerate(parameters.names):
        if name in parameters.free:
            k = parameters.free.index(name)
            theta[:, j], slopes[:, j, k] = free[:, k], 1.0
            continue
        program = Compiled(graph, nodes[name], parameters.free).both
        with np.errstate(all="ignore"):
            theta[:, j], *moves = program.run(program.prepare({}), list(free.T))
        for k, move in enumerate(moves):
            slopes[:, j, k] = move
    return theta, slopes


def without_error(
    parameters: Parameters, held: ndarray, undetermined: ndarray, slope: ndarray, side: Sequence[str]
) -> dict[str, str]:
    """Which parameters of one group have no standard error, and why; the words are those of one fit."""
    notes = dict.fromkeys(parameters.fixed, "held at this value")
    for j in np.flatnonzero(held).tolist():
        notes[parameters.free[j]] = f"on its {side[j]} bound, and held there for the errors of the others"
    notes |= {parameters.free[j]: UNDETERMINED for j in np.flatnonzero(undetermined)}
    for name in parameters.ties:
        moves = [parameters.free[j] for j in np.flatnonzero(slope[parameters.names.index(name)])]
        if all(free in notes for free in moves):
            notes[name] = "computed from parameters that have no standard error"
        elif any(notes.get(free) == UNDETERMINED for free in moves):
            notes[name] = UNDETERMINED
    return notes


# ------------------------------------------------------------------------------------------------------ statistics


def statistics(
    n: ndarray, rank: ndarray, rss: ndarray, total: ndarray, log_weights: ndarray
) -> Mapping[str, Float[ndarray, "G"]]:
    """(2), sigma and R^2 of each group; NaN where there is none.

    Parameters
    ----------
    n, rank : ndarray, (G,)
        Rows of positive weight, and parameters determined.
    rss, total : ndarray, (G,)
        Residual and total sum of squares.
    log_weights : ndarray, (G,)
        Sum of the logarithms of the positive weights.
    """
    df = (n - rank).astype(float)
    with np.errstate(all="ignore"):
        sigma = np.where(df > 0, np.sqrt(rss / df), np.nan)
        likely = -n / 2 * (np.log(2 * np.pi * rss / n) + 1) + log_weights / 2
        likely = np.where((df > 0) & (rss > 0), likely, np.nan)
        return {
            "n": n.astype(float),
            "df_residual": df,
            "sigma": sigma,
            "rss": rss,
            "r_squared": np.where(total > 0, 1 - rss / total, np.nan),
            "log_likelihood": likely,
            "aic": -2 * likely + 2 * rank,
            "bic": -2 * likely + rank * np.log(n),
        }
