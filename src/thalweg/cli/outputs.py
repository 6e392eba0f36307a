"""Files that a verb writes: refused before the work where they cannot be written, and never half written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from thalweg.cli.speech import tell
from thalweg.errors import OptionError

if TYPE_CHECKING:
    import pyarrow

MODELS = (".safetensors",)
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp")
SPOOL_BYTES = 2**26  # a table printed to standard output waits in memory up to this size
TABLES = (".csv", ".parquet", ".arrow", ".feather")


def check(option: str, path: Path | None, suffixes: Collection[str]) -> None:
    """Refuse an output before a long computation rather than after it.

    Raises
    ------
    OptionError
        A suffix that stands for no format, a folder that does not exist, or a folder in place of a file.
    """
    if path is None:
        return
    if path.suffix.lower() not in suffixes:
        found = f"'{path.suffix}'" if path.suffix else "no suffix"
        raise OptionError(f"{option} {path} has {found}", advice=f"Its name ends in {_choices(suffixes)}.")
    if path.is_dir():
        raise OptionError(f"{option} {path} is a folder", advice="Name a file in it.")
    if not path.parent.is_dir():
        raise OptionError(f"{option} {path}: there is no folder {path.parent}", advice="Create it, or name another.")


def check_apart(option: str, path: Path | None, data: str) -> None:
    """Refuse an output that would replace the data that are read.

    Raises
    ------
    OptionError
    """
    if path is not None and path.is_file() and Path(data).is_file() and path.samefile(data):
        raise OptionError(f"{option} {path} is the file of the data", advice="Name another: it would be replaced.")


def _choices(words: Collection[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def write(context: typer.Context, path: Path, writer: Callable[[Path], object], *, quiet: bool = False) -> None:
    """Write a file whole or not at all, remember it, and say so."""
    from thalweg.store.atomic import replacing

    with replacing(path) as temporary:
        writer(temporary)
    wrote(context, path, quiet=quiet)


def wrote(context: typer.Context, path: Path, *, quiet: bool = False) -> None:
    """Remember a file for the case that the run is interrupted later, and say that it is there."""
    context.obj.append(path)
    if not quiet:
        tell(f"wrote {path}")


def print_tables(tables: Iterable[pyarrow.Table], working: AbstractContextManager[object] | None = None) -> None:
    """Tables as one CSV text on standard output, all or nothing.

    They are collected first (on the disk where they are many), so that an error in the last row does not leave a
    beginning that looks like the whole. `working` surrounds the collecting, and is left before anything is printed.
    """
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as collected:
        with working or nullcontext():
            _write_csv(tables, collected)
        collected.seek(0)
        while piece := collected.read(2**20):
            typer.echo(piece, nl=False)


def write_tables(tables: Iterable[pyarrow.Table], path: Path, suffix: str, untyped: Collection[str] = ()) -> None:
    """Tables as one file, in the format that the suffix names; `untyped` columns are text from a file without types."""
    match suffix.lower():
        case ".parquet":
            _write_parquet(joined(tables, untyped), path)
        case ".arrow" | ".feather":
            _write_arrow(joined(tables, untyped), path)
        case _:
            with path.open("wb") as file:
                _write_csv(tables, file)


def _write_csv(tables: Iterable[pyarrow.Table], file: IO[bytes]) -> None:
    from thalweg.cli.csv_text import body, header

    for number, table in enumerate(tables):
        if number == 0:
            file.write(header(table))
        file.write(body(table))


def _write_parquet(table: pyarrow.Table, path: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, path)


def _write_arrow(table: pyarrow.Table, path: Path) -> None:
    import pyarrow.feather

    pyarrow.feather.write_feather(table, str(path))


def joined(tables: Iterable[pyarrow.Table], untyped: Collection[str] = ()) -> pyarrow.Table:
    """One table; a column that was empty in one batch and text in another takes the type of the text.

    Columns of text from a file without types become numbers where that loses none of their characters.
    """
    import pyarrow

    from thalweg.data.verbatim import with_types

    return with_types(pyarrow.concat_tables(tables, promote_options="permissive"), untyped)
