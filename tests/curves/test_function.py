"""Functions of the user's as curves: signatures, values, derivatives, and what is said of those that are no curve."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any

import numpy as np
import pytest
import scipy.integrate
import torch

import thalweg.curves.function as tw
from thalweg.curves.by_autograd import by_rows, by_tangents
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.differences import Differences
from thalweg.curves.function import FunctionCurve, Positive, curve_of_function, derivatives_of
from thalweg.curves.language import parse_tie
from thalweg.errors import DataError, FormulaError, OptionError

X = np.linspace(0.1, 4.0, 80)
DATA = {"x": X}
TRACED, AUTOGRAD, CENTRAL = "exact, traced", "exact, by autograd", "central differences"


def decay(x: Any, amplitude: Any, tau: Positive, offset: Any = 0.5) -> Any:
    return amplitude * np.exp(-x / tau) + offset


def made(function: Any, **options: Any) -> Curve:
    return curve_of_function(function, ["x"], DATA, **options)[0]


def jacobian(curve: Curve, theta: list[float], x: np.ndarray = X) -> np.ndarray:
    return curve.over({"x": x}, len(x)).jacobian(theta)[1]


# ------------------------------------------------------------------------------------------------------- signatures


def test_parameters_are_named_by_the_signature() -> None:
    curve, starts = curve_of_function(decay, ["mass", "x"], DATA)
    assert isinstance(curve, Expression)
    assert curve.parameters == ("amplitude", "tau", "offset")
    assert curve.inputs == ("x",)
    assert starts == {"offset": 0.5}
    assert curve.positive == {"tau"}
    assert curve.title == "decay(x, amplitude, tau, offset)"
    assert derivatives_of(curve) == TRACED


def test_start_comes_before_a_default() -> None:
    assert curve_of_function(decay, ["x"], DATA, start={"offset": 3.0})[1] == {"offset": 3.0}


def test_positive_is_known_in_each_spelling() -> None:
    def several(x: Any, a: tw.Positive, b: Annotated[float, "positive"], c: float, d: missing.Positive) -> Any:  # type: ignore[name-defined]
        return a * b * c * d * x

    assert made(several).positive == {"a", "b"}  # annotations are texts in this file


def test_the_one_candidate_column_is_the_first_argument() -> None:
    curve, _ = curve_of_function(lambda t, a, b: a * t + b, ["x"], DATA)
    assert curve.inputs == ("x",)
    assert curve.parameters == ("a", "b")
    np.testing.assert_array_equal(curve.over(DATA, 80).values([2.0, 1.0]), 2 * X + 1)


def test_several_columns_in_any_order() -> None:
    data = {"u": X, "v": X**2}
    curve, _ = curve_of_function(lambda a, v, b, u: a * v - b * u, ["u", "v", "w"], data)
    assert set(curve.inputs) == {"u", "v"}
    np.testing.assert_allclose(curve.over(data, 80).values([2.0, 3.0]), 2 * X**2 - 3 * X)


def test_options_of_the_function_stay_as_they_are() -> None:
    def model(x: Any, a: Any, flag: bool = True, method: str = "exp", extra: None = None, *, b: Any, c: Any = 2) -> Any:
        assert flag is True
        assert extra is None
        return a * getattr(np, method)(b * x) + c

    curve, starts = curve_of_function(model, ["x"], DATA)
    assert curve.parameters == ("a", "b", "c")
    assert starts == {"c": 2.0}
    np.testing.assert_allclose(curve.over(DATA, 80).values([2.0, -1.0, 5.0]), 2 * np.exp(-X) + 5)


class Model:
    rate = 2.0

    def __call__(self, x: Any, a: Any, b: Any) -> Any:
        return a * np.exp(-b * x)

    def method(self, x: Any, a: Any, b: Any) -> Any:
        return a * np.exp(-b * x) + self.rate


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x, a, b: a * x + b, ("a", "b")),
        (functools.partial(decay, tau=2.0), ("amplitude", "offset")),
        (Model(), ("a", "b")),
        (Model().method, ("a", "b")),
        (functools.wraps(decay)(lambda *arguments: decay(*arguments)), ("amplitude", "tau", "offset")),
        (np.vectorize(lambda x, a, b: a * x + b if a > 0 else b), ("a", "b")),
    ],
)
def test_callables_of_every_kind(function: Any, names: tuple[str, ...]) -> None:
    assert made(function).parameters == names


def test_a_partial_holds_what_it_is_given() -> None:
    curve = made(functools.partial(decay, tau=2.0))
    np.testing.assert_allclose(curve.over(DATA, 80).values([3.0, 1.0]), 3 * np.exp(-X / 2) + 1)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (3, "is no function"),
        (np.exp, "exp have no names"),
        (max, "max cannot be read"),
        (lambda *p: 0, "takes *p"),
        (lambda x, a, **k: 0, "takes **k"),
        (lambda x: x, "has no parameter"),
    ],
)
def test_a_signature_that_cannot_be_used(function: Any, text: str) -> None:
    with pytest.raises((FormulaError, OptionError), match=r"\w") as problem:
        curve_of_function(function, ["x"], DATA)
    assert text in str(problem.value)


def test_no_argument_that_is_a_column() -> None:
    with pytest.raises(FormulaError, match=r"none of the arguments of lambda \(t, a\) is a column.* u, v"):
        curve_of_function(lambda t, a: a * t, ["u", "v"], {"u": X, "v": X})
    with pytest.raises(OptionError, match="no argument 'z'"):
        curve_of_function(lambda t, a: a * t, [], {"z": X}, inputs=["z"])


def test_names_given_by_the_caller() -> None:
    curve, _ = curve_of_function(
        lambda *every: every[0] * every[1] + every[2], [], DATA, inputs=["x"], parameters=["p0", "p1"]
    )
    assert curve.parameters == ("p0", "p1")
    np.testing.assert_allclose(curve.over(DATA, 80).values([2.0, 1.0]), 2 * X + 1)


# --------------------------------------------------------------------------------------------------- several columns


def _unpacked(d: Any, a: Any, b: Any) -> Any:
    u, v = d
    return a * u + b * u * v


@pytest.mark.parametrize(
    ("function", "shape", "kind"),
    [
        (_unpacked, (2, 80), TRACED),
        (lambda d, a, b: a * d[0] + b * d[0] * d[-1], (2, 80), TRACED),
        (lambda d, a, b: a * d[:, 0] + b * d[:, 0] * d[:, 1], (80, 2), TRACED),
        (lambda d, a, b: a * d[0] + b * np.prod(d, axis=0), (2, 80), CENTRAL),
    ],
)
def test_an_input_of_several_columns(function: Any, shape: tuple[int, int], kind: str) -> None:
    data = {"d": np.array([X, X**2]).reshape(2, 80)}
    if shape[0] == 80:
        data["d"] = np.ascontiguousarray(data["d"].T)
    curve, _ = curve_of_function(function, [], data, inputs=["d"], rows=80)
    assert derivatives_of(curve) == kind
    assert curve.inputs == ("d",)
    value, slopes = curve.over(data, 80).jacobian([2.0, 3.0])
    np.testing.assert_allclose(value, 2 * X + 3 * X**3, rtol=1e-14)
    np.testing.assert_allclose(slopes, [X, X**3], rtol=1e-9)
    held = curve.restricted({"a": 2.0}, {}).over(data, 80)
    np.testing.assert_allclose(held.jacobian([3.0])[1], [X**3], rtol=1e-9)
    assert curve.linear() == (("a", "b") if kind == TRACED else ())


# ------------------------------------------------------------------------------------------------------- derivatives


def _cumulative(x: Any, a: Any, b: Any) -> Any:
    return torch.cumsum(a * torch.exp(-b * x), 0)


def _recursion(x: Any, a: Any, b: Any) -> Any:
    level, out = a, []
    for each in x:
        level = level * (1 - b * 0.01) + each
        out.append(level)
    return torch.stack(out)


def _centred(x: Any, a: Any, b: Any) -> Any:
    return a * (x - x.mean()) + b


def _softmax(x: Any, a: Any, b: Any) -> Any:
    return b * torch.softmax(a * x, 0)


def _masked(x: Any, a: Any, b: Any) -> Any:
    out = torch.zeros_like(x)
    late = x > 2
    out[late] = (a * torch.exp(-b * x))[late]
    return out


def _softmax_slopes(a: float, b: float) -> np.ndarray:
    p = np.exp(a * X) / np.exp(a * X).sum()
    return np.array([b * p * (X - (p * X).sum()), p])


_E = np.exp(-0.5 * X)
EXACT: list[tuple[Any, Any, Any]] = [
    (_centred, by_rows, [X - X.mean(), np.ones(80)]),
    (_masked, by_rows, [np.where(X > 2, _E, 0), np.where(X > 2, -1.5 * X * _E, 0)]),
    (_cumulative, by_tangents, [np.cumsum(_E), np.cumsum(-1.5 * X * _E)]),
    (_softmax, by_tangents, _softmax_slopes(1.5, 0.5)),
    (_recursion, by_tangents, None),
]


@pytest.mark.parametrize(("function", "method", "expected"), EXACT)
def test_functions_of_tensors_have_exact_derivatives(function: Any, method: Any, expected: Any) -> None:
    curve = made(function)
    assert isinstance(curve, FunctionCurve)
    assert curve.derivatives == AUTOGRAD
    assert curve.method is method
    if expected is None:
        x = torch.from_numpy(X)
        theta = torch.tensor([1.5, 0.5], dtype=torch.float64)
        expected = torch.autograd.functional.jacobian(lambda t: function(x, *t), theta).numpy().T
    np.testing.assert_allclose(jacobian(curve, [1.5, 0.5]), expected, rtol=1e-12, atol=1e-13)


class _NoTangent(torch.autograd.Function):
    """A cumulative sum without forward-mode derivatives."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x, 0)

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        return slope.flip(0).cumsum(0).flip(0)


