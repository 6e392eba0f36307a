"""`thalweg fit --intervals`: confidence intervals by another method than the table's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli.speech import in_options
from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.inference.intervals import Intervals
    from thalweg.result import Fit

METHODS = ("wald", "profile", "bootstrap")
_TITLES = {
    "wald": "from the standard errors",
    "profile": "by profile likelihood",
    "bootstrap": "by the bootstrap",
}

Method = Annotated[
    str | None,
    typer.Option(
        "--intervals",
        metavar="<str>",
        help="Below the table, intervals by another method: profile or bootstrap (with --seed).",
        rich_help_panel="Standard errors",
        show_default=False,
    ),
]


def check(method: str | None) -> None:
    """Refuse an unknown method before the work.

    Raises
    ------
    OptionError
    """
    if method is not None and method not in METHODS:
        raise OptionError(f"--intervals is {method!r}", advice=f"Use {', '.join(METHODS[:-1])} or {METHODS[-1]}.")


def found(fit: Fit, method: str | None, seed: int | None) -> Intervals | None:
    """The intervals that were asked for."""
    if method is None:
        return None
    seeded = {"seed": seed} if method == "bootstrap" and seed is not None else {}
    return fit.intervals(method=method, **seeded)


def text(fit: Fit, intervals: Intervals) -> str:
    """A line for each parameter, to as many digits as the width of its interval bears, and the notes."""
    from textwrap import fill

    from thalweg.show.numbers import aligned, with_error

    lines: list[tuple[str, ...]] = [("", "estimate", "low", "high")]
    for name, (low, high) in intervals.items():
        value, _, *ends = with_error(fit.coefficients[name], (high - low) / 4, low, high)
        lines.append((name, value, *ends))
    names, *numbers = zip(*lines, strict=True)
    width = max(map(len, names))
    columns = [[f"{name:<{width}}" for name in names], *map(aligned, numbers)]
    table = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    notes = [fill(f"* {name}: {in_options(note)}.", 88) for name, note in intervals.notes.items()]
    return "\n".join([f"{100 * intervals.level:.15g}% intervals, {_TITLES[intervals.method]}", *table, *notes])


def document(intervals: Intervals) -> dict[str, Any]:
    """The same for machines."""
    ends = [
        {"name": name, "low": low, "high": high, "note": intervals.notes.get(name, "")}
        for name, (low, high) in intervals.items()
    ]
    return {"method": intervals.method, "level": intervals.level, "coefficients": ends}
