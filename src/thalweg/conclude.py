"""From a solution to a Fit: what the coefficients are worth, and what must be said of them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy
import torch
from jaxtyping import Float, Int
from torch import Tensor

import thalweg
from thalweg.data.roles import AS_ARRAY
from thalweg.data.rows import Rows
from thalweg.data.spec import Spec
from thalweg.diagnose.separation import Recession
from thalweg.errors import (
    CollinearityWarning,
    ConvergenceWarning,
    DataError,
    DivergenceWarning,
    SeparationWarning,
    tell,
)
from thalweg.inference.covariance import check_kind, count_clusters, default_kind, degrees_of_freedom
from thalweg.inference.covariance import covariance as covariance_of
from thalweg.inference.statistics import Statistics, compute
from thalweg.losses.base import Family
from thalweg.observers import History
from thalweg.result import Fit, Separation
from thalweg.solvers.base import Solution, Status


@dataclass(frozen=True)
class Choices:
    """What the user chose of the inference; `given` holds weights, offset, exposure, trials and cluster."""

    weights_kind: str
    covariance: str | None
    given: Mapping[str, Any]
    level: float

    def kind(self, family: Family) -> str:
        """The covariance, where none was chosen the one that the weights, the clusters or a robust loss imply."""
        clustered, robust = self.given["cluster"] is not None, family.dispersion_reason is not None
        return self.covariance or default_kind(self.weights_kind, clustered=clustered, robust=robust)

    def options(self) -> dict[str, Any]:
        """What a model file and a summary say of them: a name, or that an array was given."""
        named = {k: v if isinstance(v, str) else AS_ARRAY for k, v in self.given.items() if v is not None}
        return {"weights_kind": self.weights_kind, **named}


def conclude(rows: Rows, family: Family, solution: Solution, history: History, choices: Choices) -> Fit:
    """Statistics, covariance and notes of a solution."""
    names, theta = rows.spec.names, solution.theta
    separation = separated(solution, rows)
    rank = len(names) - len(solution.aliased)
    statistics = compute(
        rows,
        family,
        theta,
        rows.spec,
        weights_kind=choices.weights_kind,
        rank=rank,
        rss=solution.details.get("rss"),
        estimated=int("alpha_rounds" in solution.details),
    )
    unscaled = estimable(solution.inverse_curvature, separation, names)
    matrix, reason, df = chosen_covariance(rows, family, theta, choices, statistics, unscaled)
    return Fit(
        spec=rows.spec,
        family=family,
        theta=theta,
        aliased=aliases(solution, names),
        separation=separation,
        level=choices.level,
        covariance_kind=choices.kind(family),
        covariance=matrix,
        covariance_reason=reason if unscaled is not None else solution.no_covariance or "the data are separated",
        unscaled=unscaled,
        df=df,
        statistics=statistics,
        options=choices.options(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        solution=solution,
        trace=history,
        rows=rows,
        notes=(solution.advice,) if solution.advice else (),
    )


def chosen_covariance(
    rows: Rows, family: Family, theta: Tensor, choices: Choices, statistics: Statistics, unscaled: Tensor | None
) -> tuple[Tensor | None, str | None, float | None]:
    """The covariance of the kind that was chosen, or why there is none, and the degrees of freedom of its t."""
    kind = choices.kind(family)
    clusters = cluster_codes(rows) if kind == "cluster" else None
    matrix, reason = covariance_of(
        kind,
        unscaled=unscaled,
        statistics=statistics,
        rows=rows,
        family=family,
        theta=theta,
        weights_kind=choices.weights_kind,
        clusters=clusters,
    )
    groups = None if clusters is None else count_clusters(rows, clusters)
    return matrix, reason, degrees_of_freedom(kind, family, statistics, groups)


def recovered(fit: Fit, kind: str, cluster: str | None = None) -> tuple[Tensor | None, str | None]:
    """The covariance of another kind than the fit's own, or why there is none."""
    check_kind(kind)
    if fit.unscaled is None and fit.covariance_reason:
        return None, fit.covariance_reason
    rows = fit.data() if fit.rows is not None or kind != "model" else None
    if cluster is not None and rows is not None:
        again = Spec.learn(f"{fit.spec.response.name} ~ 1", rows.source, cluster=cluster, missing=rows.spec.missing)
        if again.rows != rows.spec.rows:
            raise DataError(f"clusters {cluster!r} are missing in rows of the fit", advice="Fit with cluster= instead.")
        rows_of_clusters: Rows | None = Rows(rows.source, again)
    else:
        rows_of_clusters = rows
    clusters = cluster_codes(rows_of_clusters) if kind == "cluster" and rows_of_clusters is not None else None
    return covariance_of(
        kind,
        unscaled=fit.unscaled,
        statistics=fit.statistics,
        rows=rows,
        family=fit.family,
        theta=fit.theta,
        weights_kind=fit.options.get("weights_kind", "precision"),
        clusters=clusters,
    )


