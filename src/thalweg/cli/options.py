"""Options that several verbs share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from thalweg.data.source import Source

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
    typer.Option(help="What stands between two columns of a text file, as ';' or tab.", rich_help_panel=READING),
]
Decimal = Annotated[
    str | None, typer.Option(help="The decimal mark of a text file: '.' or ','.", rich_help_panel=READING)
]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of a text file, as utf-8 or latin-1.", rich_help_panel=READING)
]
Header = Annotated[
    bool | None,
    typer.Option("--header/--no-header", help="Whether the first line holds the names.", rich_help_panel=READING),
]
Equation = Annotated[
    str | None,
    typer.Option(metavar="DIALECT", help="Print the fitted equation: text, latex, python or sql.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No table, no progress, no file names; errors and notes stay.")
]


def open_data(
    data: str,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Source:
    """The source behind DATA, read as the user told where the user told."""
    from thalweg.data.sources import open_source

    told = {"delimiter": _tab(delimiter), "decimal": decimal, "encoding": encoding, "header": header}
    options: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    return open_source(data, **options)


def _tab(delimiter: str | None) -> str | None:
    """A tab is hard to type in a shell; its name and its escape are taken for it."""
    return "\t" if delimiter in ("tab", "\\t") else delimiter
