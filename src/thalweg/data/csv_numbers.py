"""How numbers are spelled in a text file: the decimal mark, the marks between thousands, and their conversion.

A conversion gives the float64 nearest to the decimal that stands in the file (what Python's `float` gives), or raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float
from torch import Tensor

from thalweg.data.columns import EXACT, Place, inexact_integer, tensor_of, too_large
from thalweg.errors import DataError

MISSING = ("", "NA", "NaN", "nan", "NAN", "null", "NULL", "None", "N/A", "n/a", "<NA>", "#N/A", ".")

_SPACES = (" ", "\u00a0", "\u202f", "'", "\u2019")  # between thousands, whatever the decimal mark
_INFINITE = r"[+-]?(?:inf|Inf|INF|infinity|Infinity)"


class _Spelling(NamedTuple):
    plain: str  # 1234.5, .5, 1e-3
    grouped: str  # 1,234.5


@cache
def _spelling(decimal: str) -> _Spelling:
    mark = re.escape(decimal)
    plain = rf"[+-]?(?:[0-9]+(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    separators = [re.escape("," if decimal == "." else "."), *_SPACES]
    grouped = "|".join(rf"[+-]?[1-9][0-9]{{0,2}}(?:{s}[0-9]{{3}})+(?:{mark}[0-9]*)?" for s in separators)
    return _Spelling(f"^(?:{plain}|{_INFINITE})$", f"^(?:{grouped})$")


@cache
def _matcher(decimal: str) -> re.Pattern[str]:
    return re.compile("|".join(_spelling(decimal)))


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell, stripped of its spaces, is a number with this decimal mark.

    Examples
    --------
    >>> is_number("1,234.5", "."), is_number("1,5", "."), is_number("1.234,5", ",")
    (True, False, True)
    """
    return _matcher(decimal).match(cell) is not None


def resembles_number(cell: str) -> bool:
    """Whether a cell is a number under some convention, a sum of money or a percentage."""
    bare = cell.strip("$€£¥% ").removeprefix("USD").removeprefix("EUR").strip()
    return is_number(bare, ".") or is_number(bare, ",")


# --- which decimal mark ----------------------------------------------------------------------------------------------


def _sure(mark: str, other: str) -> re.Pattern[str]:
    """Spellings in which `mark` can only be the decimal mark."""
    m, o, digits = re.escape(mark), re.escape(other), "[0-9]"
    spellings = (
        rf"{digits}*{m}(?:{digits}{{1,2}}|{digits}{{4,}})",  # 1,5 and 1,2345: a thousand has three digits
        rf"(?:0|{digits}{{4,}})?{m}{digits}+",  # 0,123 and 1234,567: and begins with one to three, the first not 0
        rf"{digits}{{1,3}}(?:[{o}{''.join(_SPACES)}]{digits}{{3}})+{m}{digits}*",  # 1.234,5
        rf"{digits}{{1,3}}(?:{o}{digits}{{3}}){{2,}}",  # 1.234.567
        rf"{digits}+{m}{digits}+[eE][+-]?{digits}+",  # 1,234e5
    )
    return re.compile(f"[+-]?(?:{'|'.join(spellings)})")


_COMMA_SURE, _POINT_SURE = _sure(",", "."), _sure(".", ",")
EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")  # 1,234: a thousand or one and a bit


def find_decimal(cells: Iterable[str], delimiter: str) -> str | None:
    """The decimal mark of a file: ',' or '.', or None where '1,234' could be either and nothing else tells.

    Between commas, '1,234' in quotes is a thousand: files with a decimal comma are delimited by something else.

    Examples
    --------
    >>> find_decimal(["1,5", "2,25"], ";"), find_decimal(["1,234"], ";"), find_decimal(["1,234"], ",")
    (',', None, '.')
    """
    comma = point = either = 0
    for cell in cells:
        comma += _COMMA_SURE.fullmatch(cell) is not None
        point += _POINT_SURE.fullmatch(cell) is not None
        either += EITHER.fullmatch(cell) is not None
    if comma > point:
        return ","
    return "." if point or not either or delimiter == "," else None


