"""The summary of a curve that was fitted to each group of rows for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from thalweg.data.contrasts import show_level
from thalweg.show.numbers import aligned, significant, with_error
from thalweg.show.tables import WIDTH

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits

SHOWN = 10  # groups in the table
TOLD = 5  # groups in the notes
QUARTILES = {"lowest": 0.0, "quarter": 0.25, "median": 0.5, "three quarters": 0.75, "highest": 1.0}


def summary_text(fits: Fits, *, digits: int = 4) -> str:
    """Header, the first groups with their standard errors in brackets, the spread over all groups, and notes."""
    rule = "-" * WIDTH
    parts = [f"{_title(fits)} for each {fits.by}", *_header(fits), rule, *_table(fits, digits)]
    if len(fits) > SHOWN:
        parts += [rule, *_spread(fits, digits)]
    notes = _notes(fits)
    return "\n".join(line.rstrip() for line in [*parts, rule, *notes][: None if notes else -1])


def _title(fits: Fits) -> str:
    return "Nonlinear least squares"


def _header(fits: Fits) -> list[str]:
    n = fits.statistics["n"]
    rows = f"{n.min():.0f}" if n.min() == n.max() else f"{n.min():.0f} to {n.max():.0f}"
    good = int(fits.converged.sum())
    failed = f", {len(fits) - good:,} not" if good < len(fits) else ""
    pairs = [
        ("curve", fits.formula),
        ("data", fits.rows.source.description),
        ("groups", f"{len(fits):,} of {fits.by}, {rows} rows each"),
        ("fitted", f"{good:,}{failed}"),
        ("errors", "each group's own, from the model"),
    ]
    return [f"  {label:6}  {text}" for label, text in pairs]


def _table(fits: Fits, digits: int) -> list[str]:
    shown = range(min(SHOWN, len(fits)))
    columns = [("", [show_level(fits.groups[i]) for i in shown])]
    for j, name in enumerate(fits.names):
        cells = [with_error(fits.estimates[i, j], fits.errors[i, j], digits=digits) for i in shown]
        columns.append((name, aligned([value for value, _ in cells])))
        columns.append(("(error)", aligned([error for _, error in cells])))
    columns.append(("sigma", aligned([significant(fits.statistics["sigma"][i], digits) for i in shown])))
    lines = _lines(columns)
    left = len(fits) - len(shown)
    return [*lines, f"... and {left:,} more: tidy() has all of them"] if left else lines


def _spread(fits: Fits, digits: int) -> list[str]:
    """Quartiles of each parameter over the groups that were fitted."""
    values = np.column_stack([fits.estimates, fits.statistics["sigma"]])[fits.converged]
    columns = [("over all groups", list(QUARTILES))]
    for j, name in enumerate([*fits.names, "sigma"]):
        known = values[np.isfinite(values[:, j]), j]
        quantiles = np.quantile(known, list(QUARTILES.values())) if len(known) else [np.nan] * len(QUARTILES)
        columns.append((name, aligned([significant(float(value), digits) for value in quantiles])))
    return _lines(columns)


def _lines(columns: list[tuple[str, list[str]]]) -> list[str]:
    """A table; columns that would not fit the width are left to `tidy`."""
    padded = []
    taken = 0
    for k, (heading, cells) in enumerate(columns):
        width = max(map(len, [heading, *cells]))
        if taken + width > WIDTH - 5 and k:
            padded.append(["...", *[""] * len(cells)])
            break
        taken += width + 2
        padded.append([c.ljust(width) if k == 0 else c.rjust(width) for c in (heading, *cells)])
    return ["  ".join(row) for row in zip(*padded, strict=True)]


def _notes(fits: Fits) -> list[str]:
    """What was said of groups, the most frequent first, with the first groups by name."""
    bad = set(fits.failed)
    told: dict[str, list[str]] = {}
    for group, note in fits.notes.items():
        told.setdefault(note, []).append(show_level(group))
    lines = [_line(note, groups) for note, groups in sorted(told.items(), key=lambda item: -len(item[1]))[:TOLD]]
    counts = Counter("no estimates" if group in bad else "a parameter without error" for group in fits.notes)
    left = len(told) - TOLD
    lines += [f"  * and {left:,} other notes ({sum(counts.values()):,} groups in all): see notes"] if left > 0 else []
    return lines


def _line(note: str, groups: list[str]) -> str:
    named = ", ".join(groups[:TOLD]) + (f" and {len(groups) - TOLD:,} more" if len(groups) > TOLD else "")
    return f"  * {named}: {note}"


def no_attribute(name: str, groups: Sequence[Hashable]) -> AttributeError:
    """The error for an attribute that fits by group lack, with where it is to be had.

    Examples
    --------
    >>> no_attribute("vcov", ["treated", "untreated"])
    AttributeError("a Fits has no attribute 'vcov'. Each group's fit has it: fits['treated'].vcov(...).")
    >>> no_attribute("popt", ["treated"])
    AttributeError("a Fits has no attribute 'popt'. Here it is fits.coefficients.")
    """
    from thalweg.curves.fits import Fits
    from thalweg.foreign import RESULTS
    from thalweg.result import Fit

    here = RESULTS.get(name, name)
    own = here.partition("(")[0]
    said = f"a Fits has no attribute {name!r}."
    if name.startswith("__") or not groups or not (name in RESULTS or _has(Fit, name)):
        return AttributeError(said)
    if own != name and _has(Fits, own):
        return AttributeError(f"{said} Here it is fits.{here}.")
    call = "(...)" if here == own and callable(getattr(Fit, own, None)) else ""
    return AttributeError(f"{said} Each group's fit has it: fits[{groups[0]!r}].{here}{call}.")


def _has(kind: type, name: str) -> bool:
    """Whether its instances have this attribute."""
    return not name.startswith("_") and (hasattr(kind, name) or name in getattr(kind, "__dataclass_fields__", {}))
