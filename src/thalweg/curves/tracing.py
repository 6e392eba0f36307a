"""A Python function read as a curve: called once with objects that write down what is done to them.

The function is called with a `Traced` for each column and parameter. Operators, NumPy's and scipy's ufuncs and
PyTorch's functions arrive here and become nodes of a graph; whatever else is asked of a `Traced` (its truth, its
length, an entry, a sum) cannot be answered without numbers, and the function is then left as it is. What was written
down is compared with the function itself before it is used (`thalweg.curves.verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, final

import numpy as np
from torch import Tensor

from thalweg.curves.complex_parts import COMPLEX, ONLY, REAL
from thalweg.curves.graph import Graph
from thalweg.curves.operations import OPERATIONS
from thalweg.curves.recipes import ARRAY_FUNCTIONS, METHODS, TENSOR_FUNCTIONS, UFUNCS, Recipe
from thalweg.curves.stacked import Stack

LONGEST = 5000  # nodes: a loop that writes more is no formula
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_OF_TRUTHS = ("where", "multiply", "add", "minimum", "maximum", *COMPARISONS)  # what two comparisons may meet in


class NotTraceable(Exception):
    """The function asks for something that has no place in a graph."""


@final
@dataclass(frozen=True)
class Trace:
    """A function as a graph.

    Attributes
    ----------
    graph : Graph
    root : int
    library : str
        "numpy" or "torch" where it calls functions of one of them; "" where it needs neither.
    arrays : bool
        Whether it made arrays of its arguments, of which then more could be asked than of the arguments themselves.
    """

    graph: Graph
    root: int
    library: str
    arrays: bool


def trace(
    call: Callable[[Mapping[str, Any], Sequence[Any]], Any], inputs: Mapping[str, Any], names: Sequence[str]
) -> Trace:
    """What a function does to its arguments.

    Parameters
    ----------
    call : callable
        (inputs by name, parameters in order) -> the function's value.
    inputs : mapping of str to ndarray
        Of which only the number of dimensions is read: one of (k, n) or (n, k) is k columns.
    names : sequence of str
        The parameters.

    Raises
    ------
    NotTraceable
        With the reason, as "it asks for the truth of a value (an if, and, or)".

    Examples
    --------
    >>> made = trace(lambda data, theta: theta[0] * np.exp(-data["x"]), {"x": np.ones(3)}, ["a"])
    >>> [entry.operation for entry in made.graph.entries]
    ['column', 'parameter', 'negative', 'exp', 'multiply']
    """
    tracer = Tracer()
    columns = {name: tracer.column(name, np.ndim(value), np.shape(value)) for name, value in inputs.items()}
    theta = [Traced(tracer, tracer.graph.parameter(name)) for name in names]
    try:
        with np.errstate(all="ignore"):
            value = call(columns, theta)
    except NotTraceable:
        raise
    except Exception as problem:
        raise tracer.refuse(f"it raised {type(problem).__name__} when it was traced") from problem
    if tracer.refused:
        raise NotTraceable(tracer.refused)
    return tracer.finished(value)


@final
class Tracer:
    """One reading of a function.

    Attributes
    ----------
    graph : Graph
    refused : str
        The first reason not to trace; kept, because a function may catch the exception that says so.
    libraries : set of str
    arrays : bool
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.refused = ""
        self.libraries: set[str] = set()
        self.arrays = False

    def column(self, name: str, dimensions: int, shape: tuple[int, ...]) -> Traced | Stack:
        """An input."""
        if dimensions == 1:
            return self.single(name)
        return Stack(self, name, shape)

    def single(self, name: str) -> Traced:
        """A column (n,)."""
        return Traced(self, self.graph.column(name))

    def refuse(self, what: str) -> NotTraceable:
        """The reason, kept."""
        self.refused = self.refused or what
        return NotTraceable(self.refused)

    def apply(self, operation: str, *arguments: Any) -> Traced:
        """An operation on traced values and numbers."""
        if operation.startswith("logical_"):
            return self._logical(operation, arguments)
        values = [self.traced(argument) for argument in arguments]
        if operation in ONLY or any(value.imaginary is not None for value in values):
            return self._complex(operation, values)
        if len(values) != OPERATIONS[operation].arguments:
            raise self.refuse(f"it gives {len(values)} arguments to {operation}")
        if len(self.graph.entries) > LONGEST:
            raise self.refuse(f"it has more than {LONGEST} steps")
        truth = all(value.truth for value in (values[1:] if operation == "where" else values))
        if truth and operation not in _OF_TRUTHS:
            raise self.refuse(f"it takes a comparison for a number ({operation})")
        if truth and operation == "add":
            operation = "maximum"  # true + true is true, in NumPy and in PyTorch
        node = self.graph.apply(operation, *(value.node for value in values))
        return Traced(self, node, truth or operation in COMPARISONS)

    def _complex(self, operation: str, values: Sequence[Traced]) -> Traced:
        """An operation on complex values, part by part."""
        if operation == "power" and self.graph.value_of(values[1].node) == 2.0 and values[1].imaginary is None:
            operation, values = "square", values[:1]
        if operation not in COMPLEX or any(value.truth for value in values):
            raise self.refuse(f"it uses complex numbers ({operation})")
        zero = self.graph.constant(0.0)
        parts = [(value.node, zero if value.imaginary is None else value.imaginary) for value in values]
        real, imaginary = COMPLEX[operation](self.graph, *parts)
        return Traced(self, real, imaginary=None if operation in REAL else imaginary)

    def _logical(self, operation: str, arguments: Sequence[Any]) -> Traced:
        values = [self.traced(argument) for argument in arguments]
        truths = [value if value.truth else self.apply("not_equal", value, 0.0) for value in values]
        match operation:
            case "logical_not":
                return self.apply("equal", truths[0], 0.0)
            case "logical_and":
                return self.apply("multiply", *truths)
        return self.apply("maximum", *truths)

    def traced(self, value: Any) -> Traced:
        """A value as one of the graph: itself, or a number."""
        if isinstance(value, Traced):
            return value
        if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
            return self.traced(value.item())  # what np.asarray made of a traced value
        if isinstance(value, complex):  # np.complex128 is one
            return Traced(self, self.graph.constant(value.real), imaginary=self.graph.constant(value.imag))
        return Traced(self, self.graph.constant(self._number(value)), isinstance(value, bool | np.bool_))

    def _number(self, value: Any) -> float:
        if isinstance(value, bool | int | float):
            return float(value)
        real = isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biuf"
        if real and np.ndim(value) == 0 and value.dtype != np.longdouble:
            return float(value)
        if isinstance(value, Tensor) and value.dim() == 0 and not value.requires_grad and not value.is_complex():
            return float(value)
        shape = getattr(value, "shape", None)
        found = f"of the shape {tuple(shape)} from outside" if shape else f"of the type {type(value).__name__}"
        raise self.refuse(f"it holds a value {found}")

    def run(self, recipe: Recipe | None, name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> Traced:
        """A function of a library."""
        if recipe is None:
            raise self.refuse(f"it calls {name}")
        try:
            return recipe(self, *arguments, **options)
        except TypeError as problem:
            raise self.refuse(f"it calls {name} with options") from problem

    def finished(self, value: Any) -> Trace:
        """The graph of a result."""
        if not isinstance(value, Traced | np.ndarray | complex | int | float | np.generic | Tensor):
            raise self.refuse(f"it returns a {type(value).__name__}")
        result = self.traced(value)
        if result.truth or result.imaginary is not None:
            raise self.refuse(f"it returns {'a comparison' if result.truth else 'complex numbers'}")
        if len(self.libraries) > 1:
            raise self.refuse("it calls functions of NumPy and of PyTorch")
        return Trace(self.graph, result.node, next(iter(self.libraries), ""), self.arrays)


@final
class Traced:
    """A value that is not known, and remembers what it was made of.

    Parameters
    ----------
    tracer : Tracer
    node : int
    truth : bool
        Whether it is a comparison: true and false are 1 and 0, but add up to 1.
    imaginary : int, optional
        The node of the imaginary part of a complex value.
    """

    __slots__ = ("imaginary", "node", "tracer", "truth")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tracer: Tracer, node: int, truth: bool = False, imaginary: int | None = None) -> None:
        self.tracer, self.node, self.truth, self.imaginary = tracer, node, truth, imaginary

    # ---------------------------------------------------------------------------------------------- operators

    def __add__(self, other: Any) -> Traced:
        return self.tracer.apply("add", self, other)

    def __radd__(self, other: Any) -> Traced:
        return self.tracer.apply("add", other, self)

    def __sub__(self, other: Any) -> Traced:
        return self.tracer.apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Traced:
        return self.tracer.apply("subtract", other, self)

    def __mul__(self, other: Any) -> Traced:
        return self.tracer.apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Traced:
        return self.tracer.apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Traced:
        return self.tracer.apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Traced:
        return self.tracer.apply("divide", other, self)

    def __pow__(self, other: Any) -> Traced:
        return self.tracer.apply("power", self, other)

    def __rpow__(self, other: Any) -> Traced:
        return self.tracer.apply("power", other, self)

    def __neg__(self) -> Traced:
        return self.tracer.apply("negative", self)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Traced:
        return self.tracer.apply("absolute", self)

    def __eq__(self, other: object) -> Traced:  # type: ignore[override]
        return self.tracer.apply("equal", self, other)

    def __ne__(self, other: object) -> Traced:  # type: ignore[override]
        return self.tracer.apply("not_equal", self, other)

    def __lt__(self, other: Any) -> Traced:
        return self.tracer.apply("less", self, other)

    def __le__(self, other: Any) -> Traced:
        return self.tracer.apply("less_equal", self, other)

    def __gt__(self, other: Any) -> Traced:
        return self.tracer.apply("greater", self, other)

    def __ge__(self, other: Any) -> Traced:
        return self.tracer.apply("greater_equal", self, other)

    def __and__(self, other: Any) -> Traced:
        return self._logical("logical_and", other)

    def __or__(self, other: Any) -> Traced:
        return self._logical("logical_or", other)

    def __invert__(self) -> Traced:
        return self._logical("logical_not")

    __rand__, __ror__ = __and__, __or__

    def _logical(self, operation: str, *other: Any) -> Traced:
        values = [self.tracer.traced(each) for each in (self, *other)]
        if not all(value.truth for value in values):
            raise self.tracer.refuse("it takes the bits of a number")
        return self.tracer.apply(operation, *values)

    # ---------------------------------------------------------------------------------------- functions of libraries

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *arguments: Any, **options: Any) -> Traced:
        self.tracer.libraries.add("numpy")
        if method != "__call__" or options:
            raise self.tracer.refuse(f"it calls {ufunc.__name__} with options")
        if ufunc in (np.bitwise_and, np.bitwise_or, np.invert):
            name = {"bitwise_and": "logical_and", "bitwise_or": "logical_or"}.get(ufunc.__name__, "logical_not")
            first, *others = (self.tracer.traced(argument) for argument in arguments)
            return first._logical(name, *others)
        return self.tracer.run(UFUNCS.get(ufunc), ufunc.__name__, arguments, {})

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Traced:
        self.tracer.libraries.add("numpy")
        return self.tracer.run(ARRAY_FUNCTIONS.get(function), function.__name__, arguments, options)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Traced:
        tracer = _tracer_among([*arguments, *(options or {}).values()])
        tracer.libraries.add("torch")
        return tracer.run(TENSOR_FUNCTIONS.get(function), _name(function), arguments, options or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # what libraries ask of everything
        if name in ("real", "imag"):
            return self.tracer.apply(name, self)
        if name not in METHODS:
            raise self.tracer.refuse(f"it asks for .{name} of a value")
        return partial(self._method, name)

    def _method(self, name: str, *arguments: Any, **options: Any) -> Traced:
        return self.tracer.run(METHODS[name], name, (self, *arguments), options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """np.asarray(x), as functions begin: an array of this one object, which ufuncs hand back to it."""
        if dtype is not None and np.dtype(dtype) != object:
            raise self.tracer.refuse("it makes an array of a value")
        self.tracer.arrays = True
        made = np.empty((), dtype=object)
        made[()] = self
        return made

    # -------------------------------------------------------------------------------------------- what needs numbers

    def _unknown(self, what: str) -> NoReturn:
        raise self.tracer.refuse(what)

    def __bool__(self) -> NoReturn:
        self._unknown("it asks for the truth of a value (an if, and, or, min, max)")

    def __float__(self) -> NoReturn:
        self._unknown("it makes a number of a value (math.exp, float)")

    def __int__(self) -> NoReturn:
        self._unknown("it makes a whole number of a value")

    __complex__ = __index__ = __trunc__ = __floor__ = __ceil__ = __int__

    def __round__(self, digits: int | None = None) -> NoReturn:
        self._unknown("it rounds a value in Python")

    def __len__(self) -> NoReturn:
        self._unknown("it asks for the number of rows")

    def __iter__(self) -> NoReturn:
        self._unknown("it walks over the rows")

    def __contains__(self, item: object) -> NoReturn:
        self._unknown("it looks for a value in the rows")

    def __getitem__(self, key: object) -> NoReturn:
        self._unknown("it picks rows by an index")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        self._unknown("it writes into rows")

    def _refused_operator(self, other: Any) -> NoReturn:
        self._unknown("it uses //, %, @ or another operator that has no derivative")

    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refused_operator
    __matmul__ = __rmatmul__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __xor__ = __rxor__ = (
        _refused_operator
    )


def _tracer_among(arguments: Sequence[Any]) -> Tracer:
    return next(argument.tracer for argument in arguments if isinstance(argument, Traced))


def _name(function: Any) -> str:
    return f"torch.{getattr(function, '__name__', function)}"