def test_a_function_without_forward_mode_derivatives() -> None:
    curve = made(lambda x, a, b: _NoTangent.apply(a * torch.exp(-b * x)))
    assert isinstance(curve, FunctionCurve)
    assert curve.derivatives == AUTOGRAD
    np.testing.assert_allclose(jacobian(curve, [1.5, 0.5]), [np.cumsum(_E), np.cumsum(-1.5 * X * _E)], rtol=1e-12)


def test_what_a_function_detaches_is_seen_by_differences_only() -> None:
    curve = made(lambda x, a, b: a * x + (b * x).detach() ** 2)
    assert derivatives_of(curve) == CENTRAL
    np.testing.assert_allclose(jacobian(curve, [1.5, 0.5]), [X, 2 * 0.5 * X**2], rtol=1e-8)


def _branch(x: Any, a: Any, b: Any) -> Any:
    if a > b:
        return a * np.exp(-b * x)
    return b * np.exp(-a * x)


def _ode(x: Any, a: Any, b: Any) -> Any:
    return scipy.integrate.odeint(lambda y, t: -b * y, a, [0.0, *x], rtol=1e-12, atol=1e-12)[1:, 0]


def _loop(x: Any, a: Any, b: Any) -> Any:
    return [a * math.exp(-b * each) for each in x]