def estimable(
    unscaled: Float[Tensor, "p p"] | None, separation: Separation | None, names: tuple[str, ...]
) -> Float[Tensor, "p p"] | None:
    """The inverse curvature with zeros for the coefficients that separation sends to infinity."""
    if unscaled is None or separation is None:
        return unscaled
    finite = torch.tensor([name not in separation.direction for name in names], device=unscaled.device)
    return unscaled * finite * finite[:, None]


def cluster_codes(rows: Rows) -> Int[Tensor, "n"]:
    """The cluster of each row, in the order of reading."""
    return torch.cat([rows.spec.cluster(batch) for batch in rows.batches()])


@cache
def versions() -> dict[str, str]:
    """What a model file says it was made with."""
    return {
        "thalweg": thalweg.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "formulaic": version("formulaic"),
        "python": platform.python_version(),
    }


def aliases(solution: Solution, names: tuple[str, ...]) -> dict[str, str]:
    """Aliased columns by name, each with the combination of other columns that it is."""
    combinations: Mapping[int, Mapping[int, float]] = solution.details.get("combinations", {})
    return {names[j]: _combination(combinations.get(j, {}), names) for j in solution.aliased}


def _combination(weights: Mapping[int, float], names: tuple[str, ...]) -> str:
    """ "= 2 * x1 - Intercept" from column numbers and coefficients."""
    if not weights:
        return "= 0 in every row"
    text = ""
    for i, (column, weight) in enumerate(weights.items()):
        sign = ("-" if weight < 0 else "") if i == 0 else (" - " if weight < 0 else " + ")
        size = abs(weight)
        text += sign + (names[column] if size == 1 else f"{size:.6g} * {names[column]}")
    return f"= {text}"


def separated(solution: Solution, rows: Rows) -> Separation | None:
    """The separation that a solver proved, in words."""
    found: Recession | None = solution.details.get("recession")
    if solution.status is not Status.SEPARATED or found is None:
        return None
    names = rows.spec.names
    sizes = found.direction.tolist()
    direction = {names[j]: sizes[j] for j in solution.details["undetermined"]}
    listed = " ".join(f"{value:+.3g} {name}" for name, value in direction.items() if abs(value) > 1e-9)
    how = "completely" if found.complete else "partly (quasi-completely)"
    sentence = (
        f"The data are {how} separated: along the direction {listed} the likelihood rises for ever, so"
        f" {_listed([*direction])} {'has' if len(direction) == 1 else 'have'} no finite maximum-likelihood estimate."
        " Leave out a column of that direction, or join the levels that it tells apart."
    )
    return Separation(found.complete, direction, sentence)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def warn(fit: Fit) -> None:
    """What the user must not overlook, as warnings."""
    if fit.separation is not None:
        tell(SeparationWarning(fit.separation.sentence))
    if fit.aliased:
        listed = "; ".join(f"{name} {reason}" for name, reason in fit.aliased.items())
        tell(
            CollinearityWarning(
                f"{len(fit.aliased)} of {len(fit.names)} columns are combinations of the ones before them and get no"
                f" coefficient: {listed}"
            )
        )
    solution = fit.solution
    if solution is not None:
        warn_of_ending(solution)


def warn_of_ending(solution: Solution) -> None:
    """That a solve diverged, or ended before its optimum without having been asked to."""
    text = solution.advice or f"The solver {solution.status.value}."
    if solution.status is Status.INTERRUPTED:
        at = solution.details.get("stopped_at", solution.steps)
        text = f"Interrupted at step {at:,}; the best state so far is kept. {solution.advice}".rstrip()
    if solution.status is Status.DIVERGED:
        tell(DivergenceWarning(text))
    elif solution.status not in (Status.CONVERGED, Status.SEPARATED, Status.REACHED):
        tell(ConvergenceWarning(text))
