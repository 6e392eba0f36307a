"""How a text table is written, found from its first part: encoding, delimiter, decimal mark, header, column kinds."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thalweg.data.columns import require_unique
from thalweg.data.csv_numbers import MISSING, find_decimal, is_number, kind_of_cells
from thalweg.errors import OptionError, SourceError

SAMPLE_BYTES = 2**18
SAMPLE_RECORDS = 2000

DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma", " ": "space", "\x1f": "no"}
_WORDS = {word: mark for mark, word in DELIMITERS.items()} | {"\\t": "\t", "whitespace": " "}


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes
    ----------
    encoding, delimiter, decimal : str
        decimal is None where the file does not tell.
    header : bool
        Whether the first record holds the names.
    skip : int
        Lines before the first record of data.
    fields : tuple of str
        A name for each field of a record; empty where the field is left out.
    kinds : mapping of str to str
        What each column holds; see `kind_of_cells`.
    samples : tuple of tuple of str
        The first records of data, for errors.
    complete : bool
        Whether the sample is the whole file.
    trailing : bool
        Whether every record ends with a delimiter.
    """

    encoding: str
    delimiter: str
    decimal: str | None
    header: bool
    skip: int
    fields: tuple[str, ...]
    kinds: dict[str, str]
    samples: tuple[tuple[str, ...], ...]
    complete: bool
    trailing: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name)

    @property
    def description(self) -> str:
        """'comma-delimited text, utf-8, decimal point, header, 11 columns'."""
        marks = {".": "decimal point", ",": "decimal comma", None: "decimal mark unclear"}
        names = self.names
        header = "header" if self.header else f"no header (columns named {names[0]} to {names[-1]})"
        parts = [f"{DELIMITERS.get(self.delimiter, repr(self.delimiter))}-delimited text", self.encoding]
        parts += [marks[self.decimal], header, f"{len(names)} column{'s' * (len(names) != 1)}"]
        unnamed = len(self.fields) - len(names) - self.trailing
        if self.trailing:
            parts.append("the delimiter that ends every line ignored")
        if unnamed:
            parts.append(f"{unnamed} column{'s' * (unnamed > 1)} without a name left out")
        return ", ".join(parts)


