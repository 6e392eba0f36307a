"""The slow, exact reading of a text table, line by line: where a row stands, and what is wrong with a broken file.

The fast reader (arrow) reports a bad record without its line, and forgives a quote that never closes. This one is
run after an error, and once where the count of lines shows that some value holds a line break.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from thalweg.data.csv_sniff import Layout, squeezed
from thalweg.data.origin import ByteFile

_CHUNK = 2**20


class Utf8(io.RawIOBase):
    """The text of a file as UTF-8 bytes, its lines counted on the way.

    Runs of spaces become one where spaces delimit.
    """

    def __init__(self, file: ByteFile, layout: Layout) -> None:
        self._inner: IO[bytes] = file.stream()
        plain = codecs.lookup(layout.encoding).name in ("utf-8", "ascii")
        self._decoder: Any = None if plain else codecs.getincrementaldecoder(layout.encoding)()
        self._squeeze = layout.delimiter == " "
        self._waiting, self._partial, self._ended, self._started = b"", b"", False, False
        self.newlines = self.quotes = 0
        self._tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._waiting and not self._ended:
            self._fill(max(len(target), _CHUNK))
        n = min(len(target), len(self._waiting))
        target[:n] = self._waiting[:n]
        self._waiting = self._waiting[n:]
        return n

    def _fill(self, size: int) -> None:
        raw = self._inner.read(size)
        self._ended = not raw
        if self._decoder is not None:
            raw = self._decoder.decode(raw, final=self._ended).encode("utf-8")
        if raw and not self._started:
            raw, self._started = raw.removeprefix(codecs.BOM_UTF8), True
        chunk = self._squeezed(raw) if self._squeeze else raw
        self.newlines += chunk.count(b"\n")
        self.quotes += chunk.count(b'"')
        self._tail = (self._tail + chunk[-4096:])[-4096:]
        self._waiting = chunk

    def _squeezed(self, raw: bytes) -> bytes:
        lines = (self._partial + raw).split(b"\n")
        self._partial = b"" if self._ended else lines.pop()
        out = [squeezed(line.decode("utf-8", "surrogateescape").rstrip("\r")) for line in lines]
        text = "\n".join(out) + ("" if self._ended or not out else "\n")
        return text.encode("utf-8", "surrogateescape")

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()

    @property
    def lines(self) -> int:
        """Lines so far, without blank ones at the end."""
        bare = self._tail.rstrip(b"\r\n")
        return self.newlines - self._tail[len(bare) :].count(b"\n") + bool(bare)


@dataclass(frozen=True)
class Record:
    """One record: the line it starts on, from 1, and its fields."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and on which line."""

    line: int
    what: str
    advice: str


def records(file: ByteFile, layout: Layout, *, strict: bool = False) -> Iterator[Record]:
    """The records of data, one by one."""
    with io.TextIOWrapper(io.BufferedReader(Utf8(file, layout)), "utf-8", "surrogateescape", newline="") as text:
        for _ in range(layout.skip):
            text.readline()
        reader = csv.reader(text, delimiter=layout.delimiter, strict=strict)
        line = layout.skip + 1
        try:
            for fields in reader:
                if fields:
                    yield Record(line, fields)
                line = layout.skip + reader.line_num + 1
        except csv.Error as error:
            raise BrokenQuote(line, str(error)) from error


class BrokenQuote(Exception):
    """A quote that does not close, or closes in the middle of a value; never leaves this package."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def first_fault(file: ByteFile, layout: Layout) -> Fault | int:
    """What is wrong first, or the number of records where nothing is."""
    count, expected = 0, len(layout.fields)
    try:
        for record in records(file, layout, strict=True):
            found = len(record.fields)
            if found != expected:
                has, wants = f"{found} value{'s' * (found != 1)}", f"{expected} column{'s' * (expected != 1)}"
                return Fault(
                    record.line,
                    f"a row has {has} where the table has {wants}",
                    "Correct the row; a value that holds the delimiter belongs in double quotes.",
                )
            count += 1
    except BrokenQuote as error:
        if "expected after" in str(error):
            advice = 'Write a quote inside a value twice: "".'
            return Fault(
                error.line, "a quoted value goes on after its closing quote, or its quote never closed", advice
            )
        return Fault(error.line, 'a double quote is opened and never closed (")', "Close it, or remove it.")
    return count


def bad_text(file: ByteFile, layout: Layout) -> int | None:
    """The first line that is not text in the layout's encoding (UTF-8)."""
    for record in records(file, layout):
        if any("\ud800" <= character <= "\udfff" for field in record.fields for character in field):
            return record.line
    return None
