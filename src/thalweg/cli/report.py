"""What `fit` and `show` print: the table, the equation, or one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from thalweg.cli import intervals as of_intervals
from thalweg.cli.document import document, printed
from thalweg.errors import NotAvailableError, OptionError

if TYPE_CHECKING:
    from thalweg.inference.intervals import Intervals
    from thalweg.result import Fit


@dataclass(frozen=True)
class Report:
    """What is to be printed, ready before any file is written.

    Attributes
    ----------
    json : dict, optional
        The object to print in place of everything else.
    table : str or rich renderable, optional
    equation : str, optional
    problem : NotAvailableError, optional
        Why there is no equation, or no intervals, although they were asked for; it is raised after everything else was
        printed.
    descent : str, optional
        How a descent ended.
    intervals : str, optional
        Confidence intervals by another method than the table's.
    """

    json: dict[str, Any] | None
    table: Any
    equation: str | None
    problem: NotAvailableError | None
    descent: str | None = None
    intervals: str | None = None

    def print(self, notes: list[str], files: Mapping[str, str] | None = None) -> None:
        """Print it on standard output; `notes` and `files` were said and written meanwhile, and belong to the JSON.

        Raises
        ------
        NotAvailableError
            The problem.
        """
        if self.json is not None:
            typer.echo(printed({**self.json, "notes": notes, "files": dict(files or {})}))
        else:
            self._print_text()
        if self.problem is not None:
            raise self.problem

    def _print_text(self) -> None:
        if isinstance(self.table, str):
            typer.echo(self.table)
        elif self.table is not None:
            from rich.console import Console

            Console().print(self.table)
        if self.descent is not None:
            typer.echo(f"\n{self.descent}")
        if self.intervals is not None:
            typer.echo(f"\n{self.intervals}")
        if self.equation is not None:
            typer.echo(self.equation if self.table is None else f"\n{self.equation}")


def prepare(
    fit: Fit,
    dialect: str | None,
    kind: str,
    *,
    json: bool = False,
    quiet: bool = False,
    method: str | None = None,
    seed: int | None = None,
) -> Report:
    """Make everything that is to be printed.

    Parameters
    ----------
    fit : Fit
    dialect, kind : str
        Of the equation; a dialect of None asks for none.
    json : bool
        One JSON object in place of the table.
    quiet : bool
        No table: nothing but the equation, where it was asked for.
    method, seed : str, int
        Of confidence intervals besides the table's; a method of None asks for none.
    """
    equation, problem = _equation(fit, dialect, kind)
    intervals, unknown = _intervals(fit, method, seed)
    problem = problem or unknown
    if json:
        found = {} if intervals is None else {"intervals": of_intervals.document(intervals)}
        return Report(document(fit, equation) | found, None, None, problem)
    fit = _in_options(fit)
    shown = None if intervals is None or quiet else of_intervals.text(fit, intervals)
    return Report(None, None if quiet else _table(fit), equation, problem, None if quiet else _descent(fit), shown)


def _intervals(fit: Fit, method: str | None, seed: int | None) -> tuple[Intervals | None, NotAvailableError | None]:
    """The intervals, or why this fit has none."""
    try:
        return of_intervals.found(fit, method, seed), None
    except NotAvailableError as problem:
        return None, problem


def _in_options(fit: Fit) -> Fit:
    """The fit with its advice in the words of the command line."""
    if fit.solution is None or not fit.solution.advice:
        return fit
    from thalweg.cli.speech import in_options

    solution = replace(fit.solution, advice=in_options(fit.solution.advice))
    return replace(fit, solution=solution, notes=tuple(map(in_options, fit.notes)))


def _equation(fit: Fit, dialect: str | None, kind: str) -> tuple[str | None, NotAvailableError | None]:
    """The equation, or why this fit has none, which is said after everything else was shown."""
    try:
        return (fit.equation(dialect, kind=kind) if dialect else None), None
    except NotAvailableError as problem:
        return None, problem


def check_words(dialect: str | None, kind: str, plot_kind: str | None = None) -> None:
    """Refuse an unknown dialect or kind of equation or picture before the work rather than after it.

    Raises
    ------
    OptionError
    """
    if dialect is not None:
        from thalweg.show.equation import check_dialect

        check_dialect(dialect)
    if kind not in ("mean", "link"):
        raise OptionError(f"there is no kind {kind!r} of equation", advice="Use 'mean' or 'link'.")
    if plot_kind is not None:
        from thalweg.show.plots import known_kind

        known_kind(plot_kind)


def _descent(fit: Fit) -> str | None:
    """What is to be said of a descent beside the table."""
    if fit.descent is None:
        return None
    from thalweg.cli.descent_report import descent_text

    return descent_text(fit.descent, fit.summary())


def _table(fit: Fit) -> Any:
    """With colours on a terminal, plain text in a file or a pipe."""
    if sys.stdout.isatty():
        from thalweg.show.tables import summary_rich

        return summary_rich(fit)
    return fit.summary()
