"""`import thalweg` and `thalweg --help` are quick: nothing heavy is imported before it is needed."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "matplotlib", "pandas", "polars", "scipy", "sklearn", "statsmodels", "formulaic", "pyarrow", "numpy")
HELP_SECONDS = 0.5


@pytest.mark.parametrize("what", ["import thalweg", "from thalweg.cli import main; main(['fit', '--help'])"])
def test_nothing_heavy_is_imported(what):
    code = f"{what}\nimport sys\nprint('imported:', *(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"


def test_help_answers_quickly():
    """The best of three, because a machine that runs other tests beside this one is slow at times."""

    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "thalweg", "--help"], capture_output=True, check=True)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(3)) < HELP_SECONDS
