"""What a fit is, in a few short texts: a checkpoint goes on only with the fit that wrote it.

Each entry is compared by name, so that a refusal can say what differs. How far to go (`steps`, `epochs`) is no part of
it: a fit may go on further than was first asked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import cached_property, partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from thalweg.problem import Problem

FREE = frozenset({"steps", "epochs", "allow_divergence", "replay"})  # they change no state
TELLING = ("solver", "option lr", "data", "rows", "loss", "start")  # the parts that are named first
READABLE = 60  # characters of a part that a message shows
LONGEST = 300  # characters of a part that is kept as it is
DEEPEST = 6  # levels of objects inside options


def fingerprint(solver: Any, problem: Problem, theta: Tensor | None) -> dict[str, str]:
    """Names of parts of a fit and what they are: options of the solver, the loss, the data, the start.

    Parameters
    ----------
    solver : Solver
        Its public attributes are its options.
    problem : Problem
        Of tensors in memory the SHA-256; else f and its gradient at 0, as sums over all rows.
    theta : Tensor, optional
        The start.
    """
    options = {name: value for name, value in _attributes(solver).items() if name not in FREE}
    found = {
        "solver": type(solver).__name__,
        **{f"option {name}": described(value) for name, value in sorted(options.items())},
        "parameters": described(problem.names),
        "predictor": described(getattr(problem, "predictor", None)),
        "loss": described(problem.loss),
        "convention": problem.convention,
        "rows": str(problem.rows),
        "dtype": str(problem.dtype),
        "start": "zeros" if theta is None else described(theta),
        "data": _data(problem),
    }
    return {name: _brief(text) if name != "data" else text for name, text in found.items()}


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What differs, in words, the most telling first."""
    found = []
    for name in sorted(dict.fromkeys((*old, *new)), key=_rank):
        then, now = old.get(name, "nothing"), new.get(name, "nothing")
        if then != now and not (name == "data" and _same_sums(then, now)):
            brief = name in ("data", "start", "predictor") or max(len(then), len(now)) > READABLE
            found.append(f"another {name}" if brief else f"{name} {then} there, {now} here")
    return found


def _rank(name: str) -> int:
    return TELLING.index(name) if name in TELLING else len(TELLING)


def described(value: Any, depth: int = 0) -> str:
    """A value as text that is equal where the value is: the same in another process, without addresses."""
    if value is None or isinstance(value, str | bool | int | float | torch.dtype | torch.device):
        return repr(value)
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} {_sha(value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {described(v, depth + 1)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        parts = [described(each, depth + 1) for each in value]
        return "(" + ", ".join(sorted(parts) if isinstance(value, set | frozenset) else parts) + ")"
    return _object(value, depth)


def _brief(text: str) -> str:
    return text if len(text) <= LONGEST else f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"


def _object(value: Any, depth: int) -> str:
    if isinstance(value, nn.Module):
        return repr(value)
    if isinstance(value, FunctionType):
        return _function(value, depth)
    if isinstance(value, MethodType):
        return described((value.__func__, value.__self__), depth + 1)
    if isinstance(value, partial):
        return described((value.func, value.args, value.keywords), depth + 1)
    if isinstance(value, type) or not hasattr(value, "__dict__") or depth > DEEPEST:
        return getattr(value, "__qualname__", type(value).__qualname__)
    return f"{type(value).__qualname__}{described(_attributes(value), depth + 1)}"


def _function(value: FunctionType, depth: int) -> str:
    """Its name, and a digest of what it does: code, constants, defaults, and what it took from around it."""
    if depth > DEEPEST:
        return value.__qualname__
    code = value.__code__
    around = [cell.cell_contents for cell in value.__closure__ or ()]
    text = repr((code.co_code, code.co_names, [c for c in code.co_consts if not hasattr(c, "co_code")]))
    text += described((value.__defaults__, value.__kwdefaults__, around), depth + 1)
    return f"{value.__qualname__} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _attributes(value: Any) -> dict[str, Any]:
    """What an object was made with: not what it keeps to itself, nor what it has worked out since."""
    kind = type(value)
    cached = {name for name in vars(value) if isinstance(getattr(kind, name, None), cached_property)}
    return {name: each for name, each in vars(value).items() if name not in cached and not name.startswith("_")}


def _data(problem: Problem) -> str:
    parts = [getattr(problem, name, None) for name in ("x", "y", "weight", "offset")]
    if parts[1] is not None:
        return "sha256 " + " ".join(described(part) for part in parts)
    zero = torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    value, gradient = problem.value_and_gradient(zero)
    return "sums " + " ".join(map(repr, [float(value), *gradient.tolist()]))


def _same_sums(then: str, now: str) -> bool:
    """Whether two lists of sums differ by rounding only: their order may depend on the number of threads."""
    if not (then.startswith("sums ") and now.startswith("sums ")):
        return False
    a, b = ([float(word) for word in text.split()[1:]] for text in (then, now))
    size = max(map(abs, a), default=0.0)
    if len(a) != len(b):
        return False
    return all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12 * size) for x, y in zip(a, b, strict=True))


def _sha(tensor: Tensor) -> str:
    data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(data.numpy().data).hexdigest()
