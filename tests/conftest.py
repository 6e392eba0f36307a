"""What all tests share: where the reference values are, and no pictures on a screen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
for _library in ("OMP", "MKL", "OPENBLAS"):  # the tests run in several processes: threads would only get in their way
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

_REFERENCE = Path(os.environ.get("THALWEG_REFERENCE") or Path(__file__).parents[2] / "shared" / "reference")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference values (NIST sets, generalized linear models to 32 digits)."""
    if not (_REFERENCE / "strd.json").exists():
        pytest.skip(
            "no reference values: put NIST's .dat files (https://www.itl.nist.gov/div898/strd/) and the .json files"
            " made from them in ../shared/reference, or name their folder in THALWEG_REFERENCE"
        )
    return _REFERENCE


@pytest.fixture(scope="session")
def reference_json(reference: Path) -> Any:
    """Read one of the reference .json files by name."""
    return lambda name: json.loads((reference / name).read_text())
