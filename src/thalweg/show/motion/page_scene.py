"""The panel of the fit over its data, by the same choice of scene as the other moving pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from thalweg.data.contrasts import show_level
from thalweg.show.motion.boundary import Boundary
from thalweg.show.motion.curves import Curves
from thalweg.show.motion.kinds import fit_scene
from thalweg.show.motion.observed import Bars, Observed
from thalweg.show.motion.pictures import Pictures
from thalweg.show.motion.scene import Scene, padded
from thalweg.show.motion.subject import Subject, subject_of
from thalweg.show.plots.grid import as_column
from thalweg.show.plots.run import Run

MOST_POINTS = 600
MOST_ROWS = 400  # fitted against observed: each has numbers of its own in every frame
SIDE = 40  # pixels of a picture; larger ones are thinned out
PLACES = 121  # of a curve


def scene_of(run: Run, path: Float[np.ndarray, "m p"], subject: Subject | None = None) -> dict[str, Any]:
    """What the script draws of the fit.

    Raises
    ------
    NotAvailableError
        The run holds no rows.
    """
    subject = subject or subject_of(run)
    scene = fit_scene(subject, path[[0, -1]])
    for kind, make in _MAKERS.items():
        if isinstance(scene, kind):
            return _common(subject, scene) | make(subject, scene, path)
    raise AssertionError(f"no panel for {type(scene).__name__}")


def _common(subject: Subject, scene: Scene) -> dict[str, Any]:
    link = subject.link
    return {
        "link": "identity" if link is None else link.name,
        "exponent": 1.0 if link is None else link.exponent or 1.0,
        "xLabel": "",
        "yLabel": subject.response,
    }


def _curves(subject: Subject, scene: Any, path: np.ndarray) -> dict[str, Any]:
    from thalweg.show.motion.page_content import model_of, numbers

    at = scene.places(PLACES)
    axis = np.log10 if scene.logarithmic else np.asarray  # the script has no logarithmic axis
    shown = _some(len(scene.y), MOST_POINTS)
    curves = []
    for level in scene.levels:
        columns = {scene.x: at}
        if level is not None:
            columns[subject.category.column] = as_column([level] * PLACES)  # type: ignore[union-attr]
        model = model_of(subject.along(path, columns).numpy())
        label = "" if level is None else show_level(level)
        curves.append(model | {"label": label, "rows": _rows_of(subject, level, shown)})
    title = "The fit over the data" if not subject.probability else f"P({subject.response} = {subject.classes[1]})"
    return {
        "kind": "curve",
        "title": f"{title}. {scene.note}" if scene.note else title,
        "at": numbers(axis(at)),
        "x": numbers(axis(subject.column(scene.x)[shown].astype(np.float64))),
        "y": numbers(scene.y[shown]),
        "curves": curves,
        "view": numbers(np.array(scene.limits)),
        "xLabel": f"log10({scene.x})" if scene.logarithmic else scene.x,
    }


def _rows_of(subject: Subject, level: Any, shown: np.ndarray) -> list[int]:
    """Which of the drawn rows have this level."""
    if level is None or subject.category is None:
        return list(range(len(shown)))
    return [i for i, value in enumerate(subject.column(subject.category.column)[shown]) if value == level]


def _plane(subject: Subject, scene: Any, path: np.ndarray) -> dict[str, Any]:
    from thalweg.show.motion.page_content import model_of, numbers

    across, up = scene.names
    right, high = np.meshgrid(scene.x, scene.y)
    eta = subject.along(path, {across: right.ravel(), up: high.ravel()})
    shown = _some(len(subject.y), MOST_POINTS)
    return {
        "kind": "plane",
        "title": f"P({subject.response} = {subject.classes[1]})",
        "across": numbers(scene.x),
        "up": numbers(scene.y),
        "model": model_of(eta.numpy()),
        "x": numbers(subject.column(across)[shown].astype(np.float64)),
        "y": numbers(subject.column(up)[shown].astype(np.float64)),
        "label": numbers(subject.y[shown]),
        "labels": [f"{subject.response} = {each}" for each in subject.classes],
        "xLabel": across,
        "yLabel": up,
    }


def _observed(subject: Subject, scene: Any, path: np.ndarray) -> dict[str, Any]:
    from thalweg.show.motion.page_content import model_of, numbers

    shown = _some(len(subject.y), MOST_ROWS)
    return {
        "kind": "predicted",
        "title": "Observed against predicted values",
        "y": numbers(subject.y[shown]),
        "model": model_of(subject.fitted(path)[:, torch.from_numpy(shown)].numpy()),
        "view": numbers(np.array(scene.limits)),
    }


def _points(subject: Subject, scene: Any, path: np.ndarray) -> dict[str, Any]:
    from thalweg.show.motion.page_content import model_of, numbers

    eta = subject.fitted(path).numpy()
    ends = np.concatenate([subject.y, subject.mean(torch.from_numpy(eta[[0, -1]])).ravel()])
    return {
        "kind": "points",
        "title": "Predictions, entry by entry",
        "y": numbers(subject.y),
        "model": model_of(eta),
        "view": numbers(np.array(padded(ends, 0.12))),
        "xLabel": "entry",
    }


def _pictures(subject: Subject, scene: Any, path: np.ndarray) -> dict[str, Any]:
    from thalweg.show.motion.page_content import model_of, numbers

    shape = scene.y.shape
    chosen = np.ix_(*(_some(side, SIDE) for side in shape[:2]))
    places = np.arange(scene.y.size).reshape(shape)[chosen]
    grey = places.reshape(*places.shape[:2], -1)
    eta = subject.fitted(path).numpy()[:, grey].mean(axis=-1)
    x, y = (picture.reshape(-1)[grey].mean(axis=-1) for picture in (scene.x, scene.y))
    return {
        "kind": "pictures",
        "title": "Pictures: what goes in, what is predicted, what is wanted",
        "rows": grey.shape[0],
        "columns": grey.shape[1],
        "x": numbers(_unit(x).ravel(), 3),
        "y": numbers(y.ravel(), 4),
        "model": model_of(eta.reshape(len(eta), -1), 1e-3),
        "view": [float(y.min()), float(y.max() if y.max() > y.min() else y.min() + 1)],
    }


def _unit(picture: np.ndarray) -> np.ndarray:
    return (picture - picture.min()) / ((picture.max() - picture.min()) or 1.0)


def _some(rows: int, most: int) -> np.ndarray:
    """Places of at most so many rows, spread over all of them."""
    return np.arange(rows) if rows <= most else np.linspace(0, rows - 1, most).round().astype(np.int64)


_MAKERS: dict[type[Scene], Any] = {
    Curves: _curves,
    Boundary: _plane,
    Observed: _observed,
    Bars: _points,
    Pictures: _pictures,
}
