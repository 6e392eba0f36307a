"""From the minimum that was found to a `Fit`: covariance on the user's scale, statistics, and what must be said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from thalweg.conclude import Choices, chosen_covariance, versions
from thalweg.curves.curve import in_order
from thalweg.curves.far import far_off
from thalweg.curves.graph import Graph
from thalweg.curves.language import build
from thalweg.curves.parameters import Parameters
from thalweg.curves.program import Compiled
from thalweg.curves.search import Found
from thalweg.curves.spec import CurveSpec
from thalweg.curves.undetermined import UNDETERMINED, Determination, determination, sentences
from thalweg.data.rows import Rows
from thalweg.data.spec import Spec
from thalweg.errors import CollinearityWarning, ConvergenceWarning, tell
from thalweg.inference.statistics import Statistics, compute, is_least_squares
from thalweg.losses.base import Family
from thalweg.observers import History
from thalweg.result import Fit
from thalweg.solvers.base import Status

if TYPE_CHECKING:
    from thalweg.solvers.base import Solution

ASTRAY = 1e-2  # standard errors from the minimum beyond which standard errors would be those of another point


def conclude_curve(
    rows: Rows,
    spec: CurveSpec,
    family: Family,
    parameters: Parameters,
    found: Found,
    history: History,
    *,
    given: Mapping[str, Any],
    weights_kind: str,
    covariance: str | None,
    level: float,
) -> Fit:
    """Statistics, covariance and notes of a curve's minimum."""
    choices = Choices(weights_kind, covariance, given, level)
    free = found.solution.theta.numpy()
    theta, slope = whole_theta(parameters, free)
    fitted = spec.fitted(theta)
    rows = Rows(rows.source, cast(Spec, fitted))
    details = found.solution.details
    known = determination(found.problem, free, details["held"], details.get("linear"))
    rank = len(parameters.free) - (0 if known is None else len(known.directions))
    rss = 2 * found.solution.value if is_least_squares(family) else None
    statistics = without_f(
        compute(rows, family, theta, cast(Spec, fitted), weights_kind=weights_kind, rank=rank, rss=rss)
    )
    unscaled, lacking = inverse_curvature(known, slope, statistics, found.solution)
    matrix, reason, df = chosen_covariance(rows, family, theta, choices, statistics, unscaled)
    told = _told(known, dict(zip(parameters.free, free.tolist(), strict=True)))
    told += _far_off(found, known)
    return Fit(
        spec=cast(Spec, fitted),
        family=family,
        theta=theta,
        aliased={},
        separation=None,
        level=level,
        covariance_kind=choices.kind(family),
        covariance=matrix,
        covariance_reason=lacking or reason,
        unscaled=unscaled,
        df=df,
        statistics=statistics,
        options={**choices.options(), **_searched(found), **_tied(parameters)},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        solution=replace(
            found.solution,
            theta=theta,
            inverse_curvature=unscaled,
            details={**details, "parameters": parameters, "free": free},
        ),
        trace=history,
        rows=rows,
        held=held(parameters, found, slope.numpy(), () if known is None else known.undetermined),
        notes=tuple(note for note in (found.solution.advice, found.sentence, *told) if note),
    )


def _searched(found: Found) -> dict[str, Any]:
    """From how many starts the minimum was found, and what other minima were seen."""
    return {"search": {"starts": found.starts, "minima": [float(value) for value in found.minima]}}


def _tied(parameters: Parameters) -> dict[str, Any]:
    return {"tied": dict(parameters.texts)} if parameters.texts else {}


def _told(known: Determination | None, values: Mapping[str, float]) -> list[str]:
    """What the data do not determine, in sentences, each of which is a warning too."""
    told = [] if known is None else sentences(known, values)
    for sentence in told:
        tell(CollinearityWarning(sentence))
    return told


def _far_off(found: Found, known: Determination | None) -> list[str]:
    """Columns from which an origin should be subtracted; a warning where the fit failed for it."""
    sentence, failed = far_off(found.problem, found.solution, known)
    if failed:
        tell(ConvergenceWarning(sentence))
    return [sentence] if sentence else []


