"""A comparison of gradients as text: a table with every number in full, and one sentence at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from thalweg.show.numbers import elide

if TYPE_CHECKING:
    from torch import Tensor

    from thalweg.compare import GradientComparison, GradientsAt

WORDS = {"hand": "by hand", "autograd": "by autograd", "module": "by module", "own": "yours"}
DIFFERENCES = "by differences"
MOST_NAMES = 8  # parameters that the table shows; of more, the ones that agree least
CANCELLED = 1e-3  # an entry below this part of its terms: their digits are counted, not its own


def comparison_text(found: GradientComparison) -> str:
    """The table and the sentence."""
    shown = _shown(found)
    lines = [found.title, ""]
    rows: list[Sequence[str]] = [("step", "parameter", "computed", "gradient", "equal to the first")]
    for each in found.at:
        for j in shown:
            rows += _rows(each, j, found)
    lines += _aligned(rows)
    if len(shown) < len(found.names):
        lines.append(f"The {len(shown)} of {len(found.names)} parameters that agree least are shown.")
    return "\n".join([*lines, "", sentence(found)])


def _shown(found: GradientComparison) -> list[int]:
    """Entries in their order: all, or the ones that agree least."""
    entries = range(len(found.names))
    if len(entries) <= MOST_NAMES:
        return list(entries)
    worst = sorted(entries, key=lambda j: max(_gap(each, j) for each in found.at), reverse=True)
    return sorted(worst[:MOST_NAMES])


def _gap(each: GradientsAt, j: int) -> float:
    """The largest difference from the first way, in units of the terms."""
    values = [float(g[j]) for g in each.ways.values()]
    gap = max(abs(v - values[0]) for v in values)
    return math.inf if math.isnan(gap) else gap / (float(each.terms[j]) or 1.0)


def _rows(each: GradientsAt, j: int, found: GradientComparison) -> Iterator[Sequence[str]]:
    groups = _equal(each.ways, j)
    first = next(iter(groups))
    head = (str(each.step), elide(found.names[j], 28))
    for number, names in groups.items():
        how = _digits(number, first, float(each.terms[j]))
        if number == first:
            how = f"all {found.bits} bits" if len(names) > 1 else ""
        wrong = any(j in each.wrong(way) for way in names)
        yield (*head, ", ".join(WORDS.get(way, way) for way in names), f"{number:.17g}", how + wrong * "  WRONG")
        head = ("", "")
    witness = float(each.witness[j])
    mark = "  CONTRADICTS" if j in each.doubted() else ""
    yield (*head, DIFFERENCES, f"{witness:.17g}", _digits(witness, first, float(each.terms[j])) + mark)


def _equal(ways: Mapping[str, Tensor], j: int) -> dict[float, list[str]]:
    """Names of the ways by the number that they give."""
    groups: dict[float, list[str]] = {}
    for name, gradient in ways.items():
        groups.setdefault(float(gradient[j]), []).append(name)
    return groups


def digits(number: float, other: float, terms: float) -> tuple[int, bool]:
    """How many leading digits two numbers share, and whether those are digits of the terms that they sum.

    Examples
    --------
    >>> digits(1.2345678, 1.2345679, 1.0), digits(2e-17, -1e-17, 1.0)
    ((7, False), (16, True))
    """
    size = max(abs(number), abs(other))
    cancelled = size < CANCELLED * terms
    size = terms if cancelled else size
    gap = abs(number - other)
    if gap == 0:
        return 17, cancelled
    if not (gap < math.inf and size > 0):
        return 0, cancelled
    return max(0, math.floor(-math.log10(gap / size))), cancelled


def _digits(number: float, other: float, terms: float) -> str:
    if number == other:
        return "every digit"
    shared, cancelled = digits(number, other, terms)
    plural = "" if shared == 1 else "s"
    return f"{shared} digit{plural}" + (" of its terms, which cancel" if cancelled else "")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side: the step and the number to the right, the rest to the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    right = (0, 3)
    return [
        "  ".join(c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        .rstrip()
        for row in rows
    ]  # fmt: skip


def sentence(found: GradientComparison) -> str:
    """What the table shows, in words."""
    faults = _faults(found)
    if faults:
        return " ".join(faults)
    bits, numbers, least = _tally(found)
    ways = _listed([WORDS.get(way, way) for way in found.ways])
    if bits == numbers:
        equal = f"all {numbers} numbers are equal to all {found.bits} bits"
    elif bits:
        equal = f"{bits} of {numbers} numbers are equal to all {found.bits} bits, the others to {least} digits or more"
    else:
        equal = f"all {numbers} numbers are equal to {least} digits or more"
    if len(found.ways) == 1:
        equal = f"{numbers} numbers"
    return f"The gradients agree, {ways}: {equal}; differences of the loss confirm them to {_confirmed(found)} digits."


def _tally(found: GradientComparison) -> tuple[int, int, int]:
    """(numbers equal to the last bit, numbers, the fewest digits among the others)."""
    bits, least = 0, 17
    for each in found.at:
        for j in range(len(found.names)):
            values = [float(g[j]) for g in each.ways.values()]
            bits += len(set(values)) == 1
            least = min([least, *(digits(v, values[0], float(each.terms[j]))[0] for v in values)])
    return bits, len(found.at) * len(found.names), least


def _confirmed(found: GradientComparison) -> int:
    return min(
        digits(float(each.witness[j]), float(next(iter(each.ways.values()))[j]), float(each.terms[j]))[0]
        for each in found.at
        for j in range(len(found.names))
    )


def _faults(found: GradientComparison) -> list[str]:
    """A sentence for each way that is wrong, and for what the differences contradict."""
    first = WORDS.get(found.ways[0], found.ways[0])
    texts = []
    for way, names in found.wrong.items():
        right = [name for name in found.names if name not in names]
        subject = "Your gradient" if way == "own" else f"The gradient {WORDS.get(way, way)}"
        if names:
            listed = _listed([_with_ratio(found, way, name) for name in names])
            texts.append(f"{subject} is wrong for {listed}" + (f", and right for {_listed(right)}." if right else "."))
    if found.doubted:
        texts.append(f"Differences of the loss contradict the gradient {first} for {_listed(found.doubted)}.")
    return texts


def _with_ratio(found: GradientComparison, way: str, name: str) -> str:
    """ "x (0.5 times the right value)" where that is so at every step: a factor was forgotten, or a sign."""
    j = found.names.index(name)
    pairs = [(float(each.ways[way][j]), float(next(iter(each.ways.values()))[j])) for each in found.at]
    ratios = [a / b for a, b in pairs if b]
    if (
        len(ratios) < 2
        or abs(ratios[0] - 1) < 1e-3
        or not all(math.isclose(r, ratios[0], rel_tol=1e-6) for r in ratios)
    ):
        return name
    return f"{name} ({ratios[0]:.6g} times the right value)"


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:6], f"{len(names) - 6} more"] if len(names) > 7 else list(names)
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
