"""A moving picture of a solve, drawn when it has ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import OptionError, ThalwegError, ThalwegWarning, tell
from thalweg.observers.history import History

if TYPE_CHECKING:
    from thalweg.solvers.base import Solution, State


@final
class Pictures:
    """Keeps every so-many-th state, and draws them when the solve has ended: a fit never waits for a picture.

    Keeping a state costs less than a microsecond for each step of the fit at one frame in 20. A picture that cannot be
    drawn is a warning, not an error: the fit is worth more.

    Parameters
    ----------
    path : path
        .gif, .webp, .mp4, .html, or a name without a suffix: a folder of PNG files.
    every : int
        Steps from frame to frame; the last state is always drawn.
    kind : {"all", "fit", "loss", "traces", "surface"}, optional
        As `thalweg.show.motion.animate` has it.
    **options
        fps, seconds, title, x, parameters, width, height.

    Raises
    ------
    OptionError
        Another suffix or kind, every below 1.

    Examples
    --------
    >>> from thalweg.observers import Pictures
    >>> pictures = Pictures("descent.gif", every=20)          # tw.fit(..., observers=[pictures])
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 20, kind: str | None = None, **options: Any) -> None:
        from thalweg.show.motion.limits import check_target

        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise OptionError(f"Pictures: every is {every!r}", advice="Give a whole number of steps, 1 or more.")
        self.path, self.every, self.kind, self.options = Path(os.fsdecode(path)), every, kind, options
        check_target(self.path)
        self._kept = History(every=every)
        self._solver: Any = None
        self._problem: Any = None

    def begin(self, solver: Any, problem: Any) -> None:
        """Called before the first state."""
        self._kept, self._solver, self._problem = History(every=self.every), solver, problem

    def __call__(self, state: State) -> None:
        self._kept(state)

    def end(self, solution: Solution) -> None:
        """Draw what was kept."""
        from thalweg.show.motion import animate

        self._kept.close()
        try:
            animate(self._descent(solution), self.path, self.kind, **{"every": self.every} | self.options)
        except ThalwegError as error:
            tell(ThalwegWarning(f"The fit is whole, but '{self.path.name}' was not drawn: {error}"))

    def _descent(self, solution: Solution) -> Any:
        from thalweg.data.rows import Rows
        from thalweg.descent import Descent

        rows = getattr(getattr(self._problem, "objective", None), "rows", None)
        rows = rows if isinstance(rows, Rows) else None
        return Descent(self._problem, self._solver, solution, self._kept, rows)
