"""Levenberg-Marquardt: against scipy at tight tolerances, in exact arithmetic, on bounds, at the ends of its range."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

import thalweg as tw
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.problem import CurveProblem, Part
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.losses.base import Family
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.levenberg_marquardt import CurveState, LevenbergMarquardt

X = np.linspace(0.1, 5, 40)
PROBLEMS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], list[float], list[float]]] = {
    "decay": ("a*exp(-k*x)+c", lambda t: t[0] * np.exp(-t[1] * X) + t[2], [3, 1.3, 0.5], [1, 1, 0]),
    "power": ("a*x**b", lambda t: t[0] * X ** t[1], [2, -0.7], [1, 1]),
    "rational": ("a*x/(k+x)", lambda t: t[0] * X / (t[1] + X), [5, 0.8], [1, 1]),
    "wave": ("a*sin(w*x+p)", lambda t: t[0] * np.sin(t[1] * X + t[2]), [2, 2.5, 0.3], [1, 2.3, 0]),
    "peak": ("a*exp(-((x-m)/s)**2)", lambda t: t[0] * np.exp(-(((X - t[1]) / t[2]) ** 2)), [4, 2.2, 0.6], [1, 2, 1]),
}


def problem(
    text: str, y: np.ndarray, start: list[float], *, loss: Family | None = None, **bounds: np.ndarray
) -> CurveProblem:
    curve = Expression.of(read_equation(f"y = {text}", ["x", "y"]))
    part = Part(curve.over({"x": X}, X.size), y)
    return CurveProblem(curve, lambda: (part,), loss or family("gaussian"), X.size, start=np.array(start), **bounds)


def solved(made: CurveProblem, **options: float) -> tuple[np.ndarray, Status]:
    solution = solve(LevenbergMarquardt(**options), made)  # type: ignore[arg-type]
    return solution.theta.numpy(), solution.status


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.2])
def test_the_minimum_is_that_of_scipy_at_its_tightest(name: str, noise: float) -> None:
    text, f, truth, start = PROBLEMS[name]
    y = f(np.array(truth)) + noise * np.random.default_rng(1).normal(size=X.size)
    theta, status = solved(problem(text, y, start))
    best = least_squares(lambda t: f(t) - y, truth, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert status is Status.CONVERGED
    assert np.allclose(theta, best.x, rtol=1e-7)
    residual = f(theta) - y
    rounding = 1e-12 + (1e-15 / noise if noise else 0.0)  # of y, seen in the residuals
    assert 0.5 * residual @ residual <= best.cost * (1 + rounding) + 1e-28


@pytest.mark.parametrize("name", PROBLEMS)
def test_data_without_noise_give_their_parameters_back_to_the_last_digits(name: str) -> None:
    text, f, truth, start = PROBLEMS[name]
    theta, _ = solved(problem(text, f(np.array(truth)), start))
    assert np.allclose(theta, truth, rtol=4e-15)


def test_the_gradient_of_the_answer_is_that_of_rounding() -> None:
    """In long double, where float64's own gradient is noise."""
    text, f, truth, start = PROBLEMS["decay"]
    y = f(np.array(truth)) + 0.3 * np.random.default_rng(2).normal(size=X.size)
    theta, _ = solved(problem(text, y, start))
    t, x = theta.astype(np.longdouble), X.astype(np.longdouble)
    e = np.exp(-t[1] * x)
    jacobian = np.stack([e, -t[0] * x * e, np.ones_like(x)])
    residual = t[0] * e + t[2] - y
    left = np.linalg.solve((jacobian @ jacobian.T).astype(float), (jacobian @ residual).astype(float))
    assert np.abs(left / theta).max() < 3e-16


def test_without_the_polish_it_stops_where_the_step_is_short() -> None:
    text, f, truth, start = PROBLEMS["decay"]
    y = f(np.array(truth)) + 0.3 * np.random.default_rng(2).normal(size=X.size)
    exact, _ = solved(problem(text, y, start))
    rough, status = solved(problem(text, y, start), polish=False, tol=1e-4)
    assert status is Status.CONVERGED
    assert 1e-14 < np.abs(rough / exact - 1).max() < 1e-3


