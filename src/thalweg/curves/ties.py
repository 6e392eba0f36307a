"""Parameters that are computed from others: their values, and what is said of them besides."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from thalweg.curves.curve import in_order
from thalweg.curves.graph import Graph
from thalweg.curves.language import build
from thalweg.curves.program import Program
from thalweg.curves.vocabulary import CONSTANTS
from thalweg.data.nodes import Node, column_names
from thalweg.errors import OptionError

SAME = 1e-6  # relative: up to here a start says the same as the tie


def tied_values(ties: Mapping[str, Node], known: Mapping[str, float]) -> dict[str, float]:
    """The tied parameters whose ties read known ones only.

    Examples
    --------
    >>> from thalweg.curves.language import parse_tie
    >>> tied_values({"b": parse_tie("2 * a", ["a", "b"])}, {"a": 3.0})
    {'b': 6.0}
    """
    graph, values = Graph(), dict[str, float]()
    nodes = {name: graph.constant(value) for name, value in known.items()}
    for name, node in in_order(ties):
        if not set(column_names(node)) - set(CONSTANTS) <= nodes.keys():
            continue
        made = Graph()
        with np.errstate(all="ignore"):
            nodes[name] = made.copy_into(graph, build(made, node, ()), nodes)
            program = Program(graph, [nodes[name]], ())
            (value,) = program.run(program.prepare({}), [])
        values[name] = float(value)
    return values


def check_ties(
    ties: Mapping[str, Node],
    texts: Mapping[str, str],
    starts: Mapping[str, float],
    positive: Collection[str],
    *,
    named: bool = True,
) -> None:
    """Refuse ties that have no value, or one below 0 where it must be above, and starts that say something else.

    Parameters
    ----------
    ties : mapping of str to Node
    texts : mapping of str to str
        The same as they were written.
    starts : mapping of str to float
        Starts and held values, those given for tied parameters too.
    positive : names
        Parameters above 0 by their nature.
    named : bool
        Whether starts were given by name: in a sequence those of tied parameters only hold their place.

    Raises
    ------
    OptionError
    """
    values = tied_values(ties, {name: value for name, value in starts.items() if name not in ties})
    for name in ties:
        tie = f"{name} = {texts[name]}"
        if named and name in starts and not (name in values and math.isclose(values[name], starts[name], rel_tol=SAME)):
            found = f", which is {values[name]:g} at the start" if name in values else ""
            raise OptionError(
                f"a start of {name} is given, and {name} is tied: {tie}{found}",
                advice=f"Leave out the start of {name}, or give those of what it is tied to.",
            )
        if not math.isfinite(values.get(name, 0.0)):
            raise OptionError(f"the tie {tie} has no finite value", advice="Give other starts, or another tie.")
        if name in positive and values.get(name, 1.0) <= 0:
            raise OptionError(
                f"{name} is above 0 by its nature, and its tie {tie} is {values[name]:g} at the start",
                advice="Give another start, or another tie.",
            )


def unread_starts(ties: Mapping[str, Node], texts: Mapping[str, str], starts: Mapping[str, float]) -> str:
    """What must be said of starts in a sequence that stand for tied parameters; "" of none."""
    values = tied_values(ties, {name: value for name, value in starts.items() if name not in ties})
    told = [
        f"of {name}, which is {texts[name]}"
        for name in ties
        if name in starts and not math.isclose(values.get(name, math.nan), starts[name], rel_tol=SAME)
    ]
    return f"The start {', and that '.join(told)}, was not used." if told else ""


def below_zero(texts: Mapping[str, str], positive: Collection[str], theta: Mapping[str, float]) -> str:
    """What must be said of tied parameters that are positive by their nature and came out otherwise; "" of none."""
    told = [f"{name} = {texts[name]} is {theta[name]:.4g}" for name in texts if name in positive and theta[name] <= 0]
    if not told:
        return ""
    return f"{', '.join(told)}, where it should be above 0: tie it to the exponential of a parameter, or bound that."
