"""`thalweg simulate`: data with a known truth, printed or written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.document import printed
from thalweg.cli.speech import tell
from thalweg.errors import OptionError

if TYPE_CHECKING:
    import numpy
    import pyarrow

    from thalweg.data.simulate import Simulated

CURVES = "Curves (line, polynomial, sine, expression)"
CLOUDS = "Clouds"
PICTURES = "Pictures"
ARRAYS = (".npz",)

_KINDS = "line, polynomial, sine, expression, clouds or pictures; or an expression of x, quoted."


def simulate(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=_KINDS, show_default=False)],
    n: Annotated[
        int | None, typer.Option(help="Rows; of clouds, points in each. [dim]\\[default: 100][/]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the generator.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write a .csv, .parquet, .feather or .npz file instead of printing.", show_default=False),
    ] = None,
    noise: Annotated[float | None, typer.Option(help="Standard deviation of the noise.", show_default=False)] = None,
    outliers: Annotated[int, typer.Option(help="So many rows are moved far away; their numbers are told.")] = 0,
    low: Annotated[float | None, typer.Option(help="The least x.", rich_help_panel=CURVES)] = None,
    high: Annotated[float | None, typer.Option(help="The greatest x.", rich_help_panel=CURVES)] = None,
    spacing: Annotated[str | None, typer.Option(help="Of x: random or even.", rich_help_panel=CURVES)] = None,
    slope: Annotated[float | None, typer.Option(help="Of a line.", rich_help_panel=CURVES)] = None,
    intercept: Annotated[float | None, typer.Option(help="Of a line or sine.", rich_help_panel=CURVES)] = None,
    coefficients: Annotated[
        str | None, typer.Option(help="Of a polynomial, the constant first: 0,1,0,-0.2.", rich_help_panel=CURVES)
    ] = None,
    expression: Annotated[str | None, typer.Option(help="Of x: 'exp(-x) * sin(3*x)'.", rich_help_panel=CURVES)] = None,
    amplitude: Annotated[float | None, typer.Option(help="Of a sine.", rich_help_panel=CURVES)] = None,
    frequency: Annotated[float | None, typer.Option(help="Of a sine.", rich_help_panel=CURVES)] = None,
    phase: Annotated[float | None, typer.Option(help="Of a sine.", rich_help_panel=CURVES)] = None,
    centers: Annotated[
        str | None, typer.Option(help="Of two clouds: 2,2,-2,-2.", rich_help_panel=CLOUDS, show_default=False)
    ] = None,
    spread: Annotated[
        float | None, typer.Option(help="Standard deviation of each cloud.", rich_help_panel=CLOUDS)
    ] = None,
    height: Annotated[int | None, typer.Option(help="In pixels.", rich_help_panel=PICTURES)] = None,
    width: Annotated[int | None, typer.Option(help="In pixels.", rich_help_panel=PICTURES)] = None,
    json: Annotated[
        bool, typer.Option("--json", metavar=o.FLAG, help="Print the truth as one JSON object; needs --out.")
    ] = False,
    quiet: o.Quiet = False,
) -> None:
    """Make data with a known truth, from a seed.

    [bold]Example[/]: thalweg simulate line --n 20 --seed 10 --slope 2 --intercept 5 --out line.csv
    """
    outputs.check("--out", out, (*outputs.TABLES, *ARRAYS))
    if json and out is None:
        raise OptionError("--json prints the truth, and the data would be printed too", advice="Add --out FILE.")
    shape = {
        "low": low,
        "high": high,
        "spacing": spacing,
        "slope": slope,
        "intercept": intercept,
        "coefficients": _numbers("--coefficients", coefficients),
        "expression": expression,
        "amplitude": amplitude,
        "frequency": frequency,
        "phase": phase,
        "centers": _centers(centers),
        "spread": spread,
        "height": height,
        "width": width,
    }
    data = _simulated(kind, n=n, seed=seed, noise=noise, outliers=outliers, shape=shape)
    if out is None:
        outputs.print_tables([table(data)])
    else:
        outputs.write(context, out, lambda path: _save(data, path, out.suffix.lower()), quiet=quiet)
    if json:
        typer.echo(printed(_document(data, out)))
    elif not quiet:
        tell(data.about)


def _simulated(kind: str, *, shape: dict[str, Any], **options: Any) -> Simulated:
    import thalweg

    told = {name: value for name, value in shape.items() if value is not None}
    return thalweg.simulate(kind, **options, **told)


def _numbers(option: str, listed: str | None) -> tuple[float, ...] | None:
    """Numbers told as a,b,c."""
    if listed is None:
        return None
    try:
        return tuple(float(part) for part in listed.split(","))
    except ValueError:
        raise OptionError(f"{option} {listed!r} is no list of numbers", advice=f"As in: {option} 1,2.5,-3") from None


def _centers(listed: str | None) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    found = _numbers("--centers", listed)
    if found is None:
        return None
    if len(found) != 4:
        raise OptionError(f"--centers has {len(found)} numbers", advice="Give x1,x2 of both: --centers 2,2,-2,-2")
    return found[:2], found[2:]


def table(data: Simulated) -> pyarrow.Table:
    """The data as a table; pictures as one row for each pixel, with its row and column."""
    import numpy
    import pyarrow

    columns: dict[str, numpy.ndarray] = dict(data)
    shape = next(iter(columns.values())).shape
    if len(shape) == 2:
        row, column = numpy.indices(shape).reshape(2, -1)
        flat = {name: values.reshape(-1) for name, values in columns.items()}
        columns = {"row": row, "column": column, **flat}
    return pyarrow.table(columns)


def _save(data: Simulated, path: Path, suffix: str) -> None:
    if suffix in ARRAYS:
        import numpy

        with path.open("wb") as file:
            numpy.savez(file, allow_pickle=False, **data)
    else:
        outputs.write_tables([table(data)], path, suffix)


def _document(data: Simulated, out: Path | None) -> dict[str, Any]:
    truth = {name: getattr(value, "tolist", lambda value=value: value)() for name, value in data.truth.items()}
    return {
        "kind": data.kind,
        "about": data.about,
        "formula": data.formula or None,
        "truth": truth,
        "outliers": list(data.outliers),
        "files": {"data": str(out)},
    }
