"""What the user gives as a curve and says of it: functions of all rows, random ones, responses, seeds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import DataError, FormulaError, OptionError

X = np.linspace(0.1, 6.0, 40)
Y = 3 * np.exp(-0.7 * X) + 0.5 + 0.01 * np.sin(37 * X)
DATA = {"x": X, "y": Y}
DECAY = "y = a * exp(-k * x) + c"
RNG = np.random.default_rng(3)
START = {"a": 2.0, "k": 0.5, "c": 0.3}


def decay(x: Any, a: Any, k: Any, c: Any) -> Any:
    return a * np.exp(-k * x) + c


def centred(x: Any, a: Any, b: Any) -> Any:
    return a * (x - x.mean()) + b


def line_of(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least squares of y on the centred x, by hand."""
    z = x - x.mean()
    return float(z @ y / (z @ z)), float(y.mean())


# ------------------------------------------------------------------------------------------------ all rows together


def rows_of(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.normal(3.0, 1.0, n)
    return x, 2.0 * x + rng.normal(size=n)


def test_a_cumulative_sum_over_many_rows() -> None:
    n = 60_000
    y = np.cumsum(2 * np.ones(n)) + np.sin(np.arange(n))
    fit = tw.fit(lambda x, a: np.cumsum(a * x), {"x": np.ones(n), "y": y}, y="y", start={"a": 1.0})
    steps = np.arange(1.0, n + 1)
    assert fit.coefficients["a"] == pytest.approx(steps @ y / (steps @ steps), rel=1e-9)
    assert any("all rows together" in note for note in fit.notes)


def test_a_mean_over_many_rows() -> None:
    x, y = rows_of(50_000)
    fit = tw.fit(centred, {"x": x, "y": y}, start={"a": 1.0, "b": 1.0})
    a, b = line_of(x, y)
    assert list(fit.coefficients.values()) == pytest.approx([a, b], rel=1e-9)
    assert fit.statistics.rss == pytest.approx(((y - a * (x - x.mean()) - b) ** 2).sum(), rel=1e-10)
    new = x[:40_000]
    assert np.asarray(fit.predict({"x": new})) == pytest.approx(a * (new - new.mean()) + b, rel=1e-8)
    assert np.asarray(fit.residuals()) == pytest.approx(y - a * (x - x.mean()) - b, abs=1e-8)


def test_a_mean_of_a_column_whose_first_rows_are_alike() -> None:
    x, y = rows_of(40_000)
    x[:1000] = x[0]
    fit = tw.fit(centred, {"x": x, "y": y}, start={"a": 1.0, "b": 1.0})
    assert list(fit.coefficients.values()) == pytest.approx(list(line_of(x, y)), rel=1e-9)


def test_a_mean_over_files_in_batches(tmp_path: Path) -> None:
    """Each file is a batch of its own."""
    x, y = rows_of(900)
    for i in range(3):
        table = np.column_stack([x, y])[300 * i : 300 * (i + 1)]
        np.savetxt(tmp_path / f"{i}.csv", table, delimiter=",", header="x,y", comments="", fmt="%.17g")
    fit = tw.fit(centred, tmp_path, start={"a": 1.0, "b": 1.0})
    a, b = line_of(x, y)
    assert list(fit.coefficients.values()) == pytest.approx([a, b], rel=1e-9)
    assert np.asarray(fit.predict(tmp_path)) == pytest.approx(a * (x - x.mean()) + b, rel=1e-8)


def test_too_many_rows_to_hold_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.data.gathered.MOST_BYTES", 1000)
    np.savetxt(tmp_path / "one.csv", np.column_stack(rows_of(200)), delimiter=",", header="x,y", comments="")
    with pytest.raises(DataError, match="all rows together"):
        tw.fit(centred, tmp_path / "one.csv", start={"a": 1.0, "b": 1.0})


@pytest.mark.parametrize("shared", [None, ["a"]])
def test_groups_of_a_function_of_all_rows(shared: Any) -> None:
    with pytest.raises(OptionError, match="by='g' would take apart"):
        tw.fit(centred, {**DATA, "g": np.arange(40) % 2}, by="g", shared=shared)


def test_a_function_of_each_row_is_none_of_all() -> None:
    def each(x: Any, a: Any, b: Any) -> Any:
        return np.array([a * float(entry) + b for entry in x])

    notes = tw.fit(each, {"x": X, "y": 2 * X + 1}, start={"a": 1.0, "b": 0.0}).notes
    assert not any("all rows" in note for note in notes)


def test_a_module_that_centres_its_rows() -> None:
    class Centred(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x - x.mean(0))

    x, y = rows_of(40_000)
    fit = tw.fit(Centred(1, 1), {"x": x[:300], "y": y[:300]}, y="y", solver=tw.LevenbergMarquardt())
    assert any("all rows together" in note for note in fit.notes)
    slope, level = line_of(x[:300], y[:300])
    assert list(fit.coefficients.values()) == pytest.approx([slope, level], rel=1e-8)


# ------------------------------------------------------------------------------------------------ what is no curve


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a: a * x + RNG.normal(size=np.shape(x)),
        lambda x, a: a * x + RNG.normal(),
        lambda x, a: torch.nn.functional.dropout(a * torch.as_tensor(x)),
    ],
    ids=["by row", "one number", "dropout"],
)
def test_random_functions(function: Any) -> None:
    with pytest.raises(FormulaError, match="returns other values each time it is called"):
        tw.fit(function, DATA)


