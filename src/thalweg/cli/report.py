"""What `fit` and `show` print: the table, the equation, or one JSON object."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from thalweg.cli.document import document, printed
from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.result import Fit


def report(
    fit: Fit,
    dialect: str | None = None,
    *,
    json: bool = False,
    quiet: bool = False,
    notes: list[str] | None = None,
    files: dict[str, Path | None] | None = None,
) -> None:
    """Print a fit on standard output.

    Parameters
    ----------
    fit : Fit
    dialect : str, optional
        Of the equation; None prints none.
    json : bool
        One JSON object in place of the table.
    quiet : bool
        No table: nothing but the equation, where it was asked for.
    notes, files : optional
        What was said meanwhile and what was written, for the JSON object.

    Raises
    ------
    NotAvailableError
        The fit has no equation (it is separated); everything else was printed.
    """
    equation, problem = _equation(fit, dialect)
    if json:
        written = {kind: str(path) for kind, path in (files or {}).items() if path is not None}
        typer.echo(printed({**document(fit, equation), "notes": notes or [], "files": written}))
    else:
        if not quiet:
            _table(fit)
        if equation is not None:
            typer.echo(equation if quiet else f"\n{equation}")
    if problem is not None:
        raise problem


def _equation(fit: Fit, dialect: str | None) -> tuple[str | None, NotAvailableError | None]:
    """The equation, or why this fit has none, which is said after everything else was shown."""
    try:
        return (fit.equation(dialect) if dialect else None), None
    except NotAvailableError as problem:
        return None, problem


def check_words(dialect: str | None, plot_kind: str | None = None) -> None:
    """Refuse an unknown dialect or kind of picture before the work rather than after it.

    Raises
    ------
    OptionError
    """
    if dialect is not None:
        from thalweg.show.equation import check_dialect

        check_dialect(dialect)
    if plot_kind is not None:
        from thalweg.show.plots import known_kind

        known_kind(plot_kind)


def _table(fit: Fit) -> None:
    """With colours on a terminal, plain text in a file or a pipe."""
    if sys.stdout.isatty():
        from rich.console import Console

        from thalweg.show.tables import summary_rich

        Console().print(summary_rich(fit))
    else:
        typer.echo(fit.summary())
