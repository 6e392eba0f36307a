"""A curve as a graph of operations, each part stored once, and its exact derivatives as another graph.

Derivatives are taken in reverse, symbolically: the adjoint of every node is again a node, and equal nodes are one, so
that a value and all columns of its Jacobian share their exponentials. This is what automatic differentiation would
compute, without its tape at each step; autograd over `thalweg.curves.operations` is the plain twin that tests compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from thalweg.curves.operations import OPERATIONS

BRANCHING = ("where", "minimum", "maximum")


@final
@dataclass(frozen=True)
class Entry:
    """One node.

    Attributes
    ----------
    operation : str
        Of the table; or "constant", "column", "parameter".
    arguments : tuple of int
    value : float
        Of a constant.
    name : str
        Of a column or a parameter.
    depends : int
        The parameters below it, as bits in the order in which the graph met them.
    static : bool
        Whether no parameter is below it.
    """

    operation: str
    arguments: tuple[int, ...] = ()
    value: float = 0.0
    name: str = ""
    depends: int = 0

    @property
    def static(self) -> bool:
        return self.depends == 0


@final
class Graph:
    """Nodes by number; an argument always has a smaller number than what uses it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.parameters: list[str] = []
        self._known: dict[object, int] = {}
        self._gradients: dict[int, dict[str, int]] = {}

    # -------------------------------------------------------------------------------------------------- leaves

    def constant(self, value: float) -> int:
        """A number."""
        return self._add(Entry("constant", value=float(value)), ("constant", math.copysign(1, value), value))

    def column(self, name: str) -> int:
        """A column of the data."""
        return self._add(Entry("column", name=name), ("column", name))

    def parameter(self, name: str) -> int:
        """A parameter."""
        if name not in self.parameters:
            self.parameters.append(name)
        bit = 1 << self.parameters.index(name)
        return self._add(Entry("parameter", name=name, depends=bit), ("parameter", name))

    def _add(self, entry: Entry, key: object) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.entries)
            self.entries.append(entry)
        return found

    # ---------------------------------------------------------------------------------------------- operations

    def apply(self, operation: str, *arguments: int) -> int:
        """A node, simplified where that is exact for finite numbers."""
        simpler = self._simplified(operation, arguments)
        if simpler is not None:
            return simpler
        depends = 0
        for argument in arguments:
            depends |= self.entries[argument].depends
        key = (operation, *(sorted(arguments) if operation in ("add", "multiply") else arguments))
        return self._add(Entry(operation, arguments, depends=depends), key)

    def value_of(self, node: int) -> float | None:
        """The number behind a node, where it is a constant."""
        entry = self.entries[node]
        return entry.value if entry.operation == "constant" else None

    def _simplified(self, operation: str, arguments: tuple[int, ...]) -> int | None:
        values = [self.value_of(argument) for argument in arguments]
        if all(value is not None for value in values):
            with np.errstate(all="ignore"):
                return self.constant(float(OPERATIONS[operation].array(*map(np.float64, values))))
        match operation, values:
            case "add", [0.0, _]:
                return arguments[1]
            case (("add" | "subtract"), [_, 0.0]):
                return arguments[0]
            case "subtract", [0.0, _]:
                return self.apply("negative", arguments[1])
            case "multiply", [_, _] if 0.0 in values:
                return self.constant(0.0)
            case "multiply", [1.0, _]:
                return arguments[1]
            case "multiply", [-1.0, _]:
                return self.apply("negative", arguments[1])
            case "multiply", [_, (1.0 | -1.0)]:
                return self.apply("multiply", arguments[1], arguments[0])
            case "multiply", [_, _] if arguments[0] == arguments[1]:
                return self.apply("square", arguments[0])
            case "divide", [0.0, _]:
                return self.constant(0.0)
            case "divide", [_, 1.0]:
                return arguments[0]
            case "power", [_, float(exponent)]:
                return self._whole_power(arguments[0], exponent)
            case "identity", _:
                return arguments[0]
            case "negative", _ if self.entries[arguments[0]].operation == "negative":
                return self.entries[arguments[0]].arguments[0]
        return None

    def _whole_power(self, base: int, exponent: float) -> int | None:
        """Powers that have an operation of their own."""
        match exponent:
            case 0.0:
                return self.constant(1.0)
            case 1.0:
                return base
            case 2.0:
                return self.apply("square", base)
            case 0.5:
                return self.apply("sqrt", base)
            case -1.0:
                return self.apply("divide", self.constant(1.0), base)
        return None

    # --------------------------------------------------------------------------------------------- derivatives

    def gradient(self, node: int) -> dict[str, int]:
        """d node / d parameter for each parameter below it."""
        known = self._gradients.get(node)
        if known is None:
            known = self._gradients[node] = self._reverse(node)
        return known

    def _reverse(self, root: int) -> dict[str, int]:
        """Adjoints from the root down; a branch's adjoint would meet the other branch's NaN, so branches are apart."""
        adjoints: dict[int, int] = {root: self.constant(1.0)}
        found: dict[str, int] = {}
        for node in sorted(self._below(root), reverse=True):
            if node not in adjoints:
                continue
            entry, adjoint = self.entries[node], adjoints[node]
            if entry.operation == "parameter":
                found[entry.name] = self._sum(found.get(entry.name), adjoint)
            elif entry.operation in BRANCHING:
                for name, slope in self._branches(node).items():
                    found[name] = self._sum(found.get(name), self.apply("multiply", adjoint, slope))
            else:
                partials = OPERATIONS[entry.operation].partials(self, node, entry.arguments)
                for argument, partial in zip(entry.arguments, partials, strict=True):
                    if partial is not None and self.entries[argument].depends:
                        part = self.apply("multiply", adjoint, partial)
                        adjoints[argument] = self._sum(adjoints.get(argument), part)
        return found

    def _branches(self, node: int) -> dict[str, int]:
        """The derivative of a choice: that of the branch that was chosen."""
        entry = self.entries[node]
        if entry.operation == "where":
            condition, left, right = entry.arguments
        else:
            left, right = entry.arguments
            condition = self.apply("less_equal" if entry.operation == "minimum" else "greater_equal", left, right)
        slopes = self.gradient(left), self.gradient(right)
        zero = self.constant(0.0)
        names = dict.fromkeys([*slopes[0], *slopes[1]])
        return {n: self.apply("where", condition, slopes[0].get(n, zero), slopes[1].get(n, zero)) for n in names}

    def _sum(self, before: int | None, more: int) -> int:
        return more if before is None else self.apply("add", before, more)

    def _below(self, root: int) -> set[int]:
        """The nodes under one that depend on a parameter, itself included; choices are not looked into."""
        seen: set[int] = set()
        waiting = [root]
        while waiting:
            node = waiting.pop()
            entry = self.entries[node]
            if node in seen or not entry.depends:
                continue
            seen.add(node)
            if entry.operation not in BRANCHING:
                waiting.extend(entry.arguments)
        return seen

    # ------------------------------------------------------------------------------------------------ questions

    def depends_on(self, node: int) -> tuple[str, ...]:
        """The parameters below a node."""
        bits = self.entries[node].depends
        return tuple(name for i, name in enumerate(self.parameters) if bits >> i & 1)

    def columns(self, roots: Iterable[int]) -> tuple[str, ...]:
        """The columns below some nodes, in the order in which the graph met them."""
        return tuple(self.entries[n].name for n in self.needed(roots) if self.entries[n].operation == "column")

    def needed(self, roots: Iterable[int]) -> list[int]:
        """Every node below some nodes, themselves included, in order of computation."""
        seen: set[int] = set()
        waiting = list(roots)
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting.extend(self.entries[node].arguments)
        return sorted(seen)

    def copy_into(self, other: Graph, root: int, parameters: Mapping[str, int] | None = None) -> int:
        """The same expression in another graph, with parameters replaced by nodes of that one."""
        made: dict[int, int] = {}
        for node in self.needed([root]):
            made[node] = self._copied(other, self.entries[node], made, parameters or {})
        return made[root]

    def _copied(self, other: Graph, entry: Entry, made: Mapping[int, int], parameters: Mapping[str, int]) -> int:
        match entry.operation:
            case "constant":
                return other.constant(entry.value)
            case "column":
                return other.column(entry.name)
            case "parameter":
                return parameters[entry.name] if entry.name in parameters else other.parameter(entry.name)
            case _:
                return other.apply(entry.operation, *(made[a] for a in entry.arguments))


def linear_parameters(graph: Graph, root: int, names: Sequence[str]) -> tuple[str, ...]:
    """Parameters in which the curve is linear while the others stand still, as many as go together.

    The derivative by a linear parameter depends on none of them: d2f / db_i db_j = 0, read off the graph.
    """
    slopes = graph.gradient(root)
    chosen: list[str] = []
    for name in names:
        if name not in slopes:
            continue
        trial = [*chosen, name]
        if all(not set(graph.depends_on(slopes[each])) & set(trial) for each in trial):
            chosen = trial
    return tuple(chosen)
