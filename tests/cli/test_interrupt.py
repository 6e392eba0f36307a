"""Ctrl-C in a real process, at the moments that matter."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# The command with a wait put into one function of it, so that the signal arrives there and not by chance.
SLOW = """
import sys, time
import {module} as module
def slow(*arguments, **options):
    print("here", file=sys.stderr, flush=True)
    time.sleep(20)
module.{function} = slow
from thalweg.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("thalweg.cli.options", "open_data"),
        ("thalweg.solvers.iterate", "solve"),
        ("os", "fsync"),  # the model is written to its temporary file and not yet in its place
    ],
)
def test_an_interrupt_leaves_no_file(module, function, tmp_path):
    data = tmp_path / "d.csv"
    data.write_text("x,y\n1,2\n2,3\n3,5\n4,4\n")
    code = SLOW.format(module=module, function=function)
    command = [sys.executable, "-c", code, "fit", "d.csv", "y ~ x", "--out", "m.safetensors", "--quiet"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "here\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, err) == ("", "thalweg: interrupted; nothing was written.\n")
    assert _names(tmp_path) == ["d.csv"]


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