@pytest.mark.parametrize("seed", range(8))
def test_bounds_hold_at_every_state_and_the_end_is_the_least_within_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    text, f, truth, _ = PROBLEMS["decay"]
    y = f(np.array(truth)) + 0.3 * random.normal(size=X.size)
    lower = np.array([0.0, random.uniform(0.5, 2.0), -np.inf])
    upper = np.array([random.uniform(2.0, 3.0), np.inf, random.uniform(0.2, 0.6)])
    start = np.clip([2.0, 1.0, 0.1], lower, upper)
    made, last = problem(text, y, start.tolist(), lower=lower, upper=upper), None
    for last in iterate(LevenbergMarquardt(), made):
        assert (last.theta.numpy() >= lower).all()
        assert (last.theta.numpy() <= upper).all()
    best = least_squares(lambda t: f(t) - y, start, bounds=(lower, upper), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert last is not None
    assert last.value <= best.cost * (1 + 1e-10)


def test_each_step_lowers_the_objective() -> None:
    text, f, truth, _ = PROBLEMS["peak"]
    y = f(np.array(truth)) + 0.2 * np.random.default_rng(3).normal(size=X.size)
    values = [state.value for state in iterate(LevenbergMarquardt(polish=False), problem(text, y, [1, 3.5, 2]))]
    assert (np.diff(values) < 0).all()


def test_where_the_curve_is_not_finite_a_step_is_taken_back() -> None:
    y = np.log(X - 0.05) * 2
    made = problem("a*log(x - b)", y, [1.0, -2.0])  # b may not pass the first x
    theta, status = solved(made)
    assert status is Status.CONVERGED
    assert np.allclose(theta, [2, 0.05], rtol=1e-12)


def test_a_start_that_is_not_finite_is_said() -> None:
    solution = solve(LevenbergMarquardt(), problem("a*log(x - b)", X, [1.0, 3.0]))
    assert solution.status is Status.STALLED
    assert "not finite at the start" in solution.advice


def test_too_few_steps_are_said_with_the_number_to_set() -> None:
    text, f, truth, start = PROBLEMS["wave"]
    solution = solve(LevenbergMarquardt(max_steps=1), problem(text, f(np.array(truth)), start))
    assert solution.status is Status.LIMIT
    assert "max_steps=4" in solution.advice


def test_a_column_of_zeros_does_not_move() -> None:
    _, f, truth, _ = PROBLEMS["power"]
    theta, status = solved(problem("a*x**b + where(x > 99, d, 0)", f(np.array(truth)), [1.0, 1.0, 7.0]))
    assert status is Status.CONVERGED
    assert np.allclose(theta, [2, -0.7, 7.0], rtol=1e-12)


@pytest.mark.parametrize("name", ["poisson", "gamma"])
def test_other_losses_end_where_their_gradient_is_zero(name: str) -> None:
    random = np.random.default_rng(4)
    mean = 6 * np.exp(-0.5 * X) + 2
    y = random.poisson(mean).astype(float) if name == "poisson" else random.gamma(5.0, mean / 5.0)
    theta, status = solved(problem("a*exp(-k*x)+c", y, [5.0, 0.4, 1.5], loss=family(name, "identity")))
    a, k, c = theta
    e = np.exp(-k * X)
    mu = a * e + c
    jacobian = np.stack([e, -a * X * e, np.ones_like(X)])
    weight = 1 / mu if name == "poisson" else 1 / mu**2
    gradient = jacobian @ ((mu - y) * weight)
    left = np.linalg.solve((jacobian * weight) @ jacobian.T, gradient)
    assert status is Status.CONVERGED
    assert np.abs(left / theta).max() < 1e-10


def test_scaling_a_parameter_changes_nothing_else() -> None:
    """a in units of 1e-9 and k in units of 1e6: the same steps, since columns are scaled."""
    text, f, truth, start = PROBLEMS["decay"]
    y = f(np.array(truth)) + 0.2 * np.random.default_rng(5).normal(size=X.size)
    plain, _ = solved(problem(text, y, start))
    scaled, _ = solved(problem("(a*1e9)*exp(-(k/1e6)*x)+c", y, [start[0] / 1e9, start[1] * 1e6, start[2]]))
    assert np.allclose(scaled * [1e9, 1e-6, 1], plain, rtol=1e-14)


def test_a_zero_radius_underflow_is_no_error() -> None:
    x = np.linspace(400, 500, 35)
    y = 1.5 / 4 * np.exp(-0.5 * ((x - 451.5) / 4) ** 2)
    start = {"b1": 1.504305345, "b2": 10.49196948, "b3": 130.6246024}
    fit = tw.fit("y = (b1/b2)*exp(-0.5*((x-b3)/b2)**2)", {"x": x, "y": y}, start=start)
    assert fit.coefficients == pytest.approx({"b1": 1.5, "b2": 4.0, "b3": 451.5}, rel=1e-9)


@pytest.mark.parametrize(
    "options", [{"max_steps": 0}, {"max_steps": 1.5}, {"max_steps": True}, {"tol": 0.0}, {"tol": 2}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        LevenbergMarquardt(**options)  # type: ignore[arg-type]


def test_it_starts_where_it_is_told() -> None:
    text, f, truth, start = PROBLEMS["decay"]
    made = problem(text, f(np.array(truth)), start)
    state = LevenbergMarquardt().init(made, torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64))
    assert isinstance(state, CurveState)
    assert state.theta.tolist() == [2, 2, 2]