def sniff(
    sample: bytes,
    name: str,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Layout:
    """Find how a table is written from the first bytes of its file; what is told is not looked for.

    Raises
    ------
    SourceError
        Not text, empty, or a header that cannot be one.
    OptionError
        An unknown encoding, delimiter or decimal mark.
    """
    complete = len(sample) < SAMPLE_BYTES
    encoding = checked_encoding(encoding) if encoding else find_encoding(sample, name)
    text = _whole_lines(_decoded(sample, encoding, name), complete)
    if not text.strip():
        raise SourceError(f"{name} is empty")
    mark = told_delimiter(delimiter) or find_delimiter(text)
    records, lines = _records(text, mark)
    if not records:
        raise SourceError(f"{name} is empty")
    decimal = _told_decimal(decimal) or find_decimal((c.strip() for row in records[1:] or records for c in row), mark)
    has_header = find_header(records, decimal or ".") if header is None else header
    body = records[1:] if has_header else records
    fields, trailing = _fields(records[0] if has_header else None, body, name)
    kinds = {
        field: kind_of_cells([row[i] for row in body if i < len(row)], decimal)
        for i, field in enumerate(fields)
        if field
    }
    skip = lines[0] if has_header else 0
    samples = tuple(tuple(row) for row in body)
    complete = complete and len(records) < SAMPLE_RECORDS
    return Layout(encoding, mark, decimal, has_header, skip, fields, kinds, samples, complete, trailing)


# --- encoding --------------------------------------------------------------------------------------------------------

_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array file",
    b"SQLite": "an SQLite database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RDX": "an R data file",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def checked_encoding(encoding: str) -> str:
    """The encoding by its usual name."""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise OptionError(
            f"there is no encoding '{encoding}'", advice="Usual ones are utf-8, utf-16, cp1252 and latin-1."
        ) from None


def find_encoding(sample: bytes, name: str) -> str:
    """'utf-8', 'utf-16', 'utf-16-le', 'utf-16-be' or 'cp1252' ('latin-1' where that has holes).

    Raises
    ------
    SourceError
        A binary file.
    """
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    what = next((what for magic, what in _BINARY.items() if sample.startswith(magic)), None)
    if what is None and b"\0" in sample:
        wide = _wide_encoding(sample)
        if wide:
            return wide
        what = "a binary file"
    if what:
        raise SourceError(f"{name} is {what}, not a table of text", advice="Save it as CSV or Parquet and read that.")
    for encoding in ("utf-8", "cp1252"):
        try:
            codecs.getincrementaldecoder(encoding)().decode(sample)
            return encoding
        except UnicodeDecodeError:
            continue
    return "latin-1"


def _wide_encoding(sample: bytes) -> str | None:
    """UTF-16 without its mark: text of which every second byte is mostly zero."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    pairs = max(len(sample) // 2, 1)
    if odd > 0.7 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * pairs and odd < 0.05 * pairs else None


def _decoded(sample: bytes, encoding: str, name: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample).removeprefix("\ufeff")
    except UnicodeError as error:
        raise SourceError(
            f"{name} is not {encoding} text ({error})", advice="Say another encoding=, or none."
        ) from error


def _whole_lines(text: str, complete: bool) -> str:
    if complete:
        return text
    cut = max(text.rfind("\n"), text.rfind("\r"))
    return text[: cut + 1] if cut >= 0 else text


# --- delimiter -------------------------------------------------------------------------------------------------------

_QUOTED_OR_SPACE = re.compile(r'("[^"]*"?)|[ \t]+')


def squeezed(line: str) -> str:
    """A line with each run of spaces and tabs outside quotes as one space, and none at its ends.

    Examples
    --------
    >>> squeezed('  1.5   "a  b" \\t 2')
    '1.5 "a  b" 2'
    """
    return _QUOTED_OR_SPACE.sub(lambda m: m.group(1) or " ", line.strip(" \t"))


def told_delimiter(delimiter: str | None) -> str | None:
    """The delimiter that the user names, by its mark or by its word."""
    if delimiter is None:
        return None
    mark = _WORDS.get(delimiter, delimiter)
    if len(mark) != 1 or mark in '"\r\n' or ord(mark) > 127:
        raise OptionError(
            f"delimiter={delimiter!r} is not one character", advice="Usual ones are ',', ';', 'tab', '|' and 'space'."
        )
    return mark


def _told_decimal(decimal: str | None) -> str | None:
    if decimal not in (None, ".", ","):
        raise OptionError(f"decimal={decimal!r} is no decimal mark", advice="Say '.' or ','.")
    return decimal


def _records(text: str, delimiter: str, limit: int = SAMPLE_RECORDS) -> tuple[list[list[str]], list[int]]:
    """Records that are not blank, and the number of the line each ends on."""
    lines: Iterable[str] = io.StringIO(text, newline="")
    if delimiter == " ":
        lines = (squeezed(line.rstrip("\r\n")) + "\n" for line in lines)
    reader = csv.reader(lines, delimiter=delimiter)
    records: list[list[str]] = []
    ends: list[int] = []
    try:
        for record in reader:
            if record:
                records.append(record)
                ends.append(reader.line_num)
            if len(records) == limit:
                break
    except csv.Error:  # a value beyond the module's limit: an open quote, which the reading will name
        pass
    return records, ends


def find_delimiter(text: str) -> str:
    """The mark that splits the records most evenly, and into the most numbers; one that does not occur for one column.

    Examples
    --------
    >>> find_delimiter("a;b\\n1,5;2\\n")
    ';'
    """
    scores = {mark: _score(text, mark) for mark in "\t;|, "}
    best = max(scores, key=lambda mark: scores[mark])
    if scores[best] > (0.0, 0.0, 0.0):
        return best
    return next((mark for mark in ",;\t|" if mark not in text), "\x1f")


def _score(text: str, mark: str) -> tuple[float, float, float]:
    """How well a delimiter fits: share of records of the usual length, share of numbers; 0 where it does not."""
    records, _ = _records(text, mark, 200)
    counts = Counter(len(record) for record in records[1:] or records)
    usual, times = counts.most_common(1)[0] if counts else (1, 0)
    first = len(records[0]) if records else 0
    if usual < 2 or first < 2:
        return 0.0, 0.0, 0.0
    cells = [cell.strip() for record in records[1:] or records for cell in record]
    numeric = sum(c in MISSING or is_number(c, ".") or is_number(c, ",") for c in cells) / max(len(cells), 1)
    if mark == " " and numeric < 0.5:
        return 0.0, 0.0, 0.0
    even = times / max(len(records) - 1, 1)
    fits = first == usual or (first == usual - 1 and all(not r[-1] for r in records if len(r) == usual))
    return (even if fits else 0.1 * even), numeric, 0.5 if mark == " " else 1.0


# --- header ----------------------------------------------------------------------------------------------------------


def find_header(records: Sequence[Sequence[str]], decimal: str) -> bool:
    """Whether the first record names the columns: no number above numbers, or nothing that tells otherwise.

    Examples
    --------
    >>> find_header([["x", "y"], ["1", "2"]], "."), find_header([["1", "2"], ["3", "4"]], ".")
    (True, False)
    """
    above_numbers = names = 0
    for i, cell in enumerate(records[0]):
        numeric = is_number(cell.strip(), decimal) or is_number(cell.strip(), ".")
        column = [row[i].strip() for row in records[1:50] if i < len(row) and row[i].strip() not in MISSING]
        if not column or all(is_number(c, decimal) for c in column):
            above_numbers += numeric
            names += not numeric and cell.strip() not in MISSING
    return names > 0 or above_numbers == 0


def _fields(header: Sequence[str] | None, body: Sequence[Sequence[str]], name: str) -> tuple[tuple[str, ...], bool]:
    """A name per field, and whether every record ends with an empty field that only a trailing delimiter makes."""
    usual = Counter(map(len, body)).most_common(1)[0][0] if body else len(header or ())
    last_empty = usual > 1 and all(not row[-1].strip() for row in body if len(row) == usual)
    if header is None:
        trailing = last_empty
        return (*(f"x{i + 1}" for i in range(usual - trailing)), *([""] * trailing)), trailing
    names = [cell.strip() for cell in header]
    trailing = last_empty and (len(names) == usual - 1 or (len(names) == usual and not names[-1]))
    if len(names) == usual - 1 and trailing:
        names.append("")
    if not any(names):
        raise SourceError(f"the header of {name} has no names", advice="Name the columns, or say header=False.")
    require_unique([n for n in names if n], f"{name}, header")
    return tuple(names), trailing
