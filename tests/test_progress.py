"""The line on standard error while something takes longer than a second."""

from __future__ import annotations

import math
import time

import pytest
import torch

from thalweg.observers.progress import Progress
from thalweg.solvers.base import State


def _state(size: float, step: int = 3) -> State:
    return State(torch.zeros(1, dtype=torch.float64), 1.0, size, step)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1e-3, "fitting: step 3, log10 gradient -3.0"),
        (0.0, "fitting: step 3, log10 gradient -inf"),
        (math.inf, "fitting: step 3, log10 gradient inf"),
        (math.nan, "fitting: step 3, log10 gradient nan"),
    ],
)
def test_the_line_tells_the_step_and_the_size_of_the_gradient(size, text):
    assert Progress("fitting").text(_state(size)) == text


def test_it_appears_only_after_its_delay(capsys):
    with Progress("fitting", shown=True, delay=5.0) as progress:
        progress(_state(1.0))
    assert capsys.readouterr() == ("", "")


def test_it_appears_on_standard_error_and_follows_the_state(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich take the captured stream for a terminal
    with Progress("fitting", shown=True, delay=0.01) as progress:
        time.sleep(0.15)
        progress(_state(1e-7, step=41))
        time.sleep(0.25)
    out, err = capsys.readouterr()
    assert out == ""
    assert "step 41, log10 gradient -7.0" in err


def test_it_does_not_appear_where_standard_error_is_no_terminal(capsys):
    with Progress("fitting", delay=0.01):
        time.sleep(0.1)
    assert capsys.readouterr() == ("", "")


def test_an_error_takes_the_line_away(monkeypatch):
    progress = Progress("fitting", shown=True, delay=0.0)

    def fail() -> None:
        with progress:
            time.sleep(0.05)
            raise ValueError("bad")

    seen = []
    monkeypatch.setattr(progress, "_appear", lambda appear=progress._appear: (appear(), seen.append(progress._line)))
    with pytest.raises(ValueError, match="bad"):
        fail()
    assert not seen[0].live.is_started


def test_it_says_fitting_where_nothing_else_is_said():
    assert Progress().text(_state(1e-3)) == "fitting: step 3, log10 gradient -3.0"
