"""What the command line says beside its data: errors, notes and file names, on standard error, one line each."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


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
    """Every warning as one line `note: ...`, once; the texts are collected for `--json`."""
    seen: list[str] = []

    def show(message: Warning | str, *_: object, **__: object) -> None:
        text = clean(str(message))
        if text not in seen:
            seen.append(text)
            print(f"note: {text}", file=sys.stderr)

    from thalweg.errors import ThalwegWarning

    with warnings.catch_warnings():
        warnings.simplefilter("always", ThalwegWarning)
        warnings.showwarning = show
        yield seen
