"""What `curve_fit` reads of its parameters and options: p0, bounds, method, and keywords of scipy's solvers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from thalweg.curves.signature import count_parameters
from thalweg.errors import IncompatibleError, OptionError
from thalweg.losses import family
from thalweg.losses.base import Family

METHODS = ("lm", "trf", "dogbox")
LOSSES = ("linear", "soft_l1", "huber", "cauchy")
SCHEMES = ("2-point", "3-point", "cs")
OF_MINPACK = frozenset(["ftol", "xtol", "gtol", "maxfev", "epsfcn", "factor", "diag", "col_deriv"])
OF_LEAST_SQUARES = frozenset(
    ["ftol", "xtol", "gtol", "maxfev", "max_nfev", "loss", "f_scale", "x_scale", "diff_step", "verbose", "callback"]
) | {"tr_solver", "tr_options", "jac_sparsity", "workers"}
GAUSSIAN = family("gaussian")
MOST = 1_000_000


@final
@dataclass(frozen=True)
class Start:
    """Where the parameters begin and may go.

    Attributes
    ----------
    theta, lower, upper : ndarray, (N,)
    bounded : bool
    """

    theta: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    bounded: bool


@final
@dataclass(frozen=True)
class Options:
    """How to fit.

    Attributes
    ----------
    minpack : bool
        Whether scipy would call MINPACK: then a singular Jacobian has no covariance.
    loss : Family
    most : int or None
        Evaluations.
    transposed : bool
        Whether the user's Jacobian is (N, M).
    """

    minpack: bool
    loss: Family
    most: int | None
    transposed: bool


def read_start(f: Callable[..., Any], p0: Any, bounds: Any, method: str | None) -> Start:
    """The start within its bounds; ones, or a point between them, where none is given.

    Raises
    ------
    OptionError
        Bounds that hold nothing, a start outside them or not finite, shapes that do not match.
    IncompatibleError
        No function; complex numbers.
    """
    if not callable(f):
        raise IncompatibleError(f"{f!r:.60} is no function", advice="Give f(x, p1, p2, ...).")
    given = None if p0 is None else _numbers(p0, method)
    n = count_parameters(f) if given is None else given.size
    if isinstance(bounds, tuple) and all(isinstance(b, float) for b in bounds) and bounds == (-np.inf, np.inf):
        lower, upper, bounded = np.full(n, -np.inf), np.full(n, np.inf), False
    else:
        lower, upper = _bounds(bounds, n)
        bounded = bool(np.isfinite(lower).any() or np.isfinite(upper).any())
    theta = _feasible(lower, upper) if given is None else given
    if bounded and not ((lower <= theta) & (theta <= upper)).all():
        raise OptionError("Initial guess is outside of provided bounds", advice="Move p0 or the bound.")
    if not np.isfinite(theta).all():
        raise OptionError("p0 holds NaN or infinite values", advice="Give finite starts.")
    return Start(theta, lower, upper, bounded)


def _numbers(p0: Any, method: str | None) -> np.ndarray:
    given = np.atleast_1d(np.asarray(p0))
    if given.dtype.kind == "c":
        raise IncompatibleError("p0 holds complex numbers", advice="Split each into two parameters.")
    if given.size == 0 or (given.ndim > 1 and method in ("trf", "dogbox")):
        raise OptionError(f"p0 has the shape {given.shape}", advice="Give one start for each parameter.")
    return given.astype(np.float64).ravel()


def _bounds(bounds: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    if hasattr(bounds, "lb"):  # scipy.optimize.Bounds, which need not be imported for this
        low, high = bounds.lb, bounds.ub
    else:
        try:
            low, high = bounds
        except (TypeError, ValueError):
            raise OptionError("bounds must contain two elements", advice="As in bounds=(lower, upper).") from None
    try:
        lower, upper = (np.broadcast_to(np.asarray(b, dtype=np.float64), (n,)).copy() for b in (low, high))
    except ValueError:
        raise OptionError("inconsistent shapes between bounds and p0", advice=f"Give {n} bounds, or one.") from None
    if not (lower < upper).all():
        raise OptionError("Each lower bound must be strictly less than each upper bound")
    return lower, upper


def _feasible(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Ones; within bounds on both sides their middle, within one of them a unit away."""
    start = np.ones_like(lower)
    low, high = np.isfinite(lower), np.isfinite(upper)
    start[low & high] = 0.5 * (lower[low & high] + upper[low & high])
    start[low & ~high] = lower[low & ~high] + 1
    start[high & ~low] = upper[high & ~low] - 1
    return start


def read_options(method: str | None, jac: Any, kwargs: dict[str, Any], *, bounded: bool) -> Options:
    """The options of scipy's solvers that have a meaning here; the others are looked at.

    Raises
    ------
    OptionError
        A method, a loss or a scheme of differences that there is not; bounds with "lm"; `args`.
    IncompatibleError
        A keyword that neither solver has.
    """
    if method is not None and method not in METHODS:
        raise OptionError("`method` must be 'trf', 'dogbox' or 'lm'", where=f"it is {method!r}")
    if method == "lm" and bounded:
        raise OptionError("Method 'lm' only works for unconstrained problems", advice="Use 'trf' or 'dogbox' instead.")
    if jac is not None and not callable(jac) and not (isinstance(jac, str) and jac in SCHEMES):
        raise OptionError("`jac` must be '2-point', '3-point', 'cs' or callable", where=f"it is {jac!r}")
    if "args" in kwargs:
        raise OptionError(
            "'args' is not a supported keyword argument", advice="Hold them in f: lambda x, a: g(x, a, 3)."
        )
    known = {"lm": OF_MINPACK, "trf": OF_LEAST_SQUARES, "dogbox": OF_LEAST_SQUARES}
    for name in kwargs.keys() - known.get(method or "", OF_MINPACK | OF_LEAST_SQUARES):
        raise IncompatibleError(f"curve_fit() got an unexpected keyword argument {name!r}")
    minpack = method == "lm" or (method is None and not bounded)
    return Options(minpack, _loss(kwargs), _most(kwargs), bool(kwargs.get("col_deriv")))


def _loss(kwargs: dict[str, Any]) -> Family:
    loss = kwargs.get("loss", "linear")
    if isinstance(loss, str) and loss == "linear":
        return GAUSSIAN
    if not isinstance(loss, str) or loss not in LOSSES:
        raise OptionError(f"loss is {loss!r}", advice=f"It is one of {', '.join(map(repr, LOSSES))}.")
    return family(loss, scale=float(kwargs.get("f_scale", 1.0)))


def _most(kwargs: dict[str, Any]) -> int | None:
    given = kwargs.get("max_nfev", kwargs.get("maxfev"))
    if given is None or given == 0:
        return None
    if given < 0:
        raise OptionError("`max_nfev` must be None or positive integer", where=f"it is {given!r}")
    return int(min(given, MOST))


def check_count(options: Options, n: int, rows: int) -> None:
    """Refuse more parameters than MINPACK would take.

    Raises
    ------
    IncompatibleError
    """
    if options.minpack and n > rows:
        raise IncompatibleError(
            f"The number of func parameters={n} must not exceed the number of data points={rows}",
            advice="Hold some of them, or set method='trf'.",
        )
