"""State dicts of modules: written as safetensors, read as safetensors or as what `torch.save` wrote.

A `.pt`, `.pth` or `.pkl` file is a pickle, and a pickle can run code when it is opened. It is therefore read by
``torch.load(weights_only=True)`` and in no other way: tensors, numbers, text and dicts of them come out, or an error.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from thalweg.errors import ModelFileError, OptionError
from thalweg.store.atomic import atomic_write
from thalweg.store.recognise import what_else

_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")
_INSIDE = ("state_dict", "model_state_dict", "model")  # under which checkpoints keep the module's part
_ADVICE = "Save the weights alone: torch.save(model.state_dict(), path)."


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a state dict by name, on the CPU.

    Parameters
    ----------
    path : str or path
        A safetensors file, or one of `torch.save`; its contents decide which, not its name. Of a checkpoint that holds
        a state dict under "state_dict", "model_state_dict" or "model", that part is taken.

    Raises
    ------
    ModelFileError
        No such file; a truncated one; a pickle that holds more than tensors, such as a whole module.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save(torch.nn.Linear(1, 1).state_dict(), f"{folder}/model.pt")
    ...     list(read_state_dict(f"{folder}/model.pt"))
    ['weight', 'bias']
    """
    name = os.fsdecode(path)
    try:
        with open(name, "rb") as stream:
            head = stream.read(512)
    except (OSError, ValueError) as problem:
        reason = "there is no such file" if isinstance(problem, FileNotFoundError) else f"the system says {problem}"
        raise ModelFileError(f"the weights cannot be read: {reason}", where=name) from None
    if head[8:9] == b"{":
        return _from_safetensors(name)
    kind = what_else(head)
    if "pickle" not in kind:
        raise ModelFileError(f"the weights cannot be read: the file is {kind}", where=name, advice=_ADVICE)
    return _tensors_of(_from_torch(name), name)


def write_state_dict(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as a safetensors file, all or nothing.

    Raises
    ------
    OptionError
        A suffix that promises a pickle.
    OutputError
        The file cannot be written; one that was there is unchanged.
    """
    suffix = Path(os.fsdecode(path)).suffix.lower()
    if suffix in _PICKLES:
        raise OptionError(
            f"the weights are written as a safetensors file, not {suffix}",
            advice="Name it model.safetensors; for a pickle write torch.save(descent.module().state_dict(), path).",
        )
    # Parameters that share memory are two tensors in a file.
    plain = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    atomic_write(path, safetensors.torch.save(plain))


def load_into(module: nn.Module, path: str | os.PathLike[str]) -> None:
    """Put the tensors of a file into a module, all or none.

    Raises
    ------
    ModelFileError
        As `read_state_dict`; or tensors that the module has not, that the file has not, or of another shape.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save(torch.nn.Linear(3, 1).state_dict(), f"{folder}/model.pt")
    ...     load_into(torch.nn.Linear(2, 1), f"{folder}/model.pt")
    Traceback (most recent call last):
    thalweg.errors.ModelFileError: the weights do not fit the module: weight has the shape (1, 3) in the file ...
    """
    found, wanted = read_state_dict(path), module.state_dict()
    wrong = [
        *_listed("missing from the file", [name for name in wanted if name not in found]),
        *_listed("not in the module", [name for name in found if name not in wanted]),
        *(
            f"{name} has the shape {tuple(value.shape)} in the file and {tuple(wanted[name].shape)} in the module"
            for name, value in found.items()
            if name in wanted and value.shape != wanted[name].shape
        ),
    ]
    if wrong:
        raise ModelFileError(
            f"the weights do not fit the module: {'; '.join(wrong)}",
            where=os.fsdecode(path),
            advice="Build the module as it was when its weights were saved.",
        )
    module.load_state_dict(found)


def _listed(what: str, names: list[str]) -> list[str]:
    more = f", ... ({len(names)} in all)" if len(names) > 8 else ""
    return [f"{', '.join(names[:8])}{more} {'is' if len(names) == 1 else 'are'} {what}"] if names else []


def _from_safetensors(name: str) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(name)
    except (safetensors.SafetensorError, RuntimeError, ValueError, KeyError) as problem:
        raise ModelFileError(
            f"the weights cannot be read: the file is truncated or altered ({problem})",
            where=name,
            advice="Take another copy of it.",
        ) from None


def _from_torch(name: str) -> Any:
    """What torch.load makes of the file without running anything that it names."""
    try:
        with warnings.catch_warnings(), open(name, "rb") as stream:  # not by name: torch.load looks at its suffix
            warnings.simplefilter("ignore")  # of old formats
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise ModelFileError(
            f"the weights cannot be read: {_refused(str(problem))}", where=name, advice=_ADVICE
        ) from None
    except Exception as problem:  # torch raises RuntimeError, EOFError, KeyError, ... for damaged files
        first = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        if "TorchScript" in first:
            raise ModelFileError("the file is a TorchScript program, not weights", where=name, advice=_ADVICE) from None
        raise ModelFileError(
            f"the weights cannot be read: the file is truncated, damaged, or no state dict ({first:.200})",
            where=name,
            advice="Take another copy of it, or save again with torch.save(model.state_dict(), path).",
        ) from None


def _refused(message: str) -> str:
    """What a pickle holds that is no tensor."""
    _, found, rest = message.partition("GLOBAL ")
    if not found:
        return "it is a pickle that torch.save did not write, or that holds more than tensors"
    thing = rest.split()[0]
    return f"it is a pickle that names {thing}, as one of a whole module does, and opening it could run code"


def _tensors_of(content: Any, name: str) -> dict[str, Tensor]:
    """The state dict, of what the file holds."""
    if isinstance(content, Mapping) and not _is_state_dict(content):
        content = next((content[key] for key in _INSIDE if _is_state_dict(content.get(key))), content)
    if _is_state_dict(content):
        return dict(content)
    held = f"a dict with the keys {', '.join(map(repr, list(content)[:6]))}" if isinstance(content, Mapping) else ""
    raise ModelFileError(
        f"the file holds no state dict but {held or f'a {type(content).__name__}'}", where=name, advice=_ADVICE
    )


def _is_state_dict(content: Any) -> bool:
    """Names to tensors, at least one."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )
