"""What the command line says beside its data: errors, notes and file names, on standard error, one line each."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.errors import ThalwegWarning


def clean(text: str) -> str:
    """One line without control characters: a name from a file must not steer the terminal.

    Examples
    --------
    >>> clean("column 'a\\x1b[31m' is\\nmissing")
    "column 'a\\\\x1b[31m' is missing"
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def say(what: str, advice: str | None = None) -> None:
    """An error: what happened on one line, what to do on the next."""
    print(f"thalweg: {clean(what)}", file=sys.stderr)
    if advice:
        print(f"  {clean(advice)}", file=sys.stderr)


def tell(text: str) -> None:
    """A line that is neither data nor an error: a file that was written, a count."""
    print(clean(text), file=sys.stderr)


@contextmanager
def notes() -> Iterator[list[str]]:
    """Every warning as one line `note: ...`, once, at the end; the texts are collected for `--json`.

    At the end, because a line of progress may be on the terminal before; and not at all after an interrupt, which
    leaves nothing that a note could be about.
    """
    seen: list[str] = []

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = clean(str(message))
        if text not in seen:
            seen.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ThalwegWarning)
        warnings.showwarning = show
        try:
            yield seen
        except KeyboardInterrupt:
            seen.clear()
            raise
        finally:
            for text in seen:
                print(f"note: {text}", file=sys.stderr)
