"""The verbs, put together."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from thalweg.cli import options as o
from thalweg.cli.curves import curves
from thalweg.cli.datasets import datasets
from thalweg.cli.demo import demo
from thalweg.cli.diagnose import diagnose
from thalweg.cli.fit import fit
from thalweg.cli.predict import predict
from thalweg.cli.show import show
from thalweg.cli.simulate import simulate

EPILOG = (
    "Errors go to standard error, one or two lines, with exit code 2. Notes and file names go there too:"
    " standard output holds nothing but what was asked for."
)


class _NoType:
    """A command whose --help, a flag, is listed without a type."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.metavar = o.FLAG
        return option


class Verb(_NoType, TyperCommand):
    """One verb."""


class Verbs(_NoType, TyperGroup):
    """All of them."""


app = typer.Typer(
    name="thalweg",
    cls=Verbs,
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
    version: Annotated[
        bool, typer.Option("--version", metavar=o.FLAG, callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Fit lines, curves and class boundaries to data, and see how the fit got there."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for verb in (fit, predict, show, diagnose, simulate, datasets, curves, demo):
    app.command(cls=Verb)(verb)
