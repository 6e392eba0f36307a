"""The checksum inside a safetensors file: SHA-256 of the whole file with its own 64 digits written as zeros.

So no bit of the file, padding and field names included, can change unseen. It guards against accidents; it is no
signature: who can write the file can write a checksum.
"""

from __future__ import annotations

import hashlib
import re

from thalweg.errors import ModelFileError

_DIGITS = 64
_NO_DIGITS = "0" * _DIGITS
UNSEALED = "sha256:" + _NO_DIGITS
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")


def sealed(data: bytes) -> bytes:
    """The file with its checksum in the place of `UNSEALED`."""
    at = _digits_at(data, UNSEALED, "")
    return data[:at] + _digest(data, at).encode("ascii") + data[at + _DIGITS :]


def check_seal(data: bytes, checksum: str, advice: str) -> None:
    """Compare the file with the checksum that its header names.

    Raises
    ------
    ModelFileError
        They differ; with the advice.
    """
    if "sha256:" + _digest(data, _digits_at(data, checksum, advice)) != checksum:
        raise ModelFileError("its checksum does not fit its contents", advice=advice)


def _digits_at(data: bytes, checksum: str, advice: str) -> int:
    """Where the 64 digits stand; the quotes cannot occur inside a JSON string, so there is one such place."""
    length = int.from_bytes(data[:8], "little")
    field = f'"checksum":"{checksum}"'.encode("ascii")
    at = data.find(field, 8, 8 + length)
    if at < 0:  # spaces inside: the same JSON, but not what was written
        raise ModelFileError("its checksum is not where it belongs", advice=advice)
    return at + len(field) - 1 - _DIGITS


def _digest(data: bytes, at: int) -> str:
    """SHA-256 of the file with zeros for its own digits."""
    view = memoryview(data)
    digest = hashlib.sha256(view[:at])
    digest.update(_NO_DIGITS.encode("ascii"))
    digest.update(view[at + _DIGITS :])
    return digest.hexdigest()