@pytest.mark.parametrize("function", [_branch, _ode, _loop])
def test_functions_of_arrays_that_cannot_be_traced(function: Any) -> None:
    curve = made(function)
    assert derivatives_of(curve) == CENTRAL
    rough = 1e-5 if function is _ode else 1e-8  # the tolerance of the integrator over the step
    np.testing.assert_allclose(jacobian(curve, [1.5, 0.5]), [_E, -1.5 * X * _E], rtol=rough, atol=rough)


def test_a_function_of_arrays_that_tensors_can_enter_keeps_its_values_and_gets_exact_derivatives() -> None:
    def model(x: Any, a: Any, b: Any) -> Any:
        return (a - b / 1e3) * x[0] ** 2 + b * x if a < 5 else a * np.exp(b * x)

    curve = made(model)
    assert isinstance(curve, FunctionCurve)
    assert (curve.tensors, curve.derivatives) == (False, AUTOGRAD)
    np.testing.assert_allclose(jacobian(curve, [1.0, 2.0]), [np.full(80, X[0] ** 2), X - X[0] ** 2 / 1e3], rtol=1e-14)
    other = jacobian(curve, [6.0, 0.5])  # here it calls NumPy, which refuses tensors: differences take over
    np.testing.assert_allclose(other, [np.exp(0.5 * X), 6 * X * np.exp(0.5 * X)], rtol=1e-8)


def test_where_numpy_and_pytorch_mean_different_things_the_function_keeps_its_own() -> None:
    curve = made(lambda x, a, b: a * (x - x.mean()) / x.std() + b)  # n in NumPy, n - 1 in PyTorch
    assert derivatives_of(curve) == CENTRAL
    np.testing.assert_allclose(curve.over(DATA, 80).values([2.0, 1.0]), 2 * (X - X.mean()) / X.std() + 1)


def test_a_branch_in_which_tensors_mean_something_else_is_noticed_when_it_is_met() -> None:
    curve = made(lambda x, a, b: a * x[0] + b * x if a < 5 else a * x * x.std() + b)
    assert derivatives_of(curve) == AUTOGRAD
    value, slopes = curve.over(DATA, 80).jacobian([6.0, 1.0])
    np.testing.assert_allclose(value, 6 * X * X.std() + 1, rtol=1e-14)
    np.testing.assert_allclose(slopes[0], X * X.std(), rtol=1e-8)


