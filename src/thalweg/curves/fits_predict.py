"""Predictions by group: the curve of each row's group, and intervals, which ask the full fit of the group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.group_rows import OneGroup
from thalweg.data.contrasts import show_level
from thalweg.data.evaluate import MISSING, UNSEEN, Columns
from thalweg.data.nodes import Name
from thalweg.data.source import Batch, Coded, Source
from thalweg.errors import ExtrapolationWarning, MissingValueError, NotAvailableError, UnseenLevelError, tell
from thalweg.inference.prediction import Request, batches

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits

COLUMNS = ("prediction", "lower", "upper", "standard_error")


def values_of_rows(fits: Fits, source: Source, unseen: str, missing: str) -> Float[ndarray, "n"]:
    """The curve of each row's group.

    Raises
    ------
    MissingValueError, UnseenLevelError
        Where `missing`, or `unseen`, is "error".
    """
    wanted = tuple(dict.fromkeys([*fits.spec.predictor_columns, fits.by]))
    parts = [_values_of(fits, replace(batch, places=source.place), unseen, missing) for batch in source.batches(wanted)]
    return np.concatenate(parts) if parts else np.empty(0)


def _values_of(fits: Fits, batch: Batch, unseen: str, missing: str) -> Float[ndarray, "n"]:
    codes = Columns(batch, {}).codes(Name(fits.by), fits.groups).numpy(force=True)
    if missing == "error" and (codes == MISSING).any():
        where = batch.place(int((codes == MISSING).argmax()))
        raise MissingValueError(f"{fits.by} is missing", where=where, advice="Fill it in or leave the row out.")
    if unseen == "error" and (codes == UNSEEN).any():
        raise _unseen(fits, batch, int((codes == UNSEEN).argmax()))
    block = fits.spec.base.block(batch, False, missing=missing).double()
    theta = np.vstack([fits.estimates, np.full(len(fits.names), np.nan)])[np.where(codes < 0, -1, codes)]
    curve = fits.spec.curve.over(fits.spec.inputs(block), block.rows)
    values = np.array(curve.values(list(theta.T)), dtype=float)
    values[np.isnan(theta).any(axis=1)] = np.nan
    return values if block.offset is None else values + block.offset.numpy(force=True)


def _unseen(fits: Fits, batch: Batch, row: int) -> UnseenLevelError:
    column = batch.columns[fits.by]
    value = column.levels[int(column.codes[row])] if isinstance(column, Coded) else float(column[row])
    return UnseenLevelError(
        f"{fits.by} is {show_level(value)}, a group that the fit never saw",
        where=batch.place(row),
        advice="Option unseen='null' gives NaN for such rows.",
    )


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