async def later(x: Any, a: Any) -> Any:
    return a * x


def yielding(x: Any, a: Any) -> Any:
    yield a * x


def test_functions_whose_call_returns_no_values() -> None:
    with pytest.raises(FormulaError, match="asynchronous"):
        tw.fit(later, DATA)
    with pytest.raises(FormulaError, match="generator"):
        tw.fit(yielding, DATA)


@pytest.mark.parametrize("text", ["y = a * y + b * x", "log(y) = a * y + b * x", "y - x = a * y + b * x"])
def test_the_response_on_both_sides(text: str) -> None:
    with pytest.raises(FormulaError, match="response is on both sides"):
        tw.fit(text, DATA)


def test_a_part_of_the_response_on_the_right() -> None:
    fit = tw.fit("y - x = a * x + b", {"x": X, "y": 3 * X + 1}, start={"a": 1.0, "b": 0.0})
    assert list(fit.coefficients.values()) == pytest.approx([2, 1], rel=1e-10)


def test_the_response_as_an_argument() -> None:
    with pytest.raises(FormulaError, match="'y' is the response"):
        tw.fit(lambda x, y, a: a * x + y, DATA)


# ------------------------------------------------------------------------------------------------ data


def test_a_response_as_an_array() -> None:
    fit = tw.fit(decay, {"x": X}, y=Y, start=START)
    assert fit.coefficients == pytest.approx(tw.fit(decay, DATA, start=START).coefficients, rel=1e-12)
    other = tw.fit(decay, {"x": X, "y": np.zeros(40)}, y=list(Y), start=START)
    assert other.coefficients == pytest.approx(fit.coefficients, rel=1e-12)
    with pytest.raises(DataError, match="y has 39 entries, and the data have 40 rows"):
        tw.fit(decay, {"x": X}, y=Y[:-1])


def opaque(x: Any, a: Any, k: Any, c: Any) -> Any:
    """Called as it is: it branches on a parameter, and cannot do without rows."""
    assert len(x) > 2
    return decay(x, a, k, c) if k < 1e6 else 0 * x


@pytest.mark.parametrize("first", [300, 60_000])
@pytest.mark.parametrize("function", [decay, opaque])
def test_the_first_rows_are_missing(function: Any, first: int) -> None:
    x, y = np.r_[np.full(first, np.nan), X], np.r_[np.ones(first), Y]
    fit = tw.fit(function, {"x": x, "y": y}, start=START, missing="drop")
    assert fit.coefficients == pytest.approx(tw.fit(decay, DATA, start=START).coefficients, rel=1e-8)


