"""Options that several verbs share, each written once."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.data.source import Source

_START = "As in: --start a=1,b=0.1"
FLAG = ""  # the type of an option without a value, in the help
READING = "Reading the data (found by itself where not told)"

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV, Parquet, Arrow/Feather or JSON-lines file, a folder or quoted glob of them, - for standard input,"
        " or the name of a built-in data set.",
        show_default=False,
    ),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file written by `thalweg fit --out`.", show_default=False)
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        help="What stands between two columns of a text file: ',' ';' tab '|' space.", rich_help_panel=READING
    ),
]
Decimal = Annotated[
    str | None, typer.Option(help="The decimal mark of a text file: '.' or ','.", rich_help_panel=READING)
]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of a text file, as utf-8 or latin-1.", rich_help_panel=READING)
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header", metavar=FLAG, help="Whether the first line holds the names.", rich_help_panel=READING
    ),
]
Format = Annotated[
    str | None, typer.Option("--format", help="csv, parquet, arrow, json or nist.", rich_help_panel=READING)
]
Text = Annotated[
    str | None,
    typer.Option(
        help="Columns of a text file that are categories although they hold numbers, as zip,year.",
        rich_help_panel=READING,
    ),
]
FAMILIES = (
    "gaussian, binomial, poisson, gamma, inverse_gaussian, negative_binomial or tweedie; huber, soft_l1 or cauchy,"
    " which outliers pull less."
)
SCALE = "Of huber, soft_l1 and cauchy: residuals beyond it count less."
Equation = Annotated[
    str | None,
    typer.Option(metavar="DIALECT", help="Print the fitted equation: text, latex, python or sql.", show_default=False),
]
EquationKind = Annotated[
    str, typer.Option("--kind", help="Of a python or sql equation: mean, or link for the linear predictor.")
]
Json = Annotated[bool, typer.Option("--json", metavar=FLAG, help="Print one JSON object, for machines.")]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", metavar=FLAG, help="No table, progress or file names; errors and notes stay."),
]


def open_data(data: str, **told: Any) -> Source:
    """The source behind DATA, read as the user told where the user told."""
    from thalweg.data.sources import open_source

    return open_source(data, **{name: value for name, value in told.items() if value is not None})


def names(listed: str | None) -> list[str]:
    """Columns told as a,b; a name that holds a comma stands in double quotes, as in a CSV header."""
    return next(csv.reader([listed], skipinitialspace=True)) if listed else []


def starts(told: Sequence[str] | None) -> dict[str, float] | None:
    """Starting values told as name=value,name=value.

    Raises
    ------
    OptionError
        A part that is not of that form.

    Examples
    --------
    >>> starts(['Intercept=1, "poly(x, 2)[1]=-0.5"'])
    {'Intercept': 1.0, 'poly(x, 2)[1]': -0.5}
    """
    found = pairs("--start", told, _START)
    return None if found is None else {name: number("--start", name, text) for name, text in found.items()}


def pairs(option: str, told: Sequence[str] | None, advice: str) -> dict[str, str | None] | None:
    """What was told as name=text,name=text, in one option or several; None for a name without "=".

    Raises
    ------
    OptionError
        A part without a name, or a name twice.

    Examples
    --------
    >>> pairs("--fix", ["c=0.5,b", "k=2"], "As in: --fix c=0.5")
    {'c': '0.5', 'b': None, 'k': '2'}
    """
    if not told:
        return None
    found: dict[str, str | None] = {}
    for part in (part for each in told for part in names(each)):
        head, sign, text = part.rpartition("=")  # a name may hold "=", as of a comparison
        name = (head if sign else part).strip()
        if not name:
            raise OptionError(f"{option} {part!r} has no name", advice=advice)
        if name in found:
            raise OptionError(f"{option} names {name} twice", advice="Leave out one of the two.")
        found[name] = text.strip() if sign else None
    return found


def number(option: str, name: str, text: str | None) -> float:
    """A finite number told for a name.

    Raises
    ------
    OptionError
    """
    if not text:
        raise OptionError(f"{option} {name!r} is no name=value", advice=f"As in: {option} a=1,b=0.1")
    try:
        value = float(text)
        if math.isfinite(value):
            return value
    except ValueError:
        pass
    raise OptionError(f"{option} {name}={text} is no finite number", advice=f"As in: {option} {name}=0.5")
