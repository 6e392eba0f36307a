"""The summary of a fit as text, and as a rich renderable for a terminal with colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from thalweg.show.content import Content, content
from thalweg.show.numbers import aligned, elide_column

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from thalweg.result import Fit

WIDTH = 88  # characters of a line, where nobody says otherwise
_GAP = "  "
_NAME_LEAST = 12


def summary_text(fit: Fit, *, level: float | None = None, width: int = WIDTH, digits: int = 4) -> str:
    """A fit's summary as plain text.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        Of the confidence intervals; the fit's own by default.
    width : int
        Characters of a line, 60 at least. Names that would not fit lose options of their calls, then their middle.
    digits : int
        Significant digits of a standard error; estimates are shown to the same decimal.

    Returns
    -------
    str
        Header, coefficient table, statistics and notes, without colours and without a newline at the end.
    """
    shown = content(fit, level=level, digits=digits)
    rule = "-" * width
    parts = [
        shown.title,
        *_pairs(shown.header, width),
        rule,
        *coefficient_lines(shown, width),
        rule,
        *_statistics_lines(shown.statistics, width),
        *([rule] if shown.notes else []),
        *_note_lines(shown.notes, width),
    ]
    return "\n".join(line.rstrip() for line in parts)


def coefficient_lines(shown: Content, width: int = WIDTH) -> list[str]:
    """The coefficient table, one string per line, headings first."""
    numbers = [aligned(column) for column in list(zip(*shown.coefficients, strict=True))[1:]]
    padded = [_with_heading(cells, name) for cells, name in zip(numbers, shown.columns[1:], strict=True)]
    taken = sum(len(column[0]) + len(_GAP) for column in padded)
    names = [row[0] for row in shown.coefficients]
    room = max(min(max(map(len, names)), width - taken), _NAME_LEAST)
    first = [elide_column(name, room).ljust(room) for name in ("", *names)]
    return [_GAP.join(cells) for cells in zip(first, *padded, strict=True)]


def _with_heading(cells: Sequence[str], heading: str) -> list[str]:
    width = max(len(heading), len(cells[0]))
    return [heading.rjust(width), *(cell.rjust(width) for cell in cells)]


def _pairs(pairs: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Labels and texts, long texts wrapped below themselves."""
    room = max(len(label) for label, _ in pairs) + len(_GAP)
    for label, text in pairs:
        yield from _wrapped(text, width, "  " + label.ljust(room), " " * (room + 2))


def _statistics_lines(pairs: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Labels and figures in two columns, read down the first, then down the second."""
    half = (len(pairs) + 1) // 2
    columns = [_aligned_pairs(part) for part in (pairs[:half], pairs[half:]) if part]
    if sum(len(column[0]) for column in columns) + 6 > width:
        return ["  " + line for line in _aligned_pairs(pairs)]
    return ["  " + "    ".join(cells) for cells in zip_longest(*columns, fillvalue="")]


def _aligned_pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Figures to the right of their labels, decimal points below one another; words after a figure follow it."""
    heads, tails = zip(*(_figure_and_words(text) for _, text in pairs), strict=True)
    label_width = max(len(label) for label, _ in pairs)
    lines = [
        label.ljust(label_width) + _GAP + (figure.rstrip() + tail if tail else figure)
        for (label, _), figure, tail in zip(pairs, aligned(heads), tails, strict=True)
    ]
    longest = max(map(len, lines))
    return [line.ljust(longest) for line in lines]


def _figure_and_words(text: str) -> tuple[str, str]:
    for mark in (", ", " "):
        figure, found, words = text.partition(mark)
        if found:
            return figure, found + words
    return text, ""


def _note_lines(notes: Sequence[str], width: int) -> Iterator[str]:
    for note in notes:
        yield from _wrapped(note, width, "  * ", "    ")


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def summary_rich(fit: Fit, *, level: float | None = None, digits: int = 4) -> Group:
    """A fit's summary for `rich.print`: the same content as `summary_text`, with weights and colours.

    Names are shown whole (rich folds them where the terminal is narrow), and nothing in them is read as markup.
    """
    from rich.console import Group
    from rich.text import Text

    shown = content(fit, level=level, digits=digits)
    notes = [Text(f"  * {note}", style="yellow") for note in shown.notes]
    return Group(
        Text(shown.title, style="bold"),
        _rich_pairs(shown.header),
        _rich_coefficients(shown),
        _rich_pairs(shown.statistics),
        *notes,
    )


def _rich_pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=True)
    for label, text in pairs:
        table.add_row(Text(label, style="dim"), Text(text))
    return table


def _rich_coefficients(shown: Content) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(shown.columns[0], overflow="fold")
    for heading in shown.columns[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    numbers = [aligned(column) for column in list(zip(*shown.coefficients, strict=True))[1:]]
    for row, *cells in zip(shown.coefficients, *numbers, strict=True):
        table.add_row(Text(row[0], style="cyan"), *map(Text, cells))
    return table
