"""Lines of numbers."""

from __future__ import annotations

import io
import logging

import pytest
import torch

import thalweg as tw
from thalweg.errors import OptionError
from thalweg.observers import Log
from thalweg.solvers.base import State
from thalweg.solvers.iterate import solve


def test_a_line_every_so_many_steps_and_one_for_the_last(problem):
    stream = io.StringIO()
    solve(tw.GradientDescent(lr=0.5, steps=250), problem, None, [Log(100, stream)])
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines[:-1]] == ["0", "100", "200", "250"]
    assert lines[-1].endswith("step 250")
    assert len({len(line) for line in lines[:-1]}) == 1  # aligned
    assert len({tuple(i for i, c in enumerate(line) if c.isalpha() and c != "e") for line in lines[:-1]}) == 1


def test_the_numbers_are_those_of_the_state(problem):
    stream, seen = io.StringIO(), []
    solve(tw.GradientDescent(lr=0.5, steps=3), problem, None, [Log(1, stream), seen.append])
    for line, state in zip(stream.getvalue().splitlines(), seen, strict=False):
        words = line.split()
        shown = dict(zip(words[::2], words[1::2], strict=True))
        assert float(shown["loss"]) == pytest.approx(state.value, rel=1e-4)
        assert float(shown["gradient"]) == pytest.approx(state.gradient_size, rel=1e-2)
        assert float(shown["rate"]) == 0.5
        assert float(shown["a"]) == pytest.approx(float(state.theta[0]), rel=1e-4, abs=1e-12)
        assert float(shown["b"]) == pytest.approx(float(state.theta[1]), rel=1e-4, abs=1e-12)


def test_many_parameters_are_cut():
    theta = torch.arange(6, dtype=torch.float64)
    line = Log().line(State(theta, 1.0, 2.0, 3))
    assert line.split()[-3:] == ["theta[3]", "3", "..."]
    assert "rate" not in line


def test_standard_error_is_the_default_and_a_logger_will_do(problem, capsys, caplog):
    solve(tw.GradientDescent(lr=0.5, steps=1), problem, None, [Log(1)])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("step     0  loss")
    with caplog.at_level(logging.INFO, "descent"):
        solve(tw.GradientDescent(lr=0.5, steps=1), problem, None, [Log(1, logging.getLogger("descent"))])
    assert caplog.records[0].levelno == logging.INFO
    assert caplog.records[0].message.startswith("step     0  loss")
    assert capsys.readouterr() == ("", "")


def test_the_last_line_names_the_rule(problem):
    stream = io.StringIO()
    solve(tw.GradientDescent(lr=0.5), problem, None, [Log(100, stream)], stop=tw.LossBelow(0.5))
    assert ": LossBelow(0.5), step" in stream.getvalue().splitlines()[-1]


@pytest.mark.parametrize("make", [lambda: Log(0), lambda: Log(2.5), lambda: Log(10, "file.txt")])
def test_bad_options_are_refused(make):
    with pytest.raises(OptionError):
        make()
