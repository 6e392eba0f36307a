"""The command line: verbs mapped to library calls, and no mathematics.

`main` is the entry point `thalweg`. Nothing heavy is imported before a verb runs, so that `thalweg --help` is quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands after `thalweg` on the command line; None reads `sys.argv`.

    Returns
    -------
    int
        The exit code: 0 done, 2 an error that the user can mend, 130 interrupted, 141 the reader of standard output
        went away, 1 a fault in Thalweg itself.

    Examples
    --------
    >>> from thalweg.cli import main
    >>> main(["--version"])
    thalweg ...
    0
    """
    try:
        from thalweg.cli.running import run

        return run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:  # before `run` was there to say so
        return 130
