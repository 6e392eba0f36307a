"""How a function that was not traced is called, and where its derivatives come from.

1. It is called with arrays and with tensors (in the other order where it reads PyTorch). The first that works is what
   the function means; tensors may take the place of arrays where they give the same values, for their derivatives.
2. Derivatives by autograd must agree with central differences of the values, on all rows but a few (kinks and jumps):
   what a function detaches, autograd does not see.
3. The fast way, parameters expanded to the rows, must agree with a way that does not assume it: a function whose rows
   depend on each other (a mean, a cumulative sum, an ODE from row to row) fails here.
"""

from __future__ import annotations

import dis
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from thalweg.curves.arguments import Arguments
from thalweg.curves.by_autograd import Method, by_adjoints, by_rows, by_tangents
from thalweg.curves.called import CalledEvaluator, FunctionCurve, same, tolerance
from thalweg.curves.differences import EPSILON, Differences
from thalweg.curves.verify import MOST, points, rows_of
from thalweg.errors import FormulaError, ThalwegError

NEAR = 1e-5  # autograd against central differences, of the largest entry of a column ...
ROUNDING = 1e-8  # ... and of the curve itself, over the size of the parameter
AGAIN = 1e-12  # of the largest value: sums that threads add in another order
ASIDE = 0.1  # rows that may differ from differences

Make = Callable[..., FunctionCurve]
"""(tensors, method) -> the curve."""


def called_curve(
    function: Callable[..., Any],
    arguments: Arguments,
    data: Mapping[str, Any],
    rows: int,
    *,
    starts: Mapping[str, float],
    reason: str,
    unused: bool = False,
) -> FunctionCurve:
    """A function that was not traced, tried on these rows.

    Parameters
    ----------
    function : callable
    arguments : Arguments
    data : mapping of str to ndarray
    rows : int
    starts : mapping of str to float
    reason : str
        Why it was not traced.
    unused : bool, default False
        Whether a parameter that it never reads is let pass.

    Raises
    ------
    FormulaError
        It fails at every point that was tried, returns what is no curve, changes its input, or ignores a parameter.
    """
    if not unused:
        _check_used(function, arguments)
    scales = tuple(abs(starts.get(name, 0.0)) or 1.0 for name in arguments.parameters)

    found: dict[str, Any] = {}

    def curve(tensors: bool, method: Method | None = None) -> FunctionCurve:
        return FunctionCurve(function, arguments, tensors, method, scales, reason, **found)

    copies = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in data.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of calls that only try
        tensors, place = _meant(curve, copies, rows, starts, _reads_torch(function))
        _check_unchanged(arguments.title, data, copies)
        found["rounding"] = _rounding(curve(tensors), copies, rows, place)
        found["whole_rows"] = _looks_at_all(curve(tensors), copies, rows, place)
        method = _method(curve, tensors, *_some(curve(tensors), copies, rows, place), place)
    _check_unchanged(arguments.title, data, copies)
    return curve(tensors, method)


# ------------------------------------------------------------------------------------------------- (1) what it means


def _meant(
    curve: Make, data: Mapping[str, Any], rows: int, starts: Mapping[str, float], tensors: bool
) -> tuple[bool, list[float]]:
    """Whether it is a function of tensors, and a point at which it can be called."""
    try:
        return tensors, _place(curve(tensors), data, rows, starts)
    except ThalwegError as first:
        try:
            return not tensors, _place(curve(not tensors), data, rows, starts)
        except ThalwegError:
            raise first from first.__cause__


def _place(curve: FunctionCurve, data: Mapping[str, Any], rows: int, starts: Mapping[str, float]) -> list[float]:
    """A point with a finite value: the start, where it is known in full.

    Raises
    ------
    FormulaError
        Of the first point, where it fails at all of them.
    """
    over = CalledEvaluator(curve, data, rows)
    first: ThalwegError | None = None
    usable: list[list[float]] = []
    for theta in _places(curve.parameters, starts):
        try:
            value = over.values(theta)
        except ThalwegError as problem:
            first = first or problem
            continue
        usable.append(theta)
        if np.isfinite(value).any():
            return theta
    if first is not None and not usable:
        raise first
    return usable[0]


def _places(names: Sequence[str], starts: Mapping[str, float]) -> list[list[float]]:
    if all(name in starts for name in names):
        return [[starts[name] for name in names]]
    return list(points(len(names), {j: starts[name] for j, name in enumerate(names) if name in starts}))


