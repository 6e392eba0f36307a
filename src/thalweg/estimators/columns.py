"""What a curve is called with scikit-learn's X and y: names of columns and of the response, and the default curve."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from thalweg.curves.language import is_equation
from thalweg.errors import OptionError

RESPONSES = ("y", "response", "target")


def column_names(count: int, given: Sequence[str] | None, in_frame: Sequence[str] | None) -> list[str]:
    """Names of the columns of X: those that the user gives, those of the frame, or x0, x1, ...; x, where it is one.

    Raises
    ------
    OptionError
        Names that are not as many as columns, or not all different.

    Examples
    --------
    >>> column_names(2, None, None), column_names(1, None, None), column_names(2, ["t", "mass"], None)
    (['x0', 'x1'], ['x'], ['t', 'mass'])
    """
    if given is None:
        if in_frame is not None:
            return list(in_frame)
        return ["x"] if count == 1 else [f"x{j}" for j in range(count)]
    names = [given] if isinstance(given, str) else [str(name) for name in given]
    if len(names) != count or len(set(names)) < count:
        raise OptionError(f"columns is {names}, and X has {count}", advice="Give each column a name of its own.")
    return names


def equation_of(expression: Any, names: Sequence[str]) -> tuple[Any, str]:
    """The curve as `thalweg.fit` takes it, and the name of its response.

    Raises
    ------
    OptionError
        A left side that is no name, or the name of a column of X.

    Examples
    --------
    >>> equation_of("a * exp(-b * x)", ["x"]), equation_of("decay = a * exp(-b * x)", ["x"])
    (('y = a * exp(-b * x)', 'y'), ('decay = a * exp(-b * x)', 'decay'))
    >>> equation_of(None, ["x0", "x1"])
    ('y = intercept + slope_1 * `x0` + slope_2 * `x1`', 'y')
    """
    if expression is None:
        return _line(names)
    if not isinstance(expression, str):
        if not callable(expression):
            raise OptionError(f"expression is {expression!r}", advice='Give "a * exp(-b * x)", or a function.')
        return expression, _free("", names)
    if not is_equation(expression):
        response = _free(expression, names)
        return f"{response} = {expression}", response
    left = re.split(r"(?<![=<>!])=(?!=)", expression, maxsplit=1)[0].strip()
    if not left.isidentifier():
        raise OptionError(f"the left side of {expression!r} is no name", advice="Transform y, not its name.")
    if left in names:
        raise OptionError(f"{left!r} is the response, and a column of X", advice="Name the response otherwise.")
    return expression, left


def _line(names: Sequence[str]) -> tuple[str, str]:
    """A line, or a plane: a parameter for each column."""
    response = _free("intercept slope", names)
    slopes = ["slope"] if len(names) == 1 else [f"slope_{j}" for j in range(1, len(names) + 1)]
    terms = [f"{slope} * `{name}`" for slope, name in zip(slopes, names, strict=True)]
    return f"{response} = {' + '.join(['intercept', *terms])}", response


def _free(text: str, names: Sequence[str]) -> str:
    """A name for the response that nothing else has."""
    taken = {*names, *re.findall(r"\w+", text)}
    return next(name for name in (*RESPONSES, *(f"y{j}" for j in range(len(taken) + 1))) if name not in taken)


def check_columns_read(
    expression: Callable[..., Any] | str | None, parameters: Sequence[str], names: Sequence[str]
) -> None:
    """Refuse a parameter whose name is meant for a column of an array.

    Raises
    ------
    OptionError
    """
    for name in parameters:
        if re.fullmatch(r"x\d*", name) and any(re.fullmatch(r"x\d*", known) for known in names):
            raise OptionError(
                f"{expression!r} reads {name!r}, and the columns of X are {', '.join(names[:12])}",
                advice="Write these names, or give others: columns=[...].",
            )
