"""A fit that was killed and goes on equals the one that was not, bit for bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kills
from thalweg.solvers.base import Status

KILLS = 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_two_hundred_kills_and_none_lost():
    """Real processes, killed at random moments and at every point of a write: see kills.py."""
    script = Path(kills.__file__)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(script.parent)}
    command = [sys.executable, "-W", "error", str(script), str(KILLS), "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    tally = json.loads(done.stdout)
    assert tally["wrong"] == [], done.stderr
    assert tally["kills"] >= KILLS
    assert set(tally["points"]) == {"a random moment", *kills.POINTS}
    assert set(tally["solvers"]) == set(kills.SOLVERS)


@pytest.mark.parametrize("name", kills.SOLVERS)
@pytest.mark.parametrize("ruled", [False, True])
def test_stopped_at_every_step_and_resumed(name, ruled, tmp_path, monkeypatch):
    """The same within one process: an interrupt after each step, so that each state goes through a file."""
    reference = kills.run(name, ruled, None)

    class OneStep:
        """Ends the fit at the step after the one that it was shown first."""

        seen = 0

        def __call__(self, state):
            self.seen += 1
            if self.seen == 3:
                raise KeyboardInterrupt

    def solved(*given, **options):
        given[3].append(OneStep())
        return solve(*given, **options)

    solve = kills.solve
    monkeypatch.setattr(kills, "solve", solved)
    path, turns = tmp_path / "run.ckpt", 0
    while True:
        turns += 1
        outcome = kills.run(name, ruled, path, every=1)
        if outcome.solution.status is not Status.INTERRUPTED:
            break
    assert turns > 5 or name == "lbfgs"
    assert kills.equal(outcome, reference)
