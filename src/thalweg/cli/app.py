"""The verbs, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from thalweg.cli.datasets import datasets
from thalweg.cli.fit import fit
from thalweg.cli.predict import predict
from thalweg.cli.show import show

EPILOG = (
    "Errors go to standard error, one or two lines, with exit code 2. Notes and file names go there too:"
    " standard output holds nothing but what was asked for."
)

app = typer.Typer(
    name="thalweg",
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from thalweg import __version__

        typer.echo(f"thalweg {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=EPILOG)
def thalweg(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Fit lines, curves and class boundaries to data, and see how the fit got there."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for verb in (fit, predict, show, datasets):
    app.command()(verb)
