"""Weights, offset, exposure, trials and cluster: columns or expressions that stand beside the formula."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.expression import Reading, parse_expression
from thalweg.data.formula import require_columns
from thalweg.data.missing import place
from thalweg.data.nodes import Category, Cbind, Name, column_names
from thalweg.data.source import Source
from thalweg.errors import DataError, FormulaError


@dataclass(frozen=True)
class Roles:
    """What each role is, None where it is not used.

    Attributes
    ----------
    weights, offset, exposure, trials, cluster : Reading, optional
        A column or an expression.
    """

    weights: Reading | None = None
    offset: Reading | None = None
    exposure: Reading | None = None
    trials: Reading | None = None
    cluster: Reading | None = None

    def items(self) -> Iterator[tuple[str, Reading]]:
        """The roles in use."""
        for name in ("weights", "offset", "exposure", "trials", "cluster"):
            reading = getattr(self, name)
            if reading is not None:
                yield name, reading

    def columns(self, *roles: str) -> tuple[str, ...]:
        """Columns that these roles read; all roles where none is named."""
        used = (reading for name, reading in self.items() if not roles or name in roles)
        return tuple(dict.fromkeys(name for reading in used for name in column_names(reading.node)))


def parse_roles(texts: dict[str, str | None], names: Sequence[str]) -> Roles:
    """Read the roles; a text that is a column's name is that column, whatever characters it holds.

    Raises
    ------
    FormulaError
        A construct outside the list.
    """
    return Roles(**{role: _read(role, text, names) for role, text in texts.items() if text is not None})


def _read(role: str, text: str, names: Sequence[str]) -> Reading:
    if not isinstance(text, str):
        raise FormulaError(f"{role} must be a column's name or an expression, not {type(text).__name__}")
    reading = Reading(Name(text), text) if text in names else parse_expression(text)
    require_columns(reading, role)
    if isinstance(reading.node, Category | Cbind):
        raise FormulaError(f"{role} {text!r} is not a number")
    return reading


_LEAST = {
    "weights": ("negative", 0.0, False),
    "trials": ("negative", 0.0, False),
    "exposure": ("not positive", 0.0, True),
}


def require_in_range(role: str, text: str, values: Tensor, columns: Columns, source: Source | None) -> None:
    """Refuse negative weights or trials, and exposures that have no logarithm.

    Raises
    ------
    DataError
        Naming the first row.
    """
    if role not in _LEAST or not values.numel():
        return
    what, least, strict = _LEAST[role]
    bad = values <= least if strict else values < least
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        shown = f"{role} {text} is {float(values[row]):g}, which is {what}"
        raise DataError(shown, where=place(source, columns.batch, row))


def role_values(reading: Reading, columns: Columns) -> Float[Tensor, "n"]:
    """A role over a batch."""
    return as_tensor(evaluate(reading.node, columns))


def total_offset(formula_offsets: Sequence[Reading], roles: Roles, columns: Columns) -> Float[Tensor, "n"] | None:
    """offset() terms, the option offset, and log(exposure), summed."""
    parts = [role_values(reading, columns) for reading in formula_offsets]
    if roles.offset is not None:
        parts.append(role_values(roles.offset, columns))
    if roles.exposure is not None:
        parts.append(torch.log(role_values(roles.exposure, columns)))
    return sum(parts[1:], parts[0]) if parts else None
