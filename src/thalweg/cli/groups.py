"""What `thalweg fit --by` prints where each group of rows was fitted for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from thalweg.cli.report import Report
from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits

_ADVICE = "Leave it out; --tidy groups.csv writes all of them. Or say what the groups share, with --shared."


def refuse(told: Mapping[str, Any]) -> None:
    """Refuse what one fit has and many have not; `told` holds the options and their values.

    Raises
    ------
    OptionError
    """
    for option, value in told.items():
        if value is not None:
            raise OptionError(
                f"{option} is for one fit, and --by without --shared fits each group for itself", advice=_ADVICE
            )


def report(fits: Fits, *, json: bool, quiet: bool) -> Report:
    """The summary, or everything as one JSON object."""
    if json:
        return Report(document(fits), None, None, None)
    return Report(None, None if quiet else fits.summary(), None, None)


def document(fits: Fits) -> dict[str, Any]:
    """What the fits say, under keys that stay."""
    return {
        "formula": fits.formula,
        "by": fits.by,
        "data": fits.rows.source.description,
        "level": fits.level,
        "groups": [_group(fits, number) for number in range(len(fits))],
    }


def _group(fits: Fits, number: int) -> dict[str, Any]:
    group = fits.groups[number]
    half = fits.half_widths()[number].tolist()
    return {
        "group": group,
        "status": "converged" if fits.converged[number] else "not fitted",
        "note": fits.notes.get(group, ""),
        "coefficients": [
            {
                "name": name,
                "estimate": estimate,
                "std_error": error,
                "low": estimate - width,
                "high": estimate + width,
                "note": fits.held.get((group, name), ""),
            }
            for name, estimate, error, width in zip(
                fits.names, fits.estimates[number].tolist(), fits.errors[number].tolist(), half, strict=True
            )
        ],
        "statistics": {name: values[number].item() for name, values in fits.statistics.items()},
    }
