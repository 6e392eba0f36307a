"""Weights, offsets, exposures, trials and clusters: given by name, or as arrays beside the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

from thalweg.data.column_roles import parse_roles
from thalweg.data.source import Batch, Column, Source
from thalweg.data.sources import open_source
from thalweg.errors import DataError, OptionError

if TYPE_CHECKING:
    from thalweg.result import Fit

AS_ARRAY = "given as an array"  # what the options of a fit say of a role that was no column


@final
class Joined(Source):
    """A source with some columns in memory put beside its own."""

    def __init__(self, source: Source, extra: Mapping[str, Column], rows: int) -> None:
        self.source, self.extra, self._rows = source, extra, rows

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.source.names, *self.extra)

    @property
    def rows(self) -> int | None:
        return self.source.rows

    @property
    def description(self) -> str:
        return self.source.description

    @property
    def in_memory(self) -> bool:
        return self.source.in_memory

    @property
    def frame_library(self) -> str | None:
        return self.source.frame_library

    def place(self, row: int) -> str:
        return self.source.place(row)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """The source's batches with the rows of the extra columns that belong to them."""
        own = [name for name in columns if name not in self.extra]
        beside = {name: self.extra[name] for name in columns if name in self.extra}
        read = 0
        for batch in self.source.batches(own):
            rows = slice(batch.start, batch.start + batch.rows)
            read = rows.stop
            if read <= self._rows:
                joined = {name: column[rows] for name, column in beside.items()}
                yield Batch({**batch.columns, **joined}, batch.rows, batch.start, batch.numbers)
        if read != self._rows:
            names = ", ".join(name.removesuffix("_given") for name in self.extra)
            told = f"{read} row{'s' * (read != 1)}"
            raise DataError(
                f"the array given for {names} has {self._rows} entries, but the data have {told}",
                advice="Give one entry per row of the data, in the same order.",
            )


def with_roles(source: Source, given: Mapping[str, Any]) -> tuple[Source, dict[str, str | None]]:
    """The source with arrays among the given roles joined to it, and each role as a name or expression.

    Parameters
    ----------
    source : Source
        The data.
    given : mapping
        Role (weights, offset, exposure, trials, cluster) to a column name, an expression, an array, or None.

    Returns
    -------
    (Source, dict)

    Raises
    ------
    DataError
        Arrays whose lengths differ from the data's or from each other's.
    """
    roles: dict[str, str | None] = {name: value for name, value in given.items() if value is None or type(value) is str}
    arrays = {_free(f"{name}_given", source.names): (name, v) for name, v in given.items() if name not in roles}
    if not arrays:
        return source, roles
    held = open_source(dict(arrays.values()))  # under the names that the user knows
    batch = next(held.batches(held.names))
    columns = {column: batch.columns[role] for column, (role, _) in arrays.items()}
    joined = Joined(source, columns, batch.rows)
    return joined, {**roles, **{name: column for column, (name, _) in arrays.items()}}


def for_prediction(fit: Fit, source: Source, given: Mapping[str, Any]) -> tuple[Fit, Source]:
    """The fit and new rows with the offset or exposure of those rows in place of the fit's own.

    Parameters
    ----------
    fit : Fit
    source : Source
        The new rows.
    given : mapping
        "offset" and "exposure" to a column name, an expression, an array, or None for what the fit names.

    Raises
    ------
    OptionError
        A role that the fit does not have.
    DataError
        Arrays whose lengths differ from the data's.
    """
    present = {role: value for role, value in given.items() if value is not None}
    for role in present:
        if getattr(fit.spec.roles, role) is None:
            raise OptionError(f"this model was fitted without {role}=", advice="Leave it out here too.")
    if not present:
        return fit, source
    source, texts = with_roles(source, present)
    named = parse_roles(texts, source.names)
    roles = replace(fit.spec.roles, **dict(named.items()))
    return replace(fit, spec=fit.spec.with_roles(roles), options={**fit.options, **texts}), source


def require_roles(fit: Fit, source: Source) -> None:
    """Refuse new rows without the offset or exposure that the fit was given as an array.

    Raises
    ------
    OptionError
    """
    for role in ("offset", "exposure"):
        reading = getattr(fit.spec.roles, role)
        if reading is not None and fit.options.get(role) == AS_ARRAY and reading.text not in source.names:
            raise OptionError(
                f"this model was fitted with {role} {AS_ARRAY}; pass {role}= (an array or a column's name) to predict"
            )


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, with underscores in front until no column has it."""
    while name in taken:
        name = f"_{name}"
    return name


__all__ = ["AS_ARRAY", "Joined", "for_prediction", "require_roles", "with_roles"]
