"""On which scale a parameter lies, read off from how it enters the curve: what a search for starts draws from.

The curve is the size of y. From there down, every part of it is asked to be of some size: the exponent of exp, and what
tanh, erf or arctan see, of size 1; what is added to a column, where the column is; a factor, what is asked divided by
the size of the other factor; the angle of a sine, a frequency that the rows can show. A parameter at the end of such a
way gets what is asked there: a rate 1 / (range of x), a centre a value of x, an exponent 1. This is the reasoning by
dimensions with which one guesses by hand; it is asked of the graph, not of names.

A parameter that enters in several places has several scales, and candidates are drawn from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.graph import Entry, Graph
from thalweg.curves.program import Program

FAR = 1.5  # decades about a size
OUTSIDE = (-1.0, 1.5)  # decades of the range beyond the rows where a place may lie
INSIDE = 0.6  # share of places within the range of the rows
TOGETHER = 1e-9  # of the range: places nearer than this are one
LATTICE, ON_IT = 0.1, 0.95  # steps from a lattice that are none, and the share of the steps that must lie on it
BEYOND = 4.0  # half cycles per row, on average, that rows on no lattice tell apart
NEGATIVE = 0.3  # share of negative numbers, where only a size is known

Unit = Float[ndarray, "K"]
Arguments = tuple[int, ...]


@final
@dataclass(frozen=True)
class Size:
    """A number of about this size, of either sign."""

    low: float
    high: float

    def draw(self, u: Unit, sign: Unit) -> ndarray:
        """From uniform numbers."""
        a, b = np.log10(self.low) - FAR, np.log10(self.high) + FAR
        return 10 ** (a + (b - a) * u) * np.where(sign < NEGATIVE, -1.0, 1.0)

    def over(self, other: Size) -> Size:
        """What times `other` gives this."""
        return _size(self.low / other.high, self.high / other.low)

    def times(self, other: Size) -> Size:
        return _size(self.low * other.low, self.high * other.high)

    def power(self, exponent: float) -> Size:
        ends = sorted((self.low**exponent, self.high**exponent))
        return _size(*ends)


def _size(low: float, high: float) -> Size:
    return Size(*np.clip(np.nan_to_num([low, high], nan=1.0, posinf=1e150, neginf=1e-150), 1e-150, 1e150).tolist())


ONE = Size(1.0, 1.0)


@final
@dataclass(frozen=True)
class Place:
    """A number where the values are, or beyond them."""

    low: float
    high: float

    def draw(self, u: Unit, sign: Unit) -> ndarray:
        """From uniform numbers."""
        span = (self.high - self.low) or abs(self.low) or 1.0
        inside = self.low + span * (u / INSIDE)
        beyond = span * 10 ** (OUTSIDE[0] + (OUTSIDE[1] - OUTSIDE[0]) * (u - INSIDE) / (1 - INSIDE))
        return np.where(u < INSIDE, inside, np.where(sign < 0.5, self.low - beyond, self.high + beyond))


@final
@dataclass(frozen=True)
class Frequency:
    """What times the values is an angle: from half a turn over all of them to half a turn from one to the next.

    Beyond `most`, rows on a lattice cannot tell it from a lower one (an alias), and others can hardly: a search that
    was not sent there has nothing to look for.
    """

    low: float
    high: float
    inverse: bool = False
    most: float = np.inf

    def draw(self, u: Unit, sign: Unit) -> ndarray:
        """From uniform numbers."""
        found = self.low + (self.high - self.low) * u
        return 1 / found if self.inverse else found

    def over(self, factor: float) -> Frequency:
        """What times `factor` gives this."""
        unit = 1 / factor if self.inverse else factor
        return Frequency(self.low / unit, self.high / unit, self.inverse, self.most / unit)


@final
@dataclass(frozen=True)
class Angle:
    """A phase, which times `radians` is in radians; `held` where it is multiplied with a frequency first."""

    radians: float = 1.0
    held: bool = False

    def draw(self, u: Unit, sign: Unit) -> ndarray:
        """From uniform numbers."""
        return np.pi / self.radians * (2 * u - 1)

    def over(self, factor: float) -> Angle:
        """What times `factor` gives this."""
        return replace(self, radians=self.radians * factor)


Scale = Size | Place | Frequency | Angle

_OF_SIZE_ONE = frozenset(
    (
        *("exp", "expm1", "log1p", "arctan", "arctan2", "sinh", "cosh", "tanh", "arcsin", "arccos", "arcsinh"),
        *("arccosh", "arctanh", "erf", "erfc", "erfcx", "sigmoid", "softplus", "wofz_real", "wofz_imag", "power_log"),
    )
)
_TURNING = frozenset(("sin", "cos", "tan"))
_BOUNDED = _OF_SIZE_ONE | _TURNING
_COMPARING = frozenset(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"))
_ALIKE = frozenset(("minimum", "maximum", "absolute", "identity", "floor", "ceil", "round"))


def turn(found: Sequence[Scale]) -> float | None:
    """A whole turn in the unit of a phase; None where a parameter is none."""
    phases = [each for each in found if isinstance(each, Angle) and not each.held]
    return 2 * np.pi / phases[-1].radians if phases else None


def scales_of(
    graph: Graph, root: int, parameters: tuple[str, ...], columns: Mapping[str, Any], y: Float[ndarray, "n"]
) -> dict[str, tuple[Scale, ...]]:
    """The scales of every parameter, at least one.

    Parameters
    ----------
    graph, root
        The curve.
    parameters : tuple of str
    columns : mapping of str to ndarray, (n,)
    y : ndarray, (n,)
    """
    reading = _Reading(graph, root, parameters, columns)
    reading.ask(root, _spread(y))
    return {name: tuple(reading.found.get(name) or reading.weak.get(name) or (ONE,)) for name in parameters}


def _spread(values: ndarray) -> Size:
    """Standard deviation to largest magnitude."""
    values = values[np.isfinite(values)]
    most = float(np.abs(values).max(initial=0.0))
    if most == 0.0:
        return ONE
    return _size(float(values.std()) or most, most) if values.std() < most else _size(most, most)


class _Reading:
    """One way down the graph."""

    def __init__(self, graph: Graph, root: int, parameters: tuple[str, ...], columns: Mapping[str, Any]) -> None:
        self.graph = graph
        self.found: dict[str, list[Scale]] = {}
        self.weak: dict[str, list[Scale]] = {}
        self._asked: set[tuple[int, Scale]] = set()
        static = [n for n in graph.needed([root]) if graph.entries[n].static]
        program = Program(graph, static, parameters)
        with np.errstate(all="ignore"):
            values = program.run(program.prepare(columns), [1.0] * len(parameters))
        self.values = {n: np.atleast_1d(np.asarray(v, dtype=np.float64)) for n, v in zip(static, values, strict=True)}

    def ask(self, node: int, scale: Scale, weak: bool = False) -> None:
        """A part is asked to be on this scale."""
        entry = self.graph.entries[node]
        if entry.static or (node, scale) in self._asked:
            return
        self._asked.add((node, scale))
        if entry.operation == "parameter":
            (self.weak if weak else self.found).setdefault(entry.name, []).append(scale)
        elif entry.operation in ("add", "subtract"):
            self._sum(entry, scale, weak)
        elif entry.operation == "multiply":
            self._product(entry.arguments, scale, weak)
        elif entry.operation == "divide":
            self._quotient(entry.arguments, scale, weak)
        else:
            self._function(entry, scale, weak)

    # ------------------------------------------------------------------------------------------------ sizes, upward

    def size(self, node: int) -> Size | None:
        """How large a part is, where that is known."""
        entry = self.graph.entries[node]
        if entry.static:
            return _spread(self.values[node])
        if entry.operation in _BOUNDED:
            return ONE
        below = [self.size(argument) for argument in entry.arguments]
        known = [each for each in below if each is not None]
        match entry.operation:
            case "add" | "subtract" | "minimum" | "maximum" | "where" if known:
                return max(known, key=lambda each: each.high)
            case "multiply" if len(known) == 2:
                return known[0].times(known[1])
            case "divide" if len(known) == 2:
                return known[0].over(known[1])
            case "square" if known:
                return known[0].power(2.0)
            case "sqrt" if known:
                return known[0].power(0.5)
            case "negative" | "absolute" | "identity" if known:
                return known[0]
        return None

    # ------------------------------------------------------------------------------------------------ asking, downward

    def _sum(self, entry: Entry, scale: Scale, weak: bool) -> None:
        """What is added to a column lies where the column is; what is added to a number is of its size."""
        a, b = entry.arguments
        for part, other in ((a, b), (b, a)):
            values = self.values.get(other)
            if values is None or (isinstance(scale, Angle) and not scale.held):
                self.ask(part, scale, weak)
            elif values.size == 1 or np.ptp(values) == 0:
                self.ask(part, _spread(values) if values.flat[0] else scale, weak)
            else:
                sign = -1.0 if entry.operation == "add" else 1.0
                finite = values[np.isfinite(values)] * sign
                self.ask(part, Place(float(finite.min()), float(finite.max())) if finite.size else scale, weak)

    def _product(self, arguments: Arguments, scale: Scale, weak: bool) -> None:
        for part, other in (arguments, arguments[::-1]):
            size, factor = self.size(other), self._factor(other)
            if isinstance(scale, Angle | Frequency) and factor is not None:
                self.ask(part, scale.over(factor), weak)
            elif isinstance(scale, Angle):
                self.ask(part, self._frequency(other, scale), weak)
            elif size is not None:
                self.ask(part, _as_size(scale).over(size), weak)
            else:
                self.ask(part, _as_size(scale) if self._is_parameter(part) else ONE, True)

    def _quotient(self, arguments: Arguments, scale: Scale, weak: bool) -> None:
        above, below = arguments
        over, under = self.size(above), self.size(below)
        multiple, divisor = self._factor(above), self._factor(below)
        if isinstance(scale, Angle | Frequency) and divisor is not None:
            self.ask(above, scale.over(1 / divisor), weak)
            return
        if isinstance(scale, Frequency) and multiple is not None:
            self.ask(below, replace(scale, inverse=not scale.inverse).over(1 / multiple), weak)
            return
        if isinstance(scale, Angle):
            self.ask(above, self._frequency(below, scale, divided=True), weak)
            self.ask(below, self._frequency(above, scale, inverse=True), weak)
            return
        asked = _as_size(scale)
        self.ask(above, asked if under is None else asked.times(under), weak or under is None)
        self.ask(below, ONE if over is None else over.over(asked), weak or over is None)

    def _is_parameter(self, node: int) -> bool:
        return self.graph.entries[node].operation == "parameter"

    def _factor(self, node: int) -> float | None:
        """The size of a number; None where it is no number, or 0."""
        values = self.values.get(node)
        if values is None or np.ptp(values) != 0 or not np.isfinite(values.flat[0]):
            return None
        return abs(float(values.flat[0])) or None

    def _frequency(self, node: int, angle: Angle, *, inverse: bool = False, divided: bool = False) -> Scale:
        """Of what is multiplied with the columns of a part to an angle."""
        below = self._column_below(node)
        if below is None:
            return replace(angle, held=True)
        spots = np.unique(below[np.isfinite(below)]) * angle.radians
        if divided:
            spots = np.unique(1 / spots[spots != 0])
        if spots.size < 2:
            return angle
        span = float(spots[-1] - spots[0])
        low = np.pi / span
        high = max(2 * low, np.pi / float(np.median(np.diff(spots))))
        return Frequency(low, high, inverse, _most(spots, high))

    def _column_below(self, node: int) -> ndarray | None:
        """The values of the largest part below that no parameter is in, times the numbers before it."""
        if node in self.values:
            values = self.values[node]
            return values if values.size > 1 and np.ptp(values) > 0 else None
        entry = self.graph.entries[node]
        for i, argument in enumerate(entry.arguments):
            below = self._column_below(argument)
            if below is not None:
                other = self._factor(entry.arguments[1 - i]) if entry.operation in ("multiply", "divide") else None
                if other is None or (entry.operation == "divide" and i == 1):
                    return below
                return below * other if entry.operation == "multiply" else below / other
        return None

    def _function(self, entry: Entry, scale: Scale, weak: bool) -> None:
        first, *others = entry.arguments
        operation = entry.operation
        if operation in _TURNING:
            self.ask(first, Angle(), weak)
        elif operation in _OF_SIZE_ONE:
            for argument in entry.arguments:
                self.ask(argument, ONE, weak)
        elif operation == "negative":
            self.ask(first, _negative(scale), weak)
        elif operation in ("square", "sqrt"):
            self.ask(first, _as_size(scale).power(0.5 if operation == "square" else 2.0), weak)
        elif operation == "power":
            self.ask(first, self.size(first) or ONE, weak)
            self.ask(others[0], ONE, weak)
        elif operation in _COMPARING:
            self._compared(entry.arguments)
        elif operation in _ALIKE or operation == "where":
            self._branches(entry, scale, weak)
        else:
            self.ask(first, self.size(first) or ONE, weak)

    def _branches(self, entry: Entry, scale: Scale, weak: bool) -> None:
        """A choice: both ways are as large as the whole; what is compared lies where it is compared with."""
        if entry.operation == "where":
            self.ask(entry.arguments[0], scale, weak)
        for argument in entry.arguments[-2:] if entry.operation == "where" else entry.arguments:
            self.ask(argument, scale, weak)

    def _compared(self, arguments: Arguments) -> None:
        for part, other in (arguments, arguments[::-1]):
            values = self.values.get(other)
            if values is not None:
                self.ask(part, Place(float(np.nanmin(values)), float(np.nanmax(values))))


def _most(spots: Float[ndarray, "m"], high: float) -> float:
    """The highest frequency that the places tell from lower ones: on a lattice, with gaps or without, Nyquist's."""
    apart = np.diff(spots)
    apart = apart[apart > TOGETHER * (spots[-1] - spots[0])]
    least = float(np.quantile(apart, 0.1))
    steps = np.maximum(np.rint(apart / least), 1)
    least = float(apart.sum() / steps.sum())
    if (np.abs(apart / least - steps) < LATTICE).mean() > ON_IT:
        return max(high, np.pi / least)
    return max(high, np.pi * BEYOND * apart.size / float(spots[-1] - spots[0]))


def _as_size(scale: Scale) -> Size:
    match scale:
        case Size():
            return scale
        case Place(low, high):
            most = max(abs(low), abs(high)) or 1.0
            return _size(min(most, (high - low) or most), most)
        case Frequency(low, high, inverse):
            return _size(low, high) if not inverse else _size(1 / high, 1 / low)
    return ONE


def _negative(scale: Scale) -> Scale:
    return Place(-scale.high, -scale.low) if isinstance(scale, Place) else scale
