"""The record of a solve, and its snapshot."""

from __future__ import annotations

import pytest
import torch

from thalweg.errors import OptionError
from thalweg.observers import History, history

COLUMNS = ("step", "value", "gradient_size", "rate", "seconds")


def test_it_goes_on_from_any_snapshot(states):
    shown = states([float(i) for i in range(40)])
    for cuts in ([7], [0], [3, 4, 30], list(range(40))):
        whole, current = History(every=3), History(every=3)
        for state in shown:
            whole(state)
            current(state)
            if state.step in cuts:
                memory, last = current.snapshot(), current.last
                current = History()
                current.restore(memory, last)
        assert torch.equal(whole.path, current.path)
        assert all(
            getattr(whole, name) == getattr(current, name) for name in ("step", "value", "gradient_size", "rate")
        )
        assert (current.every, len(current.seconds)) == (3, len(whole.seconds))


def test_snapshots_are_whole_although_only_what_is_new_is_converted(states):
    record = History()
    for state in states([1.0, 2.0, 3.0]):
        record(state)
        memory = record.snapshot()
        for name in COLUMNS:
            assert memory[name].tolist() == getattr(record, name)
        assert torch.equal(memory["theta"], record.path)


def test_thinning_survives(states, monkeypatch):
    """Beyond its limit every second state is let go, in a record that was interrupted as in one that was not."""
    monkeypatch.setattr(history, "MOST_BYTES", 10 * 600)
    shown = states([float(i) for i in range(100)])
    whole, current = History(), History()
    for state in shown:
        whole(state)
        current(state)
        if state.step % 7 == 0:
            memory, last = current.snapshot(), current.last
            current = History()
            current.restore(memory, last)
    assert whole.step == current.step == list(range(0, 100, whole.every))
    assert whole.every == current.every > 1
    assert torch.equal(whole.path, current.path)


def test_the_seconds_go_on(states, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(history.time, "perf_counter", lambda: now[0])
    record = History(started=90.0)
    record(states([1.0])[0])
    memory, now[0] = record.snapshot(), 1e6
    other = History()
    other.restore(memory, record.last)
    now[0] += 5.0
    other(states([1.0, 1.0])[1])
    assert other.seconds == [10.0, 15.0]


@pytest.mark.parametrize("every", [0, -1, 2.0, True])
def test_bad_options_are_refused(every):
    with pytest.raises(OptionError, match="every"):
        History(every=every)
