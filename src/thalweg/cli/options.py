"""Options that several verbs share, each written once."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.data.source import Source

_START = "As in: --start 'Intercept=1,x=0.5'"
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


def starts(listed: str | None) -> dict[str, float] | None:
    """Starting values told as name=value,name=value.

    Raises
    ------
    OptionError
        A part that is not of that form.

    Examples
    --------
    >>> starts('Intercept=1, "poly(x, 2)[1]=-0.5"')
    {'Intercept': 1.0, 'poly(x, 2)[1]': -0.5}
    """
    if listed is None:
        return None
    pairs = [part.rpartition("=") for part in names(listed)]
    try:
        return {name.strip(): float(value) for name, _, value in pairs}
    except ValueError:
        raise OptionError(f"--start {listed!r} has a part that is no name=value", advice=_START) from None
