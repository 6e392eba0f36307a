"""The panel of the loss surface: its heights over two parameters, or the loss along the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from thalweg.errors import NotAvailableError
from thalweg.show.plots.optimum import Optimum
from thalweg.show.plots.run import Run
from thalweg.show.plots.surface import surface_of

if TYPE_CHECKING:
    from thalweg.problem import Problem

PLACES = 121  # along one parameter
FLOOR = 1e-3  # of the height of a surface: what is added before its logarithm is taken


def surface_of_page(run: Run, at: Run, best: Optimum | None) -> dict[str, Any]:
    """What the script draws.

    Raises
    ------
    NotAvailableError
        The loss is not known as a function of the parameters.
    """
    if run.problem is None:
        raise NotAvailableError("the loss of this fit is not known as a function of its parameters")
    return _profile(run, at, best) if len(run.names) == 1 else _surface(run, at)


def _surface(run: Run, at: Run) -> dict[str, Any]:
    from thalweg.show.motion.page_content import numbers, rounded

    surface = surface_of(run)
    across, up = surface.pair
    end = run.path[-1] if surface.best is None else surface.best.theta
    finite = surface.z[np.isfinite(surface.z)]
    least = float(finite.min()) if surface.best is None else min(surface.best.value, float(finite.min()))
    rest = f", {surface.rest}" if surface.rest else ""
    return {
        "title": f"Loss over two parameters{rest}",
        "x": numbers(surface.x),
        "y": numbers(surface.y),
        "values": numbers(surface.z.ravel(), 5),
        "least": rounded(least, 12),
        "floor": rounded(FLOOR * (float(finite.max()) - least) or 1.0),
        "path": [numbers(row) for row in at.path[:, [across, up]]],
        "optimum": numbers(end[[across, up]]),
        "marked": "where it ended" if surface.best is None else "optimum",
        "xLabel": run.names[across],
        "yLabel": run.names[up],
    }


def _profile(run: Run, at: Run, best: Optimum | None) -> dict[str, Any]:
    from thalweg.show.motion.page_content import numbers

    problem = cast("Problem", run.problem)
    end = run.path[-1] if best is None else best.theta
    reach = max(float(np.abs(run.path[0] - end).max()) * 1.3, 1e-3 * max(1.0, float(np.abs(end).max())))
    x = np.linspace(float(end[0]) - reach, float(end[0]) + reach, PLACES)
    theta = torch.from_numpy(x).to(dtype=problem.dtype, device=problem.device)[:, None]
    with torch.no_grad():
        values = np.array([float(problem.value(row)) for row in theta])
    return {
        "title": f"Loss over {run.names[0]}",
        "x": numbers(x),
        "y": None,
        "values": numbers(values),
        "path": [numbers(row) for row in at.path],
        "optimum": numbers(end),
        "marked": "where it ended" if best is None else "optimum",
        "xLabel": run.names[0],
    }