def test_values_that_do_not_exist_are_not_finite() -> None:
    curve = made(lambda x, a, b: np.array([math.log(a - b * each) for each in x]))
    assert np.isnan(curve.over(DATA, 80).values([-1.0, 1.0])).all()
    assert np.isfinite(curve.over(DATA, 80).values([9.0, 1.0])).all()


# ------------------------------------------------------------------------------------------------------- differences


def test_differences_of_small_and_zero_parameters() -> None:
    def call(theta: Any) -> np.ndarray:
        return 1e3 + theta[0] * X + np.sin(theta[1] * X)

    slopes = Differences(call, [1.0, 1.0])([1e-13, 0.0], call([1e-13, 0.0]))
    np.testing.assert_allclose(slopes, [X, X], rtol=1e-6)


def test_differences_resolve_a_tiny_parameter_that_matters() -> None:
    slopes = Differences(lambda t: np.exp(-X / t[0] * 1e-9), [1.0])([1e-9], np.exp(-X))
    np.testing.assert_allclose(slopes[0], X * np.exp(-X) * 1e9, rtol=1e-8)


@pytest.mark.parametrize("edge", ["lower", "upper", "nan above", "nan below"])
def test_differences_stay_where_the_function_is(edge: str) -> None:
    low, high = (2.0 if "lower" in edge or "below" in edge else 0.0), (2.0 if "u" in edge or "above" in edge else 9.0)
    called: list[float] = []

    def call(theta: Any) -> np.ndarray:
        called.append(theta[0])
        return np.exp(theta[0] * X) if low <= theta[0] <= high else np.full(80, np.nan)

    bounds = ([low], [high]) if "nan" not in edge else (None, None)
    slopes = Differences(call, [1.0], *bounds)([2.0], np.exp(2 * X))
    np.testing.assert_allclose(slopes[0], X * np.exp(2 * X), rtol=2e-7)
    assert "nan" in edge or all(low <= each <= high for each in called)


def test_limits_reach_the_differences() -> None:
    called: list[float] = []

    def model(x: Any, a: Any, b: Any) -> Any:
        called.append(float(a))
        return np.array([a * math.exp(-b * each) for each in x])

    for curve, theta, bounds in (
        (made(model), [1.0, 2.0], ([1.0, 0.0], [9.0, 9.0])),
        (made(model).restricted({"b": 2.0}, {}), [1.0], ([1.0], [9.0])),
    ):
        over = curve.over(DATA, 80)
        over.limit(*bounds)  # type: ignore[attr-defined]
        called.clear()
        np.testing.assert_allclose(over.jacobian(theta)[1][0], np.exp(-2 * X), rtol=1e-8)
        assert min(called) >= 1.0


# ------------------------------------------------------------------------------------------------------- restrictions


