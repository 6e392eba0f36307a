"""`thalweg fit`: from a file of data and a formula to a table, a picture and a model file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.report import check_words, prepare
from thalweg.cli.speech import notes
from thalweg.observers.progress import Progress

if TYPE_CHECKING:
    from thalweg.data.source import Source
    from thalweg.result import Fit

MODEL = "The model"
ROWS = "Weights, offsets, missing values (names of columns, or expressions of them)"
INFERENCE = "Standard errors"
OUTPUT = "Output"
SOLVING = "Solving"

Formula = Annotated[
    str, typer.Argument(metavar="FORMULA", help="As 'y ~ x + C(group) + poly(z, 2)', quoted.", show_default=False)
]


def fit(
    context: typer.Context,
    data: o.Data,
    formula: Formula,
    family: Annotated[
        str,
        typer.Option(
            help="gaussian, binomial, poisson, gamma, inverse_gaussian, negative_binomial or tweedie.",
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
        float | None,
        typer.Option(help="The dispersion of the negative binomial; estimated where not given.", rich_help_panel=MODEL),
    ] = None,
    weights: Annotated[str | None, typer.Option(rich_help_panel=ROWS)] = None,
    weights_kind: Annotated[
        str, typer.Option(help="frequency, precision or sampling.", rich_help_panel=ROWS)
    ] = "precision",
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
    covariance: Annotated[
        str | None, typer.Option(help="model, HC0, HC1, HC2, HC3 or cluster.", rich_help_panel=INFERENCE)
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="The column that names a row's cluster.", rich_help_panel=INFERENCE)
    ] = None,
    level: Annotated[float, typer.Option(help="Of the confidence intervals.", rich_help_panel=INFERENCE)] = 0.95,
    out: Annotated[
        Path | None, typer.Option(help="Write the model here (.safetensors).", rich_help_panel=OUTPUT)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture here (.png, .pdf, .svg).", rich_help_panel=OUTPUT)
    ] = None,
    plot_kind: Annotated[
        str,
        typer.Option(help="fit, residuals, qq, scale, leverage, coefficients or diagnostics.", rich_help_panel=OUTPUT),
    ] = "fit",
    equation: o.Equation = None,
    kind: o.EquationKind = "mean",
    json: o.Json = False,
    quiet: o.Quiet = False,
    max_iter: Annotated[int | None, typer.Option(help="Most steps of the solver.", rich_help_panel=SOLVING)] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            help="Distance from the optimum, in standard errors, at which to stop. [dim]\\[default: 1e-10][/]",
            rich_help_panel=SOLVING,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Starting values of all coefficients, as 'Intercept=1,x=0.5'.", rich_help_panel=SOLVING),
    ] = None,
    delimiter: o.Delimiter = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    header: o.Header = None,
    format: o.Format = None,
    text: o.Text = None,
) -> None:
    """Fit a model to DATA and show it.

    [bold]Example[/]: thalweg fit diabetes.csv 'progression ~ bmi + bp + C(sex)' --out m.safetensors --plot fit.png
    """
    outputs.check("--out", out, outputs.MODELS)
    outputs.check("--plot", plot, outputs.PICTURES)
    check_words(equation, kind, plot_kind)
    told = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header, "format": format}
    with notes() as noted:
        with Progress("fitting", shown=False if quiet else None) as progress:
            fitted = _fitted(
                formula,
                o.open_data(data, **told, text=o.names(text)),
                family=family,
                link=link,
                power=power,
                alpha=alpha,
                weights=weights,
                weights_kind=weights_kind,
                offset=offset,
                exposure=exposure,
                trials=trials,
                missing=missing,
                covariance=covariance,
                cluster=cluster,
                level=level,
                max_iter=max_iter,
                tol=tol,
                start=o.starts(start),
                progress=progress,
            )
        shown = prepare(fitted, equation, kind, json=json, quiet=quiet)
        try:
            if shown.problem is None:
                _write(context, _files(fitted, out, plot, plot_kind), quiet=quiet)
        finally:  # the work is done: where a file cannot be written, the table is shown all the same
            files = {"model": out, "plot": plot}
            shown.print(noted, {what: str(path) for what, path in files.items() if path in context.obj})


def _fitted(formula: str, source: Source, **options: Any) -> Fit:
    """The fit, by the library's own defaults where nothing was told.

    An interrupt makes the solver hand over its best state; a command that was interrupted should leave nothing.
    """
    import thalweg
    from thalweg.solvers.base import Status

    fitted = thalweg.fit(formula, source, **{name: value for name, value in options.items() if value is not None})
    if fitted.solution is not None and fitted.solution.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return fitted


def _files(fitted: Fit, out: Path | None, plot: Path | None, plot_kind: str) -> dict[Path, bytes]:
    """The contents of every file that was asked for, before the first of them is written."""
    contents = {}
    with tempfile.TemporaryDirectory(prefix="thalweg-") as folder:
        if plot is not None:
            fitted.plot(plot_kind, path=Path(folder, plot.name))
            contents[plot] = Path(folder, plot.name).read_bytes()
        if out is not None:
            fitted.save(Path(folder, out.name))
            contents[out] = Path(folder, out.name).read_bytes()
    return contents


def _write(context: typer.Context, contents: dict[Path, bytes], *, quiet: bool) -> None:
    from thalweg.store.atomic import atomic_write

    for path, content in contents.items():
        atomic_write(path, content)
        outputs.wrote(context, path, quiet=quiet)
