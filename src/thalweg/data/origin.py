"""Bytes to read again and again: a file, standard input spooled once, or an open stream; compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from thalweg.errors import SourceError

SPOOL_BYTES = 2**26  # of standard input kept in memory; more goes to a temporary file

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, eq=False)
class ByteFile:
    """Where bytes come from.

    Attributes
    ----------
    name : str
        As the user knows it.
    path : Path, optional
    buffer : bytes, optional
        One of the two is set.
    """

    name: str
    path: Path | None = None
    buffer: bytes | None = None

    def raw(self) -> IO[bytes]:
        """The bytes as they are stored."""
        if self.buffer is not None:
            return io.BytesIO(self.buffer)
        assert self.path is not None
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {(error.strerror or str(error)).lower()}") from error

    @property
    def compression(self) -> str | None:
        """'gzip', 'bz2', 'xz' or 'zstd', found by the first bytes."""
        with self.raw() as file:
            start = file.read(6)
        return next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None)

    def stream(self) -> IO[bytes]:
        """The bytes, decompressed."""
        kind = self.compression
        if kind is None:
            return self.raw()
        if kind == "zstd":
            return cast(IO[bytes], pa.CompressedInputStream(self.arrow(), "zstd"))
        openers: dict[str, Any] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}
        return openers[kind](io.BytesIO(self.buffer) if self.buffer is not None else self.path, "rb")

    def head(self, size: int) -> bytes:
        """The first bytes, decompressed."""
        try:
            with self.stream() as file:
                return _read_fully(file, size)
        except (EOFError, OSError, lzma.LZMAError, pa.ArrowException) as error:
            raise damaged(self.name, error) from error

    def arrow(self) -> pa.NativeFile:
        """For readers that jump about in a file."""
        return pa.BufferReader(self.buffer) if self.buffer is not None else pa.OSFile(str(self.path))


def damaged(name: str, error: Exception) -> SourceError:
    """The error for a file whose compressed data end early or are not what they claim to be."""
    return SourceError(f"{name} is damaged or cut short ({error})", advice="Copy or download it again.")


def _read_fully(file: IO[bytes], size: int) -> bytes:
    parts, left = [], size
    while left > 0 and (part := file.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def spooled(stream: IO[bytes], name: str) -> ByteFile:
    """Read a stream once and keep its bytes, so that passes can repeat."""
    start = _read_fully(stream, SPOOL_BYTES)
    more = stream.read(1) if len(start) == SPOOL_BYTES else b""
    if not more:
        return ByteFile(name, buffer=start)
    handle, path = tempfile.mkstemp(prefix="thalweg-")
    with os.fdopen(handle, "wb") as file:
        file.write(start + more)
        while part := stream.read(SPOOL_BYTES):
            file.write(part)
    kept = ByteFile(name, path=Path(path))
    weakref.finalize(kept, Path(path).unlink, missing_ok=True)
    return kept


def standard_input() -> ByteFile:
    """Standard input, read to its end."""
    return spooled(sys.stdin.buffer, "standard input")
