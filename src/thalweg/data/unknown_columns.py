"""A formula whose names are no columns: it may be a curve that was written with the sign of formulas."""

from __future__ import annotations

import difflib

from thalweg.data.columns import missing_column
from thalweg.data.formula import Formula
from thalweg.data.nodes import column_names
from thalweg.data.source import Source
from thalweg.errors import ColumnError


def refuse_parameters(parsed: Formula, source: Source) -> None:
    """Refuse a formula with names that are no columns and no slips of the pen, saying how a curve is written.

    Raises
    ------
    ColumnError
    """
    known = source.names
    unknown = [name for name in parsed.predictor_columns if name not in known]
    slip = len(unknown) == 1 and difflib.get_close_matches(unknown[0], known, n=1)
    if not unknown or slip or not {*column_names(parsed.response.node)} <= {*known}:
        return
    error = missing_column(unknown[0], known, source.description)
    curve = f"Write '=' in the place of '~' for a curve, where {unknown[0]!r} is a parameter."
    raise ColumnError(error.what, where=error.where, advice=f"{error.advice} {curve}")
