"""The bytes of a model file: a safetensors file with a checksum over all of it.

    8 bytes      N, the length of the header, little-endian
    N bytes      JSON: {"__metadata__": {"checksum": "sha256:...", "thalweg": "<JSON text>"}, "theta": {...}, ...} and
                 spaces up to a multiple of 8
    the rest     the numbers of the tensors, float64, little-endian, one after the other without a gap

The checksum is SHA-256 of the whole file with its own 64 digits written as zeros, so that no bit of the file, padding
and field names included, can change unseen. It guards against accidents; it is no signature: who can write the file
can write a checksum. Everything is therefore also checked against what a model may be, and before the safetensors
library is given the bytes: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, BinaryIO

import safetensors.torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import ModelFileError
from thalweg.store import strict_json
from thalweg.store.recognise import what_else
from thalweg.store.seal import CHECKSUM, UNSEALED, check_seal, sealed
from thalweg.store.strict_json import shown

MOST_HEADER = 2**24
MOST_BYTES = 2**30
TENSORS = frozenset({"theta", "covariance", "unscaled"})

_METADATA = frozenset({"checksum", "thalweg"})
_DAMAGED = "The file is damaged or was altered: take another copy of it, or fit and save again."


def pack(description: dict[str, Any], tensors: dict[str, Float[Tensor, "..."]]) -> bytes:
    """The bytes of a model file; the same model gives the same bytes.

    Parameters
    ----------
    description : dict
        What `strict_json` can write.
    tensors : dict of Tensor, float64
        Any of theta (p,), covariance (p, p), unscaled (p, p).

    Raises
    ------
    ModelFileError
        The model is larger than a file that `unpack` would read.
    """
    header: dict[str, Any] = {"__metadata__": {"checksum": UNSEALED, "thalweg": strict_json.dumps(description)}}
    body = bytearray()
    for name, tensor in tensors.items():
        data = tensor.detach().cpu().contiguous().numpy().astype("<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = strict_json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > MOST_HEADER or 8 + len(text) + len(body) > MOST_BYTES:
        raise ModelFileError("the model is too large for a model file", advice="Leave out columns or levels.")
    return sealed(len(text).to_bytes(8, "little") + text + body)


def unpack(
    stream: BinaryIO, size: int, accept: Callable[[dict[str, Any]], None]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a model file, refusing every one that is not to the letter what `pack` writes.

    Parameters
    ----------
    stream : binary file
        At its beginning.
    size : int
        Bytes in it; no more than that is ever allocated for what the file declares.
    accept : callable
        Given the description before the checksum is looked at; raises for one from a later version.

    Returns
    -------
    description : dict
    tensors : dict of Tensor, float64

    Raises
    ------
    ModelFileError
        With the reason.
    """
    text = _header_text(stream, size)
    header = _json(text)
    checksum, description = _metadata(header)
    accept(description)
    _check_entries(header, size - 8 - len(text))
    stream.seek(0)
    data = stream.read(size)
    if len(data) != size:
        raise ModelFileError("it changed while it was read", advice="Try again.")
    check_seal(data, checksum, _DAMAGED)
    return description, _tensors(data)


def _header_text(stream: BinaryIO, size: int) -> bytes:
    """The JSON, once its length is known to be possible."""
    start = stream.read(min(size, 512))
    length = int.from_bytes(start[:8], "little")
    if size < 10 or start[8:9] != b"{":
        raise ModelFileError(
            f"it is not a safetensors file but {what_else(start)}", advice="Give a file that `save` wrote."
        )
    if length > size - 8:
        raise ModelFileError(
            f"it says that its header has {length:,} bytes, but only {size - 8:,} follow", advice=_DAMAGED
        )
    if length > MOST_HEADER:
        raise ModelFileError(f"its header has {length:,} bytes; no model's has over {MOST_HEADER:,}")
    if size > MOST_BYTES:
        raise ModelFileError(f"it has {size:,} bytes; no model file has over {MOST_BYTES:,}")
    stream.seek(8)
    return stream.read(length)


def _json(text: bytes) -> dict[str, Any]:
    try:
        header = strict_json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ModelFileError("its header is not text in UTF-8", advice=_DAMAGED) from None
    if not isinstance(header, dict):
        raise ModelFileError("its header is not a JSON object", advice=_DAMAGED)
    return header


def _metadata(header: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The checksum and the description of the model; refuses a safetensors file of another kind."""
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or "thalweg" not in metadata:
        raise ModelFileError(
            "it is a safetensors file of tensors, as of a state dict, but not a Thalweg model",
            advice="Of a module's weights use thalweg.load_into(module, path) or thalweg.read_state_dict(path).",
        )
    if metadata.keys() != _METADATA:
        raise ModelFileError(
            f"its metadata are {shown(sorted(metadata))} instead of {sorted(_METADATA)}", advice=_DAMAGED
        )
    checksum, text = metadata["checksum"], metadata["thalweg"]
    if not isinstance(checksum, str) or not CHECKSUM.fullmatch(checksum):
        raise ModelFileError("its checksum is not one", advice=_DAMAGED)
    description = strict_json.loads(text) if isinstance(text, str) else None
    if not isinstance(description, dict):
        raise ModelFileError("its description is not a JSON object", advice=_DAMAGED)
    return checksum, description


def _check_entries(header: dict[str, Any], available: int) -> None:
    """Names, types and shapes of the tensors, which must follow each other without a gap and fill the file."""
    end = 0
    for name, entry in header.items():
        if name != "__metadata__":
            end = _check_entry(name, entry, end)
    if end != available:
        raise ModelFileError(
            f"its header declares {end:,} bytes of numbers, but {available:,} follow it", advice=_DAMAGED
        )


def _check_entry(name: str, entry: Any, start: int) -> int:
    """Where the tensor ends, given where it must start."""
    if name not in TENSORS:
        raise ModelFileError(f"it holds an unknown tensor {shown(name)}", advice=_DAMAGED)
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"its entry for {name!r} is not one of a tensor", advice=_DAMAGED)
    if entry["dtype"] != "F64":
        raise ModelFileError(f"its {name!r} has the type {shown(entry['dtype'])} instead of 'F64'", advice=_DAMAGED)
    shape = entry["shape"]
    if not isinstance(shape, list) or len(shape) > 2 or not all(type(n) is int and 0 <= n <= MOST_BYTES for n in shape):
        raise ModelFileError(f"its {name!r} has the impossible shape {shown(shape)}", advice=_DAMAGED)
    stop = start + 8 * math.prod(shape)
    offsets = entry["data_offsets"]
    if offsets != [start, stop] or not all(type(n) is int for n in offsets):
        said = f"{name!r} lies at {shown(offsets)} instead of [{start}, {stop}]"
        raise ModelFileError(f"its offsets overlap, leave holes or contradict the shapes: {said}", advice=_DAMAGED)
    return stop


def _tensors(data: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, RuntimeError, ValueError) as problem:
        raise ModelFileError(f"the safetensors library refuses it: {problem}", advice=_DAMAGED) from None