def inverse_curvature(
    known: Determination | None, slope: Tensor, statistics: Statistics, solution: Solution
) -> tuple[Tensor | None, str | None]:
    """(F'WF)^-1 of all parameters, or why there is none: a solve that ended far from its minimum has none."""
    if known is None or (solution.inverse_curvature is None and solution.no_covariance):  # a descent measures its own
        return None, solution.no_covariance or "the curve or its Jacobian is not finite"
    away = known.left / math.sqrt(statistics.dispersion) if statistics.dispersion > 0 else 0.0
    if solution.status is not Status.CONVERGED and away > ASTRAY:
        return None, f"the solve ended {away:.2g} standard errors from a minimum"
    return slope @ torch.from_numpy(known.inverse) @ slope.T, None


def whole_theta(parameters: Parameters, free: np.ndarray) -> tuple[Tensor, Tensor]:
    """All parameters from the free ones, (P,), and how they move with them, (P, p)."""
    graph, nodes = _written(parameters)
    values, slopes = [], []
    for name in parameters.names:
        if name in parameters.free:
            at = parameters.free.index(name)
            values.append(float(free[at]))
            slopes.append([float(j == at) for j in range(len(free))])
            continue
        program = Compiled(graph, nodes[name], parameters.free).both
        value, *slope = program.run(program.prepare({}), [*free])
        values.append(float(value))
        slopes.append([float(each) for each in slope])
    return torch.tensor(values, dtype=torch.float64), torch.tensor(slopes, dtype=torch.float64)


def whole_thetas(parameters: Parameters, free: np.ndarray) -> np.ndarray:
    """All parameters, (K, P), of K fits whose free ones are (K, p)."""
    graph, nodes = _written(parameters)
    out = np.empty((len(free), len(parameters.names)))
    for j, name in enumerate(parameters.names):
        program = Compiled(graph, nodes[name], parameters.free).value
        with np.errstate(all="ignore"):
            (out[:, j],) = program.run(program.prepare({}), list(free.T))
    return out


def _written(parameters: Parameters) -> tuple[Graph, dict[str, int]]:
    """Each parameter as a function of the free ones."""
    graph = Graph()
    nodes = {name: graph.constant(value) for name, value in parameters.fixed.items()}
    nodes |= {name: graph.parameter(name) for name in parameters.free}
    for name, node in in_order(parameters.ties):
        made = Graph()
        nodes[name] = made.copy_into(graph, build(made, node, ()), nodes)
    return graph, nodes


def held(parameters: Parameters, found: Found, slope: np.ndarray, undetermined: Sequence[int]) -> dict[str, str]:
    """Parameters without a standard error of their own, and why."""
    notes = dict.fromkeys(parameters.fixed, "held at this value")
    theta = found.solution.theta.numpy()
    for j in found.solution.details["held"]:
        side = "lower" if theta[j] <= found.problem.lower[j] else "upper"
        notes[parameters.free[j]] = f"on its {side} bound, and held there for the errors of the others"
    notes |= {parameters.free[j]: UNDETERMINED for j in undetermined}
    for name in parameters.ties:
        moves = [parameters.free[j] for j in np.flatnonzero(slope[parameters.names.index(name)])]
        if any(notes.get(free) == UNDETERMINED for free in moves):
            notes[name] = UNDETERMINED
        elif all(free in notes for free in moves):
            notes[name] = "computed from parameters that have no standard error"
    return notes


def without_f(statistics: Statistics) -> Statistics:
    """No overall F test: a constant is not always one of the curves."""
    reason = "a curve need not hold a constant inside it: compare two fits with fit.compare(other)"
    nan = float("nan")
    return replace(
        statistics,
        f_statistic=nan,
        f_pvalue=nan,
        reasons={**statistics.reasons, "f_statistic": reason, "f_pvalue": reason},
    )
