"""`thalweg predict`: a model file and new rows to a table of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.document import printed
from thalweg.cli.speech import notes
from thalweg.errors import OptionError
from thalweg.observers.progress import Progress

if TYPE_CHECKING:
    from thalweg.inference.prediction import Request
    from thalweg.result import Fit

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
            help="An unseen category: error, null (an empty prediction), or reference (counts as that level).",
            rich_help_panel=ROWS,
        ),
    ] = "error",
    missing: Annotated[
        str, typer.Option(help="A row that lacks a value: error, or null (an empty prediction).", rich_help_panel=ROWS)
    ] = "error",
    offset: Annotated[
        str | None, typer.Option(help="The offset, in place of the column of the fit.", rich_help_panel=ROWS)
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="The exposure, in place of the column of the fit.", rich_help_panel=ROWS)
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Columns of DATA to copy before the predictions, as a,b.", rich_help_panel=ROWS)
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
    text: o.Text = None,
) -> None:
    """Predict the rows of DATA: a row of output for each, in the same order.

    [bold]Example[/]: thalweg predict m.safetensors new.csv --interval 0.95 > predictions.csv
    """
    outputs.check("--out", out, outputs.TABLES)
    if json and out is not None:
        raise OptionError("--json and --out are two outputs", advice="Ask for one of them.")
    import thalweg
    from thalweg.cli.prediction_tables import prediction_tables
    from thalweg.data.roles import for_prediction

    with notes() as noted:
        fit = thalweg.load(model)
        request = _request(fit, interval, interval_kind, kind, unseen=unseen, missing=missing)
        told = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header, "format": format}
        source = o.open_data(data, **told, text=o.names(text))
        fit, source = for_prediction(fit, source, {"offset": offset, "exposure": exposure})
        kept = o.names(keep)
        tables = prediction_tables(fit, source, request, kept)
        untyped = kept if source.untyped else ()
        working = Progress("predicting", shown=False if quiet else None)
        if out is not None:
            with working:
                outputs.write(
                    context, out, lambda path: outputs.write_tables(tables, path, out.suffix, untyped), quiet=quiet
                )
        elif json:
            with working:
                columns = outputs.joined(tables, untyped).to_pydict()
            noted += _said(request, fit)
            typer.echo(printed({**columns, "notes": noted}))
            return
        else:
            outputs.print_tables(tables, working)
        noted += _said(request, fit)


def _request(fit: Fit, interval: float | None, interval_kind: str | None, kind: str, **rows: str) -> Request:
    """What to compute: with a level alone the library chooses the kind of interval, with a kind alone the level."""
    from thalweg.inference.prediction import Request

    level = None if interval is None or interval_kind is None else interval
    return Request.of(fit, interval if interval_kind is None else interval_kind, level, kind, **rows)


def _said(request: Request, fit: Fit) -> list[str]:
    note = request.note(fit)
    return [] if note is None else [note]
