"""Which states of a run become frames.

With the spacing "auto" a frame is due when enough of the picture has changed since the last. With a change d_k of the
picture at the k-th state and n frames:

1. A state is one frame at most. The rate s of frames is therefore such that sum_k min(1, s d_k) = n - 1; this is the
   filling of a vessel with an uneven floor, and s is found from the sorted d_k.
2. The first tenth of the frames are consecutive states, whatever they show.
3. A frame is where the sum passes a whole number.
4. The distance from frame to frame is made odd. A rate near its limit flips the sign of an error at every step; at even
   distances such a descent would look calm.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from thalweg.errors import OptionError

MOST_FRAMES = 100  # without a choice
TOO_MANY = 1500  # frames: a file nobody waits for
SPACINGS = ("auto", "equal", "log")
_SINGLE = 10  # one in so many of the frames belongs to consecutive states at the start


def choose_frames(
    steps: Int[np.ndarray, "k"],
    frames: int | None = None,
    every: int | None = None,
    spacing: str = "equal",
    pace: Callable[[], Float[np.ndarray, "k-1"]] | None = None,
) -> Int[np.ndarray, "m"]:
    """Places among the recorded states, ascending; the first and the last are always there.

    Parameters
    ----------
    steps : array of int, (k,)
        The steps of the states, ascending.
    frames : int, optional
        So many at most (100 without a choice), spread over the steps.
    every : int, optional
        Instead: the states whose step is a multiple of it.
    spacing : {"auto", "equal", "log"}
        Of the frames' steps. "log" looks long at the beginning, where most happens; "auto" wherever something happens.
    pace : function, optional
        For "auto": how much of the picture changes from each state to the next. Called where there are more states than
        frames; without it a step t counts 1 / t.

    Raises
    ------
    OptionError
        frames and every together, numbers that are no counts, a spacing that does not exist, more than 1,500 frames.

    Examples
    --------
    >>> choose_frames(np.arange(13), every=5).tolist()
    [0, 5, 10, 12]
    >>> choose_frames(np.arange(1001), frames=5, spacing="log").tolist()
    [0, 1, 10, 100, 1000]
    """
    _check(frames, every, spacing)
    if every is not None:
        chosen = np.flatnonzero(steps % every == 0)
        chosen = np.union1d(chosen, [0, len(steps) - 1])
    else:
        most = MOST_FRAMES if frames is None else frames
        if spacing == "auto" and len(steps) > most:
            chosen = _paced(log_steps(steps) if pace is None else pace(), most)
        else:
            chosen = _spread(steps, most, spacing)
    if len(chosen) > TOO_MANY:
        raise OptionError(f"{len(chosen)} frames are too many", advice=f"Ask for {TOO_MANY} at most, with frames=.")
    return chosen


def _check(frames: int | None, every: int | None, spacing: str) -> None:
    if frames is not None and every is not None:
        raise OptionError("frames= and every= both say how many frames there are", advice="Give one of them.")
    for name, value, least in (("frames", frames, 2), ("every", every, 1)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise OptionError(f"{name} is {value!r}", advice=f"Give a whole number, {least} or more.")
    if spacing not in SPACINGS:
        raise OptionError(f"spacing is {spacing!r}", advice=f"Use one of {', '.join(map(repr, SPACINGS))}.")


def _spread(steps: Int[np.ndarray, "k"], frames: int, spacing: str) -> Int[np.ndarray, "m"]:
    """The states nearest to evenly spread steps."""
    if len(steps) <= frames:
        return np.arange(len(steps))
    first, last = float(steps[0]), float(steps[-1])
    wanted = np.linspace(first, last, frames)
    if spacing == "log":
        wanted = first + np.concatenate([[0.0], np.geomspace(1.0, last - first, frames - 1)])
    after = np.clip(np.searchsorted(steps, wanted), 1, len(steps) - 1)
    nearer = np.where(wanted - steps[after - 1] <= steps[after] - wanted, after - 1, after)
    return np.unique(nearer)


def log_steps(steps: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k-1"]:
    """What each step adds to the logarithm of their number."""
    passed = (steps - steps[0]).astype(np.float64)
    return np.diff(np.log1p(passed))


def _paced(changes: Float[np.ndarray, "k-1"], frames: int) -> Int[np.ndarray, "m"]:
    due = np.clip(changes, np.finfo(float).tiny, None) / changes.max()
    due[: frames // _SINGLE] = np.inf  # 2
    ordered = np.sort(due)[::-1]
    rest = np.cumsum(ordered[::-1])[::-1]  # of all but the m largest, m = 0, 1, ...
    whole = int((frames // _SINGLE) + np.argmax(_rates(ordered, rest, frames)[frames // _SINGLE :]))
    rate = (frames - 1 - whole) / rest[whole]
    passed = np.concatenate([[0.0], np.cumsum(np.minimum(1.0, rate * due))])  # 1
    chosen = np.searchsorted(passed, np.arange(frames) - 1e-6)  # 3
    chosen[-1] = len(changes)
    return _odd(chosen)


def _rates(ordered: np.ndarray, rest: np.ndarray, frames: int) -> np.ndarray:
    """Whether the largest that is left, once the m largest have a frame each, needs no more than one."""
    with np.errstate(invalid="ignore"):
        return (frames - 1 - np.arange(len(ordered))) * ordered <= rest


def _odd(chosen: Int[np.ndarray, "m"]) -> Int[np.ndarray, "m"]:
    """Each frame but the last at an odd distance from the one before."""
    for i in range(1, len(chosen) - 1):
        chosen[i] -= (chosen[i] - chosen[i - 1]) % 2 == 0  # 4
    return np.unique(chosen)
