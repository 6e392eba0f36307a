"""A line on standard error while something takes longer than a second."""

from __future__ import annotations

import math
import sys
from threading import Timer
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from thalweg.solvers.base import Solution, State

DELAY = 1.0  # seconds before the line appears


@final
class Progress:
    """Shows what is being done, the step, log10 of the gradient and the time, where somebody can see it.

    Where the solver says how many steps it may take, a bar shows the share of them that is done, and the time left if
    no rule ends the fit before. It may stand among the observers as it is, or be entered first, to show what comes
    before the fit too.

    The line appears only when standard error is a terminal and only after `delay` seconds, so that a quick fit and a
    log file never see it. It is drawn by a thread of rich's; `__call__` only changes its text, so that it costs a fit
    nothing.

    Parameters
    ----------
    what : str
        What is being done: "fitting" where it is not given.
    shown : bool, optional
        False never shows it; None (the default) asks whether standard error is a terminal.
    delay : float
        Seconds before the line appears.

    Examples
    --------
    >>> from thalweg.observers import Progress
    >>> with Progress("fitting") as progress:
    ...     pass                                   # tw.fit(..., progress=progress)
    >>> watched = {"observers": [Progress("fitting")]}  # the same without `with`
    """

    def __init__(self, what: str = "fitting", *, shown: bool | None = None, delay: float = DELAY) -> None:
        self.what, self.delay = what, delay
        self.shown = sys.stderr.isatty() if shown is None else shown
        self._total: int | None = None  # steps, where they are known
        self._entered = False  # by `begin`, which `end` then leaves
        self._timer: Timer | None = None
        self._line: Any = None  # rich's Progress, once it is on the screen

    def __enter__(self) -> Progress:
        if self.shown:
            self._timer = Timer(self.delay, self._appear)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()  # it may be drawing the line at this moment
        if self._line is not None:
            self._line.stop()
        self._timer = self._line = None

    def begin(self, solver: Any, problem: Any) -> None:
        """A solve begins: learn how many steps it may take."""
        limit = getattr(solver, "limit", None)
        self._total = None if limit is None else limit(problem)
        if self._line is not None:
            self._line.columns = self._columns()
            self._line.update(self._line.task_ids[0], total=self._total, completed=0)
        elif self._timer is None:
            self._entered = True
            self.__enter__()

    def end(self, solution: Solution) -> None:
        """The solve has ended."""
        self._leave()

    def failed(self, error: BaseException) -> None:
        """The solve has ended with an exception."""
        self._leave()

    def _leave(self) -> None:
        if self._entered:
            self._entered = False
            self.__exit__(None, None, None)

    def __call__(self, state: State) -> None:
        """Observe one state of a solver."""
        if self._line is not None:
            self._line.update(self._line.task_ids[0], description=self.text(state), completed=state.step)

    def text(self, state: State) -> str:
        """The line at this state, without its clock."""
        size = state.gradient_size
        log = f"{math.log10(size):.1f}" if 0 < size < math.inf else ("-inf" if size == 0 else str(size))
        return f"{self.what}: step {state.step}, log10 gradient {log}"

    def _columns(self) -> tuple[ProgressColumn, ...]:
        from rich.progress import (
            BarColumn,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        line = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        return line if self._total is None else (*line, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Line

        # Standard output is data: it must not be taken over, as rich would do to keep it apart from the line.
        line = Line(*self._columns(), console=Console(stderr=True), transient=True, redirect_stdout=False)
        task = line.add_task(self.what, total=self._total)
        line.tasks[task].start_time = line.get_time() - self.delay  # the clock counts from when the work began
        line.start()
        self._line = line
