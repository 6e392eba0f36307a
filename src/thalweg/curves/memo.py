"""What makes two functions the same to a trace: their code and every number and function that it reads.

A lambda in a loop is a new function at each turn, with the same code. Its trace is kept under this key, and read again
only where nothing that it could read has changed: numbers by value, functions of NumPy, scipy and PyTorch by identity.
A function that reads anything else (a list, an object, a module of the user's) has no key, and is traced anew.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, final

import numpy as np

T = TypeVar("T")
LIBRARIES = ("numpy", "torch", "scipy", "math")
DEEPEST = 4  # functions that call functions


class _NoKey(Exception):
    """It reads something that may change unseen."""


def key_of(function: Any) -> Hashable | None:
    """A key that equal functions share; None where there is none.

    Examples
    --------
    >>> def made(k):
    ...     return lambda x, a: a * x + k
    >>> key_of(made(1)) == key_of(made(1)), key_of(made(1)) == key_of(made(2)), key_of(made([1]))
    (True, False, None)
    """
    try:
        return _function(function, 0)
    except (_NoKey, ValueError):  # ValueError: a closure whose variable has no value yet
        return None


def _function(function: Any, depth: int) -> Hashable:
    if type(function) is not FunctionType or depth > DEEPEST or function.__dict__:
        raise _NoKey
    code = function.__code__
    cells = tuple([_value(cell.cell_contents, depth) for cell in function.__closure__ or ()])
    scope = function.__globals__
    read = tuple([_value(scope.get(name), depth) for name in _names(code)])  # None: a builtin, or an attribute
    defaults = tuple([_value(each, depth) for each in function.__defaults__ or ()])
    options = tuple([(name, _value(each, depth)) for name, each in (function.__kwdefaults__ or {}).items()])
    return code, cells, read, defaults, options


def _names(code: CodeType) -> Iterator[str]:
    """Globals that it may read, and attributes, which do no harm here."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _value(value: Any, depth: int) -> Hashable:
    if value is None or isinstance(value, bool | int | str):
        return type(value), value
    if isinstance(value, float | np.number):
        number = value.item() if isinstance(value, np.number) else value
        return type(value), number, math.copysign(1.0, number) if isinstance(number, float) else 0
    if isinstance(value, ModuleType):
        if value.__name__.partition(".")[0] in LIBRARIES:
            return value
        raise _NoKey
    if isinstance(value, np.ufunc | BuiltinFunctionType):
        return value
    if isinstance(value, FunctionType):
        module = (value.__module__ or "").partition(".")[0]
        return value if module in LIBRARIES else _function(value, depth + 1)
    if isinstance(value, type) and value.__module__ in ("builtins", "numpy"):
        return value
    if type(value).__module__.partition(".")[0] == "numpy" and callable(value) and not isinstance(value, np.ndarray):
        return value  # functions of NumPy that know __array_function__
    raise _NoKey


@final
class Memo:
    """The last few values by key.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._most = most

    def get(self, key: Hashable) -> Any:
        """The value, or None."""
        return self._kept.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        """Remember, and forget the oldest beyond `most`."""
        self._kept[key] = value
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
