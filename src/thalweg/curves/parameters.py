"""What the user says of the parameters: starts, bounds, which are held, tied, or positive by their nature."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from thalweg.curves.curve import Curve
from thalweg.curves.language import parse_tie
from thalweg.curves.ties import check_ties
from thalweg.data.nodes import Node
from thalweg.errors import OptionError

LEAST = sys.float_info.min  # of a positive parameter: above 0, and 1 / it is finite


@final
@dataclass(frozen=True)
class Parameters:
    """The parameters of one fit.

    Attributes
    ----------
    names : tuple of str
        All of them, in the curve's order.
    free : tuple of str
        Those that are fitted.
    start : dict of str to float
        Of those that were given one.
    lower, upper : ndarray, (number of free ones,)
    fixed : dict of str to float
    ties : dict of str to Node
    texts : dict of str to str
        The ties as they were written.
    """

    names: tuple[str, ...]
    free: tuple[str, ...]
    start: dict[str, float]
    lower: np.ndarray
    upper: np.ndarray
    fixed: dict[str, float]
    ties: dict[str, Node]
    texts: dict[str, str]


def parameters_of(
    curve: Curve,
    *,
    start: Any = None,
    bounds: Any = None,
    fixed: Mapping[str, float] | Iterable[str] | None = None,
    positive: Iterable[str] | None = None,
    tied: Mapping[str, str] | None = None,
) -> Parameters:
    """Read what the user says.

    Parameters
    ----------
    curve : Curve
    start : mapping of name to number, or sequence in the order of the parameters, optional
    bounds : mapping of name to (low, high), optional
        None or an infinity for no bound on that side. Or (lower, upper) in the order of the parameters.
    fixed : mapping of name to value, or names that are held at their start, optional
    positive : names, optional
        Parameters above 0; those of named curves that are so by their nature need not be named.
    tied : mapping of name to expression, optional
        {"s2": "2 * s1"}.

    Raises
    ------
    OptionError, FormulaError
        A name that is no parameter (with the nearest one), bounds that hold nothing, a start or a held value outside
        them, a parameter that is both held and tied, or tied and bounded, nothing left to fit.
    """
    names = curve.parameters
    starts = _starts(names, start)
    held = _held(names, fixed, starts)
    texts = _texts(names, tied)
    ties = {name: parse_tie(text, names) for name, text in texts.items()}
    both = sorted(held.keys() & ties.keys())
    if both:
        raise OptionError(f"{both[0]!r} is both fixed and tied", advice="Leave out one of the two.")
    free = tuple(name for name in names if name not in held and name not in ties)
    if not free:
        raise OptionError("every parameter is fixed or tied: there is nothing to fit", advice="Leave one free.")
    said, wanted = bounds_by_name(names, bounds), {*_listed(positive, names)}
    limits = _limits(names, said, {*curve.positive, *wanted})
    _check_unbounded(ties, said, wanted)
    _check_within(limits, held, "fixed")
    _check_within(limits, {name: value for name, value in starts.items() if name in free}, "start")
    check_ties(ties, texts, {**starts, **held}, curve.positive, named=isinstance(start, Mapping))
    lower, upper = np.array([limits[name] for name in free]).T.copy()
    return Parameters(names, free, {n: v for n, v in starts.items() if n in free}, lower, upper, held, ties, texts)


def known(names: Sequence[str], name: Any, where: str) -> str:
    """A parameter's name; the error for one that there is not names the option and the nearest."""
    if name in names:
        return str(name)
    near = difflib.get_close_matches(str(name), list(names), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Parameters are {', '.join(names)}."
    raise OptionError(f"{name!r} in {where}= is no parameter of the curve", advice=hint)


def _number(value: Any, what: str) -> float:
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise OptionError(f"{what} is {value!r:.60}, which is no number") from None
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise OptionError(f"{what} is {number}", advice="Give a finite number.")
    return number


def _starts(names: Sequence[str], start: Any) -> dict[str, float]:
    if start is None:
        return {}
    if isinstance(start, Mapping):
        return {known(names, name, "start"): _number(value, f"the start of {name}") for name, value in start.items()}
    values = _sequence(start, "start", names)
    if len(values) != len(names):
        raise OptionError(
            f"start has {len(values)} values, and the curve {len(names)} parameters",
            advice=f"In this order: {', '.join(names)}; or by name: start={{{names[0]!r}: 1.0}}.",
        )
    return {name: _number(value, f"the start of {name}") for name, value in zip(names, values, strict=True)}


def _held(names: Sequence[str], fixed: Any, starts: Mapping[str, float]) -> dict[str, float]:
    if fixed is None:
        return {}
    if isinstance(fixed, Mapping):
        return {known(names, name, "fixed"): _number(value, f"fixed {name}") for name, value in fixed.items()}
    held = _listed(fixed, names, "fixed")
    for name in held:
        if name not in starts:
            raise OptionError(f"{name} is fixed at no value", advice=f"Write fixed={{{name!r}: 1.0}}.")
    return {name: starts[name] for name in held}


def _listed(given: Any, names: Sequence[str], where: str = "positive") -> list[str]:
    listed = [given] if isinstance(given, str) else _sequence(() if given is None else given, where, names)
    return [known(names, name, where) for name in listed]


def _sequence(given: Any, where: str, names: Sequence[str]) -> list[Any]:
    try:
        if isinstance(given, str):
            raise TypeError
        return list(given)
    except TypeError:
        example = "{%r: 1.0}" if where in ("start", "fixed") else "[%r]"
        raise OptionError(f"{where} is {given!r:.60}", advice=f"Write {where}={example % names[0]}.") from None


def _texts(names: Sequence[str], tied: Any) -> dict[str, str]:
    if tied is not None and not isinstance(tied, Mapping):
        raise OptionError(f"tied is {tied!r:.60}", advice=f"Write tied={{{names[0]!r}: '2 * {names[-1]}'}}.")
    return {known(names, name, "tied"): str(text) for name, text in (tied or {}).items()}


def bounds_by_name(names: Sequence[str], bounds: Any) -> dict[Any, Any]:
    """Bounds by name, from scipy's form too: lower and upper ones in the order of the parameters, or one for all.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> bounds_by_name(["a", "b"], ([0, 1], 5))
    {'a': (0, 5), 'b': (1, 5)}
    """
    if bounds is None or isinstance(bounds, Mapping):
        return dict(bounds or {})
    low, high = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else _two(bounds, names)
    sides = [_side(side, names) for side in (low, high)]
    return dict(zip(names, zip(*sides, strict=True), strict=True))


def _two(bounds: Any, names: Sequence[str]) -> tuple[Any, Any]:
    try:
        if isinstance(bounds, str):
            raise TypeError
        low, high = bounds
    except (TypeError, ValueError):
        raise _no_bounds(bounds, names) from None
    return low, high


def _side(side: Any, names: Sequence[str]) -> list[Any]:
    """The bounds on one side, in the order of the parameters."""
    if side is None or np.ndim(side) == 0:
        return [side] * len(names)
    listed = list(side)
    if len(listed) != len(names):
        raise OptionError(
            f"bounds has {len(listed)} values on one side, and the curve {len(names)} parameters",
            advice=f"In this order: {', '.join(names)}; or by name: bounds={{{names[0]!r}: (0, None)}}.",
        )
    return listed


def _no_bounds(bounds: Any, names: Sequence[str]) -> OptionError:
    return OptionError(
        f"bounds is {bounds!r:.60}",
        advice=f"Give bounds={{{names[0]!r}: (0, None)}}, or (lower, upper) in the order of the parameters.",
    )


Limits = dict[str, tuple[float, float]]


def _limits(names: Sequence[str], bounds: Mapping[Any, Any], positive: set[str]) -> Limits:
    """The least and the greatest value of each parameter."""
    limits = {name: (LEAST if name in positive else -math.inf, math.inf) for name in names}
    for name, pair in bounds.items():
        known(names, name, "bounds")
        given, before = _pair(name, pair), limits[name]
        low, high = max(before[0], given[0]), min(before[1], given[1])
        if low > high:
            raise OptionError(f"the bounds of {name} hold nothing: ({low:g}, {high:g})")
        limits[name] = low, high
    return limits


def _check_within(limits: Limits, values: Mapping[str, float], what: str) -> None:
    for name, value in values.items():
        low, high = limits[name]
        if low <= value <= high:
            continue
        place = "is not above 0" if low == LEAST else f"lies outside its bounds ({low:g}, {high:g})"
        raise OptionError(f"the {what} {name} = {value:g} {place}", advice="Move it, or the bound.")


def _check_unbounded(ties: Collection[str], bounds: Collection[str], positive: Collection[str]) -> None:
    for name in ties:
        if name in bounds or name in positive:
            raise OptionError(
                f"{name} is tied, and {'bounds' if name in bounds else 'positive'}= names it too",
                advice="Bound what it is tied to.",
            )


def _pair(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = pair
        if isinstance(pair, str) or isinstance(low, bool | str) or isinstance(high, bool | str):
            raise TypeError
        low = -math.inf if low is None else float(low)
        high = math.inf if high is None else float(high)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(
            f"the bounds of {name} are {pair!r:.60}", advice=f"As in bounds={{{name!r}: (0, None)}}."
        ) from None
    if math.isnan(low) or math.isnan(high) or low > high or low == math.inf or high == -math.inf:
        raise OptionError(f"the bounds of {name} hold nothing: ({low:g}, {high:g})", advice="Lower first.")
    return low, high