def _check_unchanged(title: str, data: Mapping[str, Any], copies: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if isinstance(value, np.ndarray) and not np.array_equal(value, copies[name], equal_nan=value.dtype.kind == "f"):
            raise FormulaError(
                f"{title} changes its input {name!r} in place", advice=f"Begin with {name} = {name} * 1."
            )


def _rounding(curve: FunctionCurve, data: Mapping[str, Any], rows: int, theta: list[float]) -> float:
    """eps of what the function returns, which must be the same when it is called again.

    Raises
    ------
    FormulaError
    """
    over = CalledEvaluator(curve, data, rows)
    if not same(np.array(over.values(theta)), over.values(theta), AGAIN):
        at = ", ".join(f"{name} = {value:.6g}" for name, value in zip(curve.parameters, theta, strict=True))
        raise FormulaError(
            f"{curve.title} returns other values each time it is called",
            where=f"at {at}" if at else None,
            advice="A curve is a fixed function of its columns and parameters: take out what is random in it, or what"
            " it remembers from call to call.",
        )
    return over.rounding(theta)


def _looks_at_all(curve: FunctionCurve, data: Mapping[str, Any], rows: int, theta: list[float]) -> bool:
    """Whether a row's value depends on which rows come with it: alone every other row, and all backwards, tell."""
    if rows < 2 or not all(isinstance(value, np.ndarray) and value.shape == (rows,) for value in data.values()):
        return False
    value = np.array(CalledEvaluator(curve, data, rows).values(theta))
    for kept in (slice(1, None, 2), slice(None, None, -1)):
        few = {name: np.ascontiguousarray(column[kept]) for name, column in data.items()}
        wanted = value[kept]
        try:
            got = CalledEvaluator(curve, few, len(wanted)).values(theta)
        except ThalwegError:
            return True
        if not same(got, wanted, tolerance(curve.rounding)):
            return True
    return False


# ------------------------------------------------------------------------------------------------ (2), (3) derivatives


def _some(meant: FunctionCurve, data: dict[str, Any], rows: int, theta: list[float]) -> tuple[dict[str, Any], int]:
    """Few of the rows, where the function can do with them."""
    if rows <= MOST or not all(isinstance(value, np.ndarray) for value in data.values()):
        return data, rows
    few, count = rows_of(data, rows, 0), -(-rows // -(-rows // MOST))
    try:
        CalledEvaluator(meant, few, count).values(theta)
    except ThalwegError:
        return data, rows
    return few, count


def _method(curve: Make, tensors: bool, data: dict[str, Any], rows: int, theta: list[float]) -> Method | None:
    """The fastest exact way that is right for this function; None for differences."""
    meant, over = curve(tensors), CalledEvaluator(curve(True), data, rows)
    values = CalledEvaluator(meant, data, rows).values
    value = np.array(values(theta))
    slopes = Differences(values, meant.scales, rounding=meant.rounding)([np.float64(entry) for entry in theta], value)
    size = np.maximum(np.abs(theta), meant.scales)
    near = NEAR if meant.rounding <= EPSILON else 30 * meant.rounding ** (2 / 3)
    exact: tuple[Method, np.ndarray] | None = None
    for method in (by_tangents, by_adjoints):
        found = _found(method, over, theta, value)
        if found is not None and _near(found, slopes, value, size, near):
            exact = method, found
            break
    fast = _found(by_rows, over, theta, value)
    if fast is not None and (_near(fast, slopes, value, size, near) if exact is None else _equal(fast, exact[1])):
        return by_rows
    return None if exact is None else exact[0]


def _found(method: Method, over: CalledEvaluator, theta: list[float], value: np.ndarray) -> np.ndarray | None:
    """The Jacobian of a method, where it runs and gives the curve's own values."""
    try:
        got, slopes = method(over.of_tensors, theta, over.rows)
    except Exception:  # whatever a function does with tensors that autograd cannot follow
        return None
    return slopes if same(got, value, tolerance(over.curve.rounding)) else None


def _equal(fast: np.ndarray, exact: np.ndarray) -> bool:
    return all(same(a, b) for a, b in zip(fast, exact, strict=True))


def _near(exact: np.ndarray, slopes: np.ndarray, value: np.ndarray, size: np.ndarray, near: float) -> bool:
    """Whether each column agrees with differences on all rows but a few."""
    level = np.abs(value[np.isfinite(value)]).max(initial=0.0)
    for column, slope, scale in zip(exact, slopes, size, strict=True):
        both = np.isfinite(column) & np.isfinite(slope)
        largest = np.abs(column[both]).max(initial=0.0)
        far = np.abs(column - slope)[both] > near * largest + ROUNDING * level / scale
        if far.sum() > ASIDE * both.sum():
            return False
    return True


# --------------------------------------------------------------------------------------------------- what its code says


def _inner(function: Any) -> Any:
    """The function behind partials, methods, decorators and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    function = getattr(function, "__func__", function)
    return function if hasattr(function, "__code__") else vars(type(function)).get("__call__", function)


def _reads_torch(function: Any) -> bool:
    """Whether its code names PyTorch or something of it."""
    inner = _inner(function)
    code = getattr(inner, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    scope = getattr(inner, "__globals__", {})
    cells = [cell.cell_contents for cell in getattr(inner, "__closure__", None) or ()]
    return any(_of_torch(value) for value in [*(scope.get(name) for name in code.co_names), *cells])


def _of_torch(value: Any) -> bool:
    name = (
        value.__name__
        if isinstance(value, ModuleType)
        else getattr(value, "__module__", None) or type(value).__module__
    )
    return str(name).partition(".")[0] == "torch"


def _check_used(function: Any, arguments: Arguments) -> None:
    """Refuse a parameter that the code never reads.

    Raises
    ------
    FormulaError
    """
    code = getattr(_inner(function), "__code__", None)
    if not isinstance(code, CodeType) or {"locals", "vars", "eval", "exec"} & set(code.co_names):
        return
    read: set[Any] = set()
    for step in dis.get_instructions(code):
        if step.opname.startswith("LOAD_"):
            read.update(step.argval if isinstance(step.argval, tuple) else (step.argval,))
    known = {*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]}
    for name in arguments.parameters:
        if name in known and name not in read:
            raise FormulaError(
                f"{arguments.title} does not use its parameter {name!r}", advice="Take it out of the arguments."
            )