@pytest.mark.parametrize("scale", [1e-145, 1e-160, 1e-170, 1e-300])
@pytest.mark.parametrize("start", [None, START])
def test_responses_whose_squares_are_lost(scale: float, start: Any) -> None:
    with pytest.raises(DataError, match="Divide the response by a power of ten"):
        tw.fit(DECAY, {"x": X, "y": Y * scale}, start=start, starts=1)
    with pytest.raises(DataError, match="Divide the response by a power of ten"):
        tw.curve_fit(decay, X, Y * scale, None if start is None else list(start.values()))


def test_small_responses_that_are_not_lost() -> None:
    small, usual = (tw.fit(DECAY, {"x": X, "y": Y * scale}) for scale in (1e-130, 1.0))
    assert small.std_errors["a"] == pytest.approx(usual.std_errors["a"] * 1e-130, rel=1e-6)


def test_numpy_that_raises() -> None:
    with np.errstate(all="raise"):
        fit = tw.fit(decay, DATA, positive=["a"])
        popt, _ = tw.curve_fit(decay, X, Y)
        assert np.geterr()["over"] == "raise"
    assert list(fit.coefficients.values()) == pytest.approx(popt, rel=1e-8)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, a, k, c: decay(x, a, k, c).astype(np.float32),
        lambda x, a, k, c: (a * torch.exp(-k * torch.as_tensor(x)) + c).float(),
    ],
    ids=["array", "tensor"],
)
def test_functions_in_float32(function: Any) -> None:
    fit = tw.fit(function, DATA, start=START)
    exact = tw.fit(DECAY, DATA, start=START)
    assert fit.coefficients == pytest.approx(exact.coefficients, rel=1e-5)
    assert fit.std_errors == pytest.approx(exact.std_errors, rel=1e-3)
    assert any("float32" in note for note in fit.notes)


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("seed", ["a", 1.5, True, 2**70, -1, None])
def test_seeds_that_are_none(seed: Any) -> None:
    with pytest.raises(OptionError, match=r"seed is .* Give a whole number"):
        tw.fit(DECAY, DATA, seed=seed)


@pytest.mark.parametrize("starts", ["a", 1.5, True, 100_001, 0, -1])
def test_starts_that_are_none(starts: Any) -> None:
    with pytest.raises(OptionError, match=r"starts is .* Give a whole number"):
        tw.fit(DECAY, DATA, starts=starts)


@pytest.mark.parametrize("single", [{"stop": tw.TimeLimit(60)}, {"solver": tw.LevenbergMarquardt()}])
def test_many_starts_of_a_single_run(single: Any) -> None:
    with pytest.raises(OptionError, match="a single run from one start"):
        tw.fit(DECAY, DATA, start=START, starts=5, **single)
    assert tw.fit(DECAY, DATA, start=START, starts=1, **single).options["search"]["starts"] == 1


def test_seed_of_numpy() -> None:
    assert tw.fit(DECAY, DATA, seed=np.int64(3)).coefficients["k"] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("factor", [1e155, 1e300])
def test_a_response_whose_squares_are_beyond_all_numbers_is_refused(factor: float) -> None:
    x = np.linspace(0.1, 6, 40)
    with pytest.raises(DataError, match=r"response of size .*Divide the response by a power of ten"):
        tw.fit("y = a * exp(-k * x) + c", {"x": x, "y": factor * (3 * np.exp(-0.7 * x) + 0.5)})


def test_a_jacobian_beyond_all_numbers_is_no_traceback() -> None:
    x = np.linspace(-3, 3, 61)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.errors.ThalwegWarning)
        fit = tw.fit("y = a * x**500", {"x": x, "y": x})
    assert np.isnan(fit.std_errors["a"]) or fit.std_errors["a"] >= 0


def test_a_covariance_may_be_named_in_any_case_as_of_a_line() -> None:
    x = np.linspace(0, 5, 50)
    data = {"x": x, "y": 3 * np.exp(-x) + 0.1 * np.cos(9 * x)}
    small, large = (tw.fit("y = a * exp(-k * x)", data, covariance=kind) for kind in ("hc3", "HC3"))
    assert small.covariance_kind == "HC3"
    assert small.std_errors == large.std_errors
