"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import sys

import pytest

import thalweg as tw
from thalweg.errors import NotAvailableError, OptionError
from thalweg.observers import History, TensorBoard
from thalweg.solvers.iterate import solve


def read(folder):
    """Tag to {step: value}."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def test_the_curves_are_those_of_the_history(problem, tmp_path):
    pytest.importorskip("tensorboard")
    history = History()
    solve(tw.GradientDescent(lr=0.5, steps=25), problem, None, [history, TensorBoard(tmp_path, every=10)])
    found = read(tmp_path)
    assert set(found) == {"loss", "gradient_norm", "learning_rate", "parameter/a", "parameter/b"}
    for tag, column in (
        ("loss", history.value),
        ("gradient_norm", history.gradient_size),
        ("learning_rate", history.rate),
        ("parameter/b", history.path[:, 1].tolist()),
    ):
        assert list(found[tag]) == [0, 10, 20, 25]
        assert list(found[tag].values()) == pytest.approx([column[i] for i in (0, 10, 20, 25)], rel=1e-6)  # float32


def test_what_was_written_stays_where_the_fit_fails(problem, tmp_path):
    pytest.importorskip("tensorboard")

    def fail(state):
        if state.step == 12:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        solve(tw.GradientDescent(lr=0.5, steps=25), problem, None, [TensorBoard(tmp_path, every=5), fail])
    assert list(read(tmp_path)["loss"]) == [0, 5, 10]


def test_without_tensorboard_it_is_refused_before_the_first_step(problem, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(NotAvailableError, match="pip install tensorboard"):
        solve(tw.GradientDescent(lr=0.5), problem, None, [TensorBoard(tmp_path)])


def test_bad_options_are_refused(tmp_path):
    with pytest.raises(OptionError):
        TensorBoard(tmp_path, every=0)
