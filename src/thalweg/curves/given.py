"""What the user gave as a curve: a text, a function, or a module; and the curve that it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import nn

from thalweg.curves.arguments import Arguments, read_arguments
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.function import curve_of_function
from thalweg.curves.language import Equation, read_equation
from thalweg.curves.module import ModuleCurve
from thalweg.data.evaluate import Columns
from thalweg.data.expression import parse_expression, quote
from thalweg.data.nodes import column_names
from thalweg.data.source import Batch, Source
from thalweg.errors import ColumnError, FormulaError, OptionError

TRIED = 200  # rows on which a function is tried
MORE = 50_000  # rows that are looked at together for complete ones, where the first were not


@final
@dataclass(frozen=True)
class Given:
    """A curve to be fitted.

    Attributes
    ----------
    curve : Curve
    response : str
        In the language of formulas.
    text : str
        What a summary calls it.
    starts : dict of str to float
        Starts that it brings with it.
    equation : Equation or None
        Of a text.
    """

    curve: Curve
    response: str
    text: str
    starts: dict[str, float]
    equation: Equation | None = None


def given_curve(
    what: str | Callable[..., Any] | nn.Module, source: Source, *, y: str | None = None, x: Any = None
) -> Given:
    """The curve behind what the user gave.

    Parameters
    ----------
    what : str, callable or nn.Module
    source : Source
        The data, for the names of the columns; a function and a module are tried on some of its rows.
    y : str, optional
        The response of a function or a module: "y" by default.
    x : str or sequence of str, optional
        The columns that a module is given: all but the response by default.

    Raises
    ------
    FormulaError, OptionError, DataError
    """
    if isinstance(what, str):
        if y is not None or x is not None:
            raise OptionError(
                f"{'y' if y is not None else 'x'}= is for functions, and this curve is a text",
                advice="A text names its response: 'y = a * x + b'.",
            )
        equation = read_equation(what, source.names)
        _check_sides(equation, source.names)
        return Given(Expression.of(equation), equation.response, equation.text, {}, equation)
    response = _response(source, y)
    others = [name for name in source.names if name != response]
    if isinstance(what, nn.Module):
        listed = [x] if isinstance(x, str) else list(others if x is None else x)
        module = ModuleCurve(what, listed, _sample(source, listed))
        return Given(module, quote(response), f"{response} = {module.title}({', '.join(listed)})", module.start)
    if x is not None:
        raise OptionError(
            "x= is for modules", advice="Arguments of a function that are columns are read from the data."
        )
    arguments = read_arguments(what, others)
    _check_arguments(arguments, response)
    inputs = arguments.inputs
    curve, starts = curve_of_function(what, others, _sample(source, inputs))
    return Given(curve, quote(response), f"{response} = {curve.title}", starts)


def _check_sides(equation: Equation, columns: Sequence[str]) -> None:
    """Refuse a curve that could fit the response by itself.

    Raises
    ------
    FormulaError
    """
    left = set(column_names(parse_expression(equation.response).node)) & {*columns}
    right = set(column_names(equation.plain))
    if left and left <= right:
        both = " and ".join(repr(name) for name in sorted(left))
        raise FormulaError(
            f"the response is on both sides: {both} in {equation.text!r:.200}",
            advice="Take it out of the right side; values of earlier rows are a column of their own.",
        )


def _check_arguments(arguments: Arguments, response: str) -> None:
    """Refuse a parameter with the response's name.

    Raises
    ------
    FormulaError
    """
    if response in arguments.parameters:
        raise FormulaError(
            f"{response!r} is the response, and an argument of {arguments.title} has its name",
            advice="A curve cannot read its response: name the parameter otherwise, or say which column is fitted, y=.",
        )


def _response(source: Source, y: str | None) -> str:
    name = "y" if y is None else y
    if name not in source.names:
        listed = ", ".join(source.names[:12]) + (", ..." if len(source.names) > 12 else "")
        raise ColumnError(
            f"column {name!r} is missing from the data", advice=f"Name the response: y=... Columns are {listed}."
        )
    return name


def _sample(source: Source, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Some rows of some columns without missing values."""
    found, count = [], 0
    for piece in _pieces(source, names):
        columns = Columns(piece, {})
        values = [columns.number(name) for name in names]
        known = torch.stack([torch.isfinite(column) for column in values]).all(0)
        found.append([column[known][: TRIED - count].numpy(force=True) for column in values])
        count += len(found[-1][0])
        if count >= TRIED:
            break
    return {name: np.concatenate([each[j] for each in found]) for j, name in enumerate(names)}


def _pieces(source: Source, names: Sequence[str]) -> Iterator[Batch]:
    """Of each batch some rows from all of it, as the first may be all alike; then the batch, some rows at a time."""
    for batch in source.batches(tuple(names)):
        yield batch[:: -(-batch.rows // TRIED) or 1]
        for first in range(0, batch.rows, MORE):
            yield batch[first : min(first + MORE, batch.rows)]
