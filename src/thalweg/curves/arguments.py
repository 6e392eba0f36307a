"""The signature of a user's function: which arguments are columns, which are parameters, and how it is called."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Annotated, Any, final

import numpy as np

from thalweg.errors import FormulaError, OptionError

Positive = Annotated[float, "positive"]
"""A parameter above 0: ``def decay(x, amplitude, tau: Positive): ...``"""

_EMPTY = inspect.Parameter.empty
_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_ANNOTATED = re.compile(r"""(\w+\.)?Annotated\[.*(["'])positive\2.*\]""")
_WRAP = "Name each parameter: lambda x, a, b: f(x, a, b)."


@final
@dataclass(frozen=True)
class Argument:
    """One argument as the signature has it."""

    name: str
    keyword: bool
    default: Any
    annotation: Any


@final
@dataclass(frozen=True)
class Arguments:
    """How a function is called.

    Attributes
    ----------
    inputs : tuple of str
        The columns.
    parameters : tuple of str
    title : str
        "decay(x, amplitude, tau)".
    slots : tuple of (bool, int, str)
        In the order of the call: whether it is an input, which, and the keyword ("" where it is given by its place).
        Empty where inputs come first and parameters after them, as they are given.
    starts : mapping of str to float
        The defaults that are numbers.
    positive : frozenset of str
    """

    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    title: str
    slots: tuple[tuple[bool, int, str], ...] = ()
    starts: Mapping[str, float] = field(default_factory=dict, hash=False)
    positive: frozenset[str] = frozenset()

    def call(self, function: Callable[..., Any], columns: Mapping[str, Any], theta: Sequence[Any]) -> Any:
        """The function at these columns and parameters."""
        if not self.slots:
            return function(*[columns[name] for name in self.inputs], *theta)
        places: list[Any] = []
        keywords: dict[str, Any] = {}
        for is_input, index, keyword in self.slots:
            value = columns[self.inputs[index]] if is_input else theta[index]
            if keyword:
                keywords[keyword] = value
            else:
                places.append(value)
        return function(*places, **keywords)


def read_arguments(
    function: Callable[..., Any],
    columns: Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
) -> Arguments:
    """Which arguments of a function are columns and which are parameters.

    Parameters
    ----------
    function : callable
        ``def decay(x, amplitude, tau: Positive, offset=0.0)``. A default that is a number is a start; an argument whose
        default is anything else (None, a text, True) is an option of the function's own, and keeps it. What a
        `functools.partial` holds by keyword stays held.
    columns : sequence of str
        The columns that it may read: those of the data without the response.
    inputs : sequence of str, optional
        The arguments that are given data, where the caller knows.
    parameters : sequence of str, optional
        Names for what follows the inputs by place; then the signature is not read.

    Returns
    -------
    Arguments

    Raises
    ------
    OptionError
        What is given is no function.
    FormulaError
        A signature that cannot be read or has ``*args``; none of the arguments a column; or all of them.

    Examples
    --------
    >>> def decay(t, amplitude, tau: Positive, offset=0.0): ...
    >>> made = read_arguments(decay, ["t", "mass"])
    >>> made.inputs, made.parameters, made.starts, sorted(made.positive)
    (('t',), ('amplitude', 'tau', 'offset'), {'offset': 0.0}, ['tau'])
    """
    name = _name(function)
    _check_kind(function, name)
    if parameters is not None:
        made = tuple(inputs or ()), tuple(parameters)
        return Arguments(*made, f"{name}({', '.join([*made[0], *made[1]])})")
    listed = _signature(function, name)
    found = _inputs(listed, columns, inputs, name)
    rest = [each for each in listed if each.name not in found and _may_vary(each.default)]
    if not rest:
        raise FormulaError(
            f"the function {name} has no parameter: every argument is a column of the data",
            advice="Arguments that are no columns are parameters, as a and b in lambda x, a, b: a * x + b.",
        )
    return _arranged(function, name, listed, found, [each.name for each in rest])


def _arranged(
    function: Callable[..., Any], name: str, listed: Sequence[Argument], found: Mapping[str, str], names: list[str]
) -> Arguments:
    arguments = list(found)
    rest = [each for each in listed if each.name in names]
    plain = [each.name for each in listed] == arguments + names and not any(each.keyword for each in listed)
    return Arguments(
        tuple(found.values()),
        tuple(names),
        f"{name}({', '.join(arguments + names)})",
        () if plain else tuple(_slots(listed, arguments, names)),
        {each.name: float(each.default) for each in rest if each.default is not _EMPTY},
        frozenset([e.name for e in rest if e.annotation is not _EMPTY and _is_positive(e.annotation, function)]),
    )


def _slots(
    listed: Sequence[Argument], arguments: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[bool, int, str]]:
    """Each argument that is given something: by its place, until one is left out."""
    by_place = True
    for each in listed:
        by_place = by_place and not each.keyword
        keyword = "" if by_place else each.name
        if each.name in arguments:
            yield True, arguments.index(each.name), keyword
        elif each.name in names:
            yield False, names.index(each.name), keyword
        else:
            by_place = False


def _name(function: Callable[..., Any]) -> str:
    """What messages and summaries call it."""
    if not callable(function):
        raise OptionError(f"{function!r:.60} is no function", advice="Give a function of the columns and parameters.")
    inner = function.func if isinstance(function, functools.partial) else function
    name = getattr(inner, "__name__", type(inner).__name__)
    return "lambda" if name == "<lambda>" else name


def _check_kind(function: Callable[..., Any], name: str) -> None:
    """Refuse what returns no values when it is called.

    Raises
    ------
    FormulaError
    """
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    if flags & (inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE):
        raise FormulaError(
            f"the function {name} is asynchronous: a call returns a coroutine and no values",
            advice="Write def in place of async def.",
        )
    if flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        raise FormulaError(
            f"the function {name} is a generator: a call returns no values",
            advice="Return an array in place of yielding numbers.",
        )


def _signature(function: Callable[..., Any], name: str) -> list[Argument]:
    """The arguments in order, without what a partial holds."""
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if not code.co_flags & _VARIADIC:
            return list(_plain(function, code))
    if isinstance(function, np.vectorize):
        return _signature(function.pyfunc, name)
    if isinstance(function, np.ufunc):
        raise FormulaError(f"the arguments of {name} have no names", advice=_WRAP)
    try:
        listed = inspect.signature(function).parameters.values()
    except (ValueError, TypeError) as problem:
        raise FormulaError(f"the arguments of {name} cannot be read", advice=_WRAP) from problem
    for each in listed:
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            stars = "*" if each.kind is each.VAR_POSITIONAL else "**"
            raise FormulaError(f"the function {name} takes {stars}{each.name}, which has no names", advice=_WRAP)
    held = _held(function)
    return [
        Argument(each.name, each.kind is each.KEYWORD_ONLY, each.default, each.annotation)
        for each in listed
        if each.name not in held
    ]


def _held(function: Callable[..., Any]) -> set[str]:
    return set(function.keywords) if isinstance(function, functools.partial) else set()


def _plain(function: FunctionType, code: CodeType) -> Iterator[Argument]:
    """The same as `inspect.signature`, which takes as long as a small fit."""
    names, notes = code.co_varnames, function.__annotations__
    count, defaults, options = code.co_argcount, function.__defaults__ or (), function.__kwdefaults__ or {}
    for i, name in enumerate(names[:count]):
        at = i - count + len(defaults)
        yield Argument(name, False, defaults[at] if at >= 0 else _EMPTY, notes.get(name, _EMPTY))
    for name in names[count : count + code.co_kwonlyargcount]:
        yield Argument(name, True, options.get(name, _EMPTY), notes.get(name, _EMPTY))


def _inputs(
    listed: Sequence[Argument], columns: Sequence[str], inputs: Sequence[str] | None, name: str
) -> dict[str, str]:
    """The column of each argument that is one."""
    names = [each.name for each in listed]
    if inputs is not None:
        missing = [each for each in inputs if each not in names]
        if missing:
            raise OptionError(
                f"the function {name} has no argument {missing[0]!r}", advice=f"Its arguments are {', '.join(names)}."
            )
        return {each: each for each in names if each in inputs}
    found = {each: each for each in names if each in columns}
    if found:
        return found
    if len(columns) == 1 and names:
        return {names[0]: columns[0]}
    shown = ", ".join(map(str, columns[:12])) + (", ..." if len(columns) > 12 else "")
    raise FormulaError(
        f"none of the arguments of {name} ({', '.join(names)}) is a column of the data",
        advice=f"Name the arguments that are data after their columns: {shown}." if columns else "",
    )


def _may_vary(default: Any) -> bool:
    """A parameter has no default, or a number; anything else is an option of the function's own."""
    return default is _EMPTY or (isinstance(default, int | float | np.number) and not isinstance(default, bool))


def _is_positive(annotation: Any, function: Callable[..., Any]) -> bool:
    """Whether it is `Positive`, also as text, which is looked up and never evaluated."""
    if isinstance(annotation, str):
        if _ANNOTATED.fullmatch(annotation):
            return True
        first, *others = annotation.split(".")
        found = getattr(inspect.unwrap(function), "__globals__", {}).get(first)
        for part in others:
            found = getattr(found, part, None)
        return not isinstance(found, str) and _is_positive(found, function)
    return "positive" in getattr(annotation, "__metadata__", ())
