"""Functions read as graphs: what comes out is what the function gives, and what cannot be read is left alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.curves.curve import Expression
from thalweg.curves.memo import key_of
from thalweg.curves.tracing import NotTraceable, Trace, trace
from thalweg.curves.verify import verify

X = np.linspace(-2.0, 3.0, 61)
NAMES = ("a", "b", "c")
THETA = (0.7, 1.3, -0.4)
K = 2.5


def _call(function: Any) -> Any:
    return lambda columns, theta: function(columns["x"], *theta)


def _traced(function: Any) -> tuple[Trace, Expression]:
    made = trace(_call(function), {"x": X}, NAMES)
    return made, Expression(made.graph, made.root, NAMES, "f")


def _reason(function: Any) -> str:
    try:
        made, expression = _traced(function)
        verify(made, expression.compiled.value, _call(function), {"x": X}, len(X))
    except NotTraceable as problem:
        return str(problem)
    pytest.fail("it was traced")


def _piecewise(x: Any, a: Any, b: Any, c: Any) -> Any:
    return np.piecewise(x, [x < a, x > b + 1], [lambda z: b * z, lambda z: c * z * z, lambda z: a])


def _reassigned(x: Any, a: Any, b: Any, c: Any) -> Any:
    out = a * x
    out += b
    out *= np.exp(c * x)
    return out


def _asarray(x: Any, a: Any, b: Any, c: Any) -> Any:
    x = np.asarray(x)
    return a * np.exp(-b * x) + c * x**2


def _terms(x: Any, a: Any, b: Any, c: Any) -> Any:
    return sum([weight * x**i for i, weight in enumerate([a, b, c])])


ARRAYS = {
    "exponential": lambda x, a, b, c: a * np.exp(-b * x) + c,
    "operators": lambda x, a, b, c: -(+a) / (2 + abs(x)) - 3 ** (b * x) + 1 / (c - 5) + (x - a) ** 3 + 2 * x,
    "where": lambda x, a, b, c: np.where((x > a) & ~(x >= 2) | (x < -1), b * x, c),
    "comparisons added": lambda x, a, b, c: a * ((x > 0) + (x > 1)) + b + c,
    "comparison as a number": lambda x, a, b, c: a * (x > 0) + b * (x == x) - (x != 0) * c,
    "comparison negated": lambda x, a, b, c: a * x - 1.0 * (x > b) + c,
    "clip": lambda x, a, b, c: np.clip(x, a, b) + np.clip(x, None, c) + x.clip(a, b),
    "minimum": lambda x, a, b, c: np.minimum(x, a) * np.maximum(b, c * x),
    "select": lambda x, a, b, c: np.select([x < a, x < b], [b * x, c], default=x * a),
    "piecewise": _piecewise,
    "sinc": lambda x, a, b, c: a * np.sinc(b * x) + c,
    "polyval": lambda x, a, b, c: np.polyval([a, b, c], x),
    "round": lambda x, a, b, c: a * np.round(x) + b * np.floor(x) + c * np.ceil(x) + np.trunc(x),
    "heaviside": lambda x, a, b, c: a * np.heaviside(x, 0.5) + b + c,
    "hypot": lambda x, a, b, c: np.hypot(x, a) + np.arctan2(x, b) + np.arctan2(c, x) + np.cbrt(x),
    "logaddexp": lambda x, a, b, c: np.logaddexp(a * x, b) + c + np.square(x) + np.reciprocal(b),
    "logaddexp far out": lambda x, a, b, c: np.logaddexp(1e18 * x, b) * a + c,
    "logarithms": lambda x, a, b, c: np.log(x + a) + np.log2(b + x) + np.log10(x * x + c) + np.log1p(x) + np.expm1(x),
    "circle": lambda x, a, b, c: np.sin(a * x) + np.cos(b * x) * np.tan(c) + np.arcsin(x / 4) + np.arccos(x / 4) * c,
    "hyperbola": lambda x, a, b, c: np.sinh(a * x) + np.cosh(b * x) + np.tanh(c * x) + np.arctan(x) + np.arcsinh(x),
    "powers": lambda x, a, b, c: np.power(a, x) + np.power(abs(x), b) + np.float_power(2, c) + np.exp2(x) + x**0,
    "special": lambda x, a, b, c: a * scipy.special.erf(x) + b * scipy.special.erfc(x) + c * scipy.special.expit(x),
    "scaled erfc": lambda x, a, b, c: a * scipy.special.erfcx(b * x) + c * scipy.special.ndtr(x),
    "voigt": lambda x, a, b, c: a * scipy.special.voigt_profile(x, b, c * c),
    "impedance": lambda x, a, b, c: np.abs(a / (1 + 1j * b * x)) + np.angle(c + 1j * x),
    "phase": lambda x, a, b, c: (a * np.exp(-1j * b * x) - (1j * x - c) ** 2 / (2 + 1j)).imag,
    "parts": lambda x, a, b, c: np.real((a + 1j * x) * np.conj(b - 1j * c * x)) + np.imag(-((x - 1j * a) ** 2)),
    "voigt by wofz": lambda x, a, b, c: a * np.real(scipy.special.wofz((x + 1j * abs(c)) / (b * np.sqrt(2)))),
    "xlogy": lambda x, a, b, c: scipy.special.xlogy(x * x, a) + b * c,
    "captured": lambda x, a, b, c: a * x**K + b * np.float64(K) + c * np.array(K) * math.pi,
    "like": lambda x, a, b, c: a * np.ones_like(x) + np.zeros_like(x) * b + np.full_like(x, c),
    "in place": _reassigned,
    "asarray": _asarray,
    "sum in Python": _terms,
    "no column": lambda x, a, b, c: a + b * c,
}
F = torch.nn.functional
TENSORS = {
    "exponential": lambda x, a, b, c: a * torch.exp(-b * x) + c,
    "methods": lambda x, a, b, c: (a * x).exp() + x.pow(2) * b.abs() + x.square().add(1).sqrt() * c.tanh(),
    "where": lambda x, a, b, c: torch.where(x > a, b * x, c) + x.where(x > 0, b),
    "clamp": lambda x, a, b, c: a * torch.clamp(x, min=0) + torch.clamp(x, -1, 1) * b + x.clamp(max=1) * c,
    "softplus": lambda x, a, b, c: F.softplus(20 * x) * a + F.softplus(x, beta=2) * b + F.relu(x) * c,
    "sigmoid": lambda x, a, b, c: torch.sigmoid(a * x) + torch.special.expit(b * x) + F.silu(c * x) + F.logsigmoid(x),
    "special": lambda x, a, b, c: torch.erf(a * x) + torch.special.erfc(b * x) + c * torch.special.erfcx(x),
    "numbers": lambda x, a, b, c: (
        torch.tensor(2.0) * x + a - torch.tensor(3.0) / (b + 5) + torch.tensor(2.0) ** (c * x)
    ),
    "two": lambda x, a, b, c: torch.hypot(x, a) + torch.atan2(x, b) + torch.maximum(x, c) + torch.logaddexp(x, a * b),
    "reversed": lambda x, a, b, c: torch.pow(2.0, x * a) + torch.rsqrt(x * x + b * b) + 1 / (c - 9),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_function_of_arrays_is_its_graph(name: str) -> None:
    made, expression = _traced(ARRAYS[name])
    assert verify(made, expression.compiled.value, _call(ARRAYS[name]), {"x": X}, len(X)) == "array"
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(ARRAYS[name](X, *map(np.float64, THETA)), X.shape)
    got = expression.over({"x": X}, len(X)).values(THETA)
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", TENSORS)
def test_a_function_of_tensors_is_its_graph(name: str) -> None:
    made, expression = _traced(TENSORS[name])
    assert verify(made, expression.compiled.value, _call(TENSORS[name]), {"x": X}, len(X)) == "tensor"
    theta = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in THETA]
    expanded = [each.expand(len(X)) for each in theta]
    expected = TENSORS[name](torch.from_numpy(X), *expanded)
    got, jacobian = expression.over({"x": X}, len(X)).jacobian(THETA)
    np.testing.assert_allclose(got, expected.detach(), rtol=1e-13, atol=1e-15)
    slopes = torch.autograd.grad(expected.sum(), expanded, allow_unused=True)
    for row, slope in zip(jacobian, slopes, strict=True):
        np.testing.assert_allclose(row, np.zeros(len(X)) if slope is None else slope, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "name",
    [n for n in ARRAYS if n not in ("logaddexp far out", "voigt", "voigt by wofz", "scaled erfc", "special", "xlogy")],
)
def test_derivatives_of_a_trace_are_those_of_long_double_differences(name: str) -> None:
    """At a point where no row is at a jump; the function itself is called with long doubles."""
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("no long double on this platform")
    x = X[np.abs(X - np.round(X * 4) / 4) > 1e-3]
    _, expression = _traced(ARRAYS[name])
    _, jacobian = expression.over({"x": x}, len(x)).jacobian(THETA)
    h = np.longdouble(1e-5)
    for j, row in enumerate(jacobian):
        sides = []
        for sign in (1, -1):
            theta = [np.longdouble(each) for each in THETA]
            theta[j] += sign * h
            with np.errstate(all="ignore"):
                sides.append(np.broadcast_to(ARRAYS[name](x.astype(np.longdouble), *theta), x.shape))
        expected = ((sides[0] - sides[1]) / (2 * h)).astype(np.float64)
        there = np.isfinite(expected)  # a row without a value has no derivative to speak of
        assert there.sum() > 15
        np.testing.assert_allclose(row[there], expected[there], rtol=3e-8, atol=3e-8)


def _if(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * x if a > 0 else b * x + c


def _swallowed(x: Any, a: Any, b: Any, c: Any) -> Any:
    try:
        n = len(x)
    except Exception:
        n = 1
    return a * x + b + c * n


def _asked(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * x + b + c * (len(x) if hasattr(x, "shape") else 3)


def _written(x: Any, a: Any, b: Any, c: Any) -> Any:
    out = a * x
    out[x > 1] = b * c
    return out


REFUSED = {
    "if": (_if, "truth"),
    "and": (lambda x, a, b, c: np.where((x > a) and (x < b), x, c), "truth"),
    "min": (lambda x, a, b, c: a * min(b, c) * x, "truth"),
    "math.exp": (lambda x, a, b, c: x * math.exp(a) + b + c, "math.exp"),
    "len": (lambda x, a, b, c: a * x + b / len(x) + c, "number of rows"),
    "swallowed": (_swallowed, "number of rows"),
    "hasattr": (_asked, ".shape"),
    "index": (lambda x, a, b, c: a * (x - x[0]) + b + c, "index"),
    "written": (_written, "writes"),
    "loop": (lambda x, a, b, c: np.array([a * v + b + c for v in x]), "walks"),
    "sum": (lambda x, a, b, c: a * x.sum() + b + c, ".sum"),
    "np.sum": (lambda x, a, b, c: a * np.sum(x) + b + c, "sum"),
    "cumsum": (lambda x, a, b, c: torch.cumsum(a * x, 0) + b + c, "cumsum"),
    "reduce": (lambda x, a, b, c: np.add.reduce(x) * a + b + c, "add"),
    "accumulate": (lambda x, a, b, c: np.multiply.accumulate(a * x) + b + c, "multiply"),
    "array": (lambda x, a, b, c: a * x * np.arange(61) + b + c, "shape (61,)"),
    "array on the left": (lambda x, a, b, c: np.arange(61.0) * (a * x) + b + c, "shape (61,)"),
    "floor division": (lambda x, a, b, c: a * (x // b) + c, "//"),
    "matrix product": (lambda x, a, b, c: a * (x @ x) + b + c, "@"),
    "interp": (lambda x, a, b, c: np.interp(x, [0, 1], [0, 1]) * a + b + c, "interp"),
    "complex": (lambda x, a, b, c: a * x * 1j + b + c, "complex"),
    "complex sine": (lambda x, a, b, c: np.sin(a * x * 1j).imag + b + c, "complex"),
    "options": (lambda x, a, b, c: np.exp(a * x, dtype=np.float32) + b + c, "options"),
    "both": (lambda x, a, b, c: np.exp(a * x) + torch.exp(b * x) + c, "NumPy and of PyTorch"),
    "none": (lambda x, a, b, c: None, "NoneType"),
    "comparison": (lambda x, a, b, c: a * x > b + c, "comparison"),
    "comparisons subtracted": (lambda x, a, b, c: a * ((x > b) - (x < c)), "comparison"),
    "raises": (lambda x, a, b, c: {}["k"], "KeyError"),
    "endless": (lambda x, a, b, c: sum(a * x**i + b + c for i in range(3, 9000)), "steps"),
    "random": (lambda x, a, b, c: a * x * np.random.default_rng().uniform() + b + c, "chance"),
    "order": (lambda x, a, b, c: a * np.sort(np.atleast_1d(np.asarray(x))) + b + c, "rows"),
    "first row": (lambda x, a, b, c: a * np.atleast_1d(np.asarray(x))[0] + b * x + c, "rows"),
    "number of rows": (lambda x, a, b, c: a * np.atleast_1d(np.asarray(x)).size * x + b + c, ""),
    "signs of zero": (lambda x, a, b, c: a / (x * 0) + b + c, "rows"),
    "nowhere": (lambda x, a, b, c: np.log(-(a * a) - 1) * x + b + c, "no finite value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_graph_is_refused_with_the_reason(name: str) -> None:
    function, reason = REFUSED[name]
    assert reason in _reason(function)


def test_a_state_is_noticed() -> None:
    calls: list[int] = []

    def counting(x: Any, a: Any, b: Any, c: Any) -> Any:
        calls.append(1)
        return a * x + b + c * len(calls)

    assert "state" in _reason(counting)


# A random expression is built twice: as text for Python, and run by NumPy and by the tracer alike.

_LEAVES = st.sampled_from(["x", "a", "b", "c", "2.0", "-0.5", "0.0", "1.0", "K"])
_ONE = st.sampled_from(["-{}", "abs({})", "np.exp({})", "np.sin({})", "np.sqrt({})", "np.log({})", "np.tanh({})"])
_ARITHMETIC = ["({} + {})", "({} - {})", "({} * {})", "({} / {})", "({}) ** ({})", "(({}) <= ({})) * b"]
_LARGER = ["np.minimum({}, {})", "np.maximum({}, {})", "np.where({} > {}, x, a)", "np.hypot({}, {})"]
_TWO = st.sampled_from([*_ARITHMETIC, *_LARGER, "np.logaddexp({}, {})"])
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.builds(lambda form, a: form.format(f"({a})"), _ONE, inner)
        | st.builds(lambda form, a, b: form.format(a, b), _TWO, inner, inner)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_EXPRESSIONS)
def test_tracing_never_changes_the_result(text: str) -> None:
    function = eval(f"lambda x, a, b, c: ({text}) + 0.0 * x", {"np": np, "K": K})
    try:
        made, expression = _traced(function)
        verify(made, expression.compiled.value, _call(function), {"x": X}, len(X))
    except NotTraceable:  # as of 2.0 / 0.0, which Python refuses; the function is then used as it is
        return
    with np.errstate(all="ignore"):
        expected = function(X, *map(np.float64, (1.7, -0.9, 0.3)))
    got = expression.over({"x": X}, len(X)).values((1.7, -0.9, 0.3))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(got[finite], expected[finite], rtol=1e-9, atol=1e-12)


def test_a_key_is_that_of_the_code_and_of_what_it_reads() -> None:
    def made(k: Any) -> Any:
        return lambda x, a: a * np.exp(-k * x) + K

    assert key_of(made(1.0)) is not None
    assert key_of(made(1.0)) == key_of(made(1.0))
    assert key_of(made(1.0)) != key_of(made(2.0))
    assert key_of(made(1.0)) != key_of(made(1))
    assert key_of(made(0.0)) != key_of(made(-0.0))
    assert key_of(made(np.ones(3))) is None
    assert key_of(made([1])) is None


def test_a_key_follows_functions_that_are_called() -> None:
    def outer(k: Any) -> Any:
        def inner(x: Any) -> Any:
            return k * x

        return lambda x, a: a * inner(x)

    assert key_of(outer(1.0)) == key_of(outer(1.0))
    assert key_of(outer(1.0)) != key_of(outer(2.0))
    assert key_of(outer({})) is None


def test_what_may_change_unseen_has_no_key() -> None:
    def function(x: Any, a: Any) -> Any:
        return a * x * helper(x)

    def helper(x: Any) -> Any:
        return x * helper.k  # type: ignore[attr-defined]

    assert key_of(function) is None  # helper calls itself by name
    helper.k = 3.0  # type: ignore[attr-defined]
    assert key_of(helper) is None
