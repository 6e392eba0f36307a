"""What a curve is, whatever it is made of: values and Jacobian over some rows.

An expression, a function of the user's and a module all become a `Curve`. `over` binds it to rows; the `Evaluator` that
comes back is what a solver asks, again and again, at other parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

import numpy as np
from jaxtyping import Float

from thalweg.curves.graph import Graph, linear_parameters
from thalweg.curves.language import Equation, build, read_equation
from thalweg.curves.program import Compiled
from thalweg.curves.vocabulary import vocabulary
from thalweg.data.nodes import Node

Columns = Mapping[str, Float[np.ndarray, "*n"]]  # (n,), or (K, n) where each of K candidates has rows of its own
Theta = Sequence[Any]
"""One entry per parameter: a number; (n,), a value per row; or (K, 1), K candidates at once."""


class Evaluator(ABC):
    """A curve over some rows.

    Attributes
    ----------
    rows : int
    extended : bool
        Whether long doubles in `theta` (and in the columns) are answered with their precision.
    batched : bool
        Whether `theta` may hold (K, 1) arrays; then values are (K, n) and the Jacobian (p, K, n).
    """

    rows: int
    extended: bool = False
    batched: bool = False

    @abstractmethod
    def values(self, theta: Theta) -> np.ndarray:
        """The curve, (n,); not finite where it has no value."""

    @abstractmethod
    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        """The curve (n,) and its derivatives by each parameter, (p, n): a row for each parameter."""


class Curve(ABC):
    """A function of columns and parameters.

    Attributes
    ----------
    parameters : tuple of str
        In the order of theta.
    inputs : tuple of str
        The columns that it reads (or comparisons of them, as formulas spell them).
    positive : frozenset of str
        Parameters that must be above 0 by their nature.
    equation : Equation or None
        The text, where it is one: then a saved model needs no code.
    title : str
        What a summary calls it.
    derivatives : str
        Where they come from: "exact, traced", "exact, by autograd" or "central differences".
    whole_rows : bool
        Whether its values depend on which rows come together; then all rows are evaluated at once.
    """

    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    positive: frozenset[str] = frozenset()
    equation: Equation | None = None
    title: str
    derivatives: str = "exact, traced"
    whole_rows: bool = False

    @abstractmethod
    def over(self, columns: Columns, rows: int) -> Evaluator:
        """The curve over these rows."""

    @abstractmethod
    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        """The same with some parameters held, or computed from others: a curve of the rest."""

    def linear(self) -> tuple[str, ...]:
        """Parameters in which it is linear while the others stand still; those that could be found to be."""
        return ()


@final
class Expression(Curve):
    """A curve that is a graph of operations: from text, or traced from a function.

    Parameters
    ----------
    graph : Graph
    root : int
    parameters : sequence of str
    title : str
    equation : Equation, optional
    positive : frozenset of str
    """

    def __init__(
        self,
        graph: Graph,
        root: int,
        parameters: Sequence[str],
        title: str,
        equation: Equation | None = None,
        positive: frozenset[str] = frozenset(),
    ) -> None:
        self.graph, self.root, self.parameters, self.title = graph, root, tuple(parameters), title
        self.equation, self.positive = equation, positive
        self.compiled = Compiled(graph, root, parameters)
        self.inputs = graph.columns([root])

    def __reduce__(self) -> tuple[Any, ...]:
        """By its graph and its text: what is compiled, and named curves, hold functions that no pickle takes."""
        read = None
        if self.equation is not None:
            from thalweg.data.expression import parse_expression
            from thalweg.data.nodes import column_names

            response = column_names(parse_expression(self.equation.response, vocabulary()).node)
            inputs = [name for name in column_names(self.equation.plain) if name not in self.equation.parameters]
            read = (self.equation.text, (*response, *inputs))
        return _again, (self.graph, self.root, self.parameters, self.title, read, self.positive)

    @classmethod
    def of(cls, equation: Equation) -> Expression:
        """The curve of an equation."""
        from thalweg.data.nodes import Name

        graph, root = equation.graph()
        positive = {
            part.name
            for use in equation.uses
            for name, part in zip(use.curve.arguments[1:], use.parameters, strict=True)
            if name in use.curve.positive and isinstance(part, Name) and part.name in equation.parameters
        }
        return cls(graph, root, equation.parameters, equation.text, equation, frozenset(positive))

    def over(self, columns: Columns, rows: int) -> Evaluator:
        return _Prepared(self.compiled, columns, rows)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Expression:
        if not fixed and not ties:
            return self
        graph = Graph()
        places = {name: graph.constant(value) for name, value in fixed.items()}
        for name, node in in_order(ties):
            made = Graph()
            places[name] = made.copy_into(graph, build(made, node, ()), places)
        root = self.graph.copy_into(graph, self.root, places)
        free = [name for name in self.parameters if name not in places]
        return Expression(graph, root, free, self.title, self.equation, self.positive.difference(places))

    def linear(self) -> tuple[str, ...]:
        return linear_parameters(self.graph, self.root, self.parameters)


def _again(
    graph: Graph,
    root: int,
    parameters: tuple[str, ...],
    title: str,
    read: tuple[str, tuple[str, ...]] | None,
    positive: frozenset[str],
) -> Expression:
    """A curve from its pickle."""
    equation = None if read is None else read_equation(*read)
    return Expression(graph, root, parameters, title, equation, positive)


def in_order(ties: Mapping[str, Node]) -> list[tuple[str, Node]]:
    """Ties such that each stands after those that it reads.

    Raises
    ------
    OptionError
        Ties that go in a circle.
    """
    from thalweg.data.nodes import column_names
    from thalweg.errors import OptionError

    waiting, ordered = dict(ties), []
    while waiting:
        ready = [name for name, node in waiting.items() if not set(column_names(node)) & waiting.keys()]
        if not ready:
            raise OptionError(f"the ties of {', '.join(waiting)} go in a circle", advice="Leave one of them free.")
        ordered += [(name, waiting.pop(name)) for name in ready]
    return ordered


@final
class _Prepared(Evaluator):
    """A compiled graph over rows, with what depends on no parameter computed once."""

    batched = True

    def __init__(self, compiled: Compiled, columns: Columns, rows: int) -> None:
        self.compiled, self.rows, self._columns = compiled, rows, columns
        self.extended = compiled.both.extended
        with np.errstate(all="ignore"):
            self._both = compiled.both.prepare(columns)
        self._wide: list[Any] | None = None

    @cached_property
    def _value(self) -> list[Any]:
        return self.compiled.value.prepare(self._columns)

    def values(self, theta: Theta) -> np.ndarray:
        with np.errstate(all="ignore"):
            (value,) = self.compiled.value.run(self._value, theta)
        return self._filled(value, theta)

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            value, *slopes = self.compiled.both.run(self._prepared(theta), theta)
        value = self._filled(value, theta)
        out = np.empty((len(slopes), *value.shape), dtype=value.dtype)
        for row, slope in zip(out, slopes, strict=True):
            row[...] = slope
        return value, out

    def _prepared(self, theta: Theta) -> list[Any]:
        """What is kept for the rows, in the precision of theta."""
        if not any(getattr(entry, "dtype", None) == np.longdouble for entry in theta):
            return self._both
        if self._wide is None:
            wide = {name: column.astype(np.longdouble) for name, column in self._columns.items()}
            with np.errstate(all="ignore"):
                self._wide = self.compiled.both.prepare(wide)
        return self._wide

    def _filled(self, value: Any, theta: Theta) -> np.ndarray:
        """One entry per row, also where the curve is the same in all of them."""
        value = np.asarray(value)
        wanted: tuple[int, ...] = (self.rows,)
        for entry in theta:
            if getattr(entry, "ndim", 0) == 2:
                wanted = (len(entry), self.rows)
                break
        return value if value.shape == wanted else np.broadcast_to(value, wanted)
