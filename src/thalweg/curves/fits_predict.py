"""Intervals of predictions by group: each row asks the full fit of its group, which has the covariance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.group_rows import OneGroup
from thalweg.data.contrasts import show_level
from thalweg.data.evaluate import Columns
from thalweg.data.nodes import Name
from thalweg.data.source import Source
from thalweg.errors import ExtrapolationWarning, NotAvailableError, tell
from thalweg.inference.prediction import Request, batches

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits

COLUMNS = ("prediction", "lower", "upper", "standard_error")


def intervals_of_rows(
    fits: Fits, source: Source, values: Float[ndarray, "n"], data: Any, asked: Mapping[str, Any]
) -> Any:
    """A frame of prediction, lower, upper and standard_error.

    Parameters
    ----------
    fits : Fits
    source : Source
        The rows.
    values : ndarray, (n,)
        Their predictions.
    data : object
        As the user gave them: its library makes the frame.
    asked : mapping
        interval, level, missing.

    Raises
    ------
    NotAvailableError
        A group's fit has no covariance; the text names the group.
    """
    from thalweg.show.frames import frame, library_for, with_index_of

    codes = _codes(fits, source)
    columns = {name: np.full(len(values), np.nan) for name in COLUMNS} | {"prediction": values}
    outside: Counter[str] = Counter()
    for group in np.unique(codes[codes >= 0]).tolist():
        if fits.converged[group]:
            here = np.flatnonzero(codes == group)
            found = _of_group(fits, group, OneGroup(source, here, ""), asked, outside)
            for name in COLUMNS[1:]:  # the first is known, to the last digit
                columns[name][here] = found[name]
    if data is not None and outside:
        listed = ", ".join(f"{count} in {name}" for name, count in sorted(outside.items()))
        tell(ExtrapolationWarning(f"of {len(values)} rows, outside the range of their group's data: {listed}"))
    return with_index_of(data, frame(columns, library_for(source)))


def _codes(fits: Fits, source: Source) -> ndarray:
    """The number of each row's group; below 0 for none."""
    parts = [Columns(batch, {}).codes(Name(fits.by), fits.groups) for batch in source.batches([fits.by])]
    return np.concatenate([part.numpy(force=True) for part in parts]) if parts else np.empty(0, int)


def _of_group(
    fits: Fits, group: int, rows: OneGroup, asked: Mapping[str, Any], outside: Counter[str]
) -> dict[str, ndarray]:
    """The columns of one group's rows."""
    fit = fits[fits.groups[group]]
    try:
        request = Request.of(fit, asked["interval"], asked["level"], "mean", missing=asked["missing"])
    except NotAvailableError as error:
        where = f"{fits.by} {show_level(fits.groups[group])}"
        raise NotAvailableError(error.what, where=where, advice=error.advice) from None
    parts = list(batches(fit, rows, request, outside))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
