"""scipy's `curve_fit`, with exact derivatives where the function can be traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.curves.curve import Curve, Evaluator
from thalweg.curves.drop_in_answer import covariance_of, told
from thalweg.curves.drop_in_data import Observations, read_observations
from thalweg.curves.drop_in_solve import Rows, minimum
from thalweg.curves.drop_in_start import Start, check_count, read_options, read_start
from thalweg.curves.function import curve_of_function
from thalweg.curves.tiny import check_squares
from thalweg.curves.wrappers import Whitened, WithJacobian, whitened
from thalweg.errors import DataError, FormulaError, ThalwegError


@np.errstate(all="ignore")
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

    The function is traced where it can be, so that its derivatives are exact; the minimum is found to ten digits or
    more. `thalweg.fit` answers more questions of it: names, summaries, intervals, pictures, starts.

    Parameters
    ----------
    f : callable
        f(x, p1, p2, ...) of arrays, or of tensors, to an array of M numbers.
    xdata : array or object
        Given to `f`: lists, tuples and arrays as an array of floats, everything else as it is.
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
        Checked as scipy does; one solver serves all. Where the Jacobian is singular, "lm" has an infinite covariance,
        the others that of the pseudo-inverse.
    jac : callable or {"2-point", "3-point", "cs"}, optional
        jac(x, p1, ...) to (M, N), used where the function cannot be traced; schemes of differences are not needed.
    full_output : bool
        Whether infodict, a message and an integer flag are returned too.
    nan_policy : {None, "raise", "omit"}
    **kwargs
        `loss` ("linear", "soft_l1", "huber", "cauchy") and `f_scale` as `scipy.optimize.least_squares`; `maxfev` or
        `max_nfev`, the most steps. scipy's tolerances and scales are taken and not needed.

    Returns
    -------
    popt : ndarray, (N,)
    pcov : ndarray, (N, N)
        Infinite where it cannot be estimated, with an `OptimizeWarning`.
    infodict, mesg, ier
        With `full_output`: {"nfev", "fvec"} and of "lm" {"fjac", "ipvt", "qtf"}; a sentence; 2, or 3 of the others.

    Raises
    ------
    ValueError
        Data that are empty, not finite or of shapes that do not match; a bound or an option that cannot be.
    TypeError
        More parameters than data with method "lm", or an unknown option.
    RuntimeError
        No minimum was found.

    Notes
    -----
    What differs on purpose:

    - Where MINPACK returns p0 with an infinite covariance (p0, sigma or values of `f` there that are not finite),
      this is a ValueError.
    - Where the first run does not converge, or ends where the Jacobian is singular, a function that could be traced is
      fitted from many starts; the answer may have a lower sum of squares than scipy's.
    - A Jacobian that is singular in double precision has no covariance with "lm"; scipy returns one of huge numbers.
    - `f` is called with its parameters as numbers of NumPy or of a trace, and some points more than once: a function
      that counts its calls counts others.
    - `loss` needs no method, a single bound serves for all parameters in `Bounds` too, and a float may be `maxfev`.
      The losses "arctan" and of one's own are not there.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Numerical Analysis, Lecture Notes
       in Mathematics 630 (1978), doi:10.1007/BFb0067700.

    Examples
    --------
    >>> import numpy as np, thalweg as tw
    >>> x = np.linspace(0, 4, 50)
    >>> y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.sin(40 * x)
    >>> popt, pcov = tw.curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)
    >>> popt.round(3)
    array([2.5, 1.3, 0.5])
    """
    start = read_start(f, p0, bounds, method)
    options = read_options(method, jac, kwargs, bounded=start.bounded)
    data = read_observations(xdata, ydata, sigma, check_finite, nan_policy)
    if data.y.size == 1:
        data = data.of_rows(_count(f, data.x, start))
    check_count(options, start.theta.size, data.y.size)
    check_squares(0.0, (data.y if data.root is None else data.y * data.root,))
    try:
        rows = _rows(f, data, jac if callable(jac) else None, start, options.transposed)
        found = minimum(rows, options, start)
    except FormulaError as problem:
        raise _own(problem, data) from None
    except ValueError as problem:  # of arrays that do not go together
        raise (None if isinstance(problem, ThalwegError) else _lengths(data)) or problem from None
    covariance = covariance_of(found, absolute_sigma, data.y.size)
    return (found.theta, covariance, *told(rows, found, options)) if full_output else (found.theta, covariance)


def _own(problem: FormulaError, data: Observations) -> Exception:
    """What the function itself raised, as scipy lets it through, with where as a note; or that lengths differ."""
    cause = problem.__cause__
    if not isinstance(cause, Exception) or isinstance(cause, ThalwegError):
        return _lengths(data) or problem
    cause.add_note(str(problem))
    return cause


def _lengths(data: Observations) -> DataError | None:
    """That xdata and ydata do not match, where they do not."""
    count = np.shape(data.x)[-1] if isinstance(data.x, np.ndarray) and data.x.ndim else data.y.size
    if count == data.y.size:
        return None
    return DataError(
        f"xdata has {count} values and ydata {data.y.size}", advice="Give one value of ydata for each of xdata."
    )


def _count(f: Callable[..., Any], x: Any, start: Start) -> int:
    """How many values the function has, where ydata is one number."""
    with np.errstate(all="ignore"):
        return max(1, np.size(f(x, *start.theta)))


def _rows(f: Callable[..., Any], data: Observations, jac: Any, start: Start, transposed: bool) -> Rows:
    curve, evaluator = _evaluator(f, data.x, start, data.y.size)
    if jac is not None and not evaluator.batched:
        evaluator = WithJacobian(evaluator, jac, data.x, transposed)
    if data.factor is None:
        return Rows(curve, evaluator, data.y, data.root)
    return Rows(curve, Whitened(evaluator, data.factor), whitened(data.factor, data.y), None)


def _evaluator(f: Callable[..., Any], x: Any, start: Start, rows: int) -> tuple[Curve, Evaluator]:
    """The function over its data; a column of a frame is traced as an array, where that changes nothing."""
    column = None if isinstance(x, np.ndarray) else _column(x)
    if column is not None:
        try:
            curve, evaluator = _made(f, column, start, rows)
            if evaluator.batched and _equal(f, x, evaluator, start):
                return curve, evaluator
        except Exception:  # whatever a function of a column does with an array
            pass
    return _made(f, x, start, rows)


def _made(f: Callable[..., Any], x: Any, start: Start, rows: int) -> tuple[Curve, Evaluator]:
    names = [f"p{i}" for i in range(start.theta.size)]
    known = dict(zip(names, start.theta.tolist(), strict=True))
    sample = {"x": x}
    options: dict[str, Any] = {"inputs": ["x"], "parameters": names, "start": known, "rows": rows}
    curve, _ = curve_of_function(f, ["x"], sample, unused=True, checked=False, **options)
    return curve, curve.over(sample, rows)


def _column(x: Any) -> np.ndarray | None:
    """The numbers of a pandas or polars column."""
    if getattr(x, "ndim", 1) != 1 or not hasattr(x, "to_numpy"):
        return None
    try:
        return np.asarray(x.to_numpy(), dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _equal(f: Callable[..., Any], x: Any, evaluator: Evaluator, start: Start) -> bool:
    """Whether the function does with its own kind of data what its trace does."""
    with np.errstate(all="ignore"):
        value = np.asarray(f(x, *start.theta), dtype=np.float64)
    return np.allclose(value, evaluator.values(list(start.theta)), rtol=1e-12, atol=0, equal_nan=True)
