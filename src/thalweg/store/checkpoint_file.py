"""The bytes of a checkpoint: a safetensors file, sealed, whose header holds the rest as JSON.

    __metadata__    {"checksum": "sha256:...", "thalweg-checkpoint": "<JSON text>"}
    the JSON        {"schema": 1, "fingerprint": {...}, "step": ..., "loss": ..., "status": ..., "rule": ...,
                     "numbers": {"state/step": 12, ...}}
    the tensors     "state/theta", "best/theta", "history/0/value", ...

What is kept is a tree of mappings. A path names a leaf; tensors stand in the file as themselves, numbers and texts in
the JSON, where a float returns to the last bit. Nothing is pickled, and reading imports nothing that the file names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import safetensors
import safetensors.torch
from torch import Tensor

from thalweg.errors import ModelFileError
from thalweg.store import strict_json
from thalweg.store.recognise import what_else
from thalweg.store.seal import CHECKSUM, UNSEALED, check_seal, sealed
from thalweg.store.strict_json import shown

SCHEMA = 1
KEY = "thalweg-checkpoint"
KEPT = "="  # of a name that stands in a path as it is; a "/" does not
_DAMAGED = "The file is damaged or was altered: take another copy of it, or begin anew with resume=False."
_KINDS: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "fingerprint": (dict,),
    "step": (int,),
    "loss": (int, float),
    "status": (str, type(None)),
    "rule": (str, type(None)),
    "numbers": (dict,),
}


def pack_checkpoint(description: Mapping[str, Any], tree: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint.

    Parameters
    ----------
    description : mapping
        fingerprint, step, loss, status, rule.
    tree : mapping
        Mappings of tensors, numbers, texts and None.
    """
    leaves = dict(_leaves(tree))
    # A copy of each: states share tensors, and the library refuses two names for one memory.
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in leaves.items() if isinstance(v, Tensor)}
    numbers = {k: v for k, v in leaves.items() if not isinstance(v, Tensor)}
    text = strict_json.dumps({"schema": SCHEMA, **description, "numbers": numbers})
    return sealed(safetensors.torch.save(tensors, {"checksum": UNSEALED, KEY: text}))


def unpack_checkpoint(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """(description, tree) of `pack_checkpoint`.

    Raises
    ------
    ModelFileError
        No checkpoint, a damaged one, or one that a later version wrote.
    """
    metadata = _metadata(data)
    checksum = metadata.get("checksum")
    if not isinstance(checksum, str) or not CHECKSUM.fullmatch(checksum):
        raise ModelFileError("its checksum is not one", advice=_DAMAGED)
    check_seal(data, checksum, _DAMAGED)
    description = strict_json.loads(metadata[KEY])
    _check(description)
    try:
        tensors = safetensors.torch.load(data)
    except (safetensors.SafetensorError, RuntimeError, ValueError) as problem:
        raise ModelFileError(f"the safetensors library refuses it: {problem}", advice=_DAMAGED) from None
    return description, _tree({**tensors, **description["numbers"]})


def is_checkpoint(path: Path) -> bool:
    """Whether a file is a checkpoint, whole or damaged, or empty: whether it may be replaced by another."""
    with path.open("rb") as stream:
        start = stream.read(2**16)
    return not start or (start[8:9] == b"{" and f'"{KEY}"'.encode() in start)


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{":
        raise ModelFileError(f"it is not a checkpoint but {what_else(data[:512])}", advice="Name another file.")
    if length > len(data) - 8:
        raise ModelFileError("it ends before its header does", advice=_DAMAGED)
    try:
        header = strict_json.loads(data[8 : 8 + length].decode("utf-8"))
    except UnicodeDecodeError:
        raise ModelFileError("its header is not text in UTF-8", advice=_DAMAGED) from None
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise ModelFileError("it is a safetensors file, but not a checkpoint", advice="Name another file.")
    return metadata


def _check(description: Any) -> None:
    schema = description.get("schema") if isinstance(description, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise ModelFileError(f"it was written by a later version (schema {shown(schema)})", advice="Update Thalweg.")
    if schema != SCHEMA or description.keys() != _KINDS.keys():
        raise ModelFileError("its description is not one of a checkpoint", advice=_DAMAGED)
    for key, kinds in _KINDS.items():
        if type(description[key]) not in kinds:
            raise ModelFileError(f"its {key!r} cannot be {shown(description[key])}", advice=_DAMAGED)


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{quote(name, safe=KEPT)}/")
        else:
            yield f"{path}{quote(name, safe=KEPT)}", value


def _tree(leaves: Mapping[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path, value in leaves.items():
        *folders, name = map(unquote, path.split("/"))
        node = root
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = value
    return root
