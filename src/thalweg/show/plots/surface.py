"""A loss as a surface over two of its parameters.

Of a quadratic f with Hessian H the rest is minimized out exactly: with a the two and b the others,

    f(a) = least + (a - a*)' S (a - a*) / 2,      S = H_aa - H_ab H_bb^-1 H_ba                 (the Schur complement)

For other losses the rest is held at its optimum, or where the descent ended if there is no optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, final

import numpy as np
import torch
from jaxtyping import Float

from thalweg.errors import NotAvailableError, OptionError
from thalweg.objective import LARGE
from thalweg.show.plots.optimum import Optimum, optimum_of
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from thalweg.problem import Problem
    from thalweg.show.plots.run import Run

PLACES = 161  # along each side of a quadratic, which costs nothing
# Along each side of a loss that is evaluated at every place: as many as a budget of rows times parameters allows.
_FEWEST, _EVALUATED = 15, 41
_BUDGET = 4e9
_NEAR, _CLOSER = 4.0, 0.25  # steps around the optimum in which places are closer, and how close in steps
_MARGIN = 0.15
# How many times the extent of the contour through the start a window shows: of a path, and of one that ran away.
_FURTHEST = (10.0, 1.6)
_HIGHEST = 2.0  # times the height of the start above the floor: the rim of a curve's surface
_NARROWEST = 0.02  # of the larger parameter of a path, at least that wide is a window


@final
@dataclass(frozen=True, eq=False)
class Surface:
    """A loss over two parameters.

    Attributes
    ----------
    pair : (int, int)
        Their places among the parameters: across and up.
    x, y : array, (m,)
        Their values.
    z : array, (m, m)
        The loss, a row for each y.
    best : Optimum or None
    rest : str
        What became of the other parameters, in words; empty where there are none.
    """

    pair: tuple[int, int]
    x: Float[np.ndarray, "m"]
    y: Float[np.ndarray, "m"]
    z: Float[np.ndarray, "m m"]
    best: Optimum | None
    rest: str


def surface_of(runs: Run | Sequence[Run], parameters: Sequence[str] | None = None, *, finer: bool = False) -> Surface:
    """The surface under one run, or under several of one problem.

    Parameters
    ----------
    runs : Run or sequence of Run
        The window holds all of them but those that ran away, where there are others.
    parameters : two str, optional
        Across and up; without them the two that moved the furthest.
    finer : bool
        Whether places lie closer around the optimum, where contours are small, than elsewhere.

    Raises
    ------
    NotAvailableError
        Fewer than two parameters, or a run whose loss is not known as a function of them.
    OptionError
        Parameters that are no two of them.
    """
    runs = list(runs) if isinstance(runs, Sequence) else [runs]
    run = runs[0]
    if run.problem is None or len(run.names) < 2:
        raise NotAvailableError(
            "a surface is drawn of a descent with two parameters or more",
            advice='Draw the "loss", or fit with solver=thalweg.GradientDescent(lr=...).',
        )
    pair = _pair(runs, parameters)
    # Some thousand losses, each of microseconds where the rows are few: threads would wait longer than they reckon.
    with one_thread() if run.problem.rows * len(run.names) <= LARGE else nullcontext():
        best = next((found for found in map(optimum_of, runs) if found is not None), None)
        side = places_along(run.problem.rows, len(run.names)) if run.problem.quadratic is None else PLACES
        x, y = (_places(runs, best, j, side) for j in pair)
        if finer and best is not None and side == _EVALUATED:
            x, y = (_finer(at, float(best.theta[j])) for at, j in zip((x, y), pair, strict=True))
        at = run.finite().path[-1] if best is None else best.theta
        exact = run.problem.quadratic is not None
        z = _quadratic(run.problem, pair, x, y) if exact else _evaluated(run, pair, at, x, y)
        z = z if run.curve is None else _capped(z, run)
    return Surface(pair, x, y, z, best, _rest(run, best))


def places_along(rows: int, parameters: int) -> int:
    """Along each side of a surface whose loss is evaluated at every place.

    Examples
    --------
    >>> places_along(200, 25), places_along(1_000_000, 25)
    (41, 15)
    """
    return int(min(_EVALUATED, max(_FEWEST, (_BUDGET / max(1, rows * parameters)) ** 0.5)))


def _pair(runs: Sequence[Run], parameters: Sequence[str] | None) -> tuple[int, int]:
    names = runs[0].names
    if parameters is None:
        moved = np.max([np.ptp(run.finite().path, axis=0) for run in runs], axis=0)
        furthest = np.sort(np.argsort(-moved, kind="stable")[:2])
        return _slope_across(names, int(furthest[0]), int(furthest[1]))
    if isinstance(parameters, str) or len(parameters) != 2 or len(set(parameters)) != 2:
        raise OptionError(f"parameters is {parameters!r}", advice='Name two, as ("x", "Intercept").')
    for name in parameters:
        if name not in names:
            raise OptionError(f"there is no parameter {name!r}", advice=f"There are {', '.join(names[:20])}.")
    return names.index(parameters[0]), names.index(parameters[1])


def _slope_across(names: Sequence[str], first: int, second: int) -> tuple[int, int]:
    """A slope across and the intercept up, as lines are talked of."""
    return (second, first) if names[first] == "Intercept" else (first, second)


def _rest(run: Run, best: Optimum | None) -> str:
    if len(run.names) == 2:
        return ""
    if run.problem is not None and run.problem.quadratic is not None:
        return "the others at their best for each pair"
    return "the others held where the descent ended" if best is None else "the others held at their optimum"


def _places(runs: Sequence[Run], best: Optimum | None, j: int, side: int) -> Float[np.ndarray, "m"]:
    """Values of one parameter that hold the paths and the optimum."""
    stayed = [run for run in runs if not run.ran_away]  # of a race, the window is theirs
    spans = [_span(run, best, j) for run in stayed or runs]
    low, high = min(low for low, _ in spans), max(high for _, high in spans)
    margin = max(_MARGIN * (high - low), _NARROWEST * max(abs(low), abs(high)), 1e-12)
    return np.linspace(low - margin, high + margin, side)


def _finer(at: Float[np.ndarray, "m"], centre: float) -> Float[np.ndarray, "k"]:
    """Even places with closer ones around the optimum."""
    step = float(at[1] - at[0])
    close = centre + step * np.arange(-_NEAR, _NEAR + _CLOSER / 2, _CLOSER)
    apart = at[np.abs(at - centre) > (_NEAR + _CLOSER) * step]
    return np.union1d(apart, close[(close > at[0]) & (close < at[-1])])


def _span(run: Run, best: Optimum | None, j: int) -> tuple[float, float]:
    """What a window must hold of one run, its optimum included; of one that ran away, only the beginning."""
    path = run.finite().path[:, j]
    low, high, start = float(path.min()), float(path.max()), float(path[0])
    if best is None:
        return low, high
    centre = float(best.theta[j])
    reach = _FURTHEST[run.ran_away] * _extent(run, best, j)
    low, high = max(low, centre - reach), min(high, centre + reach)
    return min(low, start, centre), max(high, start, centre)


def _extent(run: Run, best: Optimum, j: int) -> float:
    """How far from the optimum the contour through the start goes in one parameter: sqrt(2 (f_0 - least) H^-1_jj)."""
    far = max(abs(float(run.path[0, j] - best.theta[j])), _NARROWEST * abs(float(best.theta[j])), 1e-12)
    quadratic = None if run.problem is None else run.problem.quadratic
    if quadratic is None:
        return far
    inverse = torch.linalg.pinv(quadratic.hessian, hermitian=True)[j, j]
    return max(far, float(2 * max(float(run.value[0]) - best.value, 0.0) * inverse) ** 0.5)


def _capped(z: Float[np.ndarray, "m m"], run: Run) -> Float[np.ndarray, "m m"]:
    """Cut above the start: away from the data a curve may grow without bounds, and hide the valley."""
    least = min(float(run.value.min()), float(np.nanmin(z)))
    return np.minimum(np.nan_to_num(z, nan=np.inf), least + _HIGHEST * max(float(run.value[0]) - least, 1e-300))


def _quadratic(problem: Problem, pair: tuple[int, int], x: np.ndarray, y: np.ndarray) -> Float[np.ndarray, "m m"]:
    quadratic = problem.quadratic
    assert quadratic is not None
    hessian, a = quadratic.hessian, list(pair)
    b = [j for j in range(len(hessian)) if j not in pair]
    schur = hessian[a][:, a] - hessian[a][:, b] @ torch.linalg.pinv(hessian[b][:, b], hermitian=True) @ hessian[b][:, a]
    s, centre = schur.numpy(), quadratic.optimum.numpy()
    dx, dy = x[None, :] - centre[a[0]], y[:, None] - centre[a[1]]
    return quadratic.least + (s[0, 0] * dx**2 + 2 * s[0, 1] * dx * dy + s[1, 1] * dy**2) / 2


def _evaluated(
    run: Run, pair: tuple[int, int], at: np.ndarray, x: np.ndarray, y: np.ndarray
) -> Float[np.ndarray, "m m"]:
    """The loss at every place, the rest of the parameters held."""
    problem = cast("Problem", run.problem)
    theta = torch.from_numpy(at).to(dtype=problem.dtype, device=problem.device).repeat(len(x) * len(y), 1)
    right, high = np.meshgrid(x, y)
    theta[:, pair[0]] = torch.from_numpy(right.ravel()).to(theta)
    theta[:, pair[1]] = torch.from_numpy(high.ravel()).to(theta)
    with torch.no_grad():
        values = torch.stack([problem.value(row) for row in theta])
    return values.double().cpu().numpy().reshape(right.shape)
