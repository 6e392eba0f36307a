"""scipy's `curve_fit`, with exact derivatives where the function can be traced."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from scipy.optimize import Bounds, OptimizeWarning

from thalweg.curves.curve import Evaluator, Theta
from thalweg.curves.function import curve_of_function
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.quick import quick
from thalweg.curves.signature import count_parameters
from thalweg.errors import DataError, FormulaError, IncompatibleError, NotFoundError, OptionError
from thalweg.losses import family
from thalweg.losses.base import Family
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import iterate
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

METHODS = ("lm", "trf", "dogbox")
LOSSES = ("linear", "soft_l1", "huber", "cauchy")
UNNEEDED = frozenset(  # tolerances and internals of MINPACK and least_squares, which this solver does not have
    [
        "ftol",
        "xtol",
        "gtol",
        "col_deriv",
        "epsfcn",
        "factor",
        "diag",
        "x_scale",
        "diff_step",
        "tr_solver",
        "tr_options",
        "jac_sparsity",
        "verbose",
    ]
)
GAUSSIAN = family("gaussian")
EPSILON = float(np.finfo(np.float64).eps)


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Callable[..., Any] | str | None = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    **kwargs: Any,
) -> Any:
    """Least squares of a function: what `scipy.optimize.curve_fit` does, by the same call.

    The function is traced where it can be, so that its derivatives are exact; the minimum is found to about 13 digits.
    `thalweg.fit` answers more questions of it: names, summaries, intervals, pictures, starts.

    Parameters
    ----------
    f : callable
        f(x, p1, p2, ...) of arrays, or of tensors, to an array of M numbers.
    xdata : array or object
        Given to `f` as it is.
    ydata : array, (M,)
    p0 : array, (N,), optional
        The start; ones, or a point within the bounds.
    sigma : scalar, (M,) or (M, M), optional
        Standard deviations of ydata, or its covariance.
    absolute_sigma : bool
        Whether `sigma` is meant absolutely; otherwise only its ratios count.
    check_finite : bool, optional
        Whether NaN and infinite values are refused; True unless `nan_policy` is given.
    bounds : (lower, upper) or scipy.optimize.Bounds
    method : {"lm", "trf", "dogbox"}, optional
        Checked as scipy does; one solver serves all.
    jac : callable, optional
        jac(x, p1, ...) to (M, N), used where the function cannot be traced. The names of scipy's difference schemes are
        let pass.
    full_output : bool
        Whether infodict, a message and an integer flag are returned too.
    nan_policy : {None, "raise", "omit"}
    **kwargs
        `loss` and `f_scale` as `scipy.optimize.least_squares`; `maxfev` or `max_nfev`, the most evaluations. scipy's
        tolerances are taken and not needed.

    Returns
    -------
    popt : ndarray, (N,)
    pcov : ndarray, (N, N)
        Infinite where it cannot be estimated, with an `OptimizeWarning`.
    infodict, mesg, ier
        With `full_output`: {"nfev", "fvec"}, a sentence, 1.

    Raises
    ------
    ValueError
        Data that are empty, not finite or of shapes that do not match; a bound or an option that cannot be.
    TypeError
        More parameters than data with method "lm", or an unknown option.
    RuntimeError
        No minimum was found.

    Examples
    --------
    >>> import numpy as np, thalweg as tw
    >>> x = np.linspace(0, 4, 50)
    >>> y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.sin(40 * x)
    >>> popt, pcov = tw.curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)
    >>> popt.round(3)
    array([2.5, 1.3, 0.5])
    """
    loss = _options(method, kwargs)
    data = _data(f, xdata, ydata, sigma, check_finite, nan_policy)
    start, lower, upper = _start(f, p0, bounds)
    _check_method(method, lower, upper, len(start), data.y.size)
    rows = _rows(f, data, jac, start)
    if rows.evaluator.values(list(start)).shape != data.y.shape:  # pragma: no cover - the curve has checked it
        raise DataError("the function does not return one number for each of ydata")
    found = _solved(rows, loss, start, lower, upper, kwargs)
    covariance = _covariance(found, absolute_sigma, data.y.size)
    if not full_output:
        return found.theta, covariance
    residual = rows.evaluator.values(list(found.theta)) - rows.y
    info = {"nfev": found.evaluations, "fvec": residual if rows.root is None else residual * rows.root}
    return found.theta, covariance, info, "The relative distance to the minimum is below 1e-8.", 1


@final
@dataclass(frozen=True)
class _Data:
    x: Any
    y: np.ndarray
    root: np.ndarray | None  # 1 / sigma
    whiten: np.ndarray | None  # the lower factor of a covariance


@final
@dataclass(frozen=True)
class _Minimum:
    theta: np.ndarray
    squares: float
    inverse: np.ndarray | None
    evaluations: int


# ----------------------------------------------------------------------------------------------------------- reading


def _options(method: str | None, kwargs: dict[str, Any]) -> Family:
    """The loss; the other options are looked at."""
    if method is not None and method not in METHODS:
        raise OptionError(f"method is {method!r}", advice="It is 'lm', 'trf' or 'dogbox'.")
    unknown = sorted(kwargs.keys() - UNNEEDED - {"loss", "f_scale", "maxfev", "max_nfev"})
    if unknown:
        raise TypeError(f"curve_fit() got an unexpected keyword argument {unknown[0]!r}")
    loss = kwargs.get("loss", "linear")
    if loss == "linear":
        return GAUSSIAN
    if loss not in LOSSES:
        raise OptionError(f"loss is {loss!r}", advice=f"It is one of {', '.join(map(repr, LOSSES))}.")
    return family(loss, scale=float(kwargs.get("f_scale", 1.0)))


def _data(f: Any, xdata: Any, ydata: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None) -> _Data:
    if nan_policy not in (None, "raise", "omit"):
        raise OptionError(f"nan_policy is {nan_policy!r}", advice="It is None, 'raise' or 'omit'.")
    finite = nan_policy is None if check_finite is None else check_finite
    y = np.asarray(ydata, dtype=np.float64)
    x = np.asarray(xdata, dtype=np.float64) if isinstance(xdata, list | tuple | np.ndarray) else xdata
    if y.size == 0:
        raise DataError("ydata is empty", advice="Give one value for each of xdata.")
    sigma = None if sigma is None else np.asarray(sigma, dtype=np.float64)
    if finite or nan_policy == "raise":
        _refuse_infinite(ydata=y, **({"xdata": x} if isinstance(x, np.ndarray) else {}), allow_inf=not finite)
    if nan_policy == "omit":
        x, y, sigma = _without_nan(x, y, sigma)
    y = y.ravel() if y.ndim == 1 else y
    root, whiten = _weights(sigma, y.size)
    return _Data(x, y, root, whiten)


def _refuse_infinite(*, allow_inf: bool, **arrays: np.ndarray) -> None:
    for name, values in arrays.items():
        wrong = np.isnan(values) if allow_inf else ~np.isfinite(values)
        if wrong.any():
            at = np.argwhere(wrong)[0]
            raise DataError(
                f"{name} contains NaN or infinite values",
                where=f"the first one at index {', '.join(map(str, at))}",
                advice="Leave them out, or set nan_policy='omit'.",
            )


def _without_nan(x: Any, y: np.ndarray, sigma: np.ndarray | None) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Rows without NaN in x or y, as scipy's `nan_policy="omit"`."""
    bad = np.isnan(y)
    if isinstance(x, np.ndarray):
        bad = bad | np.isnan(x).any(axis=tuple(range(x.ndim - 1)))
        x = x[..., ~bad]
    if sigma is not None and sigma.ndim:
        sigma = sigma[~bad] if sigma.ndim == 1 else sigma[~bad][:, ~bad]
    return x, y[~bad], sigma


