"""What a file that is no safetensors file seems to be, from its first bytes: for the error message only."""

from __future__ import annotations

import re

_PICKLE = "a pickle, which can run code when it is opened; Thalweg never opens one"
_SIGNATURES = (
    (
        b"PK\x03\x04",
        "a zip archive, as torch.save (.pt, with a pickle inside, which can run code) and numpy.savez write",
    ),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"PAR1", "a Parquet table: data, not a model"),
    (b"ARROW1", "an Arrow table: data, not a model"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
)
# Protocols 2 to 5 open with \x80 and their number; 0 and 1 with a mark, a global's name or an empty container.
_BINARY_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_TEXT_PICKLE = re.compile(rb"\(lp\d|\(dp\d|\(i\w|c[\w.]+\n\w+\n|[\]}](q\x00|\.)")


def what_else(start: bytes) -> str:
    """Name the kind of file that begins with these bytes.

    Examples
    --------
    >>> what_else(b"")
    'empty'
    >>> what_else(b"age,bmi\\n50,23.1\\n")
    'text'
    """
    if not start:
        return "empty"
    if _BINARY_PICKLE.match(start) or _TEXT_PICKLE.match(start):
        return _PICKLE
    for signature, kind in _SIGNATURES:
        if start.startswith(signature):
            return kind
    return "text" if _is_text(start) else "bytes of a kind that Thalweg does not know"


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in start)
