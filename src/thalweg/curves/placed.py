"""Starts from the named curves of an expression: each upon what the others leave.

    y = gaussian(x, a1, mu1, s1) + gaussian(x, a2, mu2, s2) + slope * x + base

Every named curve has starting values of its own (`thalweg.curves.named`). In a sum they are placed one after the other
upon the residuals of those that are there already, and then once more, each upon what all others leave: the highest
peak first, then the next. What is no named curve (slope, base) is drawn or solved for by who asks.

The same as backfitting: J. H. Friedman, W. Stuetzle, "Projection pursuit regression", Journal of the American
Statistical Association 76 (1981), doi:10.1080/01621459.1981.10477729.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.graph import Graph
from thalweg.curves.language import Equation, build
from thalweg.curves.named import ALIASES, CURVES
from thalweg.curves.named.base import NamedCurve
from thalweg.curves.peaks import choices, is_peak
from thalweg.curves.program import Compiled, Program
from thalweg.curves.sample import Sample
from thalweg.curves.vocabulary import vocabulary
from thalweg.curves.written_out import Use
from thalweg.data.expression import parse_expression
from thalweg.data.nodes import Binary, Call, Name, Node, children

ROUNDS = 2  # times that each curve of a sum is placed
MOST = 12  # curves of a sum, and starts that are handed back

Values = dict[str, float]


@final
@dataclass(frozen=True)
class Piece:
    """A named curve of an expression over some rows.

    Attributes
    ----------
    curve : NamedCurve
    x : ndarray, (n,)
    names : tuple of str
        What its parameters are called in the expression.
    added : bool
        Whether it is a term of a sum, with nothing before it.
    """

    curve: NamedCurve
    x: Float[ndarray, "n"]
    names: tuple[str, ...]
    added: bool

    @cached_property
    def _compiled(self) -> Compiled:
        graph = Graph()
        node = parse_expression(self.curve.expression, vocabulary()).node
        return Compiled(graph, build(graph, node, self.curve.arguments[:1]), self.curve.parameters)

    def values(self, at: Mapping[str, float]) -> Float[ndarray, "n"]:
        """The curve where its parameters are known; 0 where it is not finite."""
        with np.errstate(all="ignore"):
            theta = [np.float64(at[name]) for name in self.names]
            found = self._compiled.values({self.curve.arguments[0]: self.x}, theta, self.x.size)
        return np.where(np.isfinite(found), found, 0.0)

    def starts(self, y: Float[ndarray, "n"], weight: Float[ndarray, "n"] | None) -> list[Values]:
        """Starting values upon y, best first."""
        several = self.curve.starts
        found = [self.curve.start(self.x, y, weight)] if several is None else several(self.x, y, weight)
        own = self.curve.parameters
        return [dict(zip(self.names, (each[name] for name in own), strict=True)) for each in found]


def placed(sample: Sample, equation: Equation | None) -> list[Values]:
    """Starts of the parameters of named curves, best first; none where there is no named curve.

    Parameters
    ----------
    sample : Sample
    equation : Equation, optional
        With columns as they are in the sample.
    """
    pieces = [] if equation is None else list(_pieces(sample, equation))
    added = [piece for piece in pieces if piece.added]
    if not pieces or len(pieces) > MOST:
        return []
    if len(pieces) == 1:
        return pieces[0].starts(sample.y, sample.weight)[:MOST]
    found: Values = {}
    for piece in pieces:
        if not piece.added:
            found |= piece.starts(sample.y, sample.weight)[0]
    several = [found | each for each in _read_off(sample, added)]
    return [*(found | each for each in _backfitted(sample, added)), *several] if added else [found]


def _read_off(sample: Sample, pieces: list[Piece]) -> list[Values]:
    """Several peaks of one variable, read off the rows."""
    some = [piece for piece in pieces if is_peak(piece.curve)]
    if len(some) < 2 or any(not np.array_equal(piece.x, some[0].x) for piece in some):
        return []
    return choices([(piece.curve, piece.names) for piece in some], some[0].x, sample.y)


def _backfitted(sample: Sample, pieces: list[Piece]) -> list[Values]:
    """The sum after each round, the last first."""
    at: dict[int, Values] = {}
    found = []
    for _ in range(ROUNDS):
        for i, piece in enumerate(pieces):
            others = sum((pieces[j].values(at[j]) for j in at if j != i), np.zeros(sample.y.size))
            at[i] = piece.starts(sample.y - others, sample.weight)[0]
        found.append({name: value for each in at.values() for name, value in each.items()})
    return found[::-1]


def _pieces(sample: Sample, equation: Equation) -> Iterator[Piece]:
    """Named curves of columns whose parameters are free, and stand in no other."""
    added = {id(node) for node in _terms(equation.node)}
    taken: set[str] = set()
    for call, use in zip(_calls(equation.node), equation.uses, strict=True):
        names = tuple(part.name for part in use.parameters if isinstance(part, Name))
        x = _variable(sample, use, equation)
        free = set(names) <= set(sample.curve.parameters) and not set(names) & taken
        if x is not None and free and len(names) == len(use.parameters) == len(set(names)):
            taken |= set(names)
            yield Piece(use.curve, x, names, id(call) in added)


def _terms(node: Node) -> Iterator[Node]:
    """What a sum adds."""
    if isinstance(node, Binary) and node.operator in ("+", "-"):
        yield from _terms(node.left)
        if node.operator == "+":
            yield from _terms(node.right)
    else:
        yield node


def _calls(node: Node) -> Iterator[Call]:
    """Calls of named curves in the order of `Equation.uses`: those inside another first."""
    for child in children(node):
        yield from _calls(child)
    if isinstance(node, Call) and (node.function in CURVES or node.function in ALIASES):
        yield node


def _variable(sample: Sample, use: Use, equation: Equation) -> ndarray | None:
    """The values of what stands in the place of x; None where it holds a parameter."""
    graph = Graph()
    program = Program(graph, [build(graph, use.variable, equation.inputs)], graph.parameters)
    if graph.parameters or not set(program.columns) <= sample.columns.keys():
        return None
    with np.errstate(all="ignore"):
        (x,) = program.run(program.prepare(sample.columns), [])
    return np.array(np.broadcast_to(np.asarray(x, dtype=np.float64), sample.y.shape))