def _slow(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return np.array([a * math.exp(-b * each) + c * math.exp(-d * each) for each in x])


@pytest.mark.parametrize(
    ("fixed", "ties", "free"),
    [
        ({"a": 2.0}, {}, [0.5, 1.0, 0.2]),
        ({}, {"c": "2 * a", "d": "b / (1 + exp(c))"}, [1.5, 0.5]),
        ({"b": 0.5}, {"c": "a * d + b"}, [1.5, 0.2]),
        ({}, {"a": "3", "d": "sqrt(b)"}, [0.5, 1.0]),
    ],
)
def test_held_and_tied_parameters_are_those_of_the_traced_curve(fixed: Any, ties: Any, free: Any) -> None:
    names = ("a", "b", "c", "d")
    nodes = {name: parse_tie(text, names) for name, text in ties.items()}
    plain = made(lambda x, a, b, c, d: a * np.exp(-b * x) + c * np.exp(-d * x)).restricted(fixed, nodes)
    curve = made(_slow).restricted(fixed, nodes)
    assert curve.parameters == plain.parameters
    assert derivatives_of(curve) == CENTRAL
    expected, slopes = plain.over(DATA, 80).jacobian(free)
    got, found = curve.over(DATA, 80).jacobian(free)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(found, slopes, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(curve.over(DATA, 80).values(free), expected, rtol=1e-13)


def test_restrictions_of_restrictions() -> None:
    curve = made(_slow).restricted({}, {"c": parse_tie("2 * a", "abcd")}).restricted({"b": 0.5}, {})
    assert curve.parameters == ("a", "d")
    slopes = jacobian(curve, [1.5, 0.2])
    np.testing.assert_allclose(slopes[0], np.exp(-0.5 * X) + 2 * np.exp(-0.2 * X), rtol=1e-8)


# ------------------------------------------------------------------------------------------------------------- errors


def _key(x: Any, a: Any, b: Any) -> Any:
    return {"c": a * b}["d"]


def _mutating(x: Any, a: Any, b: Any) -> Any:
    x *= a
    return x + b * x[0]


def _several_statements(x: Any, a: Any, b: Any) -> Any:
    a * x + b


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x, a, b: (a * x + b)[:3], "returned shape (3,) for 80 rows"),
        (lambda x, a, b: np.outer(a * x, b * x), "returned shape (80, 80) for 80 rows"),
        (lambda x, a, b: torch.outer(a * x, b * x), "returned shape (80, 80) for 80 rows"),
        (lambda x, a, b: a * x * 1j + b, "returned complex numbers"),
        (lambda x, a, b: torch.complex(a * x, b * x), "returned complex numbers"),
        (lambda x, a, b: np.array([str(each) for each in a * x + b]), "returned the type <U"),
        (lambda x, a, b: [[1.0], [a, b]], "that is no array"),
        (_several_statements, "returned None"),
        (_key, "raised KeyError: 'd' (at a = "),
        (_mutating, "changes its input 'x' in place"),
        (lambda x, a, b: a * x, "does not use its parameter 'b'"),
        (lambda x, a, b: a * x[0] + x, "does not use its parameter 'b'"),
        (lambda x, a, b: a * x + 0 * b, "does not use its parameter 'b'"),
    ],
)
def test_what_is_no_curve(function: Any, text: str) -> None:
    before = X.copy()
    with pytest.raises(FormulaError) as problem:
        made(function)
    assert text in str(problem.value)
    np.testing.assert_array_equal(before, X)


def test_the_cause_of_an_error_is_kept() -> None:
    with pytest.raises(FormulaError) as problem:
        made(_key)
    assert isinstance(problem.value.__cause__, KeyError)


def test_an_unused_parameter_may_be_let_pass() -> None:
    for function in (lambda x, a, b: a * x, lambda x, a, b: a * x[0] + x):
        assert jacobian(made(function, unused=True), [1.0, 2.0])[1].tolist() == [0.0] * 80


def test_a_start_without_a_value() -> None:
    for function in (lambda x, a, b: np.log(-a * x - b), lambda x, a, b: [math.log(-a * v - b) for v in x]):
        with pytest.raises(DataError, match=r"no finite value in any row at its start \(a = 1, b = 1\)"):
            made(function, start={"a": 1.0, "b": 1.0})


def test_a_function_that_fails_at_some_points_is_tried_at_others() -> None:
    def model(x: Any, a: Any, b: Any) -> Any:
        if a < 2:
            raise ValueError("too small")
        return a * x + b

    assert made(model).parameters == ("a", "b")
    with pytest.raises(FormulaError, match=r"raised ValueError: too small \(at a = 1, b = 1\)"):
        made(model, start={"a": 1.0, "b": 1.0})


# ----------------------------------------------------------------------------------------------------------- the memo


def test_a_trace_is_kept_for_the_same_code_and_numbers_only() -> None:
    def model(k: float) -> Any:
        return lambda x, a: a * np.where(x > k, np.exp(-k * x), 1.0)

    first, again, other = (made(model(k)) for k in (2.0, 2.0, 2.0000001))
    assert first is again
    assert other is not first
    assert derivatives_of(other) == TRACED
    np.testing.assert_allclose(other.over(DATA, 80).values([1.0]), np.where(X > 2.0000001, np.exp(-2.0000001 * X), 1))


def test_one_row_is_too_few_to_trace_what_makes_arrays() -> None:
    def first(x: Any, a: Any) -> Any:
        return a * np.atleast_1d(np.asarray(x))[0] + x

    assert derivatives_of(curve_of_function(first, ["x"], {"x": X[:1]})[0]) != TRACED
    assert derivatives_of(curve_of_function(decay, ["x"], {"x": X[:1]})[0]) == TRACED


def test_a_change_of_a_global_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(x: Any, a: Any) -> Any:
        return a * x + SHIFT

    first = made(model)
    monkeypatch.setitem(globals(), "SHIFT", 5.0)
    assert derivatives_of(made(model)) == TRACED
    np.testing.assert_allclose(made(model).over(DATA, 80).values([1.0]), X + 5)
    np.testing.assert_allclose(first.over(DATA, 80).values([1.0]), X + 1)


SHIFT = 1.0
