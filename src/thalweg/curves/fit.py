"""fit() of a curve: the story on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from thalweg.check import check
from thalweg.conclude import warn_of_ending
from thalweg.curves.conclude import conclude_curve
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.descend import descend
from thalweg.curves.groups import Grouped, group_options, grouped_parameters
from thalweg.curves.language import read_equation
from thalweg.curves.parameters import Parameters, parameters_of
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.search import search
from thalweg.curves.spec import CurveSpec
from thalweg.data.block import Block
from thalweg.data.roles import with_roles
from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.objective import LARGE
from thalweg.observers import History
from thalweg.observers.adapt import adapted
from thalweg.observers.given import listed
from thalweg.prepare import READING
from thalweg.solvers.descent import DescentSolver
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from thalweg.result import Fit


def fit_curve(
    curve: str | Callable[..., Any],
    data: Any,
    *,
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    weights: Any = None,
    weights_kind: str = "precision",
    offset: Any = None,
    trials: Any = None,
    missing: str = "error",
    covariance: str | None = None,
    cluster: Any = None,
    level: float = 0.95,
    start: Any = None,
    bounds: Mapping[str, Any] | None = None,
    fixed: Any = None,
    positive: Any = None,
    tied: Mapping[str, str] | None = None,
    by: Any = None,
    shared: Any = None,
    starts: int | None = None,
    seed: int = 0,
    solver: Any = None,
    stop: Any = None,
    observers: Any = (),
    progress: Any = None,
    max_iter: int | None = None,
    tol: float | None = None,
    checkpoint: Any = None,
    resume: bool | None = None,
    **options: Any,
) -> Fit:
    """Fit a curve; what `thalweg.fit` does with "y = expression" or a function."""
    given = {"weights": weights, "offset": offset, "exposure": None, "trials": trials, "cluster": cluster}
    grouping, shared = {"by": by}, group_options(by, shared)
    reading = {key: value for key, value in options.items() if key in READING}
    source, roles = with_roles(open_source(data, **reading), given | grouping)
    group = roles.pop("by")
    equation = read_equation(str(curve), source.names)
    whole: Curve = Expression.of(equation)
    said = {"start": start, "bounds": bounds, "fixed": fixed, "positive": positive, "tied": tied}
    if group is None:
        parameters = parameters_of(whole, **said)
        spec = CurveSpec.learn(whole, equation.response, equation.text, source, missing=missing, **roles)
    else:
        whole = Grouped(whole, group, shared)
        spec = CurveSpec.learn(whole, equation.response, equation.text, source, missing=missing, **roles)
        parameters = grouped_parameters(spec.curve, **said)
    model = family_named(family, link or ("identity" if family != "gaussian" else None))
    rows = Rows(source, spec)  # type: ignore[arg-type]  # it reads rows as a Spec does
    history = History()
    watching = [history, *([] if progress is None else [progress]), *map(adapted, listed(observers))]
    with nullcontext() if rows.count * len(parameters.free) > LARGE else one_thread():
        check(rows, model, weights_kind)
        problem = problem_of(rows, spec, model, parameters)
        descent = None
        if isinstance(solver, DescentSolver):
            kept = {"checkpoint": checkpoint, "resume": resume}
            found, descent = descend(rows, problem, parameters, history, watching, solver=solver, stop=stop, **kept)
        else:
            found = search(problem, spec, parameters, watching, solver=solver, stop=stop, starts=starts, seed=seed)
        history.close()
        result = conclude_curve(
            rows,
            spec,
            model,
            parameters,
            found,
            history,
            given=given,
            weights_kind=weights_kind,
            covariance=covariance,
            level=level,
        )
    assert result.solution is not None
    warn_of_ending(result.solution)
    return result if descent is None else replace(result, descent=descent)


def problem_of(rows: Rows, spec: CurveSpec, model: Family, parameters: Parameters) -> CurveProblem:
    """What the solver minimizes: the curve of the free parameters over the rows."""
    curve = spec.curve.restricted(parameters.fixed, parameters.ties)
    order = [list(curve.parameters).index(name) for name in parameters.free]
    assert order == sorted(order)
    kept: list[Part] | None = None

    def parts() -> Iterator[Part]:
        nonlocal kept
        if kept is not None:
            return iter(kept)
        read = (part_of(curve, block) for block in rows.blocks())
        if rows._kept is not None or rows.count * (len(spec.curve.inputs) + 1) * 8 <= 2**26:
            kept = list(read)
            return iter(kept)
        return read

    return CurveProblem(curve, parts, model, rows.count, lower=parameters.lower, upper=parameters.upper)


def part_of(curve: Curve, block: Block) -> Part:
    """Some rows of a curve as its solver sees them."""
    tangent: Any = block.matrix
    weight = block.loss_weight
    return Part(
        curve.over(tangent.columns, block.rows),
        _array(block.y),
        None if weight is None else _array(weight),
        None if block.offset is None else _array(block.offset),
    )


def _array(values: Tensor | None) -> np.ndarray:
    assert values is not None
    return np.ascontiguousarray(values.to(torch.float64).numpy(force=True))
