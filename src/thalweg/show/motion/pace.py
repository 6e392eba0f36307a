"""How much of a picture changes from each state to the next, by which frames are chosen.

Three things count, each as a share of its own total: the fitted values, in units of the height of the picture; the
loss, as its axis shows it; and the logarithm of the step. What moves outside of the picture is not seen and does not
count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from thalweg.show.motion.frames import log_steps
from thalweg.show.motion.scene import widened
from thalweg.show.motion.subject import Subject
from thalweg.show.plots.loss_curve import spans_decades
from thalweg.show.plots.optimum import optimum_of
from thalweg.show.plots.run import Run
from thalweg.show.plots.traces import limits

_SHARES = (0.4, 0.25, 0.35)  # of movement, loss and step
_LOOKED_AT = 1000  # states at the start, and as many of the others
_MOST_SHOWN = 50  # rows, or parameters, whose movement is looked at


def pace(run: Run, subject: Subject | None = None) -> Float[np.ndarray, "k-1"]:
    """What changes in the picture of a run.

    Parameters
    ----------
    run : Run
        Only states that can be drawn.
    subject : Subject, optional
        Of a picture of the fit; without it the parameters are what moves.
    """
    at = _looked_at(len(run))
    path = run.path[at]
    moved = _parameters(run, path) if subject is None else _fitted(subject, path)
    return blended(run.steps, [_all(moved, at, len(run))], [loss_change(run.value)])


def pace_of_race(runs: Mapping[str, Run], steps: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k-1"]:
    """What changes in the picture of several runs at these steps."""
    at = _looked_at(len(steps))
    places = [np.searchsorted(run.steps, steps, side="right") - 1 for run in runs.values()]
    moved = [
        _all(_parameters(run, run.path[place[at]]), at, len(steps))
        for run, place in zip(runs.values(), places, strict=True)
    ]
    losses = [
        loss_change(run.value)[place[1:] - 1] * np.diff(place) for run, place in zip(runs.values(), places, strict=True)
    ]
    return blended(steps, moved, losses)


def blended(
    steps: Int[np.ndarray, "k"], moved: Sequence[Float[np.ndarray, "k-1"]], losses: Sequence[Float[np.ndarray, "k-1"]]
) -> Float[np.ndarray, "k-1"]:
    """The three together."""
    parts = (sum(map(_share, moved)), sum(map(_share, losses)), log_steps(steps))
    return np.sum([weight * _share(np.asarray(part)) for weight, part in zip(_SHARES, parts, strict=True)], axis=0)


def _share(changes: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    return changes / (changes.sum() or 1.0)


def movement(
    shown: Float[np.ndarray, "k m"], low: Float[np.ndarray, "*m"] | float, high: Float[np.ndarray, "*m"] | float
) -> Float[np.ndarray, "k-1"]:
    """The mean distance that values move on axes from low to high; what stays outside does not move."""
    outside = ~((shown >= low) & (shown <= high))
    seen = np.clip(np.nan_to_num(shown, nan=np.inf), low, high) / (np.asarray(high) - low)
    moved = np.abs(np.diff(seen, axis=0))
    moved[outside[1:] & outside[:-1]] = 0.0
    return moved.mean(axis=1)


def loss_change(value: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k-1"]:
    """How far the loss moves along its axis, whose height is 1."""
    shown = np.log(value) if spans_decades(value) else value
    return np.abs(np.diff(shown)) / (np.ptp(shown) or 1.0)


def _fitted(subject: Subject, path: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "k-1"]:
    with np.errstate(over="ignore", invalid="ignore"):
        means = subject.mean(subject.some(path, _MOST_SHOWN))
    return movement(means, *widened(subject.view, means[0]))


def _parameters(run: Run, path: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "k-1"]:
    best = optimum_of(run)
    ends = [
        limits(path[:, [j]], None if best is None else best.theta[[j]]) for j in range(min(path.shape[1], _MOST_SHOWN))
    ]
    low, high = np.array(ends).T
    return movement(path[:, : len(ends)], low, high)


def _looked_at(states: int) -> Int[np.ndarray, "k"]:
    """All states, or where there are many of them the first and a part of the others."""
    if states <= 2 * _LOOKED_AT:
        return np.arange(states)
    return np.unique(
        np.concatenate([np.arange(_LOOKED_AT), np.geomspace(_LOOKED_AT, states - 1, _LOOKED_AT).round()])
    ).astype(np.int64)


def _all(changes: Float[np.ndarray, "m"], at: Int[np.ndarray, "m+1"], states: int) -> Float[np.ndarray, "k"]:
    """Changes between some states, spread evenly over the states between them."""
    passed = np.concatenate([[0.0], np.cumsum(changes)])
    return np.diff(np.interp(np.arange(states), at, passed))
