"""Checkpoints: a fit that is killed at any moment goes on where it was, to the same last bit.

    fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.01, steps=10**6), checkpoint="run.ckpt", resume=True)

Run that line again after a crash, a kill, a power cut or Ctrl-C, and the fit goes on; run it for the first time, and it
begins. With more steps it goes on beyond its first end (of mini-batches, the loss recorded at that end is that of all
rows, where a fit that was longer from the start has that of a batch). Only the fit that wrote a checkpoint may go on
from it: data, start and options of the solver are compared (`thalweg.store.fingerprint`), and what differs is named.

A checkpoint holds the state of the solver (parameters, velocity, optimizer, generator and place in the data), the best
state, the history, and what the stopping rule remembers. It replaces the one before it in one move
(`thalweg.store.atomic`): the file is the old one or the new one, whole, whenever the process dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import ModelFileError, OptionError, OutputError, ThalwegWarning, tell
from thalweg.observers.rules import whole
from thalweg.store.atomic import atomic_write
from thalweg.store.checkpoint_file import is_checkpoint, pack_checkpoint, unpack_checkpoint
from thalweg.store.fingerprint import differences

if TYPE_CHECKING:
    from thalweg.solvers.base import State

EVERY = 100
NAMED = 3  # differences between two fits that a refusal names


@final
class Checkpoint:
    """Write a checkpoint every so many steps, or seconds, and at the end.

    Parameters
    ----------
    path : str or path
        The file. The first checkpoint is written before the first step, so that a place that cannot be written to is
        refused then; later a full disk is a warning, the fit goes on, and the last checkpoint stays.
    every : int, optional
        Steps from one to the next, >= 1; 100 where `seconds` is not given either. Between two of them a kill loses the
        work, not the result: the steps are taken again.
    seconds : float, optional
        > 0. Write at the first step after so many seconds too, or only then where `every` is not given: for steps
        that take long, or so little that writing would cost more than they do.

    Raises
    ------
    OptionError
        Values outside those ranges.

    Examples
    --------
    >>> import tempfile, thalweg as tw
    >>> from thalweg.store.checkpoint import Checkpoint
    >>> from thalweg.solvers.iterate import solve
    >>> Checkpoint("run.ckpt", seconds=60)
    Checkpoint('run.ckpt', seconds=60)
    """

    def __init__(self, path: str | Path, every: int | None = None, seconds: float | None = None) -> None:
        if not isinstance(path, str | Path) or not str(path):
            raise OptionError(f"checkpoint is {path!r}", advice="Give the path of a file, or a Checkpoint.")
        if seconds is not None and (not isinstance(seconds, int | float) or not seconds > 0):
            raise OptionError(f"Checkpoint: seconds is {seconds!r}", advice="Give a number above 0.")
        self.path, self.seconds = Path(path), seconds
        self.every = None if every is None else whole("Checkpoint: every", every, least=1)
        self._steps = EVERY if every is None and seconds is None else self.every
        self._written = time.perf_counter()
        self._failed = False

    def due(self, step: int) -> bool:
        """Whether to write at this step."""
        if self._steps is not None and step % self._steps == 0:
            return True
        return self.seconds is not None and time.perf_counter() - self._written >= self.seconds

    def begin(
        self, resume: bool | None, fingerprint: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """(description, tree) to go on from, or None to begin anew.

        Raises
        ------
        OptionError
            There is a checkpoint and `resume` says nothing of it, or it is another fit's.
        OutputError
            There is a file that is no checkpoint.
        ModelFileError
            There is a damaged one, and it is to be resumed.
        """
        self._written, self._failed = time.perf_counter(), False
        if not os.path.isfile(self.path):  # Path's raises where the name is too long: the first write tells
            return None
        if not is_checkpoint(self.path):
            raise OutputError(f"'{self.path}' is there and is no checkpoint", advice="Name another file.")
        if resume is False or self.path.stat().st_size == 0:
            return None
        found = read_checkpoint(self.path)
        if resume is None:
            raise OptionError(f"'{self.path}' holds {_words(found[0])}", advice=_choice(found[0]))
        if others := differences(found[0]["fingerprint"], fingerprint):
            raise OptionError(
                f"'{self.path}' is the checkpoint of another fit: {_some(others)}",
                advice="Resume it with what it was begun with, or begin anew with resume=False.",
            )
        return found

    def write(self, description: Mapping[str, Any], tree: Mapping[str, Any], *, first: bool = False) -> bool:
        """Replace the file; False where that failed.

        Raises
        ------
        OutputError
            It cannot be written and is the first one; later that is a warning.
        """
        self._written = time.perf_counter()
        data = pack_checkpoint(description, tree)
        try:
            atomic_write(self.path, data)
        except OSError as problem:
            if first:
                raise
            if not self._failed:  # once in a row of failures
                self._failed = True
                tell(ThalwegWarning(f"No checkpoint at step {description['step']}, the fit goes on: {problem}"))
            return False
        self._failed = False
        return True

    def __call__(self, state: State) -> None:
        """As an observer: `solve` finds it among them and writes when it is due."""

    def __repr__(self) -> str:
        given = "".join(f", {k}={v}" for k, v in (("every", self.every), ("seconds", self.seconds)) if v is not None)
        return f"Checkpoint({str(self.path)!r}{given})"


def read_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a checkpoint holds.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    description : dict
        fingerprint, step, loss, status (None: unfinished), rule.
    tree : dict
        Tensors, numbers and texts under "state", "best", "rule" and "history".

    Raises
    ------
    ModelFileError
        With the reason: no checkpoint, a damaged one, or one of a later version.

    Examples
    --------
    >>> import tempfile, thalweg as tw
    >>> from thalweg.store.checkpoint import Checkpoint, read_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data, solver = {"x": [0, 1, 2], "y": [1, 3, 5]}, tw.GradientDescent(lr=0.1, steps=300)
    ...     fit = tw.fit("y ~ x", data, solver=solver, observers=[Checkpoint(f"{folder}/run.ckpt")])
    ...     read_checkpoint(f"{folder}/run.ckpt")[0]["step"]
    300
    """
    try:
        return unpack_checkpoint(Path(path).read_bytes())
    except FileNotFoundError:
        raise ModelFileError("there is no such file", where=str(path)) from None
    except ModelFileError as problem:
        raise ModelFileError(problem.what, where=str(path), advice=problem.advice) from None


def _words(description: Mapping[str, Any]) -> str:
    at = f"at step {description['step']}, loss {description['loss']:.6g}"
    status = description["status"]
    return f"an unfinished fit, {at}" if status is None else f"a finished fit ({status}, {at})"


def _some(others: list[str]) -> str:
    """The first of them; how many more there are."""
    more = len(others) - NAMED
    return "; ".join(others[:NAMED]) + (f", and {more} more" if more > 0 else "")


def _choice(description: Mapping[str, Any]) -> str:
    further = "" if description["status"] is None else ", with more steps or another rule"
    return f"Pass resume=True to go on from there{further}, or resume=False to begin anew and replace it."
