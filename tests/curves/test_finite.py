"""A curve that is not finite somewhere is an error that names the place, and no fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import DataError, OptionError

T = np.linspace(0, 8, 60)
Y = 5 * np.exp(-T / 1.7) + 1.2 + 0.1 * np.random.default_rng(4).normal(size=60)
DATA = {"t": T, "y": Y}


@pytest.mark.parametrize("options", [{}, {"starts": 1}, {"start": {"a": 1.0}}, {"start": {"a": 1.0}, "starts": 1}])
def test_the_row_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"the curve has no finite value in row 1 \(t = 0\), whatever its parameters"):
        tw.fit("y = a * log(t)", DATA, **options)


def test_the_line_of_a_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("t,y\n2,1\n,3\n1,2\n0,1\n3,4\n4,5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"rates\.csv, line 5 \(t = 0\)"):
        tw.fit("y = a * log(t) + b", str(file), missing="drop")


def test_a_row_of_many() -> None:
    x = np.linspace(1, 2, 5000)
    x[3333] = -1.0
    with pytest.raises(DataError, match=r"row 3334 \(x = -1\)"):
        tw.fit("y = a * log(x) + b", {"x": x, "y": x})


def test_a_derivative_that_is_none() -> None:
    with pytest.raises(DataError, match=r"derivative of the curve by b has no finite value in row 1 \(t = 0\)"):
        tw.fit("y = a + sqrt(b * t)", DATA, positive=["b"])


def test_a_function_that_is_called_as_it_is() -> None:
    def curve(t: Any, a: float, b: float) -> Any:
        return np.array([a * np.log(float(each)) + b if each else np.nan for each in t])

    with pytest.raises(DataError, match=r"no finite value in row 1 \(t = 0\)"):
        tw.fit(curve, DATA, y="y")


def test_a_function_that_is_finite_nowhere() -> None:
    def curve(t: Any, a: float, b: float) -> Any:
        return np.array([a * float("nan") + b for _ in t])

    with pytest.raises(OptionError, match=r"not finite at any start that was tried.*start="):
        tw.fit(curve, DATA, y="y")


def test_a_start_that_is_not_finite() -> None:
    start = {"a": 1.0, "b": 1.0, "c": 0.0}
    with pytest.raises(OptionError, match=r"the curve is not finite at the start\. Give another start"):
        tw.fit("y = a * log(t + 3 - 4 * b) + c", DATA, start=start, starts=1)
    fit = tw.fit("y = a * log(t + 3 - 4 * b) + c", DATA, start=start)  # others are
    assert np.isfinite(fit.statistics.rss)
