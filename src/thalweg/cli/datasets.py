"""`thalweg datasets`: the built-in data, listed, printed or written to a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.document import printed
from thalweg.errors import OptionError

if TYPE_CHECKING:
    import pyarrow

    from thalweg.data.datasets import Dataset


def datasets(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, to print as CSV.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it to a .csv, .parquet or .feather file instead.", show_default=False)
    ] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """List the built-in data sets, or print or write one of them.

    [bold]Example[/]: thalweg datasets diabetes --out diabetes.csv
    """
    outputs.check("--out", out, outputs.TABLES)
    if name is not None and json:
        raise OptionError("--json lists the data sets and NAME prints one", advice="Ask for one of the two.")
    if name is None and out is not None:
        raise OptionError("--out needs the NAME of a data set", advice="As in: thalweg datasets iris --out iris.csv")
    if name is None:
        _list(json)
    elif out is None:
        outputs.print_tables([_table(name)])
    else:
        outputs.write(context, out, lambda path: outputs.write_tables([_table(name)], path, out.suffix), quiet=quiet)


def _list(json: bool) -> None:
    import thalweg

    known = thalweg.datasets()
    if json:
        typer.echo(printed({"datasets": [asdict(dataset) for dataset in known]}))
    else:
        typer.echo("\n\n".join(map(_entry, known)))


def _entry(dataset: Dataset) -> str:
    """Two lines and the names of the columns."""
    return f"{dataset.name}: {dataset.rows} rows\n  {dataset.about}\n{_wrapped(dataset.columns)}"


def _wrapped(names: tuple[str, ...]) -> str:
    from textwrap import fill

    return fill(", ".join(names), width=100, initial_indent="  ", subsequent_indent="  ")


def _table(name: str) -> pyarrow.Table:
    import pyarrow

    import thalweg

    return pyarrow.table(thalweg.load_dataset(name))
