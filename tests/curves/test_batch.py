"""Many problems at once: what each candidate reaches is what scipy reaches from its start, alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from thalweg.curves.batch import solve_batch
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation

CURVE = Expression.of(read_equation("y = a * exp(-b * x) + c", ["x", "y"]))
FREE = np.full(3, np.inf)


def truth(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    a, b, c = theta
    return a * np.exp(-b * x) + c


def alone(x, y, w, start, lower=-np.inf, upper=np.inf) -> tuple[np.ndarray, float]:
    """scipy's minimum and half its sum of squares."""
    root = np.sqrt(w)
    found = least_squares(
        lambda t: (truth(x, t) - y) * root,
        start,
        bounds=(lower, upper),
        x_scale="jac",
        xtol=1e-15,
        ftol=1e-15,
        gtol=1e-15,
    )
    return found.x, found.cost


@pytest.fixture
def groups() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, y, w of shape (12, 30), and the parameters (12, 3) about which y scatters."""
    rng = np.random.default_rng(7)
    theta = np.column_stack([rng.uniform(2, 9, 12), rng.uniform(0.3, 2, 12), rng.uniform(-1, 1, 12)])
    x = np.sort(rng.uniform(0, 5, (12, 30)), axis=1)
    y = np.stack([truth(*each) for each in zip(x, theta, strict=True)]) + 0.05 * rng.standard_normal(x.shape)
    return x, y, rng.uniform(0.5, 2, x.shape), theta


def own_rows(x):
    return lambda kept: CURVE.over({"x": x[kept]}, x.shape[1])


def test_each_over_its_own_rows_is_each_alone(groups):
    x, y, w, theta = groups
    start = theta * 1.3
    batch = solve_batch(own_rows(x), y, w, start, -FREE, FREE)
    assert batch.converged.all()
    for k in range(len(x)):
        found, cost = alone(x[k], y[k], w[k], start[k])
        np.testing.assert_allclose(batch.theta[k], found, rtol=1e-6)
        np.testing.assert_allclose(batch.value[k], cost, rtol=1e-12)


def test_many_starts_over_the_same_rows(groups):
    x, y, w, theta = (each[0] for each in groups)
    starts = theta * 10 ** np.random.default_rng(1).uniform(-0.5, 0.5, (40, 3))
    rows = CURVE.over({"x": x}, x.size)
    batch = solve_batch(lambda kept: rows, y, w, starts, -FREE, FREE)
    found, cost = alone(x, y, w, theta)
    best = batch.value.argmin()
    np.testing.assert_allclose(batch.value[best], cost, rtol=1e-12)
    np.testing.assert_allclose(batch.theta[best], found, rtol=1e-6)
    assert (batch.value[batch.converged] <= cost * (1 + 1e-9)).mean() > 0.8


def test_rows_without_weight_are_no_rows_whatever_they_hold(groups):
    x, y, w, theta = groups
    whole = solve_batch(own_rows(x[:, :20]), y[:, :20], w[:, :20], theta, -FREE, FREE)
    x, y, w = x.copy(), y.copy(), w.copy()
    x[:, 20:], y[:, 20:], w[:, 20:] = np.nan, np.inf, 0.0
    padded = solve_batch(own_rows(x), y, w, theta, -FREE, FREE)
    np.testing.assert_allclose(padded.theta, whole.theta, rtol=1e-8)
    np.testing.assert_allclose(padded.value, whole.value, rtol=1e-12)


def test_bounds_hold_and_the_others_are_at_their_best(groups):
    x, y, w, theta = groups
    lower, upper = np.array([-np.inf, -np.inf, 0.2]), np.array([np.inf, 0.9, np.inf])
    start = np.clip(theta, lower + 0.01, upper - 0.01)
    batch = solve_batch(own_rows(x), y, w, start, lower, upper)
    assert (batch.theta >= lower).all()
    assert (batch.theta <= upper).all()
    assert ((batch.theta == lower) | (batch.theta == upper)).any()
    for k in range(len(x)):
        _, cost = alone(x[k], y[k], w[k], start[k], lower, upper)
        np.testing.assert_allclose(batch.value[k], cost, rtol=1e-6)


def test_a_candidate_is_alone_in_a_batch(groups):
    x, y, w, theta = groups
    together = solve_batch(own_rows(x), y, w, theta * 2, -FREE, FREE)
    single = solve_batch(own_rows(x[3:4]), y[3:4], w[3:4], theta[3:4] * 2, -FREE, FREE)
    np.testing.assert_allclose(together.theta[3], single.theta[0], rtol=1e-9)


def test_a_start_that_is_not_finite_hurts_no_other(groups):
    x, y, w, theta = groups
    start = theta.copy()
    start[4] = [1.0, -1e6, 0.0]
    batch = solve_batch(own_rows(x), y, w, start, -FREE, FREE)
    assert batch.value[4] == np.inf
    assert not batch.converged[4]
    assert np.delete(batch.converged, 4).all()


def test_steps_into_nowhere_are_rejected():
    curve = Expression.of(read_equation("y = a * log(x - b)", ["x", "y"]))
    x = np.linspace(1, 9, 25)
    y = 2 * np.log(x - 0.99)
    rows = curve.over({"x": x}, x.size)
    starts = np.array([[1.0, 0.0], [8.0, -5.0], [3.0, 0.5]])
    batch = solve_batch(lambda kept: rows, y, None, starts, np.full(2, -np.inf), np.full(2, np.inf), 200)
    np.testing.assert_allclose(batch.theta, np.broadcast_to([2, 0.99], (3, 2)), rtol=1e-6)


def test_more_candidates_than_are_looked_at_together(groups, monkeypatch):
    x, y, w, theta = groups
    whole = solve_batch(own_rows(x), y, w, theta, -FREE, FREE)
    monkeypatch.setattr("thalweg.curves.batch.ENTRIES", 5 * 30 * 3)
    parts = solve_batch(own_rows(x), y, w, theta, -FREE, FREE)
    np.testing.assert_allclose(parts.theta, whole.theta, rtol=1e-12)


def test_the_limit_of_steps(groups):
    x, y, w, theta = groups
    batch = solve_batch(own_rows(x), y, w, theta * 3, -FREE, FREE, 2)
    assert batch.steps.max() <= 2
    assert not batch.converged.any()
