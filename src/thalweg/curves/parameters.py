"""What the user says of the parameters: starts, bounds, which are held, tied, or positive by their nature."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from thalweg.curves.curve import Curve
from thalweg.curves.language import parse_tie
from thalweg.data.nodes import Node
from thalweg.errors import OptionError


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
    bounds: Mapping[str, Any] | None = None,
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
        None or an infinity for no bound on that side.
    fixed : mapping of name to value, or names that are held at their start, optional
    positive : names, optional
        Parameters above 0; those of named curves that are so by their nature need not be named.
    tied : mapping of name to expression, optional
        {"s2": "2 * s1"}.

    Raises
    ------
    OptionError, FormulaError
        A name that is no parameter (with the nearest one), bounds that hold nothing, a start outside them, a parameter
        that is both held and tied, nothing left to fit.
    """
    names = curve.parameters
    starts = _starts(names, start)
    held = _held(names, fixed, starts)
    texts = {known(names, name, "tied"): str(text) for name, text in (tied or {}).items()}
    ties = {name: parse_tie(text, names) for name, text in texts.items()}
    both = sorted(held.keys() & ties.keys())
    if both:
        raise OptionError(f"{both[0]!r} is both fixed and tied", advice="Leave out one of the two.")
    free = tuple(name for name in names if name not in held and name not in ties)
    if not free:
        raise OptionError("every parameter is fixed or tied: there is nothing to fit", advice="Leave one free.")
    lower, upper = _bounds(free, names, bounds, {*curve.positive, *_listed(positive, names)})
    for j, name in enumerate(free):
        value = starts.get(name)
        if value is not None and not lower[j] <= value <= upper[j]:
            raise OptionError(
                f"the start {name} = {value:g} lies outside its bounds ({lower[j]:g}, {upper[j]:g})",
                advice="Move the start or the bound.",
            )
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
        raise OptionError(f"{what} is {value!r}, which is no number") from None
    if not math.isfinite(number):
        raise OptionError(f"{what} is {number}", advice="Give a finite number.")
    return number


def _starts(names: Sequence[str], start: Any) -> dict[str, float]:
    if start is None:
        return {}
    if isinstance(start, Mapping):
        return {known(names, name, "start"): _number(value, f"the start of {name}") for name, value in start.items()}
    values = list(start)
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
    listed = [given] if isinstance(given, str) else list(given or ())
    return [known(names, name, where) for name in listed]


def _bounds(
    free: Sequence[str], names: Sequence[str], bounds: Mapping[str, Any] | None, positive: set[str]
) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = np.full(len(free), -np.inf), np.full(len(free), np.inf)
    for j, name in enumerate(free):
        if name in positive:
            lower[j] = np.nextafter(0.0, 1.0) * 2**52  # the least normal number: above 0, and 1 / it is finite
    for name, pair in (bounds or {}).items():
        known(names, name, "bounds")
        low, high = _pair(name, pair)
        if name in free:
            j = list(free).index(name)
            lower[j], upper[j] = max(lower[j], low), min(upper[j], high)
            if lower[j] > upper[j]:
                raise OptionError(f"the bounds of {name} hold nothing: ({low:g}, {high:g})")
    return lower, upper


def _pair(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = pair
        low = -math.inf if low is None else float(low)
        high = math.inf if high is None else float(high)
    except (TypeError, ValueError):
        raise OptionError(
            f"the bounds of {name} are {pair!r}", advice=f"As in bounds={{{name!r}: (0, None)}}."
        ) from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise OptionError(f"the bounds of {name} hold nothing: ({low:g}, {high:g})", advice="Lower first.")
    return low, high
