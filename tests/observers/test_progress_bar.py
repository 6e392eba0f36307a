"""Progress among the observers: a bar where the number of steps is known."""

from __future__ import annotations

import time

import pytest

import thalweg as tw
from thalweg.observers import Progress
from thalweg.solvers.iterate import solve


def slow(state):
    time.sleep(0.02)


def test_a_descent_has_a_bar(problem, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich take the captured stream for a terminal
    monkeypatch.setenv("COLUMNS", "160")
    solve(tw.GradientDescent(lr=0.5, steps=20), problem, None, [Progress("fitting", shown=True, delay=0.01), slow])
    out, err = capsys.readouterr()
    assert out == ""
    assert "fitting: step" in err
    assert "━" in err
    assert "%" in err


def test_entered_before_the_fit_it_gets_its_bar_when_the_fit_begins(problem, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    with Progress("fitting", shown=True, delay=0.0) as progress:
        time.sleep(0.1)
        assert "%" not in capsys.readouterr().err
        solve(tw.GradientDescent(lr=0.5, steps=20), problem, None, [progress, slow])
        assert progress._line is not None  # it is left by who entered it
    assert "%" in capsys.readouterr().err


def test_a_failing_fit_takes_it_away(problem, monkeypatch):
    progress, lines = Progress("fitting", shown=True, delay=0.0), []

    def fail(state):
        time.sleep(0.05)
        lines.append(progress._line)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        solve(tw.GradientDescent(lr=0.5), problem, None, [progress, fail])
    assert not lines[0].live.is_started


def test_it_can_watch_two_fits(problem, capsys):
    progress = Progress("fitting")
    for _ in range(2):
        solve(tw.GradientDescent(lr=0.5, steps=3), problem, None, [progress])
    assert capsys.readouterr() == ("", "")
