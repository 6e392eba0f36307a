"""Nested settings (the `state_dict` of an optimizer or of a scheduler) as flat names of tensors, and one text.

Dictionaries, lists, tuples, numbers, texts, None and truth values become JSON, with tags for what JSON does not have;
tensors are taken out and named by their place. Nothing that is read back runs code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from thalweg.errors import NotAvailableError


def packed(tree: Any, name: str) -> dict[str, Tensor | str]:
    """A tree as {"name": text, "name/0": tensor, "name/1": tensor, ...}.

    Raises
    ------
    NotAvailableError
        The tree holds something else, as a function.

    Examples
    --------
    >>> import torch
    >>> flat = packed({"a": [1, torch.zeros(1)], 2: (None, True)}, "settings")
    >>> sorted(flat), unpacked(flat, "settings")
    (['settings', 'settings/0'], {'a': [1, tensor([0.])], 2: (None, True)})
    """
    tensors: list[Tensor] = []
    text = json.dumps(_plain(tree, tensors, name))
    return {name: text, **{f"{name}/{i}": tensor for i, tensor in enumerate(tensors)}}


def _plain(tree: Any, tensors: list[Tensor], name: str) -> Any:
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if isinstance(tree, Tensor):
        tensors.append(tree.detach().clone())
        return {"tensor": len(tensors) - 1}
    if isinstance(tree, Mapping):
        kind = "counter" if isinstance(tree, Counter) else "mapping"
        return {kind: [[_plain(k, tensors, name), _plain(v, tensors, name)] for k, v in tree.items()]}
    if isinstance(tree, list | tuple):
        items = [_plain(each, tensors, name) for each in tree]
        return items if isinstance(tree, list) else {"tuple": items}
    raise NotAvailableError(
        f"a checkpoint cannot hold the {type(tree).__name__} in the state of the {name}",
        advice="Leave the checkpoint out, or use an optimizer and a scheduler of numbers and tensors only.",
    )


def unpacked(kept: Mapping[str, Any], name: str) -> Any:
    """The tree of `packed`."""

    def built(plain: Any) -> Any:
        if isinstance(plain, list):
            return [built(each) for each in plain]
        if not isinstance(plain, dict):
            return plain
        ((kind, inner),) = plain.items()
        if kind == "tensor":
            return torch.as_tensor(kept[f"{name}/{inner}"]).clone()
        if kind == "tuple":
            return tuple(built(each) for each in inner)
        pairs = {built(k): built(v) for k, v in inner}
        return Counter(pairs) if kind == "counter" else pairs

    return built(json.loads(kept[name]))