# --- what a column holds ---------------------------------------------------------------------------------------------

TRUTH = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


def kind_of_cells(cells: Sequence[str], decimal: str | None) -> str:
    """'number', 'levels', 'boolean', 'mixed', 'unclear' (decimal mark) or 'unknown' (nothing but missing values)."""
    present = [cell for cell in (c.strip() for c in cells) if cell not in MISSING]
    if not present:
        return "unknown"
    if decimal is None and any(EITHER.fullmatch(cell) for cell in present):
        return "unclear"
    numbers = sum(is_number(cell, decimal or ".") for cell in present)
    if numbers == len(present):
        return "number"
    if all(cell in TRUTH for cell in present):
        return "boolean"
    return "mixed" if 2 * sum(map(resembles_number, present)) >= len(present) else "levels"


# --- conversion ------------------------------------------------------------------------------------------------------


def numbers(cells: pa.Array, decimal: str, name: str, place: Place) -> Float[Tensor, "n"]:
    """Strings as float64, correctly rounded; NaN where missing.

    Parameters
    ----------
    cells : pyarrow Array of strings, (n,)
        Null where the cell is one of MISSING.

    Raises
    ------
    DataError
        Text that is no number, an integer that float64 cannot hold, a number past its range.
    """
    clean = cells
    if decimal == "." or not pc.any(pc.match_substring(cells, ".")).as_py():
        clean = cells if decimal == "." else pc.replace_substring(cells, ",", ".")
        try:
            return _checked(clean.cast(pa.float64()), clean, name, place)
        except pa.ArrowInvalid:
            pass  # spaces around, marks between thousands, or text: told apart below
    clean = _without_groups(cells, decimal, name, place)
    return _checked(clean.cast(pa.float64()), clean, name, place)


def _without_groups(cells: pa.Array, decimal: str, name: str, place: Place) -> pa.Array:
    """The cells in the plain spelling with a decimal point."""
    spelling = _spelling(decimal)
    trimmed = pc.utf8_trim_whitespace(cells)
    trimmed = pc.if_else(pc.is_in(trimmed, pa.array(MISSING)), pa.scalar(None, pa.string()), trimmed)
    grouped = pc.match_substring_regex(trimmed, spelling.grouped)
    good = pc.or_(grouped, pc.match_substring_regex(trimmed, spelling.plain)).fill_null(True)
    if not pc.all(good).as_py():
        row = pc.index(good, False).as_py()
        raise not_a_number(cells[row].as_py(), name, place(row))
    other = "," if decimal == "." else r"\."
    bare = pc.replace_substring_regex(trimmed, f"[{other}{''.join(_SPACES)}]", "")
    trimmed = pc.if_else(grouped, bare, trimmed)
    return trimmed if decimal == "." else pc.replace_substring(trimmed, ",", ".")


def not_a_number(cell: str, name: str, where: str) -> DataError:
    """The error for text in a column of numbers."""
    shown = cell if len(cell) <= 40 else cell[:37] + "..."
    return DataError(
        f"column '{name}' holds numbers, and '{shown}'",
        where=where,
        advice=(
            "Correct the value, or leave the cell empty if it is missing;"
            f" if the column is a category, open the file with text=['{name}']."
        ),
    )


def _checked(floats: pa.Array, cells: pa.Array, name: str, place: Place) -> Tensor:
    values = floats.to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        suspects = np.flatnonzero(np.abs(values) >= EXACT)
    if suspects.size:
        texts = cells.take(pa.array(suspects))
        for row, text in zip(suspects.tolist(), texts.to_pylist(), strict=True):
            _check_large(float(values[row]), text, name, row, place)
    return tensor_of(values)


def _check_large(value: float, text: str, name: str, row: int, place: Place) -> None:
    if np.isinf(value):
        if "inf" not in text.lower():
            raise too_large(text, name, place(row))
    elif text.lstrip("+-").isdecimal() and int(value) != int(text):
        raise inexact_integer(text, name, place(row))
