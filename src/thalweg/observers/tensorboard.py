"""A descent in TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import NotAvailableError
from thalweg.observers.rules import whole

if TYPE_CHECKING:
    from thalweg.solvers.base import Solution, State

MOST = 64  # parameters that get a curve of their own


@final
class TensorBoard:
    """Writes loss, gradient norm, learning rate and the parameters as scalars into a folder that TensorBoard shows.

    The tags are "loss", "gradient_norm", "learning_rate" and "parameter/NAME" (of the first 64 parameters). It needs
    the package tensorboard: ``pip install tensorboard``, and ``tensorboard --logdir runs`` shows the folder.

    Parameters
    ----------
    logdir : str or path
        A folder for this fit; it is created. Each fit adds one event file.
    every : int
        >= 1: steps from one point to the next. The last state gets one too.

    Raises
    ------
    OptionError
        `every` below 1.
    NotAvailableError
        tensorboard is not installed: before the first step.

    Examples
    --------
    >>> from thalweg.observers import TensorBoard
    >>> board = TensorBoard("runs/first", every=20)
    """

    def __init__(self, logdir: str | Path, every: int = 10) -> None:
        self.logdir, self.every = Path(logdir), whole("TensorBoard: every", every, least=1)
        self._writer: Any = None
        self._names: tuple[str, ...] = ()

    def begin(self, solver: Any, problem: Any) -> None:
        """Open an event file."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise NotAvailableError(
                "TensorBoard needs the package tensorboard, which is not installed",
                advice="Install it: pip install tensorboard.",
            ) from None
        self._names = tuple(getattr(problem, "names", ()))[:MOST]
        self._writer = SummaryWriter(str(self.logdir))

    def __call__(self, state: State) -> None:
        """Add the points of a state."""
        step, add = state.step, self._writer.add_scalar
        add("loss", state.value, step)
        add("gradient_norm", state.gradient_size, step)
        rate = getattr(state, "rate", math.nan)
        if not math.isnan(rate):
            add("learning_rate", rate, step)
        for name, value in zip(self._names, state.theta[:MOST].tolist(), strict=False):
            add(f"parameter/{name}", value, step)

    def end(self, solution: Solution) -> None:
        """Close the file."""
        self._close()

    def failed(self, error: BaseException) -> None:
        """Close the file with what was written."""
        self._close()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
