"""A Python function as a curve: traced to a graph where that can be done, called as it is where it cannot.

    def decay(x, amplitude, tau: Positive, offset=0.0):
        return amplitude * np.exp(-x / tau) + offset

1. The function is traced (`thalweg.curves.tracing`) and its trace compared with it; then it is an `Expression`, with
   exact derivatives, batches of candidates and long doubles.
2. Where that fails it is called: with tensors where it gives tensors whose derivatives by autograd agree with
   differences, with arrays and central differences otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.curves.arguments import Arguments, Positive, read_arguments
from thalweg.curves.called import FunctionCurve
from thalweg.curves.choose import called_curve
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.memo import Memo, key_of
from thalweg.curves.outcome import check_start
from thalweg.curves.stacked import StackedCurve
from thalweg.curves.tracing import NotTraceable, Trace, trace
from thalweg.curves.verify import verify
from thalweg.errors import FormulaError

__all__ = ["FunctionCurve", "Positive", "curve_of_function", "derivatives_of"]

_MEMO = Memo(128)


def curve_of_function(
    function: Callable[..., Any],
    columns: Sequence[str],
    sample: Mapping[str, Any],
    *,
    inputs: Sequence[str] | None = None,
    parameters: Sequence[str] | None = None,
    start: Mapping[str, float] | None = None,
    rows: int | None = None,
    unused: bool = False,
    checked: bool = True,
) -> tuple[Curve, dict[str, float]]:
    """A function of columns and parameters as a curve.

    Parameters
    ----------
    function : callable
        Of arrays or tensors (n,) and numbers, to (n,). Arguments that are columns are inputs, the rest parameters, as
        `thalweg.curves.arguments.read_arguments` says.
    columns : sequence of str
        The columns that it may read: those of the data without the response.
    sample : mapping of str to ndarray
        Rows of the columns to try it on: all of the fit's, or some. Where `inputs` is given, the data of each; of any
        shape, for a function that takes it so.
    inputs : sequence of str, optional
        Which arguments are data, where the caller knows.
    parameters : sequence of str, optional
        Names of what follows the inputs by place; the signature is then not read.
    start : mapping of str to float, optional
        Starts that are known; before defaults of the signature.
    rows : int, optional
        Entries of the result; by default the length of the first column.
    unused : bool, default False
        Whether a parameter that the function never uses is let pass.
    checked : bool, default True
        Whether a start that is known in full is looked at.

    Returns
    -------
    curve : Curve
        An `Expression` (in a `StackedCurve` where an input has several columns) or a `FunctionCurve`;
        `derivatives_of(curve)` says which derivatives it has.
    starts : dict of str to float
        Defaults of the signature, and `start`.

    Raises
    ------
    OptionError, FormulaError
        What is no function or has no usable signature; a function that raises, that returns something else than one
        real number for each row, or that does not use a parameter.
    DataError
        No finite value at a start that is known in full.

    Examples
    --------
    >>> x = np.linspace(0, 5, 50)
    >>> curve, starts = curve_of_function(lambda x, a, b=2.0: a * np.exp(-b * x), ["x"], {"x": x})
    >>> curve.parameters, starts, derivatives_of(curve)
    (('a', 'b'), {'b': 2.0}, 'exact, traced')
    """
    arguments = read_arguments(function, columns, inputs=inputs, parameters=parameters)
    data = {name: sample[name] for name in arguments.inputs}
    count = rows if rows is not None else len(next(iter(data.values()), ()))
    starts = arguments.starts if start is None else {**arguments.starts, **start}
    try:
        curve: Curve = _traced(function, arguments, data, count, starts, unused)
        if any(value.ndim > 1 for value in data.values()):
            curve = StackedCurve(curve, arguments.inputs)
    except NotTraceable as problem:
        curve = called_curve(function, arguments, data, count, starts=starts, reason=str(problem), unused=unused)
    if checked and len(starts) >= len(arguments.parameters):
        check_start(curve, data, count, starts)
    return curve, dict(starts)


def _traced(
    function: Callable[..., Any],
    arguments: Arguments,
    data: Mapping[str, Any],
    rows: int,
    starts: Mapping[str, float],
    unused: bool,
) -> Expression:
    """The function as a graph; one that was traced before is compared once more.

    Raises
    ------
    NotTraceable
    """
    for value in data.values():
        if not isinstance(value, np.ndarray) or value.dtype != np.float64 or value.ndim > 2:
            raise NotTraceable("its input is no array of numbers")
    key = key_of(function)
    whole = None if key is None else (key, arguments, tuple([_shape(value) for value in data.values()]))
    kept: tuple[Trace, Expression] | str | None = None if whole is None else _MEMO.get(whole)
    if isinstance(kept, str):
        raise NotTraceable(kept)

    def call(columns: Mapping[str, Any], theta: Sequence[Any]) -> Any:
        return arguments.call(function, columns, theta)

    made, expression = kept or _expression(call, arguments, data, whole, unused)
    known = {j: starts[name] for j, name in enumerate(arguments.parameters) if name in starts}
    verify(made, expression.compiled.value, call, data, rows, starts=known, enough=1 if kept else 2)
    if whole is not None and not kept:
        _MEMO.keep(whole, (made, expression))
    return expression


def _shape(value: np.ndarray) -> tuple[int, ...]:
    """What a trace may know of an input: how many columns it has, not how many rows."""
    return () if value.ndim == 1 else value.shape


def _expression(
    call: Callable[..., Any], arguments: Arguments, data: Mapping[str, Any], key: Any, unused: bool
) -> tuple[Trace, Expression]:
    try:
        made = trace(call, data, arguments.parameters)
    except NotTraceable as problem:
        if key is not None:
            _MEMO.keep(key, str(problem))
        raise
    used = made.graph.depends_on(made.root)
    if not unused and len(used) < len(arguments.parameters):
        lost = next(name for name in arguments.parameters if name not in used)
        raise FormulaError(
            f"{arguments.title} does not use its parameter {lost!r}", advice="Take it out of the arguments."
        )
    expression = Expression(made.graph, made.root, arguments.parameters, arguments.title, positive=arguments.positive)
    return made, expression


def derivatives_of(curve: Curve) -> str:
    """ "exact, traced", "exact, by autograd" or "central differences"."""
    return getattr(curve, "derivatives", "exact, traced")
