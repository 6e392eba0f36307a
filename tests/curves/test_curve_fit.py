"""`curve_fit` beside scipy's, on the same input: parameters, covariance, types, and what is raised."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import Bounds, OptimizeWarning
from scipy.optimize import curve_fit as theirs

from thalweg.curves.drop_in import curve_fit as ours
from thalweg.errors import DataError, NotFoundError, OptionError

rng = np.random.default_rng(11)
X = np.linspace(0.1, 4, 40)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * rng.standard_normal(40)
SIGMA = 0.02 + 0.1 * rng.random(40)
A = rng.standard_normal((40, 40))
COVARIANCE = 0.01 * (A @ A.T + 5 * np.eye(40))
TIGHT = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def opaque(x, a, b, c):
    """Not traceable: it branches on a parameter."""
    return a * np.exp(-b * x) + c if b < 1e6 else np.zeros_like(x)


def slopes(x, a, b, c):
    e = np.exp(-b * x)
    return np.stack([e, -a * x * e, np.ones_like(x)], axis=1)


class Model:
    def method(self, x, a, b, c):
        return decay(x, a, b, c)

    def __call__(self, x, a, b, c):
        return decay(x, a, b, c)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "traced": decay,
    "opaque": opaque,
    "method": Model().method,
    "object": Model(),
    "partial": functools.partial(lambda x, a, b, c, k: k * decay(x, a, b, c), k=1.0),
    "list": lambda x, a, b, c: list(decay(x, a, b, c)),
    "stars behind": lambda x, a, b, c, *rest: decay(x, a, b, c),
    "keyword only": lambda x, a, b, c, *, k=1.0: k * decay(x, a, b, c),
}


def compare(f: Any, x: Any, y: Any, *args: Any, digits: float = 1e-6, **kwargs: Any) -> None:
    """Both functions on the same input."""
    expected, covariance = theirs(f, x, y, *args, **kwargs)
    found, own = ours(f, x, y, *args, **kwargs)
    assert type(found) is type(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert own.dtype == covariance.dtype
    assert own.shape == covariance.shape
    np.testing.assert_allclose(found, expected, rtol=digits, atol=digits)
    np.testing.assert_allclose(own, covariance, rtol=1e-4, atol=1e-4 * np.abs(covariance).max())


# ------------------------------------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "sigma", [None, 0.1, SIGMA, SIGMA.tolist(), COVARIANCE], ids=["no", "one", "each", "list", "cov"]
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_numbers_are_those_of_scipy(name: str, sigma: Any, absolute: bool) -> None:
    p0 = [1, 1, 0] if name == "stars behind" else None
    kwargs = {"p0": p0, "sigma": sigma, "absolute_sigma": absolute}
    compare(FUNCTIONS[name], X, Y, **kwargs)


@pytest.mark.parametrize("f", [decay, opaque])
@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["no", "each", "cov"])
@pytest.mark.parametrize("method", ["lm", "trf", "dogbox", None])
def test_at_tight_tolerance_they_agree_to_more_digits(method: str | None, sigma: Any, f: Any) -> None:
    digits = 1e-9 if method in ("lm", None) else 1e-8  # least_squares stops where the cost is flat
    compare(f, X, Y, [1, 1, 0], sigma=sigma, method=method, jac=slopes, digits=digits, **TIGHT)


@pytest.mark.parametrize("method", [None, "trf", "dogbox"])
@pytest.mark.parametrize("f", [decay, opaque])
@pytest.mark.parametrize(
    "bounds",
    [
        (0, np.inf),
        ([0, 0, 0], [5, 5, 5]),
        ([0, 0, 0], 2.0),
        (-np.inf, [np.inf, 1.0, np.inf]),
        Bounds([0, 0, -1], [2, 3, 4]),
        (np.array([-np.inf, 1.35, -np.inf]), np.inf),
        [[0, 0, 0], [9, 9, 9]],
    ],
    ids=["half", "box", "mixed", "above", "object", "below", "lists"],
)
def test_bounds(bounds: Any, f: Any, method: str | None) -> None:
    expected, covariance = theirs(f, X, Y, bounds=bounds, method=method, **TIGHT)
    found, own = ours(f, X, Y, bounds=bounds, method=method)
    lower, upper = (bounds.lb, bounds.ub) if isinstance(bounds, Bounds) else bounds
    assert ((found >= lower) & (found <= upper)).all()
    assert ((f(X, *found) - Y) ** 2).sum() <= ((f(X, *expected) - Y) ** 2).sum() * (1 + 1e-12)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)  # interior steps stop short of a bound
    np.testing.assert_allclose(own, covariance, rtol=1e-4, atol=1e-4 * np.abs(covariance).max())


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy"])
@pytest.mark.parametrize("sigma", [None, SIGMA], ids=["no", "each"])
def test_robust_losses(loss: str, sigma: Any) -> None:
    y = Y.copy()
    y[[3, 17]] += 2.0
    f_scale = 0.1 if sigma is None else 1.5
    compare(decay, X, y, [2, 1, 0.3], sigma=sigma, method="trf", loss=loss, f_scale=f_scale, **TIGHT)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X.tolist(), Y.tolist()),
        (tuple(X), Y),
        (X.astype(np.float32), Y),
        (X, Y.astype(np.float32)),
        (pd.Series(X, index=np.arange(40)[::-1]), pd.Series(Y)),
        (np.ma.masked_array(X), Y),
        (X[::-1], Y[::-1]),
        (np.asfortranarray(X), Y),
        (np.arange(40), np.round(40 * np.exp(-0.1 * np.arange(40)) + 3).astype(int)),
    ],
    ids=["lists", "tuple", "float32 x", "float32 y", "series", "masked", "strided", "fortran", "integers"],
)
def test_kinds_of_data(x: Any, y: Any) -> None:
    compare(decay, x, y, [3.0, 0.5, 0.2])


def test_several_predictors_and_objects() -> None:
    table = np.stack([X, X**2])
    y = 2 * X - 0.3 * X**2 + 1 + 0.1 * np.sin(9 * X)
    compare(lambda x, a, b, c: a * x[0] + b * x[1] + c, table, y)
    compare(lambda x, a, b, c: a * x[:, 0] + b * x[:, 1] + c, table.T.copy(), y)
    compare(lambda x, a, b, c: a * x["u"] + b * x["v"] + c, {"u": X, "v": X**2}, y)
    compare(lambda x, a, b, c: a * x["u"] + b * x["v"] + c, pd.DataFrame({"u": X, "v": X**2}), y)
    compare(lambda x, a, b: a * x[0, 0] + b * x[0, 1], table[None], y)
    compare(lambda x, a, b: a * X + b, None, y)
    compare(lambda x, a, b: a * x * X + b, 2.0, y)


def test_a_series_is_given_as_it_is_where_that_matters() -> None:
    x = pd.Series(X, index=np.arange(40)[::-1])
    compare(lambda x, a, b: a * x.rolling(3, min_periods=1).mean() + b, x, Y)
    compare(lambda x, a, b: a * x + b * x[0], x, Y)  # by label, not by place
    compare(lambda x, a, b: a * x + (b if isinstance(x, pd.Series) else 2 * b), x, Y)


@pytest.mark.parametrize("p0", [2.0, [2.0], np.array(2), np.array([2], dtype=np.float32), 2], ids=str)
def test_one_parameter(p0: Any) -> None:
    compare(lambda x, a: np.exp(-a * x), X, np.exp(-0.7 * X) + 0.01 * np.cos(X), p0)


def test_stars_need_a_start() -> None:
    compare(lambda x, *p: p[0] * x + p[1], X, Y, [1.0, 2.0])
    with pytest.raises(ValueError, match="Give p0"):
        ours(lambda x, *p: p[0] * x, X, Y)


def test_one_y_for_all_values() -> None:
    for y in (0, [0.0]):
        compare(lambda x, a, b: decay(x, a, b, 0.5) - Y, X, y)
    compare(lambda x, a, b: decay(x, a, b, 0.5) - Y, X, 0, sigma=0.3, absolute_sigma=True)


def test_jacobians_by_hand_and_by_name() -> None:
    for jac in (slopes, lambda *p: slopes(*p).tolist()):
        compare(opaque, X, Y, jac=jac, sigma=SIGMA)
    compare(opaque, X, Y, jac=lambda *p: slopes(*p).T, col_deriv=1)
    for scheme in ("2-point", "3-point"):
        compare(opaque, X, Y, jac=scheme, method="trf")
    with pytest.raises(ValueError, match=r"jac returned the shape \(3, 40\)"):
        ours(opaque, X, Y, jac=lambda *p: slopes(*p).T)


def test_infinite_sigma_ignores_a_row() -> None:
    sigma = SIGMA.copy()
    sigma[4] = np.inf
    compare(decay, X, np.where(np.arange(40) == 4, 99.0, Y), sigma=sigma)


@pytest.mark.parametrize(
    "keywords", [{"maxfev": 5000}, {"epsfcn": 1e-12, "factor": 10}, {"diag": (1, 2, 3)}, {"maxfev": 0}]
)
def test_keywords_of_minpack(keywords: dict[str, Any]) -> None:
    compare(decay, X, Y, **keywords)


@pytest.mark.parametrize("keywords", [{"max_nfev": 500}, {"x_scale": "jac"}, {"diff_step": 1e-6}, {"verbose": 0}])
def test_keywords_of_least_squares(keywords: dict[str, Any]) -> None:
    compare(decay, X, Y, method="trf", xtol=1e-12, ftol=1e-12, **keywords)


# ----------------------------------------------------------------------------------------------- what is told of it


@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["no", "each", "cov"])
@pytest.mark.parametrize("method", ["lm", "trf"])
def test_full_output(method: str, sigma: Any) -> None:
    expected = theirs(decay, X, Y, sigma=sigma, method=method, full_output=True)
    found = ours(decay, X, Y, sigma=sigma, method=method, full_output=True)
    assert [type(each) for each in found] == [type(each) for each in expected]
    assert found[4] in (1, 2, 3, 4)
    assert found[2].keys() == expected[2].keys()
    np.testing.assert_allclose(found[2]["fvec"], expected[2]["fvec"], rtol=1e-5, atol=1e-6)
    if method == "lm":
        assert {k: np.shape(v) for k, v in found[2].items()} == {k: np.shape(v) for k, v in expected[2].items()}
        assert found[2]["ipvt"].dtype == expected[2]["ipvt"].dtype
        assert sorted(found[2]["ipvt"]) == sorted(expected[2]["ipvt"])
        np.testing.assert_allclose(covariance_of(found[2]), covariance_of(expected[2]), rtol=1e-4)


def covariance_of(info: dict[str, Any]) -> np.ndarray:
    """As users compute it from fjac and ipvt: (P R'R P')^-1."""
    n = len(info["ipvt"])
    triangle = np.triu(info["fjac"].T[:n])
    order = np.empty((n, n))
    order[:, info["ipvt"] - info["ipvt"].min()] = triangle  # counted from 0 or from 1, by the version of scipy
    return np.linalg.inv(order.T @ order)


@pytest.mark.parametrize("method", [None, "trf"])
def test_covariance_that_cannot_be_estimated(method: str | None) -> None:
    line = lambda x, a, b: a * x + b  # noqa: E731
    for f, count in ((line, 2), (lambda x, a: a * x, 1)):
        for function in (theirs, ours):
            with pytest.warns(OptimizeWarning, match="Covariance of the parameters could not be estimated"):
                _, covariance = function(f, X[:count], Y[:count], method=method)
            assert np.isinf(covariance).all()
    compare(line, X[:2], Y[:2], method=method, absolute_sigma=True, sigma=0.1)


def test_an_unused_parameter() -> None:
    flat = lambda x, a, b: a * x  # noqa: E731
    for function in (theirs, ours):
        with pytest.warns(OptimizeWarning):
            popt, covariance = function(flat, X, Y, [1.0, 7.0])
        assert np.isinf(covariance).all()
        assert popt[1] == 7.0
    compare(flat, X, Y, [1.0, 7.0], method="trf", **TIGHT)  # a pseudo-inverse, and no warning


def test_more_parameters_than_data() -> None:
    for function in (theirs, ours):
        with pytest.raises(TypeError, match="must not exceed the number of data points"):
            function(decay, X[:2], Y[:2])
        with pytest.warns(OptimizeWarning):
            popt, _ = function(decay, X[:2], Y[:2], method="trf")
        np.testing.assert_allclose(decay(X[:2], *popt), Y[:2], atol=1e-6)


def test_nothing_is_warned_of_and_nothing_changed() -> None:
    x, y, sigma, p0 = X.copy(), Y.copy(), SIGMA.copy(), np.array([1.0, 1.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours(decay, x, y, p0, sigma)
        ours(decay, x, y, [1.0, -20.0, 0.0], bounds=(-1000, 1000))  # overflows on its way
    for now, before in ((x, X), (y, Y), (sigma, SIGMA), (p0, [1, 1, 0])):
        np.testing.assert_array_equal(now, before)


# ------------------------------------------------------------------------------------------------------- what is NaN


@pytest.mark.parametrize("sigma", [None, 0.3, SIGMA, COVARIANCE], ids=["no", "one", "each", "cov"])
def test_omitted_rows_count_for_nothing(sigma: Any) -> None:
    x, y = X.copy(), Y.copy()
    x[[2, 30]], y[[2, 7]] = np.nan, np.nan
    compare(decay, x, y, sigma=sigma, nan_policy="omit")
    keep = np.isfinite(x + y)
    kept = sigma if sigma is None or np.ndim(sigma) == 0 else sigma[keep]
    kept = kept[:, keep] if np.ndim(kept) == 2 else kept
    for omitted, left in zip(
        ours(decay, x, y, sigma=sigma, nan_policy="omit"), ours(decay, x[keep], y[keep], sigma=kept), strict=True
    ):
        np.testing.assert_array_equal(omitted, left)


def test_omitting_of_a_series_and_of_several_predictors() -> None:
    x = np.stack([X, X**2])
    x[1, 3] = np.nan
    compare(lambda x, a, b: a * x[0] + b * x[1], x, Y, nan_policy="omit")
    x = pd.Series(np.where(np.arange(40) == 3, np.nan, X))
    popt, _ = ours(decay, x, Y, nan_policy="omit")
    np.testing.assert_allclose(popt, theirs(decay, np.delete(X, 3), np.delete(Y, 3))[0], rtol=1e-6)


# ------------------------------------------------------------------------------------------------- what is refused

HOLED = np.where(np.arange(40) == 3, np.nan, Y)
REFUSED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "NaN in y": ((decay, X, HOLED), {}),
    "NaN in x": ((decay, HOLED, Y), {}),
    "infinite x": ((decay, np.r_[np.inf, X[1:]], Y), {}),
    "NaN, raise": ((decay, X, HOLED), {"nan_policy": "raise"}),
    "NaN, omit, but finite": ((decay, X, HOLED), {"nan_policy": "omit", "check_finite": True}),
    "propagate": ((decay, X, Y), {"nan_policy": "propagate"}),
    "no policy": ((decay, X, Y), {"nan_policy": "hi"}),
    "empty": ((decay, [], []), {}),
    "empty y": ((decay, X, []), {}),
    "text": ((decay, X, ["a"] * 40), {}),
    "text in x": ((decay, ["a"] * 40, Y), {}),
    "lengths": ((decay, X[:9], Y), {}),
    "method": ((decay, X, Y), {"method": "newton"}),
    "lm with bounds": ((decay, X, Y), {"method": "lm", "bounds": (0, 1)}),
    "three bounds": ((decay, X, Y), {"bounds": (0, 1, 2)}),
    "bounds of another length": ((decay, X, Y, [1, 1, 1]), {"bounds": ([0, 0], [1, 1])}),
    "bounds the other way": ((decay, X, Y), {"bounds": (1, 0)}),
    "bounds that are one": ((decay, X, Y), {"bounds": (1, 1)}),
    "start outside": ((decay, X, Y, [9, 9, 9]), {"bounds": (0, 1)}),
    "start of two dimensions": ((decay, X, Y, [[1, 1, 1]]), {"method": "trf"}),
    "start with NaN": ((decay, X, Y, [np.nan, 1, 1]), {"method": "trf"}),
    "length of sigma": ((decay, X, Y), {"sigma": SIGMA[:9]}),
    "covariance": ((decay, X, Y), {"sigma": -COVARIANCE}),
    "scheme": ((decay, X, Y), {"jac": "4-point", "method": "trf"}),
    "loss": ((decay, X, Y), {"loss": "squared", "method": "trf"}),
    "evaluations": ((decay, X, Y), {"max_nfev": -1, "method": "trf"}),
    "args": ((decay, X, Y), {"args": (1,)}),
    "keyword": ((decay, X, Y), {"maxiter": 3}),
    "keyword of trf": ((decay, X, Y), {"maxiter": 3, "method": "trf"}),
    "keyword of the other": ((decay, X, Y), {"epsfcn": 1e-9, "method": "trf"}),
    "loss with lm": ((decay, X, Y), {"loss": "huber", "method": "lm"}),
    "no parameter": ((lambda x: x, X, Y), {}),
    "no function": ((3, X, Y), {}),
    "no function, with p0": ((3, X, Y, [1.0]), {}),
    "too few starts": ((decay, X, Y, [1.0, 1.0]), {}),
    "too many starts": ((decay, X, Y, [1.0] * 4), {}),
    "complex start": ((decay, X, Y, [1j, 1, 1]), {}),
    "few data": ((decay, X[:2], Y[:2]), {}),
    "one datum": ((decay, X[:1], Y[:1]), {}),
    "error of its own": ((lambda x, a: {}["missing"], X, Y), {}),
    "wrong type inside": ((lambda x, a: x + "1", X, Y), {}),
    "few evaluations": ((decay, X, Y, [9.0, 0.01, -5.0]), {"maxfev": 2}),
    "few evaluations, trf": ((decay, X, Y, [9.0, 0.01, -5.0]), {"max_nfev": 2, "method": "trf"}),
    "not finite at the start": ((lambda x, a: np.log(x - a), X, Y), {"method": "trf"}),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_errors_are_of_the_same_class(case: str) -> None:
    args, kwargs = REFUSED[case]
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever scipy raises is what is wanted
        theirs(*args, **dict(kwargs))
    with pytest.raises(Exception) as found:  # noqa: PT011
        ours(*args, **kwargs)
    base = next(c for c in (RuntimeError, ValueError, TypeError, KeyError) if isinstance(expected.value, c))
    assert isinstance(found.value, base), (found.value, expected.value)


def test_errors_of_the_function_come_through() -> None:
    class Mine(Exception):
        pass

    def f(x, a):
        raise Mine("of my own")

    with pytest.raises(Mine, match="of my own") as found:
        ours(f, X, Y)
    assert "f(x, p0) raised Mine" in found.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "match", "args", "kwargs"),
    [
        (DataError, "index 3", (decay, X, HOLED), {}),
        (DataError, "sigma contains 0", (decay, X, Y), {"sigma": np.r_[0.0, SIGMA[1:]]}),
        (DataError, r"ravel\(\)", (decay, X, Y[:, None]), {}),
        (DataError, "not finite in the initial point", (lambda x, a: np.log(x - a), X, Y), {}),
        (OptionError, "p0 holds NaN", (decay, X, Y, [np.nan, 1, 1]), {}),
        (NotFoundError, "maxfev=8", (decay, X, Y, [9.0, 0.01, -5.0]), {"maxfev": 2}),
    ],
)
def test_what_differs_on_purpose(error: type, match: str, args: Any, kwargs: dict[str, Any]) -> None:
    """Where MINPACK returns the start with an infinite covariance, or a message says too little."""
    with pytest.raises(error, match=match):
        ours(*args, **kwargs)


@pytest.mark.parametrize("p0", [[1, 500, 0], [1e-3, 80, 3]], ids=str)
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), ([-10, 0, -10], [10, 1000, 10])], ids=["free", "bounded"])
def test_from_where_the_curve_does_not_feel_a_parameter(bounds: Any, p0: list[float]) -> None:
    """scipy stops there, with an infinite covariance."""
    popt, pcov = ours(decay, X, Y, p0, SIGMA, bounds=bounds)
    np.testing.assert_allclose(popt, theirs(decay, X, Y, sigma=SIGMA)[0], rtol=1e-6)
    assert np.isfinite(pcov).all()


# --------------------------------------------------------------------------------------------------- scipy's own tests

minpack: Any = pytest.importorskip("scipy.optimize.tests.test_minpack")
DIFFERENT = {
    "test_gh4555b": "its reference is 2e-6 from the closed form: see test_covariance_to_nine_digits",
    "test_gh13670": "it counts calls by a state of the function",
}


class TestTheirs(minpack.TestCurveFit):  # type: ignore[misc]
    """scipy's tests of `curve_fit`, with ours in its place."""

    @pytest.fixture(autouse=True)
    def in_its_place(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
        if request.node.originalname in DIFFERENT:
            pytest.skip(DIFFERENT[request.node.originalname])
        monkeypatch.setattr(minpack, "curve_fit", ours)


def test_covariance_to_nine_digits() -> None:
    """Against the closed form of the Jacobian, at a minimum found in long double."""
    x, y = X.astype(np.longdouble), Y.astype(np.longdouble)
    theta = np.array(theirs(decay, X, Y)[0], dtype=np.longdouble)
    for _ in range(30):
        jacobian = slopes(x, *theta)
        gram = (jacobian.T @ jacobian).astype(float)
        theta = theta - np.linalg.solve(gram, (jacobian.T @ (decay(x, *theta) - y)).astype(float))
    jacobian = slopes(x, *theta).astype(float)
    variance = float(((decay(x, *theta) - y) ** 2).sum()) / 37
    popt, pcov = ours(decay, X, Y)
    np.testing.assert_allclose(popt, theta.astype(float), rtol=1e-10)
    np.testing.assert_allclose(pcov, variance * np.linalg.inv(jacobian.T @ jacobian), rtol=1e-9)
