"""`thalweg predict`: a model file and new rows to a table of predictions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.document import printed
from thalweg.cli.progress import Progress
from thalweg.cli.speech import notes
from thalweg.errors import OptionError

if TYPE_CHECKING:
    import pyarrow

INTERVALS = "Intervals"
ROWS = "Rows and columns"


def predict(
    context: typer.Context,
    model: o.Model,
    data: o.Data,
    interval: Annotated[
        float | None, typer.Option(help="Level of an interval around each prediction.", rich_help_panel=INTERVALS)
    ] = None,
    interval_kind: Annotated[
        str | None,
        typer.Option(
            help="prediction: for a new observation (least squares only, and its default); mean: for the mean.",
            rich_help_panel=INTERVALS,
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option(help="mean, or link for the linear predictor.", rich_help_panel=INTERVALS)
    ] = "mean",
    unseen: Annotated[
        str,
        typer.Option(
            help="An unseen category: error, missing (an empty prediction), or reference (counts as that level).",
            rich_help_panel=ROWS,
        ),
    ] = "error",
    missing: Annotated[
        str, typer.Option(help="A row that lacks a value: error, or drop it and say how many.", rich_help_panel=ROWS)
    ] = "error",
    keep: Annotated[
        str | None, typer.Option(help="Columns of DATA to put before the predictions, as a,b.", rich_help_panel=ROWS)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a .csv, .parquet or .feather file instead of CSV to standard output.")
    ] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
    delimiter: o.Delimiter = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    header: o.Header = None,
    format: o.Format = None,
) -> None:
    """Predict the rows of DATA: a row of output for each, in the same order.

    [bold]Example[/]: thalweg predict m.safetensors new.csv --interval 0.95 > predictions.csv
    """
    outputs.check("--out", out, outputs.TABLES)
    if json and out is not None:
        raise OptionError("--json and --out are two outputs", advice="Ask for one of them.")
    import thalweg
    from thalweg.cli.prediction_tables import prediction_tables

    with notes() as noted:
        fit = thalweg.load(model)
        source = o.open_data(
            data, delimiter=delimiter, decimal=decimal, encoding=encoding, header=header, format=format
        )
        tables = prediction_tables(
            fit,
            source,
            interval=interval,
            interval_kind=interval_kind,
            kind=kind,
            unseen=unseen,
            missing=missing,
            keep=_names(keep),
        )
        working = Progress("predicting", shown=False if quiet else None)
        if out is not None:
            with working:
                outputs.write(context, out, lambda path: outputs.write_tables(tables, path, out.suffix), quiet=quiet)
        elif json:
            with working:
                columns = _columns(tables)
            typer.echo(printed({**columns, "notes": noted}))
        else:
            outputs.print_tables(tables, working)


def _names(listed: str | None) -> list[str]:
    """The columns of --keep; a name that holds a comma stands in double quotes, as in a CSV header."""
    return next(csv.reader([listed], skipinitialspace=True)) if listed else []


def _columns(tables: Iterator[pyarrow.Table]) -> dict[str, list[object]]:
    """All rows as one list for each column."""
    columns: dict[str, list[object]] = {}
    for table in tables:
        for name in table.column_names:
            columns.setdefault(name, []).extend(table[name].to_pylist())
    return columns
