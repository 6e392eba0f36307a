"""The options of `thalweg fit` that are for curves, and what of the others is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, final

import typer

from thalweg.cli import options as o
from thalweg.errors import OptionError

PANEL = "Curves ('y = a * exp(-b * x) + c'; --start, under Solving, too)"

Bounds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="Least and greatest value of parameters: 'b=0:,c=:10,k=0.1:2'.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Fix = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="Parameters that are held: 'c=0.5', or 'c' for its start.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Tie = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="A parameter computed from others: 's2 = 2 * s1'; once for each tie.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
PositiveNames = Annotated[
    list[str] | None,
    typer.Option(
        "--positive", metavar="<str>", help="Parameters above 0: tau,k.", rich_help_panel=PANEL, show_default=False
    ),
]
Starts = Annotated[
    int | None,
    typer.Option(
        help="How many starts are tried; found from the data where none are told.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
MaxSteps = Annotated[
    int | None,
    typer.Option(help="Most steps of Levenberg-Marquardt, from one start.", rich_help_panel=PANEL, show_default=False),
]
By = Annotated[
    str | None,
    typer.Option(
        help="The column of groups: each has parameters of its own, as 'a\\[run1]'.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Shared = Annotated[
    list[str] | None,
    typer.Option(
        metavar="<str>",
        help="Parameters that all groups have together: tau,k.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]

_BOUNDS = "Write low:high, one side empty for none: --bounds 'b=0:,c=:10'. A value that stays is --fix."
_LINE = "A curve is written with '=', as 'y = a * exp(-b * x) + c'."
_METHOD = "Leave it out: a curve is fitted by Levenberg-Marquardt, or by a descent such as --solver gd."
_EXPOSURE = "Leave it out, and multiply the curve by that column."


@final
@dataclass(frozen=True)
class Asked:
    """What was told of a curve's parameters.

    Attributes
    ----------
    bounds, fix, tie, positive : sequence of str or None
        As they were written.
    starts : int or None
    by : str or None
    shared : sequence of str or None
    max_steps : int or None
        Of the solver: `thalweg.cli.descent` reads it.
    """

    bounds: Sequence[str] | None = None
    fix: Sequence[str] | None = None
    tie: Sequence[str] | None = None
    positive: Sequence[str] | None = None
    starts: int | None = None
    by: str | None = None
    shared: Sequence[str] | None = None
    max_steps: int | None = None

    def arguments(self, start: Mapping[str, float] | None) -> dict[str, Any]:
        """The same as arguments of `thalweg.fit`.

        Raises
        ------
        OptionError
            What cannot be read, or is told twice.
        """
        told = {
            "bounds": bounds_of(self.bounds),
            "fixed": fixed_of(self.fix, start or {}),
            "tied": ties_of(self.tie),
            "positive": _names(self.positive),
            "starts": self.starts,
            "by": self.by,
            "shared": _names(self.shared),
        }
        return {name: value for name, value in told.items() if value is not None}

    @property
    def of_each_group(self) -> bool:
        """Whether each group gets a fit for itself."""
        return self.by is not None and not self.shared

    def refuse_for(self, formula: str) -> None:
        """A line has none of these.

        Raises
        ------
        OptionError
        """
        told: dict[str, Any] = {"--bounds": self.bounds, "--fix": self.fix, "--tie": self.tie}
        told |= {"--positive": self.positive, "--starts": self.starts, "--by": self.by, "--shared": self.shared}
        told |= {"--max-steps": self.max_steps}
        for option, value in told.items():
            if value is not None and value != []:
                raise OptionError(f"{option} is for a curve, and {formula!r} is a line", advice=_LINE)


def _names(told: Sequence[str] | None) -> list[str] | None:
    return [name for each in told for name in o.names(each)] if told else None


def is_curve(formula: str) -> bool:
    """Whether it is written with "=" rather than "~"."""
    from thalweg.curves.language import is_equation

    return is_equation(formula)


def refuse_of_lines(formula: str, exposure: str | None, solver: str | None) -> None:
    """Refuse for a curve what only a line has.

    Raises
    ------
    OptionError
    """
    if exposure is not None:
        raise OptionError(f"--exposure is for a line ('~'), and {formula!r} is a curve", advice=_EXPOSURE)
    if solver is not None and solver.lower() == "newton":
        raise OptionError(f"--solver newton is for a line ('~'), and {formula!r} is a curve", advice=_METHOD)


def bounds_of(told: Sequence[str] | None) -> dict[str, tuple[float | None, float | None]] | None:
    """Bounds told as name=low:high.

    Raises
    ------
    OptionError
        A part that is not of that form.

    Examples
    --------
    >>> bounds_of(["b=0:,c=:10", "k=0.1:2"])
    {'b': (0.0, None), 'c': (None, 10.0), 'k': (0.1, 2.0)}
    """
    pairs = o.pairs("--bounds", told, _BOUNDS)
    return None if pairs is None else {name: _bound(name, text) for name, text in pairs.items()}


def _bound(name: str, text: str | None) -> tuple[float | None, float | None]:
    low, sign, high = (text or "").partition(":")
    try:
        if not sign:
            raise ValueError
        return _side(low), _side(high)
    except ValueError:
        shown = name if text is None else f"{name}={text}"
        raise OptionError(f"--bounds {shown!r} is no low:high", advice=_BOUNDS) from None


def _side(text: str) -> float | None:
    value = float(text) if text.strip() else None
    if value is not None and math.isnan(value):
        raise ValueError
    return value


def fixed_of(told: Sequence[str] | None, start: Mapping[str, float]) -> dict[str, float] | None:
    """Held parameters told as name=value, or as a name that has a start.

    Raises
    ------
    OptionError
        A part that is no number, or a name without a start.

    Examples
    --------
    >>> fixed_of(["c=0.5,b"], {"b": 2.0})
    {'c': 0.5, 'b': 2.0}
    """
    pairs = o.pairs("--fix", told, "As in: --fix c=0.5")
    if pairs is None:
        return None
    held = {}
    for name, text in pairs.items():
        if text is None and name not in start:
            raise OptionError(f"--fix {name} says no value", advice=f"As in: --fix {name}=0.5, or give it a --start.")
        held[name] = start[name] if text is None else o.number("--fix", name, text)
    return held


def ties_of(told: Sequence[str] | None) -> dict[str, str] | None:
    """Ties told as name=expression, one in each option: an expression may hold commas.

    Raises
    ------
    OptionError
        A part without "=", or a parameter that is tied twice.

    Examples
    --------
    >>> ties_of(["s2 = 2 * s1", "k=max(a, b)"])
    {'s2': '2 * s1', 'k': 'max(a, b)'}
    """
    if not told:
        return None
    ties: dict[str, str] = {}
    for each in told:
        name, sign, text = (part.strip() for part in each.partition("="))
        if not (name and sign and text):
            raise OptionError(f"--tie {each!r} is no name=expression", advice="As in: --tie 's2 = 2 * s1'")
        if name in ties:
            raise OptionError(f"--tie names {name} twice", advice="Leave out one of the two.")
        ties[name] = text
    return ties
