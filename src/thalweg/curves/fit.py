"""fit() of a curve: the story on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from thalweg.check import check, checked_inference
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
from thalweg.curves.ties import below_zero, unread_starts
from thalweg.curves.tiny import SMALL, check_large, check_squares
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


FIRST = 100  # blocks of rows whose response is looked at for its size


@np.errstate(all="ignore")
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
    covariance = checked_inference(weights_kind, level, covariance)
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
        found, descent = minimized(now, history, watching, asked.told)
        check_range(found.problem, 2 * found.solution.value)
        history.close()
        choices: dict[str, Any] = {"weights_kind": weights_kind, "covariance": covariance, "level": level}
        given = {name: told[name] for name in ("weights", "offset", "trials", "cluster")} | {"exposure": None}
        loss = found.problem.loss
        result = conclude_curve(now.rows, now.spec, loss, now.parameters, found, history, given=given, **choices)
        check_range(found.problem, result.statistics.tss)
        result = replace(result, notes=(*result.notes, *of_the_curve(now, result, told)))
    assert result.solution is not None
    warn_of_ending(result.solution)
    if isinstance(curve, nn.Module):
        ModulePredictor(curve).adopt(result.theta)
    return result if descent is None else replace(result, descent=descent)


def of_the_curve(now: Ready, result: Fit, told: Mapping[str, Any]) -> Iterator[str]:
    """What must be said of this curve besides what the search says."""
    curve = now.spec.curve
    if curve.whole_rows:
        yield "The function looks at all rows together: predictions depend on the rows that come with them."
    rounding = getattr(curve, "rounding", 0.0)
    if rounding > 1e-15:
        digits = int(-np.log10(rounding))
        kind = "float32" if digits > 4 else "float16"
        yield f"The function returns {kind}: its values, and so the estimates, carry {digits + 1} digits at most."
    start, names = told["start"], curve.parameters
    listed = isinstance(start, Sized) and not isinstance(start, Mapping) and len(start) == len(names)
    if now.parameters.ties and listed:
        starts = dict(zip(names, map(float, start), strict=True)) | now.parameters.fixed
        unread = unread_starts(now.parameters.ties, now.parameters.texts, starts)
        if unread:
            yield unread
    below = below_zero(now.parameters.texts, curve.positive, result.coefficients)
    if below:
        yield below


def check_range(problem: CurveProblem, squares: float) -> None:
    """Refuse a response whose squares are lost below the range of float64.

    Raises
    ------
    DataError
    """
    if problem.squares and squares < SMALL:
        parts = (_of_arrays(part) for part in problem.parts())
        check_squares(squares, (y if root is None else y * root for y, root in parts))


def _of_arrays(part: Part | DevicePart) -> tuple[np.ndarray, np.ndarray | None]:
    if isinstance(part, Part):
        return part.y, part.root
    return part.y.numpy(force=True), None if part.root is None else part.root.numpy(force=True)


def minimized(
    now: Ready, history: History, watching: list[Any], told: Mapping[str, Any]
) -> tuple[Found, Descent | None]:
    """The minimum: by a descent that somebody watches, by the search, and of a robust loss with its scale."""
    looked = {name: told[name] for name in ("solver", "stop", "starts", "seed")}
    if now.scaleless is not None:
        model, theta = scaled(now, looked)
        parameters = replace(now.parameters, start=dict(zip(now.parameters.free, theta.tolist(), strict=True)))
        problem = problem_of(now.rows, now.spec, model, parameters)
        return search(problem, now.spec, parameters, watching, **{**looked, "starts": 1}, rows=now.rows), None
    problem = problem_of(now.rows, now.spec, now.model, now.parameters)
    if problem.squares:
        first = (_of_arrays(part) for part in islice(problem.parts(), FIRST))
        check_large(y if root is None else y * root for y, root in first)
    solver = told["solver"]
    if isinstance(solver, DescentSolver):
        kept = {name: told[name] for name in ("stop", "checkpoint", "resume")}
        return descend(now.rows, problem, now.parameters, history, watching, solver=solver, **kept)
    return search(problem, now.spec, now.parameters, watching, **looked, rows=now.rows), None


def scaled(now: Ready, looked: Mapping[str, Any]) -> tuple[Family, np.ndarray]:
    """A robust loss with the scale of its own residuals, and where its minimum is."""

    def fitted(loss: Family, start: np.ndarray | None) -> tuple[CurveProblem, np.ndarray]:
        problem = problem_of(now.rows, now.spec, loss, now.parameters)
        if start is None:
            found = search(problem, now.spec, now.parameters, **looked, rows=now.rows).solution
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
        read = (part_of(curve, block) for block in rows.blocks())  # one, where all rows are looked at together
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
