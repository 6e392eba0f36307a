"""The live view: what it shows, where, and that it stays within its share of the time."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import time
import warnings
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

import thalweg as tw
from thalweg.errors import NotAvailableError, OptionError
from thalweg.observers import live
from thalweg.observers.live import GAP, KEPT, LOOK, Live, Watched
from thalweg.observers.live_notebook import Notebook, frame_figure
from thalweg.observers.live_terminal import NARROWEST, ROWS, Terminal, chart, frame_text
from thalweg.solvers.base import State, Status


def state(step: int, value: float = 1.0) -> State:
    return State(torch.tensor([2.0, -1.0], dtype=torch.float64), value, 0.5, step)


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """Remembers what was drawn, each frame taking so many seconds of a clock."""

    def __init__(self, clock: Clock | None = None, cost: float = 0.0) -> None:
        self.clock, self.cost, self.steps, self.open_now = clock, cost, [], False

    def open(self, watched: Watched) -> None:
        self.open_now = True

    def draw(self, watched: Watched) -> None:
        assert watched.state is not None
        self.steps.append(watched.state.step)
        if self.clock is not None:
            self.clock.now += self.cost

    def close(self) -> None:
        self.open_now = False


ENDED = SimpleNamespace(status=Status.LIMIT)


def run(view: Live, clock: Clock, steps: int, each: float) -> float:
    """A solve of so many steps of `each` seconds; the seconds that it took."""
    begun = clock.now
    view.begin(SimpleNamespace(steps=steps), SimpleNamespace(names=("a", "b")))
    for step in range(steps + 1):
        view(state(step, 1 / (step + 1)))
        clock.now += each
    view.end(ENDED)
    return clock.now - begun


@pytest.mark.parametrize("cost", [1e-4, 3e-3, 0.05, 0.5])
@pytest.mark.parametrize("each", [2e-6, 1e-4, 1e-2])
def test_frames_take_at_most_five_percent_and_the_first_and_the_last_are_drawn(cost, each):
    clock = Clock()
    screen = Screen(clock, cost)
    steps = min(int(20 / each), 60_000)
    seconds = run(view := Live(screen=screen, clock=clock), clock, steps, each)
    assert screen.steps[0] == 0
    assert screen.steps[-1] == steps
    forced = 2 * cost  # the first and the last
    assert view.seconds <= max(0.05 * seconds, forced) * (1 + 1e-9)
    assert not screen.open_now


def test_frames_are_drawn_as_often_as_the_share_allows_and_never_faster_than_an_eye_follows():
    clock = Clock()
    screen = Screen(clock, 1e-6)  # frames that cost nothing
    seconds = run(Live(screen=screen, clock=clock), clock, 20_000, 1e-3)
    assert 0.8 * seconds / GAP < len(screen.steps) < seconds / GAP + 3
    slow = Screen(slow_clock := Clock(), 0.01)  # 5% of 20 s are 100 frames
    run(Live(screen=slow, clock=slow_clock), slow_clock, 20_000, 1e-3)
    assert 85 <= len(slow.steps) <= 105


def test_frames_without_time_are_dropped_and_nothing_waits():
    clock = Clock()
    view = Live(screen=Screen(clock, 10.0), clock=clock)
    run(view, clock, 1000, 1e-2)
    assert view.drawn == 2
    assert view.dropped > 50


def test_the_clock_is_looked_at_about_once_in_a_millisecond():
    looks = 0

    class Counting(Clock):
        def __call__(self) -> float:
            nonlocal looks
            looks += 1
            return self.now

    run(Live(screen=Screen(), clock=(clock := Counting())), clock, 200_000, 5e-6)
    assert looks < 5 * 200_000 * 5e-6 / LOOK


def test_a_call_that_does_not_draw_costs_less_than_a_microsecond():
    """Against an empty function, in processor time: neighbours on a busy machine do not count."""

    def seconds(observer: Any) -> float:
        at, begun = state(5), time.process_time()
        for _ in range(100_000):
            observer(at)
        return (time.process_time() - begun) / 100_000

    view = Live(screen=Screen())
    view.begin(None, None)
    unseen = Live(screen=Screen())
    unseen._screen = None
    for observer in (view, unseen):
        assert min(seconds(observer) - seconds(lambda _: None) for _ in range(5)) < 1e-6


def test_few_losses_are_kept_the_first_and_the_last_among_them():
    watched = Watched()
    for step in range(5 * KEPT):
        watched.add(state(step, float(step)))
    assert len(watched.steps) <= KEPT
    assert watched.steps[0] == 0
    assert watched.steps[-1] == 5 * KEPT - 1
    assert watched.steps == sorted(set(watched.steps))
    assert watched.losses == [float(step) for step in watched.steps]


def terminal(width: int = 80) -> tuple[Terminal, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=40, color_system=None, legacy_windows=False)
    return Terminal(console), stream


def fit_of(view: Live, **options: Any) -> tw.Fit:
    data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.1, 4.9, 7.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)
        return tw.fit(
            "y ~ x", data, solver=tw.GradientDescent(**{"lr": 0.05, "steps": 300} | options), observers=[view]
        )


def test_a_fit_is_seen_in_a_terminal():
    screen, stream = terminal()
    fit = fit_of(Live(screen=screen))
    shown = stream.getvalue()
    assert "step 0 of 300" in shown
    last = shown[shown.rindex("step 300 of 300") :]
    assert f"loss {fit.trace.value[-1]:.5g}" in last
    assert f"x {fit.coefficients['x']:.5g}" in last
    assert fit.solution.status.value in last
    assert "log scale" in last
    assert any(0x2800 < ord(character) < 0x2900 for character in last)


def test_the_chart_is_right():
    """A loss that falls by a constant factor is a straight line from corner to corner on its logarithmic scale."""
    rows = chart(range(101), [100 * 0.9**step for step in range(101)], 60)
    assert len(rows) == ROWS + 1
    assert rows[0].split()[0] == "100"
    assert rows[ROWS - 1].split()[0] == f"{100 * 0.9**100:.5g}"
    left = [
        min(i for i, c in enumerate(row) if ord(c) >= 0x2801)
        for row in rows[:ROWS]
        if any(ord(c) >= 0x2801 for c in row)
    ]
    steps = [b - a for a, b in pairwise(left)]
    assert len(left) == ROWS
    assert max(steps) - min(steps) <= 1
    assert max(len(row) for row in rows) <= 60
    assert rows[-1].split() == ["step", "0", "log", "scale", "100"]


@pytest.mark.parametrize(
    "losses", [[3.0, -1.0, -2.0], [1.0, 1.0, 1.0], [1.0, math.inf, 2.0], [math.nan, math.nan, 1.0], [0.0, 1.0, 2.0]]
)
@pytest.mark.parametrize("braille", [True, False])
def test_odd_losses_are_drawn_without_complaint(losses, braille):
    rows = chart(range(3), losses, 40, braille=braille)
    assert all(len(row) <= 40 for row in rows)
    assert ("log" in " ".join(rows)) == (min(filter(math.isfinite, losses), default=0) > 0 and len(rows) > 0)


@pytest.mark.parametrize("width", [10, NARROWEST, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    watched = Watched(("a_very_long_name_of_a_parameter", "b"), 10_000)
    for step in range(50):
        watched.add(state(step, 0.9**step))
    lines = frame_text(watched, width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) == (2 if width < NARROWEST else ROWS + 3)


def test_a_terminal_without_unicode_gets_plain_characters():
    watched = Watched()
    for step in range(50):
        watched.add(state(step, 0.9**step))
    assert chart(watched.steps, watched.losses, 60, braille=False)[0].isascii()


def test_nothing_is_shown_where_nobody_can_see_it(capsys):
    fit_of(Live())  # standard error is captured: no terminal
    assert capsys.readouterr() == ("", "")


def test_a_terminal_that_is_none_gets_nothing():
    stream = io.StringIO()
    fit_of(Live(screen=Terminal(Console(file=stream))))
    assert stream.getvalue() == ""


class Display:
    """IPython.display, as far as it is used."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.updated: list[Any] = []

    def display(self, what: Any, display_id: bool = False) -> Any:
        assert display_id
        self.shown.append(what)
        return SimpleNamespace(update=self.updated.append)


