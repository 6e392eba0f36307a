"""Which states of a run become frames."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from thalweg.errors import OptionError

MOST_FRAMES = 100  # without a choice
TOO_MANY = 1500  # frames: a file nobody waits for
SPACINGS = ("equal", "log")


def choose_frames(
    steps: Int[np.ndarray, "k"], frames: int | None = None, every: int | None = None, spacing: str = "equal"
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
    spacing : {"equal", "log"}
        Of the frames' steps: "log" looks long at the beginning, where most happens.

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
        chosen = _spread(steps, MOST_FRAMES if frames is None else frames, spacing)
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
