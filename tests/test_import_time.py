"""`import thalweg` and `thalweg --help` are quick: nothing heavy is imported before it is needed."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "pandas", "polars", "scipy", "sklearn", "statsmodels", "formulaic", "pyarrow", "numpy")
HELP_SECONDS = 0.5


@pytest.mark.parametrize("what", ["import thalweg", "from thalweg.cli import main; main(['fit', '--help'])"])
def test_nothing_heavy_is_imported(what):
    code = f"{what}\nimport sys\nprint('imported:', *(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"


def test_help_answers_quickly():
    """Processor time, best of three: wall time is the same on an idle machine, and the neighbours' on a busy one."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "thalweg", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(3)) < HELP_SECONDS


@pytest.mark.parametrize("first", ["from thalweg.fit import fit", "import thalweg; thalweg.fit"])
def test_the_function_is_not_replaced_by_the_module_of_its_name(first):
    code = f"{first}\nimport thalweg, types\nassert isinstance(thalweg.fit, types.FunctionType)"
    subprocess.run([sys.executable, "-c", code], check=True)


UNWANTED = ("torch._dynamo", "sympy", "matplotlib", "sklearn", "scipy.stats", "statsmodels", "tensorboard", "rich")


@pytest.mark.parametrize("solver", ["None", "thalweg.GradientDescent(lr=0.01, steps=2000)", "thalweg.LBFGS()"])
def test_a_plain_fit_imports_nothing_that_it_does_not_use(solver):
    """No picture, no callback of scikit-learn, no compiler: each of them takes a second."""
    code = f"""
import sys, thalweg
data = {{"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.5, 7.0]}}
thalweg.fit("y ~ x", data, solver={solver}).equation()
print("imported:", *(name for name in {UNWANTED!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported:"
