"""However a run ends: a sentence of at most two lines and an exit code, and never a traceback."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from thalweg import errors
from thalweg.cli import main, running
from thalweg.errors import ThalwegWarning


@pytest.fixture
def ending(monkeypatch, capsys):
    """Run a verb that does nothing but what it is told, and return its exit code, output and errors."""

    def run(verb, *arguments: str) -> tuple[int, str, str]:
        app = typer.Typer(add_completion=False)
        app.command("verb")(verb)
        app.callback()(lambda: None)
        monkeypatch.setattr(running, "app", app)
        code = main(["verb", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def _raising(error: BaseException):
    def verb() -> None:
        raise error

    return verb


@pytest.mark.parametrize("kind", [kind for kind in vars(errors).values() if isinstance(kind, type)])
def test_every_error_of_thalweg_is_two_lines_and_code_2(kind, ending):
    if issubclass(kind, ThalwegWarning):
        return
    code, out, err = ending(_raising(kind("no column 'bmx'", where="a.csv, line 1", advice="Did you mean 'bmi'?")))
    assert (code, out) == (2, "")
    assert err == "thalweg: no column 'bmx' (a.csv, line 1).\n  Did you mean 'bmi'?\n"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.csv"), "no such file or directory: a.csv."),
        (OSError("odd"), "odd."),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_errors_of_the_system_are_sentences(error, text, ending):
    code, out, err = ending(_raising(error))
    assert (code, out) == (2, "")
    assert err.startswith(f"thalweg: {text}")
    assert err.count("\n") <= 2


def test_control_characters_of_a_file_do_not_reach_the_terminal(ending):
    _, _, err = ending(_raising(errors.DataError("column 'a\x1b[31m\nb'")))
    assert err == "thalweg: column 'a\\x1b[31m b'.\n"


def test_a_fault_is_told_from_a_mistake(ending, monkeypatch):
    code, out, err = ending(_raising(ZeroDivisionError("division by zero")))
    assert (code, out) == (1, "")
    assert err.startswith("thalweg: a fault in Thalweg itself: ZeroDivisionError: division by zero\n")
    assert err.count("\n") == 2
    monkeypatch.setenv("THALWEG_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        ending(_raising(ZeroDivisionError()))


def test_interrupted_before_anything_was_written(ending):
    assert ending(_raising(KeyboardInterrupt())) == (130, "", "thalweg: interrupted; nothing was written.\n")


def test_interrupted_after_a_file_was_written(ending, tmp_path):
    def verb(context: typer.Context) -> None:
        from thalweg.cli import outputs

        outputs.write(context, tmp_path / "a.csv", lambda path: path.write_text("x"), quiet=True)
        raise KeyboardInterrupt

    code, _, err = ending(verb)
    assert code == 130
    assert err == f"thalweg: interrupted; written before that, and whole: {tmp_path / 'a.csv'}.\n"


def test_interrupted_while_writing_leaves_the_old_file(ending, tmp_path):
    target = tmp_path / "a.csv"
    target.write_text("old")

    def half(path: Path) -> None:
        path.write_text("ne")
        raise KeyboardInterrupt

    def verb(context: typer.Context) -> None:
        from thalweg.cli import outputs

        outputs.write(context, target, half)

    code, _, err = ending(verb)
    assert (code, err) == (130, "thalweg: interrupted; nothing was written.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert target.read_text() == "old"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["fti"], "No such command 'fti'."),
        (["fit"], "Missing argument 'DATA'."),
        (["fit", "a.csv"], "Missing argument 'FORMULA'."),
        (["fit", "a.csv", "y ~ x", "--famly", "poisson"], "No such option: --famly"),
        (["fit", "a.csv", "y ~ x", "--level", "high"], "'--level'"),
        (["fit", "a.csv", "y ~ x", "more"], "unexpected extra argument"),
        (["predict", "m.safetensors"], "Missing argument 'DATA'."),
    ],
)
def test_usage_errors_are_two_lines(arguments, text, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("thalweg: ")
    assert text in err
    assert err.splitlines()[1:] == [f"  Try 'thalweg{' ' + arguments[0] if arguments[0] != 'fti' else ''} --help'."]


def test_warnings_are_notes_once_each(ending):
    def verb() -> None:
        import warnings

        from thalweg.cli.speech import notes

        with notes() as seen:
            for _ in range(2):
                warnings.warn("3 rows were dropped", ThalwegWarning, stacklevel=1)
            assert seen == ["3 rows were dropped"]

    assert ending(verb) == (0, "", "note: 3 rows were dropped\n")


def test_help_and_version(capsys):
    assert main([]) == 0
    bare = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == bare
    assert all(verb in bare for verb in ("fit", "predict", "show", "datasets"))
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("thalweg 0.")


@pytest.mark.parametrize("verb", ["fit", "predict", "show", "datasets"])
def test_each_verb_has_help_with_an_example(verb, capsys):
    assert main([verb, "-h"]) == 0
    assert f"thalweg {verb}" in capsys.readouterr().out


def test_a_closed_pipe_is_quiet():
    """As `thalweg datasets diabetes | head -1`: the reader goes away, the writer says nothing."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "thalweg", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_garbage_is_looked_for_seldom_while_a_command_runs(monkeypatch):
    """The modules that a command imports stay: looking through them again and again took a seventh of its time."""
    before, during = gc.get_threshold(), []
    monkeypatch.setattr(running, "_invoke", lambda *_: during.append(gc.get_threshold()) or 0)
    assert running.run([]) == 0
    assert during[0] > before
    assert gc.get_threshold() == before
