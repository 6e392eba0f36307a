"""fit() of a curve: the story on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from thalweg.check import check
from thalweg.conclude import warn_of_ending
from thalweg.curves.by_group import fit_by_group
from thalweg.curves.conclude import conclude_curve
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.descend import check_solver, descend
from thalweg.curves.device import DevicePart, device_of_rows, device_parts
from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.ready import Ready, asked_by_group, check_told, is_apart, opened, ready
from thalweg.curves.robust import with_scale
from thalweg.curves.search import Found, search
from thalweg.curves.spec import CurveSpec
from thalweg.data.block import Block
from thalweg.data.rows import KEEP_BYTES, Rows
from thalweg.descent import Descent
from thalweg.losses.base import Family
from thalweg.objective import LARGE
from thalweg.observers import History
from thalweg.observers.adapt import adapted
from thalweg.observers.given import listed
from thalweg.predictors import ModulePredictor
from thalweg.solvers.descent import DescentSolver
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from thalweg.result import Fit


def fit_curve(
    curve: str | Callable[..., Any] | nn.Module,
    data: Any,
    *,
    y: str | None = None,
    x: Any = None,
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
    checkpoint: Any = None,
    resume: bool | None = None,
    **options: Any,
) -> Fit:
    """Fit a curve; what `thalweg.fit` does with "y = expression", a function, or a module and this solver.

    Parameters
    ----------
    y, x : str and names, optional
        Of a function the response; of a module the columns that it is given too.
    **options :
        How to read a file, and the family's own (scale, power, alpha).
    Others as for `thalweg.fit`.
    """
    told = {name: value for name, value in locals().items() if name not in ("curve", "data", "options")}
    check_solver(solver, checkpoint, resume)
    check_told(told, options)
    asked = opened(curve, data, told, options)
    if is_apart(asked):
        return cast("Fit", fit_by_group(asked_by_group(fit_curve, asked)))
    now = ready(fit_curve, asked)
    history = History()
    watching = [history, *([] if progress is None else [progress]), *map(adapted, listed(observers))]
    with nullcontext() if now.rows.count * len(now.parameters.free) > LARGE else one_thread():
        check(now.rows, now.model, weights_kind)
        found, descent = minimized(now, history, watching, told)
        history.close()
        choices: dict[str, Any] = {"weights_kind": weights_kind, "covariance": covariance, "level": level}
        given = {name: told[name] for name in ("weights", "offset", "trials", "cluster")} | {"exposure": None}
        loss = found.problem.loss
        result = conclude_curve(now.rows, now.spec, loss, now.parameters, found, history, given=given, **choices)
    assert result.solution is not None
    warn_of_ending(result.solution)
    if isinstance(curve, nn.Module):
        ModulePredictor(curve).adopt(result.theta)
    return result if descent is None else replace(result, descent=descent)


def minimized(
    now: Ready, history: History, watching: list[Any], told: Mapping[str, Any]
) -> tuple[Found, Descent | None]:
    """The minimum: by a descent that somebody watches, by the search, and of a robust loss with its scale."""
    looked = {name: told[name] for name in ("solver", "stop", "starts", "seed")}
    if now.scaleless is not None:
        model, theta = scaled(now, looked)
        parameters = replace(now.parameters, start=dict(zip(now.parameters.free, theta.tolist(), strict=True)))
        problem = problem_of(now.rows, now.spec, model, parameters)
        return search(problem, now.spec, parameters, watching, **{**looked, "starts": 1}), None
    problem = problem_of(now.rows, now.spec, now.model, now.parameters)
    solver = told["solver"]
    if isinstance(solver, DescentSolver):
        kept = {name: told[name] for name in ("stop", "checkpoint", "resume")}
        return descend(now.rows, problem, now.parameters, history, watching, solver=solver, **kept)
    return search(problem, now.spec, now.parameters, watching, **looked), None


def scaled(now: Ready, looked: Mapping[str, Any]) -> tuple[Family, np.ndarray]:
    """A robust loss with the scale of its own residuals, and where its minimum is."""

    def fitted(loss: Family, start: np.ndarray | None) -> tuple[CurveProblem, np.ndarray]:
        problem = problem_of(now.rows, now.spec, loss, now.parameters)
        if start is None:
            found = search(problem, now.spec, now.parameters, **looked).solution
        else:
            found = solve(LevenbergMarquardt(), problem, torch.from_numpy(start))
        return problem, found.theta.numpy()

    assert now.scaleless is not None
    return with_scale(now.scaleless, fitted)


def problem_of(rows: Rows, spec: CurveSpec, model: Family, parameters: Parameters) -> CurveProblem:
    """What the solver minimizes: the curve of the free parameters over the rows."""
    curve = spec.curve.restricted(parameters.fixed, parameters.ties)
    kept: list[Part | DevicePart] | None = None

    def parts() -> Iterator[Part | DevicePart]:
        nonlocal kept
        if kept is not None:
            return iter(kept)
        if isinstance(curve, Expression) and device_of_rows(rows).type != "cpu":
            kept = [*device_parts(rows, curve)]
            return iter(kept)
        read = (part_of(curve, block) for block in rows.blocks())
        if rows.count * (len(spec.curve.inputs) + 1) * 8 <= KEEP_BYTES:
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