def test_a_notebook_is_updated_in_place():
    display = Display()
    fit_of(Live(screen=Notebook(display)))
    assert len(display.shown) == 1
    assert len(display.updated) >= 1
    assert display.updated[-1]._repr_png_().startswith(b"\x89PNG")
    title = display.updated[-1].axes[0].get_title(loc="left")
    assert "step 300 of 300" in title


def test_the_picture_shows_the_losses():
    watched = Watched(("$a", "b"))
    for step in range(20):
        watched.add(state(step, 0.5**step))
    (axes,) = frame_figure(watched).axes
    assert axes.get_yscale() == "log"
    assert axes.lines[0].get_ydata().tolist() == [0.5**step for step in range(20)]


def test_a_notebook_is_recognised(monkeypatch):
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    display = ModuleType("IPython.display")
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert isinstance(live.screen_for(None), Notebook)
    ipython.get_ipython = lambda: None
    assert live.screen_for(None) is None


def test_a_notebook_without_ipython_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(NotAvailableError, match="IPython"):
        Live("notebook")


@pytest.mark.parametrize("options", [{"place": "paper"}, {"share": 0.0}, {"share": 2.0}])
def test_options_that_do_not_exist_are_refused(options):
    with pytest.raises(OptionError):
        Live(**options)


def test_it_can_watch_twice_and_leaves_the_screen_after_an_error():
    screen, _ = terminal()
    view = Live(screen=screen)
    fit_of(view)
    fit_of(view, steps=7)
    assert view._watched.state is not None
    assert view._watched.state.step == 7
    view.begin(None, None)
    view(state(0))
    view.failed(RuntimeError("bad"))
    assert screen._live is None


def test_its_import_is_light():
    names = "thalweg.observers.live, thalweg.observers.live_terminal"
    code = f"import sys, {names}\nprint('torch' in sys.modules or 'rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
