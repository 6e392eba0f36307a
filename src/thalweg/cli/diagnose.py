"""`thalweg diagnose`: what is known of a descent before its first step."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from thalweg.cli import options as o
from thalweg.cli.curve import is_curve
from thalweg.cli.fit import MODEL, ROWS, SOLVING, Formula
from thalweg.cli.speech import notes
from thalweg.errors import FormulaError


def diagnose(
    data: o.Data,
    formula: Formula,
    family: Annotated[
        str,
        typer.Option(
            help=o.FAMILIES,
            rich_help_panel=MODEL,
        ),
    ] = "gaussian",
    link: Annotated[
        str | None,
        typer.Option(help="identity, log, logit, probit, cloglog, inverse, sqrt, ...", rich_help_panel=MODEL),
    ] = None,
    power: Annotated[
        float | None, typer.Option(help="The variance power of the tweedie family.", rich_help_panel=MODEL)
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="The dispersion of the negative binomial.", rich_help_panel=MODEL)
    ] = None,
    scale: Annotated[float | None, typer.Option(help=o.SCALE, rich_help_panel=MODEL)] = None,
    weights: Annotated[str | None, typer.Option(rich_help_panel=ROWS)] = None,
    offset: Annotated[str | None, typer.Option(help="Added to the linear predictor.", rich_help_panel=ROWS)] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Its logarithm is added to the linear predictor.", rich_help_panel=ROWS)
    ] = None,
    trials: Annotated[
        str | None, typer.Option(help="Binomial trials behind each proportion.", rich_help_panel=ROWS)
    ] = None,
    missing: Annotated[
        str, typer.Option(help="error, or drop the rows and say how many.", rich_help_panel=ROWS)
    ] = "error",
    loss: Annotated[
        str, typer.Option(help="How rows are added up: mean, sum, half mean or half sum.", rich_help_panel=SOLVING)
    ] = "mean",
    lr: Annotated[float | None, typer.Option(help="A learning rate to be judged.", rich_help_panel=SOLVING)] = None,
    momentum: Annotated[float, typer.Option(help="With this momentum, 0 to 1.", rich_help_panel=SOLVING)] = 0.0,
    nesterov: Annotated[
        bool, typer.Option("--nesterov", metavar=o.FLAG, help="Nesterov's momentum.", rich_help_panel=SOLVING)
    ] = False,
    tol: Annotated[
        float, typer.Option(help="The part of the excess loss that may be left.", rich_help_panel=SOLVING)
    ] = 1e-6,
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="Starting values of all coefficients, as 'Intercept=1,x=0.5'.",
            rich_help_panel=SOLVING,
        ),
    ] = None,
    json: o.Json = False,
    delimiter: o.Delimiter = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    header: o.Header = None,
    format: o.Format = None,
    text: o.Text = None,
) -> None:
    """Say which learning rates a descent on DATA bears, how many steps it takes, and why.

    [bold]Example[/]: thalweg diagnose line.csv 'y ~ x' --lr 0.1
    """
    refuse_curve(formula)
    told = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header, "format": format}
    options: dict[str, Any] = {
        "link": link, "power": power, "alpha": alpha, "scale": scale, "weights": weights, "offset": offset,
        "exposure": exposure, "trials": trials, "lr": lr, "start": o.starts(start),
    }  # fmt: skip
    with notes() as noted:
        from thalweg.diagnose.diagnosis import diagnose as of

        found = of(
            formula,
            o.open_data(data, **told, text=o.names(text)),
            family=family,
            missing=missing,
            loss=loss,
            momentum=momentum,
            nesterov=nesterov,
            tol=tol,
            **{name: value for name, value in options.items() if value is not None},
        )
    _print(found, noted, json=json)


def refuse_curve(formula: str) -> None:
    """Refuse a curve, of which a fit says more.

    Raises
    ------
    FormulaError
    """
    if is_curve(formula):
        raise FormulaError(
            f"diagnose is of formulas ('~'), and {formula!r} is a curve ('=')",
            advice="Fit it and read its notes, or watch a descent: thalweg fit DATA CURVE --start a=1,b=1 --solver gd",
        )


def _print(found: Any, noted: list[str], *, json: bool) -> None:
    from thalweg.cli.document import printed
    from thalweg.cli.speech import clean, in_options

    if json:
        typer.echo(printed({**found.to_dict(), "notes": noted}))
    else:
        typer.echo("\n".join(in_options(_visible(line, clean)) for line in str(found).splitlines()))


def _visible(line: str, clean: Any) -> str:
    """A line without control characters, its indentation and columns kept."""
    return line if line.isprintable() else clean(line)
