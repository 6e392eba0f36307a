"""The summary of a fit as HTML for notebooks: semantic tables, every text escaped, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from thalweg.show.content import Content, content
from thalweg.show.numbers import aligned

if TYPE_CHECKING:
    from thalweg.result import Fit

# Colours come from the page (inherit, currentColor), so that a dark notebook stays dark.
_STYLE = """
.thalweg{font-family:system-ui,sans-serif;color:inherit;max-width:60em}
.thalweg table{border-collapse:collapse;margin:.4em 0;color:inherit;background:transparent}
.thalweg caption{text-align:left;font-weight:600;padding:.2em 0}
.thalweg th,.thalweg td{padding:.15em .7em;border:0;background:transparent;color:inherit;vertical-align:top}
.thalweg th{font-weight:500;text-align:left}
.thalweg thead th{text-align:right;border-bottom:1px solid currentColor}
.thalweg .number{text-align:right;white-space:pre;font-variant-numeric:tabular-nums;font-family:ui-monospace,monospace}
.thalweg .pairs td{text-align:left}
.thalweg .notes{font-size:.9em;opacity:.85}
"""


def summary_html(fit: Fit, *, level: float | None = None, digits: int = 4) -> str:
    """A fit's summary as one HTML element with its own style.

    Every name and text is escaped; nothing is loaded from elsewhere, and no script is used.
    """
    shown = content(fit, level=level, digits=digits)
    parts = [
        f"<style>{_STYLE}</style>",
        _pairs(shown.header, shown.title),
        _coefficients(shown),
        _pairs(shown.statistics, None),
        _notes(shown.notes),
    ]
    return '<div class="thalweg">' + "".join(parts) + "</div>"


def _pairs(pairs: Sequence[tuple[str, str]], caption: str | None) -> str:
    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    rows = "".join(f'<tr><th scope="row">{escape(label)}</th><td>{escape(text)}</td></tr>' for label, text in pairs)
    return f'<table class="pairs">{head}<tbody>{rows}</tbody></table>'


def _coefficients(shown: Content) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in shown.columns)
    numbers = [aligned(column) for column in list(zip(*shown.coefficients, strict=True))[1:]]
    rows = "".join(_row(row[0], cells) for row, *cells in zip(shown.coefficients, *numbers, strict=True))
    return f'<table class="coefficients"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(name: str, cells: Sequence[str]) -> str:
    numbers = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
    return f'<tr><th scope="row">{escape(name)}</th>{numbers}</tr>'


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if notes else ""
