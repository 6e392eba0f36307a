"""The numbers of a page: states, curves, surface, rounded to what a reader or a pixel can tell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from thalweg.errors import NotAvailableError
from thalweg.show.motion.page_scene import scene_of
from thalweg.show.motion.page_surface import surface_of_page
from thalweg.show.motion.subject import Subject
from thalweg.show.plots.optimum import optimum_of
from thalweg.show.plots.run import Run

MOST_PARAMETERS = 12  # whose values and traces are shown
DIGITS = 6
_SPREAD = 20.0  # from the largest to the smallest loss: from here on a logarithmic axis shows more


def content_of(
    run: Run, chosen: Int[np.ndarray, "m"], only: str | None, subject: Subject | None = None
) -> dict[str, Any]:
    """Everything that the script of a page reads.

    Parameters
    ----------
    run : Run
        Only states that can be drawn.
    chosen : array of int, (m,)
        Places of the frames among them.
    only : str or None
        The one panel that is shown, or None for all.
    subject : Subject, optional
        The rows and the predictor, where they were read before.

    Raises
    ------
    NotAvailableError
        The one panel is not to be had.
    """
    at = run.at(chosen)
    best = optimum_of(run)
    shown = range(min(len(run.names), MOST_PARAMETERS))
    least = None if best is None else rounded(best.value)
    return {
        "heading": _heading(run),
        "told": f"{run.title}: {run.ending} at step {run.steps[-1]}",
        "steps": at.steps.tolist(),
        "loss": numbers(at.value),
        "gradient": numbers(at.gradient_size),
        "rate": numbers(at.rate),
        "parameters": [{"name": run.names[j], "values": numbers(at.path[:, j])} for j in shown],
        "more": len(run.names) - len(shown),
        "least": least,
        "log": bool((at.value > 0).all() and at.value.max() > _SPREAD * at.value.min()),
        "lossTitle": run.loss_name[:1].upper()
        + run.loss_name[1:]
        + ("" if least is None else ", dashed: its least value"),
        "tracesTitle": "Parameters" if len(shown) == len(run.names) else f"{len(shown)} of {len(run.names)} parameters",
        "only": only,
        "scene": _or_none(scene_of, only == "scene", run, at.path, subject),
        "surface": _or_none(surface_of_page, only == "surface", run, at, best),
    }


def _or_none(make: Any, wanted: bool, *arguments: Any) -> Any:
    """A panel, or None where a fit does not have it and nobody asked for it alone."""
    try:
        return make(*arguments)
    except NotAvailableError:
        if wanted:
            raise
        return None


def _heading(run: Run) -> str:
    if run.rows is not None:
        return run.rows.spec.formula
    predictor = getattr(run.problem, "predictor", None)
    name = "A descent" if predictor is None else type(getattr(predictor, "original", predictor)).__name__
    return getattr(predictor, "text", name)


def rounded(value: float, digits: int = DIGITS) -> float | None:
    """A number with so many significant digits; None where it is not finite, which JSON cannot say."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def numbers(values: Float[np.ndarray, "n"], digits: int = DIGITS) -> list[float | int | None]:
    """Rounded numbers as JSON writes them shortest: whole ones without a point."""
    found = [rounded(value, digits) for value in values.tolist()]
    return [int(v) if v is not None and v.is_integer() and abs(v) < 1e6 else v for v in found]


def model_of(values: Float[np.ndarray, "m k"], tolerance: float = 1e-6) -> dict[str, Any]:
    """Values at k places for each of m frames as few numbers: weights (m, r) times basis (r, k).

    A linear predictor with p parameters has r <= p, whatever m and k are. Each frame is scaled to 1 before the rank is
    found, so that one that runs away takes no digits from the others; frames that are not finite are None.
    """
    size = np.abs(values).max(axis=1)
    there = np.isfinite(size)
    scale = np.where(there & (size > 0), size, 1.0)
    unit = np.where(there[:, None], values / scale[:, None], 0.0)
    left, singular, basis = np.linalg.svd(unit, full_matrices=False)
    rank = max(1, int((singular > tolerance * max(1.0, singular[0] / math.sqrt(len(singular)))).sum()))
    weights = left[:, :rank] * singular[:rank] * scale[:, None]
    rows = [numbers(row, 7) if ok else None for row, ok in zip(weights, there, strict=True)]
    return {"weights": rows, "basis": [numbers(row, 7) for row in basis[:rank]]}
