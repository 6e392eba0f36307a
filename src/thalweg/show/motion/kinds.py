"""From a kind of moving picture to the panels that it is made of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.motion.boundary import Boundary
from thalweg.show.motion.curves import Curves
from thalweg.show.motion.film import Panel
from thalweg.show.motion.growing import Loss, Traces
from thalweg.show.motion.observed import MOST_BARS, Bars, Observed
from thalweg.show.motion.pictures import Pictures, is_picture
from thalweg.show.motion.scene import Scene
from thalweg.show.motion.subject import Subject, TensorSubject, subject_of
from thalweg.show.motion.valley import Valley
from thalweg.show.plots.run import Run

KINDS = ("all", "fit", "loss", "traces", "surface")
_ALIASES = {"both": "all"}
_WIDE, _NARROW = 0.62, 0.38


def known_kind(kind: str | None) -> str:
    """The kind itself: "all" where none is given.

    Raises
    ------
    OptionError
        No such kind.
    """
    kind = "all" if kind is None else _ALIASES.get(kind, kind)
    if kind not in KINDS:
        nearest = difflib.get_close_matches(str(kind), KINDS, 1)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise OptionError(f"there is no moving picture {kind!r}", advice=f"{hint}The kinds are {', '.join(KINDS)}.")
    return kind


def panels(
    run: Run,
    frames: Int[np.ndarray, "m"],
    kind: str,
    x: str | None = None,
    parameters: Sequence[str] | None = None,
    subject: Subject | None = None,
) -> list[Panel]:
    """The panels of a kind.

    Parameters
    ----------
    run : Run
        Only states that can be drawn.
    frames : array of int, (m,)
        Places of the frames among its states.
    kind : str
    x : str, optional
        For "fit" and "all": the column along which a model of several is drawn.
    parameters : two str, optional
        For "surface".
    subject : Subject, optional
        The rows and the predictor, where they were read before.
    """
    path = run.path[frames]
    match kind:
        case "fit":
            return [Panel(fit_scene(subject or subject_of(run), path, x))]
        case "loss":
            return [Panel(Loss(run, frames))]
        case "traces":
            return [Panel(Traces(run, frames))]
        case "surface":
            return [Panel(Valley({"": run}, [frames], parameters))]
    return [Panel(fit_scene(subject or subject_of(run), path, x), _WIDE), Panel(Loss(run, frames, small=True), _NARROW)]


def fit_scene(subject: Subject, path: Float[np.ndarray, "m p"], x: str | None = None) -> Scene:
    """The scene that suits a predictor.

    Raises
    ------
    OptionError
        x is no column that eta is computed from.
    """
    if x is not None:
        _require(subject, x)
        return Curves(subject, path, x)
    if isinstance(subject, TensorSubject) and subject.pointwise:
        return _of_places(subject, path)
    if not subject.simple or not 1 <= len(subject.numbers) <= 2:
        return Observed(subject, path)
    if len(subject.numbers) == 1:
        return Curves(subject, path, subject.numbers[0])
    across, up = subject.numbers
    flat = subject.probability and subject.category is None
    return Boundary(subject, path, across, up) if flat else Observed(subject, path)


def _require(subject: Subject, x: str) -> None:
    if x not in subject.numbers or not subject.simple:
        known = ", ".join(subject.numbers) if subject.simple else ""
        raise OptionError(
            f"x = {x!r} is no number column that this model can be drawn along",
            advice=f"Use one of {known}." if known else "Leave x out.",
        )


def _of_places(subject: TensorSubject, path: Float[np.ndarray, "m p"]) -> Scene:
    """A weight for each place: pictures, bars, or points where there are too many bars."""
    if is_picture(tuple(subject.problem.y.shape)):
        return Pictures(subject, path)
    return Bars(subject, path) if len(subject.y) <= MOST_BARS else Observed(subject, path)


def require_path(run: Run) -> None:
    """Refuse what never moved.

    Raises
    ------
    NotAvailableError
    """
    if len(run) < 2:
        raise NotAvailableError(
            f"this solve has {len(run)} state that can be drawn, and a moving picture needs two",
            advice="Fit with solver=thalweg.GradientDescent(lr=...) and one step or more.",
        )