def _weights(sigma: np.ndarray | None, rows: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """1 / sigma, or the factor L of a covariance L L'."""
    if sigma is None:
        return None, None
    if sigma.size == 1:
        return np.full(rows, 1 / float(sigma.reshape(-1)[0])), None
    if sigma.shape == (rows,):
        with np.errstate(divide="ignore"):
            return 1 / sigma, None
    if sigma.shape == (rows, rows):
        try:
            return None, np.linalg.cholesky(sigma)
        except np.linalg.LinAlgError:
            raise DataError("sigma, a covariance, is not positive definite") from None
    raise DataError(
        f"sigma has the shape {sigma.shape}, and ydata {rows} entries",
        advice="Give one standard deviation for each, or their covariance.",
    )


def _start(f: Any, p0: Any, bounds: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    given = None if p0 is None else np.atleast_1d(np.asarray(p0, dtype=np.float64))
    if given is not None and given.ndim > 1:
        raise OptionError(f"p0 has the shape {given.shape}", advice="Give one start for each parameter.")
    n = count_parameters(f) if given is None else given.size
    low, high = (bounds.lb, bounds.ub) if isinstance(bounds, Bounds) else _two(bounds)
    try:
        lower, upper = (np.broadcast_to(np.asarray(b, dtype=np.float64), (n,)).copy() for b in (low, high))
    except ValueError:
        raise OptionError("inconsistent shapes between bounds and p0", advice=f"Give {n} bounds, or one.") from None
    if not (lower < upper).all():
        raise OptionError("a lower bound is not below its upper bound")
    start = _feasible(lower, upper) if given is None else given
    if not ((lower <= start) & (start <= upper)).all():
        raise OptionError("p0 is infeasible: a start lies outside its bounds")
    if not np.isfinite(start).all():
        raise OptionError("p0 holds NaN or infinite values")
    return start, lower, upper


def _two(bounds: Any) -> tuple[Any, Any]:
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise OptionError("bounds must contain two elements", advice="As in bounds=(lower, upper).") from None
    return low, high


def _feasible(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Ones; within bounds on both sides their middle, within one of them a unit away."""
    start = np.ones_like(lower)
    low, high = np.isfinite(lower), np.isfinite(upper)
    start[low & high] = 0.5 * (lower[low & high] + upper[low & high])
    start[low & ~high] = lower[low & ~high] + 1
    start[high & ~low] = upper[high & ~low] - 1
    return start


def _check_method(method: str | None, lower: np.ndarray, upper: np.ndarray, n: int, rows: int) -> None:
    bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    if method == "lm" and bounded:
        raise OptionError("method 'lm' has no bounds", advice="Leave method out, or write 'trf'.")
    if not bounded and method in (None, "lm") and n > rows:
        raise IncompatibleError(
            f"{n} parameters of the function are more than {rows} data points", advice="Hold some of them."
        )


# ----------------------------------------------------------------------------------------------------------- solving


def _rows(f: Any, data: _Data, jac: Any, start: np.ndarray) -> _Rows:
    names = [f"p{i}" for i in range(len(start))]
    sample = {"x": data.x}
    curve, _ = curve_of_function(
        f,
        ["x"],
        sample,
        inputs=["x"],
        parameters=names,
        start=dict(zip(names, start.tolist(), strict=True)),
        rows=data.y.size,
        unused=True,
    )
    evaluator = curve.over(sample, data.y.size)
    if callable(jac) and not evaluator.batched:
        evaluator = _WithJacobian(evaluator, jac, data.x)
    y = data.y
    if data.whiten is not None:
        evaluator, y = _Whitened(evaluator, data.whiten), np.linalg.solve(data.whiten, y)
    return _Rows(curve, evaluator, y, data.root)


@final
@dataclass(frozen=True)
class _Rows:
    """The function over the data, and the weights."""

    curve: Any
    evaluator: Evaluator
    y: np.ndarray
    root: np.ndarray | None


def _solved(
    rows: _Rows, loss: Family, start: np.ndarray, lower: np.ndarray, upper: np.ndarray, kwargs: dict[str, Any]
) -> _Minimum:
    most = kwargs.get("maxfev") or kwargs.get("max_nfev")
    bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    if loss is GAUSSIAN and not bounded and most is None:
        found = quick(rows.evaluator, rows.y, rows.root, start)
        if found is not None:
            return _Minimum(found.theta, found.squares, found.inverse, found.evaluations)
    evaluator, y = rows.evaluator, rows.y
    if rows.root is not None:  # a robust loss is of the standardized residual, as in scipy
        evaluator, y = _Scaled(evaluator, rows.root), y * rows.root
    part = Part(evaluator, y)
    problem = CurveProblem(rows.curve, lambda: (part,), loss, y.size, lower=lower, upper=upper, start=start)
    solver = LevenbergMarquardt(max_steps=int(most) if most else 500)
    for state in iterate(solver, problem):
        last = state
    status = solver.terminate(problem, last)
    assert status is not None
    solution = solver.solution(problem, last, status)
    if status is not Status.CONVERGED:
        raise NotFoundError(f"Optimal parameters not found: {solution.advice.rstrip('.')}")
    theta = solution.theta.numpy()
    squares = 2 * solution.value
    return _Minimum(theta, squares, _inverse(evaluator, y, loss, theta, strict=not bounded), problem.passes)


def _inverse(
    evaluator: Evaluator, y: np.ndarray, loss: Family, theta: np.ndarray, *, strict: bool
) -> np.ndarray | None:
    """(F'WF)^-1 over all parameters, those on a bound too, as scipy has it; W = loss'', 1 for squares.

    A singular one is none where MINPACK would have served, and a pseudo-inverse where `least_squares` would.
    """
    f, jacobian = evaluator.jacobian(list(theta))
    if loss is not GAUSSIAN:
        curvature = loss.terms(torch.from_numpy(y), torch.tensor(f), 2)[2].numpy()
        jacobian = jacobian * np.sqrt(np.maximum(curvature, EPSILON))
    norms = np.linalg.norm(jacobian, axis=1)
    norms[norms == 0] = 1.0
    _, s, vt = np.linalg.svd((jacobian / norms[:, None]).T, full_matrices=False)
    felt = s > EPSILON * max(jacobian.shape) * s[0]
    if len(s) < len(theta) or (strict and not felt.all()):
        return None
    half = vt[felt] / s[felt, None] / norms
    return half.T @ half


def _covariance(found: _Minimum, absolute: bool, rows: int) -> np.ndarray:
    n = len(found.theta)
    if found.inverse is not None and np.isfinite(found.inverse).all():
        if absolute:
            return found.inverse
        if rows > n:
            return found.inverse * (found.squares / (rows - n))
    warnings.warn("Covariance of the parameters could not be estimated", category=OptimizeWarning, stacklevel=3)
    return np.full((n, n), np.inf)


# ------------------------------------------------------------------------------------------------ the function, seen so


class _Around(Evaluator):
    """An evaluator around another."""

    def __init__(self, inner: Evaluator) -> None:
        self.inner, self.rows = inner, inner.rows

    def values(self, theta: Theta) -> np.ndarray:
        return self.inner.values(theta)

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        return self.inner.jacobian(theta)


@final
class _Scaled(_Around):
    """Each row times a number."""

    def __init__(self, inner: Evaluator, root: np.ndarray) -> None:
        super().__init__(inner)
        self.root = root
        self.extended = inner.extended

    def values(self, theta: Theta) -> np.ndarray:
        return self.inner.values(theta) * self.root

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f, jacobian = self.inner.jacobian(theta)
        return f * self.root, jacobian * self.root


@final
class _Whitened(_Around):
    """L^-1 f, where L L' is the covariance of the rows."""

    def __init__(self, inner: Evaluator, factor: np.ndarray) -> None:
        super().__init__(inner)
        self.factor = factor

    def values(self, theta: Theta) -> np.ndarray:
        return np.linalg.solve(self.factor, self.inner.values(theta))

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f, jacobian = self.inner.jacobian(theta)
        both = np.linalg.solve(self.factor, np.column_stack([f, *jacobian]))
        return both[:, 0], both[:, 1:].T.copy()


@final
class _WithJacobian(_Around):
    """With the user's Jacobian, (M, N)."""

    def __init__(self, inner: Evaluator, jac: Callable[..., Any], x: Any) -> None:
        super().__init__(inner)
        self.jac, self.x = jac, x

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        f = self.inner.values(theta)
        jacobian = np.asarray(self.jac(self.x, *theta), dtype=np.float64)
        if jacobian.shape != (self.rows, len(theta)):
            raise FormulaError(
                f"jac returned the shape {jacobian.shape}", advice=f"It is ({self.rows}, {len(theta)}): rows first."
            )
        return f, np.ascontiguousarray(jacobian.T)
