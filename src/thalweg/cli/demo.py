"""`thalweg demo`: the lessons, listed, or one of them run with its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli import options as o
from thalweg.cli import outputs
from thalweg.cli.speech import notes
from thalweg.errors import OptionError, OutputError

FOLDER = Path("thalweg-demo")


def demo(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them, to run.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for its pictures. [dim]\\[default: thalweg-demo/NAME][/]", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="Where it computes: cpu, cuda.")] = "cpu",
    target: Annotated[
        str | None,
        typer.Option(help="For cubic: the curve to imitate, an expression of x.", show_default=False),
    ] = None,
    quiet: o.Quiet = False,
) -> None:
    """List the lessons, or run one of them: what to see in words, and pictures in a folder.

    [bold]Example[/]: thalweg demo line-by-hand
    """
    if name is None:
        if out is not None or target is not None:
            raise OptionError("--out and --target need the NAME of a lesson", advice="As in: thalweg demo cubic")
        typer.echo(_listed())
        return
    from thalweg import lessons

    run, title = lessons.lesson(name), lessons.spelled(name.strip().lower())
    device = _device(device)
    options = {} if target is None else {"target": target}
    if options and title != "cubic":
        raise OptionError(f"--target is for cubic, not for {title}", advice="As in: thalweg demo cubic --target x**4")
    folder = _folder(out if out is not None else FOLDER / title)
    before = _files(folder)
    with notes():
        run(folder, device, **options)
    for path, changed in _files(folder).items():
        if before.get(path) != changed:
            outputs.wrote(context, path, quiet=quiet)


def _listed() -> str:
    from thalweg.lessons import LESSONS, about, spelled

    return "\n".join(f"{spelled(name)}\n  {about(name)}" for name in LESSONS)


def _folder(path: Path) -> Path:
    """The folder, made where it is not there.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"the folder {path} cannot be made: {reason}", advice="Name another with --out.") from None
    return path


def _files(folder: Path) -> dict[Path, int]:
    """The files of a folder, each with the time of its last change."""
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


def _device(name: str) -> str:
    """A device of PyTorch's that is there.

    Raises
    ------
    OptionError
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise OptionError(f"--device {name!r} cannot be used: {reason}", advice="Use cpu.") from None
    return name
