"""Numbers as text: significant digits, p-values, and columns aligned on the decimal point."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

LARGE, SMALL = 1e7, 1e-5  # outside of these a number is written with an exponent
ABSENT = "n/a"


def significant(value: float, digits: int = 5) -> str:
    """A number with this many significant digits, trailing zeros kept, an exponent only where it is shorter.

    Examples
    --------
    >>> [significant(v) for v in (442.0, 0.48852, 123456789.0, -2.5e-7, float("nan"))]
    ['442.00', '0.48852', '1.2346e+08', '-2.5000e-07', 'n/a']
    """
    if not math.isfinite(value):
        return ABSENT if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return fixed(value, digits - 1 - magnitude(value), digits)


def magnitude(value: float) -> int:
    """Exponent of ten of a number: 2 for 442; 0 for zero."""
    return math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0


def fixed(value: float, decimals: int, digits: int) -> str:
    """A number with this many decimals; outside 1e-5 .. 1e7 as a mantissa of `digits` digits and an exponent."""
    if not math.isfinite(value):
        return significant(value)
    if value and not SMALL <= abs(value) < LARGE:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(decimals, 0)}f}"


def p_text(p: float) -> str:
    """A p-value: three significant digits, and `<1e-16` below what can be told from zero.

    Examples
    --------
    >>> [p_text(p) for p in (0.03124, 0.5, 0.000412, 3e-7, 1e-30, 1.0)]
    ['0.0312', '0.500', '0.000412', '3.0e-07', '<1e-16', '1.000']
    """
    if math.isnan(p):
        return ABSENT
    if p < 1e-16:
        return "<1e-16"
    if p < 1e-4:
        return f"{p:.1e}"
    return f"{p:.{min(2 - magnitude(p), 6) if p < 0.9995 else 3}f}"


def with_error(value: float, error: float, *bounds: float, digits: int = 4) -> tuple[str, ...]:
    """An estimate, its standard error and its bounds, all to the decimal at which the error has `digits` digits.

    The digits of an estimate beyond those of its error say nothing; three of its own are always shown, ten at most.

    Examples
    --------
    >>> with_error(-334.56712, 22.4551), with_error(1.00211681802, 0.000429796), with_error(0.012, 4.0)
    (('-334.57', '22.46'), ('1.0021168', '0.0004298'), ('0.0120', '4.000'))
    """
    if not (math.isfinite(error) and error > 0):
        return significant(value, 6), significant(error, digits), *(significant(b, 6) for b in bounds)
    own, base = magnitude(value), digits - 1 - magnitude(error)
    # An estimate far below its error is not spelled out to digits that mean nothing: two more decimals at most.
    decimals = min(max(base, 2 - own if value else base), base + 2, 9 - own)
    base = min(base, 9 - own)
    return (
        fixed(value, decimals, max(own + decimals + 1, 3)),
        fixed(error, base, digits),
        *(fixed(b, base, max(magnitude(b) + base + 1, 3)) for b in bounds),
    )


def aligned(cells: Sequence[str]) -> list[str]:
    """Cells of one column padded to one width, with their decimal points below one another.

    Examples
    --------
    >>> aligned(["-334.57", "5.6", "12", "n/a"])
    ['-334.57', '   5.6 ', '  12   ', '    n/a']
    >>> aligned(["0.0312", "3.0e-07", "<1e-16"])
    [' 0.0312 ', ' 3.0e-07', '<1e-16  ']
    """
    heads = [re.split(r"[.e]", cell, maxsplit=1)[0] if _is_number(cell) else "" for cell in cells]
    tails = [cell[len(head) :] if _is_number(cell) else "" for cell, head in zip(cells, heads, strict=True)]
    left, right = max(map(len, heads), default=0), max(map(len, tails), default=0)
    width = max([left + right, *map(len, cells)])
    placed = [
        head.rjust(left) + tail.ljust(right) if _is_number(cell) else cell
        for cell, head, tail in zip(cells, heads, tails, strict=True)
    ]
    return [cell.rjust(width) for cell in placed]


def _is_number(cell: str) -> bool:
    return cell.lstrip("<-")[:1].isdigit()


def elide(name: str, width: int) -> str:
    """A name cut in its middle to at most `width` characters.

    Examples
    --------
    >>> elide("mean_concavity_of_the_nucleus", 15)
    'mean_co…nucleus'
    """
    if len(name) <= width:
        return name
    kept = width - 1
    return name[: kept - kept // 2] + "…" + name[len(name) - kept // 2 :]


def elide_column(name: str, width: int) -> str:
    """The name of a design column in at most `width` characters: first the options of its calls are left out.

    What remains, the variable and the level, is what tells columns apart; only where that is still too long it is cut.

    Examples
    --------
    >>> elide_column("C(region, Treatment('North'))[T.East]", 24)
    'C(region, …)[T.East]'
    >>> elide_column("C(region, Treatment('North'))[T.East]", 40)
    "C(region, Treatment('North'))[T.East]"
    """
    if len(name) <= width:
        return name
    return elide(_without_options(name), width)


# A quoted text, or a level in its brackets, is one piece.
_PIECE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\[[^\]]*\]|.""", re.DOTALL)


def _without_options(name: str) -> str:
    """'C(a, x)[T.b]:log(z)' to 'C(a, …)[T.b]:log(z)': of each call what follows its first comma."""
    kept, depth, since = [], 0, None  # since: the depth of the call whose options are being left out
    for piece in _PIECE.findall(name):
        if piece == ")":
            since = None if since == depth else since
            depth -= 1
        if since is None:
            kept.append(piece)
        depth += piece == "("
        if piece == "," and depth and since is None:
            kept.append(" …")
            since = depth
    return "".join(kept)
