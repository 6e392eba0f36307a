"""What the user gave as a curve: a text, a function, or a module; and the curve that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import nn

from thalweg.curves.arguments import read_arguments
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.function import curve_of_function
from thalweg.curves.language import Equation, read_equation
from thalweg.curves.module import ModuleCurve
from thalweg.data.evaluate import Columns
from thalweg.data.expression import quote
from thalweg.data.source import Source
from thalweg.errors import ColumnError, OptionError

TRIED = 200  # rows on which a function is tried


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
    inputs = read_arguments(what, others).inputs
    curve, starts = curve_of_function(what, others, _sample(source, inputs))
    return Given(curve, quote(response), f"{response} = {curve.title}", starts)


def _response(source: Source, y: str | None) -> str:
    name = "y" if y is None else y
    if name not in source.names:
        listed = ", ".join(source.names[:12]) + (", ..." if len(source.names) > 12 else "")
        raise ColumnError(
            f"column {name!r} is missing from the data", advice=f"Name the response: y=... Columns are {listed}."
        )
    return name


def _sample(source: Source, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """The first rows of some columns, those without missing values."""
    batch = next(iter(source.batches(tuple(names))))
    columns = Columns(batch[: min(TRIED, batch.rows)], {})
    values = {name: columns.number(name) for name in names}
    known = torch.stack([torch.isfinite(column) for column in values.values()]).all(0)
    return {name: np.ascontiguousarray(column[known].numpy(force=True)) for name, column in values.items()}
