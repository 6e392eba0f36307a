"""Transforms against NumPy, orthogonality, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import formulaic
import mpmath
import numpy as np
import pandas as pd
import pytest
import torch

from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import DataError, FormulaError, ThalwegError


def columns(terms: str, data: Any, new: Any = None) -> np.ndarray:
    source = open_source(data)
    spec = Spec.learn(f"y ~ 0 + {terms}", source)
    (batch,) = (source if new is None else open_source(new)).batches(spec.predictor_columns)
    return spec.block(batch, response=False).matrix.dense().numpy()


def frame(x: Any) -> pd.DataFrame:
    return pd.DataFrame({"y": np.arange(len(x), dtype=float), "x": np.asarray(x, dtype=float)})


@pytest.mark.parametrize("x", [np.linspace(-9, -3, 82), np.linspace(1e6, 1e6 + 1, 50), np.arange(30.0) ** 3 * 1e120])
def test_orthogonal_polynomials_are_orthonormal(x: np.ndarray) -> None:
    basis = columns("poly(x, 10)", frame(x))
    both = np.column_stack([np.full(len(x), len(x) ** -0.5), basis])
    np.testing.assert_allclose(both.T @ both, np.eye(11), atol=1e-10)


@pytest.mark.parametrize("size", [20, 1000])
def test_high_degrees_are_orthonormal_or_refused(size: int, in_batches: Callable[[Any, int], Any]) -> None:
    even = Spec.learn("y ~ 0 + poly(x, 40)", in_batches(frame(np.linspace(3, 4, 1000)), size))
    (batch,) = open_source(frame(np.linspace(3, 4, 1000))).batches(["x"])
    basis = even.block(batch, response=False).matrix.dense().numpy()
    np.testing.assert_allclose(basis.T @ basis, np.eye(40), atol=1e-9)
    skewed = frame(np.random.default_rng(0).exponential(size=1000))
    with pytest.raises(FormulaError, match="the highest degree that stays orthogonal is") as caught:
        Spec.learn("y ~ poly(x, 30)", in_batches(skewed, size))
    usable = int(str(caught.value).split("orthogonal is ")[1].split()[0])
    basis = columns(f"poly(x, {usable})", skewed)
    assert 10 < usable < 30
    np.testing.assert_allclose(basis.T @ basis, np.eye(usable), atol=1e-6)


def test_orthogonal_polynomials_are_those_of_exact_arithmetic() -> None:
    x = np.random.default_rng(5).normal(size=25).tolist()
    basis = columns("poly(x, 6)", frame(x))
    with mpmath.workdps(60):
        powers = mpmath.matrix([[mpmath.mpf(v) ** k for k in range(7)] for v in x])
        q, r = mpmath.qr(powers, mode="skinny")
        truth = np.array([[float(q[i, k] * mpmath.sign(r[k, k])) for k in range(1, 7)] for i in range(len(x))])
    np.testing.assert_allclose(basis, truth, atol=1e-13)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_polynomials_learned_in_batches_are_the_same(size: int, in_batches: Callable[[Any, int], Any]) -> None:
    data = frame(np.random.default_rng(1).gamma(2, size=1000))
    whole = Spec.learn("y ~ poly(x, 7)", open_source(data)).learned.states["poly(x, 7)"]
    parts = Spec.learn("y ~ poly(x, 7)", in_batches(data, size)).learned.states["poly(x, 7)"]
    shift = whole["shift"] - parts["shift"]
    np.testing.assert_allclose(parts["a"], np.array(whole["a"]) + shift, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(parts["b"], whole["b"], rtol=1e-11)
    assert parts["count"] == whole["count"] == 1000


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("size", [1, 13, 500])
def test_means_and_deviations_keep_their_digits(size: int, offset: float, in_batches: Callable[..., Any]) -> None:
    data = frame(np.random.default_rng(2).normal(size=500) + offset)
    state = Spec.learn("y ~ scale(x)", in_batches(data, size)).learned.states["scale(x)"]
    with mpmath.workdps(40):
        exact = [mpmath.mpf(v) for v in data["x"]]
        mean = mpmath.fsum(exact) / 500
        deviation = mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in exact) / 499)
    assert state["center"] == pytest.approx(float(mean), rel=1e-15)
    assert state["scale"] == pytest.approx(float(deviation), rel=1e-14)


@pytest.mark.parametrize("terms", ["bs(x, df=7)", "cr(x, df=5)", "cs(x, df=4, constraints='center')", "cc(x, df=4)"])
def test_splines_learned_in_batches_are_the_same(terms: str, in_batches: Callable[[Any, int], Any]) -> None:
    data = frame(np.random.default_rng(3).exponential(size=300))
    whole = Spec.learn(f"y ~ {terms}", open_source(data))
    parts = Spec.learn(f"y ~ {terms}", in_batches(data, 17))
    assert whole.learned.states == parts.learned.states


@pytest.mark.parametrize(
    "terms",
    [
        "bs(x, df=6, extrapolation='extend')",
        "bs(x, df=6, extrapolation='clip', lower_bound=-3, upper_bound=3)",
        "bs(x, df=6, extrapolation='zero', lower_bound=-3, upper_bound=3)",
        "cr(x, df=5)",
        "cr(x, df=5, extrapolation='clip', lower_bound=-3, upper_bound=3)",
        "cr(x, df=5, extrapolation='zero', lower_bound=-3, upper_bound=3)",
        "cc(x, df=5)",
    ],
)
def test_new_rows_are_those_of_formulaic(terms: str) -> None:
    data, new = frame(np.linspace(-2, 2, 41) ** 3 / 4), frame(np.linspace(-4, 4, 33))
    truth = formulaic.model_matrix(f"0 + {terms}", data)
    expected = np.asarray(truth.model_spec.get_model_matrix(new), dtype=float)
    np.testing.assert_allclose(columns(terms, data, new), expected, atol=1e-12)


def test_splines_add_up_to_one() -> None:
    x = np.random.default_rng(4).normal(size=200)
    for terms in (
        "bs(x, df=8, include_intercept=True)",
        "cr(x, df=6)",
        "bs(x, degree=2, df=9, include_intercept=True)",
    ):
        np.testing.assert_allclose(columns(terms, frame(x)).sum(axis=1), 1, atol=1e-13)


def test_a_missing_value_gives_missing_columns() -> None:
    data = frame(np.arange(20.0))
    source = open_source(data)
    for terms in ("poly(x, 2)", "bs(x, df=4)", "cr(x, df=4)", "cc(x, df=4)", "scale(x)", "log(x + 1)"):
        spec = Spec.learn(f"y ~ {terms}", source)
        (batch,) = open_source({"x": [1.0, np.nan]}).batches(["x"])
        matrix = spec.block(batch, response=False, missing="null").matrix
        eta = matrix.times(torch.ones(len(spec.names), dtype=torch.float64))
        assert torch.isfinite(eta).tolist() == [True, False]


@pytest.mark.parametrize(
    ("terms", "x", "says"),
    [
        ("poly(x, 3)", [1, 2, 3, 1, 2, 3], "degree 3 needs more than 3 distinct values, and there are 3"),
        ("poly(x, 3, raw=True)", [1, 2, 3, 1, 2, 3], "more than 3 distinct values"),
        ("scale(x)", [2, 2, 2], r"constant \(2\)"),
        ("scale(x)", [2], "too few"),
        ("scale(x, scale=0)", [1, 2], "divides by zero"),
        ("bs(x, df=4)", [2, 2, 2], "needs a range"),
        ("bs(x, knots=[9])", [1, 2, 3], "between the bounds"),
        ("bs(x, df=4, lower_bound=1.5, extrapolation='raise')", [1, 2, 3], "lie beyond the bounds"),
        ("cr(x, knots=[9])", [1, 2, 3], "do not fit"),
        ("poly(log(x), 2)", [0, 1, 2, 3], r"poly\(log\(x\), 2\) is -inf where x = 0"),
        ("log(center(x))", [1, 2, 3], r"log\(center\(x\)\) is .* where x = 1"),
    ],
)
def test_what_cannot_be_learned_is_said(terms: str, x: list[float], says: str) -> None:
    with pytest.raises(ThalwegError, match=says):
        Spec.learn(f"y ~ {terms}", open_source(frame(x)))


def test_a_spline_may_refuse_rows_beyond_its_bounds() -> None:
    source = open_source(frame(np.arange(20.0)))
    spec = Spec.learn("y ~ bs(x, df=4, extrapolation='raise')", source)
    (batch,) = open_source({"x": [1.0, 21.0]}).batches(["x"])
    with pytest.raises(DataError, match="beyond the bounds 0 and 19"):
        spec.block(batch, response=False)
