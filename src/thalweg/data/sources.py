"""Anything that holds a table, opened as a `Source`."""

from __future__ import annotations

import difflib
import glob
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from torch import Tensor

from thalweg.data.arrays import array_source
from thalweg.data.columnar import arrow_file_source, parquet_source
from thalweg.data.columns import describe, type_name
from thalweg.data.csv_files import csv_source
from thalweg.data.datasets import dataset_source, datasets, is_dataset
from thalweg.data.frames import frame_source
from thalweg.data.json_lines import json_source
from thalweg.data.many_files import ManyFiles
from thalweg.data.origin import ByteFile, spooled, standard_input
from thalweg.data.source import Source
from thalweg.data.strd import is_strd, parse_strd
from thalweg.errors import OptionError, SourceError


@dataclass(frozen=True)
class Told:
    """What the caller says about a file, in place of what would be found."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    header: bool | None = None
    format: str | None = None
    text: tuple[str, ...] = ()

    def about_text(self) -> dict[str, Any]:
        """The options that only a text table has."""
        return {n: getattr(self, n) for n in ("delimiter", "decimal", "encoding", "header", "text")}

    def given(self) -> list[str]:
        """Names of the options that were given."""
        return [name for name, value in vars(self).items() if value not in (None, ())]


def open_source(
    data: Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    format: str | None = None,
    text: Sequence[str] = (),
) -> Source:
    """Open a table.

    Parameters
    ----------
    data : str, Path, frame, mapping or Source
        A file (CSV and its kin, Parquet, Arrow or Feather, JSON lines, NIST .dat; text may be compressed), a folder or
        a glob pattern of files with the same columns, '-' for standard input, the name of a built-in data set, a frame
        of pandas, polars, pyarrow or another library that narwhals knows, or a mapping of names to lists, NumPy arrays
        and tensors. A source is given back as it is.
    delimiter, decimal, encoding : str, optional
        How a text table is written, where it should not be found: ',' ';' 'tab' '|' 'space'; '.' or ','; 'cp1252'.
    header : bool, optional
        Whether the first record of a text table holds the names.
    format : {'csv', 'parquet', 'arrow', 'json', 'nist'}, optional
        What kind of file it is, where its first bytes and its name should not decide.
    text : sequence of str
        Columns of a text table that are categories although they hold numbers.

    Returns
    -------
    Source
        Its `description` says in one line what was found.

    Raises
    ------
    SourceError
        No such file, or not a table.
    ColumnError
        Columns of one name, of different lengths, or that differ between the files of a folder.

    Examples
    --------
    >>> source = open_source({"x": [1.0, 2.0], "y": [3.0, 4.0]})
    >>> source.names, source.rows
    (('x', 'y'), 2)
    >>> open_source("iris").description
    "built-in data set 'iris': 150 rows and 5 columns"
    """
    told = Told(delimiter, decimal, encoding, header, format, tuple(text))
    source = _opened(data, told)
    if source.rows == 0:
        raise SourceError("there are no rows", where=source.description)
    return source


def _opened(data: Any, told: Told) -> Source:
    if isinstance(data, str | Path):
        return _open_path(data, told)
    if isinstance(data, io.IOBase) or hasattr(data, "read"):
        return _open_stream(data, told)
    if told.given():
        raise OptionError(f"{told.given()[0]}= says how a file is written, and the data are no file")
    return data if isinstance(data, Source) else _in_memory(data)


# --- objects ---------------------------------------------------------------------------------------------------------


def _in_memory(data: Any) -> Source:
    if isinstance(data, Mapping):
        return array_source(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return array_source({name: data[name] for name in data.dtype.names})
    source = None if isinstance(data, np.ndarray | Tensor) else frame_source(data)
    if source is None:
        raise SourceError(f"{_article(type_name(data))} is no table with named columns", advice=_advice(data))
    return source


def _article(noun: str) -> str:
    return f"a{'n' * (noun[0].lower() in 'aeiou')} {noun}"


def _advice(data: Any) -> str:
    if isinstance(data, np.ndarray | Tensor):
        return 'Give the arrays names: {"X": array, "y": ...}; columns are then X and y.'
    if isinstance(data, list | tuple):
        return 'Give columns by name: {"x": [...], "y": [...]}.'
    if hasattr(data, "to_frame"):
        return 'Give it a name in a mapping, {"y": series}, or write .to_frame().'
    return "Give a file's path, a frame, or a mapping of names to arrays."


# --- paths -----------------------------------------------------------------------------------------------------------


def _open_path(data: str | Path, told: Told) -> Source:
    text = str(data)
    if text == "-":
        return _open_file(standard_input(), told)
    path = Path(data).expanduser()
    if path.is_dir():
        return _open_many(text, _in_folder(path), told)
    if path.exists():
        return _open_file(ByteFile(path.name, path=path), told)
    if any(mark in text for mark in "*?["):
        return _open_many(text, sorted(map(Path, glob.glob(str(path), recursive=True))), told)
    bare = path.stem if path.suffix in ("", ".csv") and path.parent == Path() else ""
    if is_dataset(bare):
        return dataset_source(bare, absent=text if path.suffix else None)
    raise _no_file(text, path)


def _no_file(text: str, path: Path) -> SourceError:
    if "://" in text:
        return SourceError(f"'{text}' is an address", advice="Download the file and give its path.")
    there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, [*there, *(d.name for d in datasets())], n=1)
    names = ", ".join(d.name for d in datasets())
    guess = f"Did you mean '{near[0]}'? " if near else ""
    return SourceError(f"there is no file '{text}'", advice=f"{guess}Built-in data sets: {names}.")


def _in_folder(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith((".", "_")))


def _open_many(name: str, paths: Sequence[Path], told: Told) -> Source:
    files = [p for p in paths if p.is_file()]
    if not files:
        raise SourceError(f"there are no files in '{name}'")
    if len(files) == 1:
        return _open_file(ByteFile(files[0].name, path=files[0]), told)
    return ManyFiles(name, [(p.name, _open_file(ByteFile(p.name, path=p), told)) for p in files])


def _open_stream(stream: Any, told: Told) -> Source:
    name = Path(str(getattr(stream, "name", "") or "the open file")).name
    if isinstance(stream, io.TextIOBase):
        told = replace(told, encoding="utf-8")
        return _open_file(ByteFile(name, buffer=stream.read().encode("utf-8")), told)
    return _open_file(spooled(cast(IO[bytes], stream), name), told)


# --- formats ---------------------------------------------------------------------------------------------------------


def _open_csv(file: ByteFile, told: Told) -> Source:
    return csv_source(file, **told.about_text())


def _open_nist(file: ByteFile, told: Told) -> Source:
    with file.stream() as stream:
        found = parse_strd(stream.read(), file.name)
    size = describe(len(found.columns["y"]), len(found.columns))
    return array_source(found.columns, f"{file.name}: NIST reference dataset, {size}")


_FORMATS: dict[str, Callable[[ByteFile, Told], Source]] = {
    "csv": _open_csv,
    "parquet": lambda file, told: parquet_source(file),
    "arrow": lambda file, told: arrow_file_source(file),
    "json": lambda file, told: json_source(file),
    "nist": _open_nist,
}
_ALIASES = {"tsv": "csv", "txt": "csv", "feather": "arrow", "ipc": "arrow", "jsonl": "json", "ndjson": "json"}


def _open_file(file: ByteFile, told: Told) -> Source:
    form = told.format.lower().lstrip(".") if told.format else _find_format(file)
    form = _ALIASES.get(form, form)
    if form not in _FORMATS:
        raise OptionError(f"there is no format '{told.format}'", advice=f"There are: {', '.join(_FORMATS)}.")
    misplaced = [name for name in told.given() if name != "format"]
    if form != "csv" and misplaced:
        raise OptionError(f"{misplaced[0]}= says how a text table is written, and {file.name} is {form}")
    if form in ("parquet", "arrow") and file.compression:
        raise SourceError(f"{file.name} is a {form} file inside {file.compression}", advice="Decompress it first.")
    return _FORMATS[form](file, told)


def _find_format(file: ByteFile) -> str:
    """By the first bytes; by the name where they do not tell."""
    head = file.head(256)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if is_strd(head):
        return "nist"
    endings = Path(file.name).suffixes
    json_like = any(ending in (".json", ".jsonl", ".ndjson") for ending in endings)
    typed = next((e[1:] for e in endings if e in (".parquet", ".arrow", ".feather")), None)
    if json_like or head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b'{"'):
        return "json"
    return typed or "csv"
