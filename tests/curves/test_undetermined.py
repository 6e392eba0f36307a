"""Parameters that the data do not determine: named, without a standard error, and the others as if these were held."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import thalweg as tw
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.undetermined import UNDETERMINED, determination, echelon, sentences
from thalweg.errors import CollinearityWarning, NotAvailableError
from thalweg.losses import family
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

X = np.linspace(0, 5, 30)
Y = 2 * np.exp(-0.7 * X) + 0.1 * np.cos(11 * X)


def quietly(equation: str, **options: Any) -> tw.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tw.fit(equation, {"x": X, "y": Y}, **options)


def same(fit: tw.Fit, held: tw.Fit, *names: str) -> None:
    """What the data determine is as if the rest were held."""
    for name in names:
        assert fit.coefficients[name] == pytest.approx(held.coefficients[name], rel=1e-7)
        assert fit.std_errors[name] == pytest.approx(held.std_errors[name], rel=1e-6)
    assert fit.statistics.df_residual == held.statistics.df_residual
    assert fit.aic == pytest.approx(held.aic, rel=1e-9)


CASES = {
    "product": (
        "y = a * b * exp(-c * x)",
        {"a": 1, "b": 1, "c": 0.5},
        {"a", "b"},
        r"Only a combination of a and b is determined by the data \(.* where a rises as b falls\): hold one of them",
    ),
    "sum": (
        "y = a * exp(-c * x) + d + e",
        {"a": 1, "c": 0.5, "d": 0.1, "e": 0.2},
        {"d", "e"},
        "where d rises as e falls",
    ),
    "difference": (
        "y = a * exp(-c * x) + d - e",
        {"a": 1, "c": 0.5, "d": 0.1, "e": 0.2},
        {"d", "e"},
        "where d and e rise together",
    ),
    "exponent": ("y = a * exp(d - c * x)", {"a": 1, "d": 1, "c": 0.5}, {"a", "d"}, "where a rises as d falls"),
    "three": (
        "y = a * b * d * exp(-c * x)",
        {"a": 1, "b": 1, "c": 0.5, "d": 1},
        {"a", "b", "d"},
        "Only a combination of a, b and d is determined by the data: hold 2 of them",
    ),
    "zero": ("y = a * exp(-c * x) + 0 * d", {"a": 1, "c": 0.5, "d": 3}, {"d"}, "d is not determined by the data"),
    "gone": (
        "y = a * exp(-c * x) + where(x > 9, d, 0)",
        {"a": 1, "c": 0.5, "d": 3},
        {"d"},
        r"the curve does not change with it here. Give another start, or hold it: fixed=\{'d': 3\}",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_named(case: str) -> None:
    equation, start, names, text = CASES[case]
    with pytest.warns(CollinearityWarning, match=text):
        fit = tw.fit(equation, {"x": X, "y": Y}, start=start)
    assert {name for name, reason in fit.held.items() if reason == UNDETERMINED} == names
    assert any("determined" in note for note in fit.notes)
    pivots = sorted(names)[1:] or sorted(names)
    held = tw.fit(equation, {"x": X, "y": Y}, start=start, fixed={name: fit.coefficients[name] for name in pivots})
    same(fit, held, *(set(start) - names))
    for name, error in fit.std_errors.items():
        assert math.isnan(error) == (name in names)
    assert "determined" in fit.summary()


def test_two_pairs_are_told_apart() -> None:
    with pytest.warns(CollinearityWarning) as told:
        fit = tw.fit(
            "y = a * b * exp(-c * x) + d + e",
            {"x": X, "y": Y},
            start={"a": 1, "b": 1, "c": 0.5, "d": 0.1, "e": 0.2},
        )
    texts = " ".join(str(each.message) for each in told)
    assert "a combination of a and b" in texts
    assert "a combination of d and e" in texts
    assert fit.statistics.df_residual == 27


def test_a_column_that_underflows() -> None:
    """exp(-b x) with b = 1e4 is a step at the first row: b has a derivative there of 0, and elsewhere of 0."""
    fit = quietly("y = a * exp(-b * x) + c", start={"a": 1, "b": 1e4, "c": 0.5}, starts=1)
    assert fit.held.get("b", UNDETERMINED) == UNDETERMINED
    assert all(math.isnan(error) or error < 1e6 for error in fit.std_errors.values())


def test_tied_to_what_is_not_determined() -> None:
    fit = quietly("y = a * b * exp(-c * x) + 0 * d", start={"a": 1, "b": 1, "c": 0.5}, tied={"d": "2 * a"})
    assert fit.held["d"] == UNDETERMINED
    assert math.isnan(fit.std_errors["d"])


def test_tied_to_what_is_held() -> None:
    fit = tw.fit(
        "y = a * exp(-c * x) + d", {"x": X, "y": Y}, start={"a": 1, "c": 0.5}, fixed={"a": 2.0}, tied={"d": "a - 2"}
    )
    assert fit.held["a"] == "held at this value"
    assert "no standard error" in fit.held["d"]
    assert math.isfinite(fit.std_errors["c"])


def test_on_a_bound() -> None:
    fit = tw.fit("y = a * exp(-c * x)", {"x": X, "y": Y}, start={"a": 1, "c": 1.5}, bounds={"c": (1, None)})
    assert fit.held["c"].startswith("on its lower bound")
    held = tw.fit("y = a * exp(-c * x)", {"x": X, "y": Y}, start={"a": 1}, fixed={"c": 1.0})
    assert fit.std_errors["a"] / fit.statistics.sigma == pytest.approx(
        held.std_errors["a"] / held.statistics.sigma, rel=1e-9
    )


def test_on_a_bound_and_not_determined() -> None:
    fit = quietly("y = a * b * exp(-c * x)", start={"a": 1, "b": 1, "c": 1.5}, bounds={"c": (1, None)})
    assert {name for name, reason in fit.held.items() if reason == UNDETERMINED} == {"a", "b"}
    assert "bound" in fit.held["c"]
    assert fit.statistics.df_residual == 28


# ---------------------------------------------------------------------------------------------------- answers


def test_predictions_are_those_of_what_is_determined() -> None:
    fit = quietly("y = a * b * exp(-c * x)", start={"a": 1, "b": 1, "c": 0.5})
    held = quietly("y = a * exp(-c * x)", start={"a": 1, "c": 0.5})
    for name in ("prediction", "lower", "upper", "standard_error"):
        np.testing.assert_allclose(fit.predict(interval="mean")[name], held.predict(interval="mean")[name], rtol=1e-6)
    with pytest.warns(CollinearityWarning, match="a, b: not determined"):
        fit.predict({"x": [1.0, 2.0]}, interval="mean")


def test_predictions_with_a_held_parameter() -> None:
    """What is held adds nothing to the variance: the same as with the number in its place."""
    fit = quietly("y = a * exp(-c * x) + d", start={"a": 1, "c": 0.5}, fixed={"d": 0.1})
    written = quietly("y = a * exp(-c * x) + 0.1", start={"a": 1, "c": 0.5})
    expected = written.predict(interval="prediction")
    np.testing.assert_allclose(fit.predict(interval="prediction")["lower"], expected["lower"], rtol=1e-9)


def test_no_tests_of_what_has_no_error() -> None:
    fit = quietly("y = a * b * exp(-c * x)", start={"a": 1, "b": 1, "c": 0.5})
    with pytest.raises(NotAvailableError, match="'a' has no standard error: not determined"):
        fit.wald("a = b")
    assert math.isfinite(fit.wald("c = 1").p_value)
    assert np.isnan(fit.vcov().numpy()[0]).all()
    assert math.isfinite(fit.vcov().numpy()[2, 2])


def test_a_solve_that_ended_far_from_its_minimum() -> None:
    solver = LevenbergMarquardt(max_steps=1, polish=False)
    fit = quietly("y = a * exp(-c * x)", start={"a": 30, "c": 5}, solver=solver)
    assert fit.covariance is None
    assert "standard errors from a minimum" in str(fit.covariance_reason)


# -------------------------------------------------------------------------------------------------- the algebra


def problem_of(equation: str, **columns: np.ndarray) -> CurveProblem:
    curve = Expression.of(read_equation(equation, [*columns, "y"]))
    rows = len(next(iter(columns.values())))
    part = Part(curve.over(columns, rows), np.sin(np.arange(rows)))
    return CurveProblem(curve, lambda: [part], family("gaussian"), rows)


def test_directions_span_the_null_space() -> None:
    """F times every direction is 0, and there are as many as the rank lacks."""
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(20, 3))
    columns = basis @ rng.normal(size=(3, 5))
    problem = problem_of("y = a*u + b*v + c*w + d*s + e*t", **dict(zip("uvwst", columns.T, strict=True)))
    theta = rng.normal(size=5)
    found = determination(problem, theta)
    assert found is not None
    assert found.directions.shape == (2, 5)
    moves = found.directions / np.linalg.norm(columns, axis=0)
    assert np.abs(moves @ columns.T).max() < 1e-12
    determined = columns @ found.inverse @ columns.T
    np.testing.assert_allclose(determined, basis @ np.linalg.pinv(basis), atol=1e-10)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_units_do_not_matter(size: float) -> None:
    """A column that is nearly another one is told by its angle, whatever its length."""
    u = np.linspace(1, 2, 20)
    for near, count in ((1e-5, 0), (1e-15, 1)):
        columns = {"u": u, "v": size * (u + near * np.sin(9 * u))}
        found = determination(problem_of("y = a * u + b * v", **columns), np.array([1.0, 1.0 / size]))
        assert found is not None
        assert len(found.directions) == count


def test_hardly_determined() -> None:
    u = np.linspace(1, 2, 20)
    columns = {"u": u, "v": u + 1e-11 * np.sin(9 * u), "w": np.cos(5 * u)}
    found = determination(problem_of("y = a * u + b * v + c * w", **columns), np.ones(3))
    assert found is not None
    assert len(found.directions) == 0
    assert found.hardly == (0, 1)
    assert found.condition > 1e10
    (text,) = sentences(found, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert text.startswith("The data hardly tell a and b apart")


def test_the_distance_that_is_left() -> None:
    """|U'q| is the length of the Gauss-Newton step in the metric of F'WF."""
    u = np.linspace(1, 2, 20)
    problem = problem_of("y = a * u + b * v", u=u, v=u**2)
    theta = np.array([0.3, -0.2])
    found = determination(problem, theta)
    assert found is not None
    design = np.column_stack([u, u**2])
    best = np.linalg.lstsq(design, np.sin(np.arange(20)), rcond=None)[0]
    assert found.left == pytest.approx(np.linalg.norm(design @ (theta - best)), rel=1e-9)


def test_echelon_keeps_the_space() -> None:
    rng = np.random.default_rng(3)
    rows = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    found = echelon(rows)
    assert (np.abs(found).max(axis=1) >= 1 - 1e-12).all()
    assert np.linalg.matrix_rank(np.concatenate([rows, found])) == 2
    assert (np.isclose(found, 0).sum(axis=1) >= 1).all()


def of_data(equation: str, x: np.ndarray, y: np.ndarray) -> tw.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tw.fit(equation, {"x": x, "y": y})


@pytest.mark.parametrize("level", [1.0, -3e7, 1e-12])
@pytest.mark.parametrize("equation", ["y = a * exp(-b * x) + c", "y = exponential_decay(x, a, b, c)"])
def test_a_rate_without_an_amplitude(equation: str, level: float) -> None:
    """A constant response: c is all that there is, to rounding."""
    fit = of_data(equation, np.linspace(0, 8, 60), np.full(60, level))
    assert fit.held == {"a": UNDETERMINED, "b": UNDETERMINED}
    assert fit.coefficients["c"] == pytest.approx(level, rel=1e-14)
    assert math.isnan(fit.std_errors["a"])
    assert math.isnan(fit.std_errors["b"])


def test_an_exact_fit_with_a_parameter_that_is_zero() -> None:
    """An offset of 0 is a finding, where everything else is determined."""
    x = np.linspace(0, 8, 60)
    fit = of_data("y = a * exp(-b * x) + c", x, 3 * np.exp(-0.5 * x))
    assert fit.held == {}
