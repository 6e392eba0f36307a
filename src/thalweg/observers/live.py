"""A descent as it goes: a line of text and a chart of the loss, in a terminal or in a notebook.

A view must not slow what it shows. Three rules keep it below its share of the time (5% by default):

1. Between two looks at the clock a call is one subtraction and one comparison: the calls of about a millisecond are
   counted off, at most doubling from look to look.
2. A frame is drawn only where the time of all frames, with this one, stays within the share of the time since the
   start. A frame that would exceed it is dropped: nothing waits for it.
3. Of the states only a few hundred losses are kept, for the chart.

The first and the last frame are drawn whatever they cost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, final

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.solvers.base import State

LOOK = 1e-3  # seconds between two looks at the clock
GAP = 1 / 15  # seconds between two frames: more than an eye follows
KEPT = 2048  # losses that the chart is made of: beyond it every second is let go
SHARE = 0.05
PLACES = ("terminal", "notebook")


class Screen(Protocol):
    """Where frames are drawn."""

    def open(self, watched: Watched) -> None:
        """Make ready; what must be imported is imported here."""

    def draw(self, watched: Watched) -> None:
        """Show this, in the place of what was shown before."""

    def close(self) -> None:
        """Leave the last frame where it is."""


@final
class Watched:
    """What a frame shows.

    Attributes
    ----------
    names : tuple of str
        Of the parameters; empty where the solver did not say.
    limit : int or None
        Most steps.
    steps, losses : list
        Of the chart.
    state : State or None
        The last one.
    ending : str
        How the solve ended; empty until it has.
    seconds : float
        Since the start.
    """

    def __init__(self, names: tuple[str, ...] = (), limit: int | None = None) -> None:
        self.names, self.limit = names, limit
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.state: State | None = None
        self.ending = ""
        self.seconds = 0.0

    def add(self, state: State) -> None:
        """Keep its loss."""
        self.state = state
        if self.steps and self.steps[-1] == state.step:
            return
        self.steps.append(state.step)
        self.losses.append(state.value)
        if len(self.steps) > KEPT:  # the last of them stays
            del self.steps[-2:0:-2], self.losses[-2:0:-2]


@final
class Live:
    """An observer that shows a descent as it goes, in place, and takes at most a share of its time.

    In a terminal it draws on standard error; in a notebook below the cell. Where standard error is neither, nothing is
    shown and a call costs one comparison.

    Parameters
    ----------
    place : {"terminal", "notebook"}, optional
        Found by default.
    share : float, default 0.05
        Of the time of the fit that drawing may take, in (0, 1]. The first and the last frame are drawn in any case.
    screen : Screen, optional
        Another place to draw.

    Raises
    ------
    OptionError
        Another place, or a share outside (0, 1].
    NotAvailableError
        place="notebook" without IPython.

    Examples
    --------
    >>> import thalweg as tw
    >>> from thalweg.observers import Live
    >>> solver = tw.GradientDescent(lr=1e-4, steps=10)
    >>> fit = tw.fit("progression ~ bmi", "diabetes", solver=solver, observers=[Live()])  # doctest: +SKIP
    """

    every = 1

    def __init__(
        self,
        place: str | None = None,
        *,
        share: float = SHARE,
        screen: Screen | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if place is not None and place not in PLACES:
            raise OptionError(f"place is {place!r}", advice=f"Use one of {', '.join(map(repr, PLACES))}, or none.")
        if not 0 < share <= 1:
            raise OptionError(f"share is {share!r}", advice="Give a part of the time of the fit, as 0.05.")
        self.share, self._clock = share, clock
        self._screen = screen if screen is not None else screen_for(place)
        self.drawn = self.dropped = 0
        self._begun = False
        self._last: State | None = None
        self._spent = 0.0
        self._left = sys.maxsize if self._screen is None else 1

    def begin(self, solver: Any, problem: Any) -> None:
        """Before the first state: find the names and the limit of steps, and open the screen."""
        if self._screen is None:
            return
        limit = getattr(solver, "steps", None)
        self._watched = Watched(tuple(getattr(problem, "names", ())), limit if isinstance(limit, int) else None)
        self._screen.open(self._watched)
        self.drawn = self.dropped = 0
        self._left = self._stride = 1
        self._spent, self._cost = 0.0, 0.0
        self._started = self._looked = self._clock()
        self._shown = -GAP
        self._begun = True

    def __call__(self, state: State) -> None:
        """Observe one state."""
        self._last = state
        self._left -= 1
        if self._left <= 0:
            self._look(state)

    def end(self, solution: Any = None) -> None:
        """After the last state: draw it, and leave the screen as it is."""
        if self._screen is None or not self._begun:
            return
        if self._last is not None:
            self._watched.add(self._last)
            self._watched.ending = "" if solution is None else solution.status.value
            self._draw(self._clock())
        self._close()

    def failed(self, error: BaseException) -> None:
        """Where an exception ended the solve: leave the screen as it is."""
        if self._screen is not None and self._begun:
            self._close()

    def _close(self) -> None:
        assert self._screen is not None
        self._screen.close()
        self._begun, self._last, self._left = False, None, 1

    @property
    def seconds(self) -> float:
        """What drawing took."""
        return self._spent

    def _look(self, state: State) -> None:
        """Rules 1 and 2."""
        if self._screen is None:
            self._left = sys.maxsize
            return
        if not self._begun:
            self.begin(None, None)
        now = self._clock()
        self._stride = _next_stride(self._stride, now - self._looked)
        self._watched.add(state)
        if now - self._started >= self._shown + GAP:
            # Twice the cost of a frame: of this one, and of the last one, which is drawn in any case.
            if self.drawn == 0 or self._spent + 2 * self._cost <= self.share * (now - self._started):
                self._draw(now)
            else:
                self.dropped += 1
        self._looked = self._clock()
        self._left = self._stride

    def _draw(self, now: float) -> None:
        assert self._screen is not None
        self._watched.seconds = self._shown = now - self._started
        self._screen.draw(self._watched)
        self._cost = self._clock() - now
        self._spent += self._cost
        self.drawn += 1


def _next_stride(stride: int, seconds: float) -> int:
    """Calls until the next look, so that about `LOOK` seconds pass: half or twice as many as the last time, or as many.

    The number falls to a single call where one call takes longer.
    """
    if seconds > 8 * LOOK:
        return max(1, int(stride * LOOK / seconds))
    if seconds > 2 * LOOK:
        return max(1, stride // 2)
    return stride * 2 if seconds < LOOK / 2 else stride


def screen_for(place: str | None) -> Screen | None:
    """The screen of a place; None where nobody can see one."""
    if place == "notebook" or (place is None and in_notebook()):
        from thalweg.observers.live_notebook import Notebook

        return Notebook()
    if place is None and not sys.stderr.isatty():
        return None
    from thalweg.observers.live_terminal import Terminal

    return Terminal()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
