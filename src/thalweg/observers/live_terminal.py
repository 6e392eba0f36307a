"""The live view in a terminal: a line of text and a chart of the loss in Braille dots, on standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from thalweg.show.numbers import elide_column

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.observers.live import Watched

ROWS = 7  # of characters
WIDEST, NARROWEST = (
    100,
    24,
)  # columns of characters: beyond the first a chart gains nothing, below the second it has no room
MOST_NAMES = 4  # parameters named in the line
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # Unicode's bits of a Braille cell: [across][down]


@final
class Terminal:
    """Draws with rich, in place. A stream that is no terminal gets nothing.

    Parameters
    ----------
    console : rich.console.Console, optional
        Standard error by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._live: Any = None

    def open(self, watched: Watched) -> None:
        from rich.console import Console
        from rich.live import Live

        console = self._console or Console(stderr=True)
        if not console.is_terminal:
            return
        # No thread of rich's: a frame is drawn when there is time for it, and at no other moment.
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def draw(self, watched: Watched) -> None:
        if self._live is None:
            return
        from rich.text import Text

        console = self._live.console
        braille = "utf" in (console.encoding or "").lower()
        self._live.update(Text(frame_text(watched, console.width, braille=braille)), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def frame_text(watched: Watched, width: int, *, braille: bool = True) -> str:
    """The line and the chart, in this many columns.

    Examples
    --------
    >>> import torch
    >>> from thalweg.observers.live import Watched
    >>> from thalweg.solvers.base import State
    >>> watched = Watched(("w",), limit=50)
    >>> for step in range(40):
    ...     watched.add(State(torch.tensor([2.0]), 100.0 * 0.7**step, 1.0, step))
    >>> print(frame_text(watched, 40))
    step 39 of 50  loss 9.0954e-05  |gradi…
    w 2
            100 ┤⠑⠒⢄⣀
                │    ⠑⠤⢄
                │       ⠉⠑⠤⢄
                │           ⠉⠑⢄⣀
                │               ⠑⠒⢄⣀
                │                   ⠑⠒⢄
     9.0954e-05 ┤                      ⠉⠑⠤⢄
                 step 0    log scale     39
    """
    lines = [_cut(text, width) for text in (line_text(watched), second_line(watched)) if text]
    if width >= NARROWEST and len(watched.steps) > 1:
        lines += chart(watched.steps, watched.losses, min(width, WIDEST), braille=braille)
    return "\n".join(lines)


def line_text(watched: Watched) -> str:
    """Step, loss, gradient, rate and seconds."""
    state = watched.state
    if state is None:
        return "before the first step"
    limit = f" of {watched.limit}" if watched.limit is not None else ""
    parts = [f"step {state.step}{limit}", f"loss {_short(state.value)}"]
    parts.append(f"|gradient| {_short(state.gradient_size, 3)}")
    rate = getattr(state, "rate", math.nan)
    if math.isfinite(rate):
        parts.append(f"rate {rate:.4g}")
    return "  ".join([*parts, f"{watched.seconds:.1f} s"])


def second_line(watched: Watched) -> str:
    """The parameters, where they are few, and how it ended."""
    state, parts = watched.state, []
    if state is not None and 0 < len(watched.names) <= MOST_NAMES:
        values = zip(watched.names, state.theta.tolist(), strict=True)
        parts = [f"{elide_column(name, 20)} {_short(value)}" for name, value in values]
    return "  ".join([*parts, *filter(None, [watched.ending])])


def _short(value: float, digits: int = 5) -> str:
    """A number in as few characters as say it."""
    return f"{value:.{digits}g}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 2, 0)] + "…"


def chart(steps: Sequence[int], losses: Sequence[float], width: int, *, braille: bool = True) -> list[str]:
    """Losses over steps in `ROWS` lines with their largest and least value, and a line of the first and last step.

    On a logarithmic scale where all losses are above 0. Losses that are no finite numbers are left out.
    """
    points = [(s, v) for s, v in zip(steps, losses, strict=True) if math.isfinite(v)]
    if len(points) < 2:
        return []
    values = [v for _, v in points]
    log = min(values) > 0
    low, high = min(values), max(values)
    labels = [_short(high), *[""] * (ROWS - 2), _short(low)]
    edge = max(map(len, labels)) + 1
    across = width - edge - 3
    heights = [math.log(v) for v in values] if log else values
    cells = _plot([s for s, _ in points], heights, across, braille=braille)
    marks = ["┤" if label else "│" for label in labels] if braille else ["|"] * ROWS
    lines = [f"{label.rjust(edge)} {m}{row}".rstrip() for label, m, row in zip(labels, marks, cells, strict=True)]
    return [*lines, _foot(points[0][0], points[-1][0], edge, across, "log scale" if log else "")]


def _foot(first: int, last: int, edge: int, across: int, scale: str) -> str:
    """The ends of the axis of steps, with the scale between them where there is room."""
    left, right = f"step {first}", str(last)
    room = across - len(left) - len(right)
    middle = scale.center(room) if room >= len(scale) + 2 else " " * max(room, 1)
    return " " * (edge + 2) + left + middle + right


def _plot(steps: Sequence[int], heights: Sequence[float], across: int, *, braille: bool) -> list[str]:
    """The cells of the chart: dots joined from point to point."""
    fine, deep = (2, 4) if braille else (1, 1)
    columns, rows = across * fine, ROWS * deep
    low, span = min(heights), max(heights) - min(heights)
    start, length = steps[0], steps[-1] - steps[0]
    on: set[tuple[int, int]] = set()
    before: tuple[int, int] | None = None
    for step, height in zip(steps, heights, strict=True):
        x = round((step - start) / length * (columns - 1)) if length else 0
        y = round((1 - (height - low) / span) * (rows - 1)) if span else rows - 1
        on.update(_between(before or (x, y), (x, y)))
        before = x, y
    return _braille(on, across) if braille else _stars(on, across)


def _between(a: tuple[int, int], b: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of the straight line from a to b."""
    n = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
    return [(a[0] + round(k * (b[0] - a[0]) / n), a[1] + round(k * (b[1] - a[1]) / n)) for k in range(n + 1)]


def _braille(on: set[tuple[int, int]], across: int) -> list[str]:
    cells = [[0] * across for _ in range(ROWS)]
    for x, y in on:
        cells[y // 4][x // 2] |= _DOTS[x % 2][y % 4]
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells]


def _stars(on: set[tuple[int, int]], across: int) -> list[str]:
    """For a terminal without Unicode."""
    return ["".join("*" if (x, y) in on else " " for x in range(across)) for y in range(ROWS)]
