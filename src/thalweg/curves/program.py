"""A graph compiled once to a list of instructions, which run over NumPy arrays, tensors, or many parameters at a time.

A parameter is a number, or an array (K, 1) of K candidates, or one value per row; columns are (n,), or (K, n) where
each candidate has rows of its own. What depends on columns only is computed once for the rows and kept (`prepare`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np

from thalweg.curves.graph import Graph
from thalweg.curves.operations import OPERATIONS

Instruction = tuple[Callable[..., Any], int, int, int, int]  # function, where to, arguments (-1: none)


@final
class Program:
    """Some nodes of a graph as instructions.

    Parameters
    ----------
    graph : Graph
    outputs : sequence of int
        The nodes that are wanted.
    parameters : sequence of str
        The order of the entries of theta.

    Attributes
    ----------
    columns : tuple of str
    extended : bool
        Whether every operation keeps the precision of a long double.
    """

    def __init__(self, graph: Graph, outputs: Sequence[int], parameters: Sequence[str]) -> None:
        needed = graph.needed(outputs)
        at = {node: i for i, node in enumerate(needed)}
        self.size, self.outputs = len(needed), [at[node] for node in outputs]
        self.columns = graph.columns(outputs)
        self.parameters = tuple(parameters)
        self._constants: list[tuple[int, float]] = []
        self._column_places: list[tuple[int, str]] = []
        self._parameter_places: list[tuple[int, int]] = []
        static: list[int] = []
        moving: list[int] = []
        operations = set()
        for node in needed:
            entry = graph.entries[node]
            match entry.operation:
                case "constant":
                    self._constants.append((at[node], entry.value))
                case "column":
                    self._column_places.append((at[node], entry.name))
                case "parameter":
                    self._parameter_places.append((at[node], self.parameters.index(entry.name)))
                case operation:
                    operations.add(operation)
                    (static if entry.static else moving).append(node)
        self.extended = all(OPERATIONS[operation].extended for operation in operations)
        self._code = {
            kind: (
                [_instruction(graph, node, at, kind) for node in static],
                [_instruction(graph, node, at, kind) for node in moving],
            )
            for kind in ("array", "tensor")
        }
        self._lasting = [at[node] for node in needed if graph.entries[node].static]

    def prepare(self, columns: Mapping[str, Any], kind: str = "array") -> list[Any]:
        """Values of everything that no parameter is below, for these rows; given to `run`.

        Parameters
        ----------
        columns : mapping of str to ndarray or Tensor
        kind : {"array", "tensor"}
        """
        values: list[Any] = [None] * self.size
        for place, value in self._constants:
            values[place] = value
        for place, name in self._column_places:
            values[place] = columns[name]
        _execute(self._code[kind][0], values)
        return values

    def run(self, prepared: list[Any], theta: Sequence[Any], kind: str = "array") -> list[Any]:
        """The outputs at these parameters.

        Parameters
        ----------
        prepared : list
            From `prepare`, of the same kind.
        theta : sequence
            One entry per parameter: numbers, or arrays that broadcast with the columns.

        Returns
        -------
        list
            One for each output; those that are the same in every row may be numbers.
        """
        values = prepared.copy()
        for place, index in self._parameter_places:
            values[place] = theta[index]
        _execute(self._code[kind][1], values)
        return [values[place] for place in self.outputs]


def _instruction(graph: Graph, node: int, at: Mapping[int, int], kind: str) -> Instruction:
    entry = graph.entries[node]
    places = [at[argument] for argument in entry.arguments]
    function = getattr(OPERATIONS[entry.operation], kind)
    a, b, c = (*places, -1, -1)[:3]
    return function, at[node], a, b, c


def _execute(code: Sequence[Instruction], values: list[Any]) -> None:
    for function, to, a, b, c in code:
        if b < 0:
            values[to] = function(values[a])
        elif c < 0:
            values[to] = function(values[a], values[b])
        else:
            values[to] = function(values[a], values[b], values[c])


@final
class Compiled:
    """A curve with its Jacobian.

    Parameters
    ----------
    graph : Graph
    root : int
        The node that is the curve.
    parameters : sequence of str
        The parameters that are free, in the order of theta; each must be below the root.
    """

    def __init__(self, graph: Graph, root: int, parameters: Sequence[str]) -> None:
        self.graph, self.root, self.parameters = graph, root, tuple(parameters)
        slopes = graph.gradient(root)
        zero = graph.constant(0.0)
        self.value = Program(graph, [root], parameters)
        self.both = Program(graph, [root, *(slopes.get(name, zero) for name in parameters)], parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.value.columns

    def values(self, columns: Mapping[str, Any], theta: Sequence[Any], rows: int) -> np.ndarray:
        """The curve at theta for some rows, (n,)."""
        (value,) = self.value.run(self.value.prepare(columns), theta)
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (rows,))
