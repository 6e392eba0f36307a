"""One run of the command line: invoke a verb, and turn however it ends into an exit code and at most two lines."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from thalweg.cli.app import app
from thalweg.cli.speech import in_options, say
from thalweg.errors import ThalwegError

# typer's own UsageError is exported only through its subclass; older versions take it from click, later ones carry it.
UsageError = typer.BadParameter.__bases__[0]

GARBAGE = 20_000  # new objects after which garbage is looked for
DONE, FAULT, ERROR, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141


def run(arguments: list[str]) -> int:
    """Run the verb that the arguments name, and return its exit code."""
    written: list[Path] = []
    try:
        with _seldom_collected():
            code = _invoke(arguments, written)
        sys.stdout.flush()  # a closed pipe shows here, and not while the interpreter shuts down
    except BaseException as error:
        code = _outcome(error, written)
    return code


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for garbage less often: what is imported stays, and going through it took 0.1 s of a short command's 2.1."""
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _invoke(arguments: list[str], written: list[Path]) -> int:
    """Call the command without typer's own handling of errors, which prints boxes and swallows Ctrl-C."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("thalweg", arguments, obj=written) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return DONE


def _outcome(error: BaseException, written: list[Path]) -> int:
    """Say how the run ended; the exit code."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # rich turns the one into the other
    match error:
        case KeyboardInterrupt() | typer.Abort():
            say(f"interrupted; {_kept(written)}")
            return INTERRUPTED
        case SystemExit():
            raise error
        case BrokenPipeError():
            _silence_stdout()
            return PIPE_CLOSED
        case ThalwegError():
            place = f" ({error.where})" if error.where else ""
            say(f"{in_options(error.what)}{place}.", in_options(error.advice or ""))
        case _ if isinstance(error, UsageError):
            say(_sentence(error), _help_hint(error))
        case OSError():
            say(_system_sentence(error))
        case MemoryError():
            say(
                "there is not enough memory for this", "A file is read in batches; an array is not: save it as Parquet."
            )
        case _:
            return _fault(error)
    return ERROR


def _kept(written: list[Path]) -> str:
    """What an interrupted run leaves behind, in words."""
    if not written:
        return "nothing was written."
    return f"written before that, and whole: {', '.join(map(str, written))}."


def _silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not complain again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _sentence(error: BaseException) -> str:
    """A usage error of typer's as one line."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(message.split())


def _help_hint(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return f"Try '{context.command_path if context else 'thalweg'} --help'."


def _system_sentence(error: OSError) -> str:
    """An error of the operating system: the reason first, then the file."""
    reason = (error.strerror or str(error)).lower()
    return f"{reason}: {error.filename}." if error.filename is not None else f"{reason}."


def _fault(error: BaseException) -> int:
    """An error that Thalweg did not foresee is a fault of Thalweg's: two lines, and the traceback for who asks."""
    if os.environ.get("THALWEG_TRACEBACK"):
        raise error
    say(
        f"a fault in Thalweg itself: {type(error).__name__}: {error}",
        "Please report it, with what THALWEG_TRACEBACK=1 in the environment makes the same command print.",
    )
    return FAULT
