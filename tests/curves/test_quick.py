"""The fast path of small least squares, beside its plain twin, closed forms, and where it must give up."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from thalweg.curves.curve import Evaluator
from thalweg.curves.function import curve_of_function
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.quick import Quick, quick
from thalweg.losses import family
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

X = np.linspace(0.05, 10, 120)
CURVES: dict[str, tuple[Any, list[float]]] = {
    "decay": (lambda x, a, b, c: a * np.exp(-b * x) + c, [2.5, 0.7, 0.5]),
    "peak": (lambda x, a, m, s, c: a * np.exp(-(((x - m) / s) ** 2) / 2) + c, [3.0, 5.0, 1.0, 0.5]),
    "logistic": (lambda x, a, b, c: a / (1 + np.exp(-b * (x - c))), [3.0, 1.5, 5.0]),
    "saturation": (lambda x, a, b: a * x / (b + x), [3.0, 2.0]),
    "sine": (lambda x, a, w, p: a * np.sin(w * x + p), [2.0, 1.3, 0.4]),
    "power": (lambda x, a, b: a * x**b, [1.3, 1.7]),
    "line": (lambda x, a, b: a + b * x, [1.0, -2.0]),
}


def over(f: Any, count: int, x: np.ndarray = X) -> tuple[Any, Evaluator]:
    names = [f"p{j}" for j in range(count)]
    curve, _ = curve_of_function(f, ["x"], {"x": x}, inputs=["x"], parameters=names, rows=x.size, unused=True)
    return curve, curve.over({"x": x}, x.size)


def twin(curve: Any, evaluator: Evaluator, y: np.ndarray, root: np.ndarray | None, start: np.ndarray) -> Any:
    """The plain solver, and its status."""
    part = Part(evaluator, y, None if root is None else root**2)
    problem = CurveProblem(curve, lambda: (part,), family("gaussian"), y.size)
    return solve(LevenbergMarquardt(), problem, torch.from_numpy(start))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CURVES)
def test_it_agrees_with_the_plain_solver(name: str, weighted: bool) -> None:
    f, truth = CURVES[name]
    rng = np.random.default_rng([*name.encode(), weighted])
    curve, evaluator = over(f, len(truth))
    answered = 0
    for _ in range(12):
        y = f(X, *truth) + 0.05 * rng.standard_normal(X.size)
        root = 0.2 + rng.random(X.size) if weighted else None
        start = np.array(truth) * (1 + 0.25 * rng.uniform(-1, 1, len(truth)))
        found = quick(evaluator, y, root, start)
        plain = twin(curve, evaluator, y, root, start)
        if found is None or plain.status is not Status.CONVERGED:
            continue
        theta = plain.theta.numpy()
        if not np.allclose(found.theta, theta, rtol=1e-3) and name == "sine":
            continue  # another of its many minima
        answered += 1
        np.testing.assert_allclose(found.theta, theta, rtol=1e-9, atol=1e-9)
        assert found.squares == pytest.approx(2 * plain.value, rel=1e-11)
        np.testing.assert_allclose(found.inverse, plain.inverse_curvature.numpy(), rtol=1e-6, atol=1e-12)
    assert answered >= 10


def test_a_line_is_solved_by_normal_equations() -> None:
    y = 1 - 2 * X + np.sin(9 * X)
    _, evaluator = over(CURVES["line"][0], 2)
    found = quick(evaluator, y, None, np.ones(2))
    design = np.stack([np.ones_like(X), X], axis=1)
    assert found is not None
    np.testing.assert_allclose(found.theta, np.linalg.lstsq(design, y)[0], rtol=1e-12)
    np.testing.assert_allclose(found.inverse, np.linalg.inv(design.T @ design), rtol=1e-11)


def test_it_looks_at_the_function_no_more_often_than_it_says() -> None:
    f, truth = CURVES["decay"]
    _, evaluator = over(f, 3)

    class Counted(Evaluator):
        rows, calls = X.size, 0

        def values(self, theta: Any) -> np.ndarray:
            raise AssertionError

        def jacobian(self, theta: Any) -> tuple[np.ndarray, np.ndarray]:
            self.calls += 1
            return evaluator.jacobian(theta)

    counted = Counted()
    found = quick(counted, f(X, *truth) + 0.1 * np.cos(5 * X), None, np.array([1.0, 1.0, 0.0]))
    assert found is not None
    assert counted.calls == found.evaluations <= 12
    counted.calls = 0
    assert quick(counted, f(X, *truth) + 0.1 * np.cos(5 * X), None, np.array([1.0, 1.0, 0.0]), 3) is None
    assert counted.calls <= 3


class Holed(Evaluator):
    """exp(-b x), not finite the second time that it is looked at: in values, or in derivatives only."""

    def __init__(self, kind: str, value: float) -> None:
        self.rows, self.kind, self.value, self.at = X.size, kind, value, []

    def values(self, theta: Any) -> np.ndarray:
        raise AssertionError

    def jacobian(self, theta: Any) -> tuple[np.ndarray, np.ndarray]:
        (b,) = theta
        self.at.append(float(b))
        f, slope = np.exp(-b * X), -X * np.exp(-b * X)
        if len(self.at) == 2:
            (f if self.kind == "value" else slope)[3] = self.value
        return f, slope[None]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("kind", ["value", "slope"])
def test_a_step_that_is_not_finite_is_refused(kind: str, value: float) -> None:
    evaluator = Holed(kind, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = quick(evaluator, np.exp(-0.9 * X), None, np.array([0.2]))
    assert found is not None
    start, refused, next_one = evaluator.at[:3]
    assert abs(next_one - start) < 0.5 * abs(refused - start)
    np.testing.assert_allclose(found.theta, [0.9], rtol=1e-10)


NOTHING: dict[str, tuple[Any, int, np.ndarray, np.ndarray]] = {
    "NaN at the start": (lambda x, a, b: a * np.log(x - b), 2, X, np.array([1.0, 5.0])),
    "overflow at the start": (lambda x, a, b: a * np.exp(b * x), 2, X, np.array([1.0, 900.0])),
    "a start that is not finite": (lambda x, a, b: a * x + b, 2, X, np.array([np.nan, 1.0])),
    "a parameter without effect": (lambda x, a, b: a * x + 0.0 * b, 2, X, np.ones(2)),
    "one for two": (lambda x, a, b: (a + b) * x, 2, X, np.ones(2)),
    "nearly one for two": (lambda x, a, b: a * x + b * (x + 1e-7 * x**2), 2, X, np.ones(2)),
    "hardly two": (lambda x, a, b: a * x + b * (x + 1e-4 * x**2), 2, X, np.ones(2)),
    "more parameters than rows": (lambda x, a, b, c: a + b * x + c * x**2, 3, X[:2], np.ones(3)),
}


@pytest.mark.parametrize("case", NOTHING)
def test_in_trouble_it_says_nothing(case: str) -> None:
    f, count, x, start = NOTHING[case]
    _, evaluator = over(f, count, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quick(evaluator, np.cos(x), None, start) is None


def test_a_minimum_that_is_out_of_reach_is_none() -> None:
    """Data that no decay fits: the scale runs away, or the steps end without a fall."""
    _, evaluator = over(CURVES["decay"][0], 3)
    for seed in range(5):
        y = np.random.default_rng(seed).standard_normal(X.size)
        found = quick(evaluator, y, None, np.ones(3))
        if found is not None:  # then it is a stationary point
            f, jacobian = evaluator.jacobian(list(found.theta))
            cosine = jacobian @ (f - y) / np.linalg.norm(jacobian, axis=1) / np.linalg.norm(f - y)
            assert np.abs(cosine).max() < 1e-8


def test_data_without_a_residual() -> None:
    f, truth = CURVES["decay"]
    _, evaluator = over(f, 3)
    found = quick(evaluator, f(X, *truth), None, np.array([1.0, 1.0, 0.0]))
    assert isinstance(found, Quick)
    np.testing.assert_allclose(found.theta, truth, rtol=1e-12)
    assert 0 <= found.squares < 1e-24


def test_nothing_that_is_given_is_changed() -> None:
    f, truth = CURVES["decay"]
    _, evaluator = over(f, 3)
    y, root, start = f(X, *truth) + 0.1 * np.cos(X), 1 + X, np.ones(3)
    kept = y.copy(), root.copy(), start.copy()
    quick(evaluator, y, root, start)
    for now, before in zip((y, root, start), kept, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch, weighted: bool) -> None:
    f, truth = CURVES["decay"]
    _, evaluator = over(f, 3)
    y, root = f(X, *truth) + 0.1 * np.cos(5 * X), 0.2 + X if weighted else None
    whole = quick(evaluator, y, root, np.ones(3))
    monkeypatch.setattr("thalweg.curves.quick.BLOCK", 50)  # 120 rows are two of these and a shorter one
    blocks = quick(evaluator, y, root, np.ones(3))
    assert whole is not None
    assert blocks is not None
    np.testing.assert_allclose(blocks.theta, whole.theta, rtol=1e-10)
    np.testing.assert_allclose(blocks.inverse, whole.inverse, rtol=1e-9)
    assert blocks.squares == pytest.approx(whole.squares, rel=1e-12)
