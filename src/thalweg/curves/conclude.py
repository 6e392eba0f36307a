"""From the minimum that was found to a `Fit`: covariance on the user's scale, statistics, and what must be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from thalweg.conclude import Choices, cluster_codes, versions
from thalweg.curves.parameters import Parameters
from thalweg.curves.search import Found
from thalweg.curves.spec import CurveSpec
from thalweg.data.rows import Rows
from thalweg.data.spec import Spec
from thalweg.inference.covariance import count_clusters, degrees_of_freedom
from thalweg.inference.covariance import covariance as covariance_of
from thalweg.inference.statistics import Statistics, compute, is_least_squares
from thalweg.losses.base import Family
from thalweg.observers import History
from thalweg.result import Fit

if TYPE_CHECKING:
    from thalweg.solvers.base import Solution


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
    theta, slope = whole_theta(parameters, found.solution.theta.numpy())
    fitted = spec.fitted(theta)
    rows = Rows(rows.source, cast(Spec, fitted))
    undetermined = found.solution.details["undetermined"]
    rank = len(parameters.free) - (0 if undetermined is None else len(undetermined))
    rss = 2 * found.solution.value if is_least_squares(family) else None
    statistics = without_f(
        compute(rows, family, theta, cast(Spec, fitted), weights_kind=weights_kind, rank=rank, rss=rss)
    )
    unscaled = found.solution.inverse_curvature
    unscaled = None if unscaled is None else slope @ unscaled @ slope.T
    kind = choices.kind(family)
    clusters = cluster_codes(rows) if kind == "cluster" else None
    matrix, reason = covariance_of(
        kind,
        unscaled=unscaled,
        statistics=statistics,
        rows=rows,
        family=family,
        theta=theta,
        weights_kind=weights_kind,
        clusters=clusters,
    )
    groups = None if clusters is None else count_clusters(rows, clusters)
    return Fit(
        spec=cast(Spec, fitted),
        family=family,
        theta=theta,
        aliased={},
        separation=None,
        level=level,
        covariance_kind=kind,
        covariance=matrix,
        covariance_reason=reason if unscaled is not None else found.solution.no_covariance,
        unscaled=unscaled,
        df=degrees_of_freedom(kind, family, statistics, groups),
        statistics=statistics,
        options=choices.options(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        solution=replace(found.solution, theta=theta),
        trace=history,
        rows=rows,
        held=held(parameters, found.solution),
        notes=tuple(note for note in (found.solution.advice, found.sentence) if note),
    )


def whole_theta(parameters: Parameters, free: np.ndarray) -> tuple[Tensor, Tensor]:
    """All parameters from the free ones, (P,), and how they move with them, (P, p)."""
    from thalweg.curves.graph import Graph
    from thalweg.curves.language import build
    from thalweg.curves.curve import _in_order
    from thalweg.curves.program import Compiled

    graph = Graph()
    nodes = {name: graph.constant(value) for name, value in parameters.fixed.items()}
    nodes |= {name: graph.parameter(name) for name in parameters.free}
    for name, node in _in_order(parameters.ties):
        made = Graph()
        nodes[name] = made.copy_into(graph, build(made, node, ()), nodes)
    values, slopes = [], []
    for name in parameters.names:
        program = Compiled(graph, nodes[name], parameters.free).both
        value, *slope = program.run(program.prepare({}), [*free])
        values.append(float(value))
        slopes.append([float(each) for each in slope])
    return torch.tensor(values, dtype=torch.float64), torch.tensor(slopes, dtype=torch.float64)


def held(parameters: Parameters, solution: Solution) -> dict[str, str]:
    """Parameters without a standard error of their own, and why."""
    notes = {name: "held at this value" for name in parameters.fixed}
    for j in solution.details["held"]:
        notes[parameters.free[j]] = "on its bound, and held there for the errors of the others"
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
