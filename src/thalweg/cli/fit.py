"""`thalweg fit`: from a file of data and a formula to a table, a picture and a model file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from thalweg.cli import curve as c
from thalweg.cli import descent as d
from thalweg.cli import groups, outputs
from thalweg.cli import intervals as iv
from thalweg.cli import options as o
from thalweg.cli.report import check_words, prepare
from thalweg.cli.speech import notes
from thalweg.observers.progress import Progress

if TYPE_CHECKING:
    import pyarrow

    from thalweg.curves.fits import Fits
    from thalweg.data.source import Source
    from thalweg.result import Fit

MODEL = "The model"
ROWS = "Weights, offsets, missing values (names of columns, or expressions of them)"
INFERENCE = "Standard errors"
OUTPUT = "Output"
SOLVING = "Solving"

Formula = Annotated[
    str,
    typer.Argument(
        metavar="FORMULA",
        help="Quoted. '~' is a line: 'y ~ x + C(group) + poly(z, 2)'. '=' is a curve: 'y = a * exp(-b * x) + c', whose"
        " names that are no columns are parameters; or a named one, 'y = gaussian(x, a, mu, s)': see thalweg curves.",
        show_default=False,
    ),
]


def fit(
    context: typer.Context,
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
        float | None,
        typer.Option(help="The dispersion of the negative binomial; estimated where not given.", rich_help_panel=MODEL),
    ] = None,
    scale: Annotated[float | None, typer.Option(help=o.SCALE, rich_help_panel=MODEL)] = None,
    weights: Annotated[str | None, typer.Option(rich_help_panel=ROWS)] = None,
    weights_kind: Annotated[
        str,
        typer.Option(
            help="precision, frequency, sampling, or absolute: 1/sigma**2 of known sigma.", rich_help_panel=ROWS
        ),
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
    intervals: iv.Method = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the model here (.safetensors).", rich_help_panel=OUTPUT)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture here (.png, .pdf, .svg).", rich_help_panel=OUTPUT)
    ] = None,
    plot_kind: Annotated[
        str,
        typer.Option(
            help="fit, residuals, qq, scale, leverage, coefficients, correlation or diagnostics; of a curve profile"
            " too; of a descent loss, traces, surface, surface3d, gradient and rate.",
            rich_help_panel=OUTPUT,
        ),
    ] = "fit",
    tidy: Annotated[
        Path | None,
        typer.Option(help="Write the coefficients as a table (.csv, .parquet, .feather).", rich_help_panel=OUTPUT),
    ] = None,
    equation: o.Equation = None,
    kind: o.EquationKind = "mean",
    json: o.Json = False,
    quiet: o.Quiet = False,
    max_iter: Annotated[
        int | None,
        typer.Option(help="Most steps of a line's solver; of a curve's: --max-steps.", rich_help_panel=SOLVING),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            help="Distance from the optimum, in standard errors, at which to stop. [dim]\\[default: 1e-10][/]"
            " Of a line.",
            rich_help_panel=SOLVING,
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="Starting values: of a curve as 'a=1,b=0.1'; of a line all, as 'Intercept=1,x=0.5'.",
            rich_help_panel=SOLVING,
        ),
    ] = None,
    bounds: c.Bounds = None,
    fix: c.Fix = None,
    tie: c.Tie = None,
    positive: c.PositiveNames = None,
    starts: c.Starts = None,
    max_steps: c.MaxSteps = None,
    by: c.By = None,
    shared: c.Shared = None,
    solver: d.Name = None,
    lr: d.Rate = None,
    steps: d.Steps = None,
    momentum: d.Momentum = None,
    batch_size: d.BatchSize = None,
    epochs: d.Epochs = None,
    average: d.Average = False,
    loss: d.Loss = None,
    derivative: d.Derivative = None,
    dtype: d.Dtype = None,
    device: d.Device = None,
    seed: d.Seed = None,
    stop_below: d.StopBelow = None,
    allow_divergence: d.AllowDivergence = False,
    every: d.Every = None,
    animate: d.Animate = None,
    frames: d.Frames = None,
    spacing: d.Spacing = None,
    history: d.History = None,
    checkpoint: d.Checkpoint = None,
    resume: d.Resume = None,
    delimiter: o.Delimiter = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    header: o.Header = None,
    format: o.Format = None,
    text: o.Text = None,
) -> None:
    """Fit a model to DATA and show it.

    [bold]A line[/]: thalweg fit diabetes.csv 'progression ~ bmi + bp + C(sex)' --out m.safetensors --plot fit.png
    [bold]A curve[/]: thalweg fit decay.csv 'y = a * exp(-b * x) + c' --start a=1,b=0.1 --plot decay.png
    [bold]Watch it learn[/]: thalweg fit line.csv 'y ~ x' --solver gd --lr 0.01 --steps 2000 --every 100 --animate a.gif
    """
    outputs.check("--out", out, outputs.MODELS)
    outputs.check("--plot", plot, outputs.PICTURES)
    outputs.check("--animate", animate, d.MOVIES)
    outputs.check("--history", history, outputs.TABLES)
    outputs.check("--tidy", tidy, outputs.TABLES)
    outputs.check_apart("--history", history, data)
    outputs.check_apart("--tidy", tidy, data)
    iv.check(intervals)
    check_words(equation, kind, plot_kind)
    asked = d.Asked(
        solver,
        {
            "lr": d.rate(lr),
            "steps": steps,
            "momentum": momentum,
            "batch_size": batch_size,
            "epochs": epochs,
            "average": average,
            "loss": loss,
            "derivative": derivative,
            "dtype": dtype,
            "device": device,
            "seed": seed,
            "allow_divergence": allow_divergence,
        },
        *(stop_below, every, checkpoint, resume, animate, frames, spacing, max_iter, tol, max_steps),
    )
    values = o.starts(start)
    curve = c.Asked(bounds, fix, tie, positive, starts, by, shared, max_steps)
    if curve.of_each_group:
        of_one = {"--out": out, "--plot": plot, "--equation": equation, "--history": history, "--every": every}
        groups.refuse({**of_one, "--intervals": intervals})
    if c.is_curve(formula):
        c.refuse_of_lines(formula, exposure, solver)
        solving = curve.arguments(values) | asked.arguments(curve=True)
    else:
        curve.refuse_for(formula)
        solving = asked.arguments()
    wanted = Wanted(out, plot, plot_kind, animate, {"frames": frames, "spacing": spacing}, history, tidy)
    told = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "header": header, "format": format}
    with notes() as noted:
        with Progress("fitting", shown=False if quiet else None) as progress:
            fitted = _fitted(
                context,
                formula,
                o.open_data(data, **told, text=o.names(text)),
                family=family,
                link=link,
                power=power,
                alpha=alpha,
                scale=scale,
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
                start=values,
                progress=progress,
                **solving,
            )
        if curve.of_each_group:
            shown = groups.report(cast("Fits", fitted), json=json, quiet=quiet)
        else:
            with Progress("intervals", shown=False if quiet or intervals is None else None):
                shown = prepare(fitted, equation, kind, json=json, quiet=quiet, method=intervals, seed=seed)
        try:
            if shown.problem is None:
                _write(context, _files(fitted, wanted), quiet=quiet)
        finally:  # the work is done: where a file cannot be written, the table is shown all the same
            shown.print(noted, {what: str(path) for what, path in wanted.paths().items() if path in context.obj})


@dataclass(frozen=True)
class Wanted:
    """The files that were asked for."""

    out: Path | None
    plot: Path | None
    plot_kind: str
    animate: Path | None
    moving: dict[str, Any]
    history: Path | None
    tidy: Path | None

    def paths(self) -> dict[str, Path | None]:
        """By what they are called in the JSON."""
        files = {"model": self.out, "plot": self.plot, "animation": self.animate, "history": self.history}
        return files | {"coefficients": self.tidy}


def _fitted(context: typer.Context, formula: str, source: Source, **options: Any) -> Fit:
    """The fit, by the library's own defaults where nothing was told.

    An interrupt makes the solver hand over its best state; a command that was interrupted should leave nothing but the
    checkpoint that it was told to keep.
    """
    import thalweg
    from thalweg.solvers.base import Status

    fitted = thalweg.fit(formula, source, **{name: value for name, value in options.items() if value is not None})
    ended = getattr(fitted, "solution", None)  # the fits of many groups have none
    if ended is not None and ended.status is Status.INTERRUPTED:
        kept = options.get("checkpoint")
        if kept is not None and kept.exists():
            context.obj.append(kept)
        raise KeyboardInterrupt
    return fitted


def _files(fitted: Fit, wanted: Wanted) -> dict[Path, bytes]:
    """The contents of every file that was asked for, before the first of them is written."""
    contents = {}
    with tempfile.TemporaryDirectory(prefix="thalweg-") as folder:

        def made(path: Path | None, write: Callable[[Path], object]) -> None:
            if path is not None:
                write(Path(folder, path.name))
                contents[path] = Path(folder, path.name).read_bytes()

        moving = {name: value for name, value in wanted.moving.items() if value is not None}
        made(wanted.plot, lambda path: fitted.plot(wanted.plot_kind, path=path))
        made(wanted.animate, lambda path: fitted.animate(path, **moving))
        made(wanted.history, lambda path: outputs.write_tables([_arrow(fitted.history)], path, path.suffix))
        made(wanted.tidy, lambda path: outputs.write_tables([_arrow(fitted.tidy())], path, path.suffix))
        made(wanted.out, lambda path: fitted.save(path))
    return contents


def _arrow(frame: Any) -> pyarrow.Table:
    import narwhals

    return narwhals.from_native(frame).to_arrow()


def _write(context: typer.Context, contents: dict[Path, bytes], *, quiet: bool) -> None:
    from thalweg.store.atomic import atomic_write

    for path, content in contents.items():
        atomic_write(path, content)
        outputs.wrote(context, path, quiet=quiet)
