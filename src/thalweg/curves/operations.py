"""The operations that a curve is made of: their values over NumPy arrays and tensors, and their derivatives.

One table serves the plain value, the exact Jacobian, every device and the extended precision of the last steps: an
operation knows its function in NumPy (float64, and long double where the platform has one), its function in PyTorch,
and its partial derivatives as graphs of operations of the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
import scipy.special
import torch
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.curves.graph import Graph

Partials = Callable[["Graph", int, tuple[int, ...]], tuple["int | None", ...]]
"""(graph, node, arguments) -> d node / d argument as nodes; None where that is 0 everywhere."""

ROOT_PI = 1.7724538509055160273


@final
@dataclass(frozen=True)
class Operation:
    """One elementwise operation.

    Attributes
    ----------
    arguments : int
    array : callable
        Over NumPy arrays and numbers.
    tensor : callable
        Over tensors and numbers.
    partials : callable
        The derivatives. Of `where`, `minimum` and `maximum` none: the graph takes them branch by branch.
    extended : bool
        Whether `array` keeps the precision of a long double.
    """

    arguments: int
    array: Callable[..., Any]
    tensor: Callable[..., Any]
    partials: Partials
    extended: bool = True


def _as_tensor(value: Tensor | float, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=like.dtype, device=like.device)


def _tensors(compute: Callable[..., Tensor]) -> Callable[..., Any]:
    """A function of tensors for arguments of which some are numbers."""

    def computed(*arguments: Tensor | float) -> Any:
        like = next((a for a in arguments if isinstance(a, Tensor)), None)
        like = torch.zeros((), dtype=torch.float64) if like is None else like
        return compute(*(_as_tensor(a, like) for a in arguments))

    return computed


def _double(compute: Callable[..., Any]) -> Callable[..., Any]:
    """A function of scipy's, which knows no long double, for arguments that may be one."""

    def computed(*arguments: Any) -> Any:
        wide = [a for a in arguments if getattr(a, "dtype", None) == np.longdouble]
        if not wide:
            return compute(*arguments)
        return compute(*(np.asarray(a, dtype=np.float64) for a in arguments)).astype(np.longdouble)

    return computed


def _sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x: Any) -> Any:
    """log(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _power_log(x: Any, b: Any) -> Any:
    """x^b log x, whose limit at x = 0 is 0 for b > 0: the derivative of x^b by b."""
    return np.where(x == 0, np.where(b > 0, 0.0, -np.inf), np.power(x, b) * np.log(np.where(x == 0, 1, x)))


def _power_log_tensor(x: Tensor, b: Tensor) -> Tensor:
    zero = x == 0
    limit = torch.where(b > 0, 0.0, -torch.inf).to(x.dtype)
    return torch.where(zero, limit, torch.pow(x, b) * torch.log(torch.where(zero, 1.0, x)))


def _faddeeva(part: str) -> Callable[..., Any]:
    """Real or imaginary part of w(u + iv) = exp(-z^2) erfc(-iz)."""

    def computed(u: Any, v: Any) -> Any:
        return getattr(scipy.special.wofz(np.asarray(u) + 1j * np.asarray(v)), part)

    return computed


def _faddeeva_tensor(part: str) -> Callable[..., Tensor]:
    from thalweg.curves.faddeeva import wofz

    return lambda u, v: getattr(wofz(u, v), part)


# ------------------------------------------------------------------------------------------------------ derivatives


def _of(*names: str) -> Partials:
    """Partials that are operations of the arguments themselves: "cos" stands for cos(x)."""
    return lambda g, _, a: tuple(g.apply(name, *a) for name in names)


def _none(g: Graph, node: int, a: tuple[int, ...]) -> tuple[None, ...]:
    return (None,) * len(a)


def _product(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    return a[1], a[0]


def _quotient(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    inverse = g.apply("divide", g.constant(1.0), a[1])
    return inverse, g.apply("negative", g.apply("multiply", node, inverse))


def _power(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    x, b = a
    lower = g.apply("power", x, g.apply("subtract", b, g.constant(1.0)))
    return g.apply("multiply", b, lower), g.apply("power_log", x, b)


def _power_log_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    """b x^(b-1) log x + x^(b-1), and x^b log^2 x."""
    x, b = a
    less = g.apply("subtract", b, g.constant(1.0))
    by_x = g.apply("add", g.apply("multiply", b, g.apply("power_log", x, less)), g.apply("power", x, less))
    return by_x, g.apply("multiply", node, g.apply("log", x))


def _scaled(factor: float, name: str) -> Partials:
    """factor * name(x)."""
    return lambda g, _, a: (g.apply("multiply", g.constant(factor), g.apply(name, *a)),)


def _reciprocal(inner: Callable[[Graph, int, int], int]) -> Partials:
    """1 / inner(x, node)."""
    return lambda g, node, a: (g.apply("divide", g.constant(1.0), inner(g, a[0], node)),)


def _one_plus_square(g: Graph, x: int, node: int) -> int:
    return g.apply("add", g.constant(1.0), g.apply("square", x))


def _one_minus_square(g: Graph, x: int, node: int) -> int:
    return g.apply("subtract", g.constant(1.0), g.apply("square", x))


def _root_of(inner: Callable[[Graph, int, int], int]) -> Callable[[Graph, int, int], int]:
    return lambda g, x, node: g.apply("sqrt", inner(g, x, node))


def _square_minus_one(g: Graph, x: int, node: int) -> int:
    return g.apply("subtract", g.apply("square", x), g.constant(1.0))


def _arccos_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    return (g.apply("divide", g.constant(-1.0), g.apply("sqrt", _one_minus_square(g, a[0], node))),)


def _gaussian_slope(sign: float) -> Partials:
    """± 2 / sqrt(pi) e^(-x^2)."""

    def partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
        bell = g.apply("exp", g.apply("negative", g.apply("square", a[0])))
        return (g.apply("multiply", g.constant(sign * 2 / ROOT_PI), bell),)

    return partials


def _arctan2_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    """Of the angle of (x, y), given as (y, x): x / (x^2 + y^2), and -y / (x^2 + y^2)."""
    y, x = a
    square = g.apply("add", g.apply("square", x), g.apply("square", y))
    return g.apply("divide", x, square), g.apply("negative", g.apply("divide", y, square))


def _erfcx_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    """Of e^(x^2) erfc(x): 2 x erfcx(x) - 2 / sqrt(pi)."""
    product = g.apply("multiply", g.constant(2.0), g.apply("multiply", a[0], node))
    return (g.apply("subtract", product, g.constant(2.0 / ROOT_PI)),)


def _sigmoid_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    return (g.apply("multiply", node, g.apply("sigmoid", g.apply("negative", a[0]))),)


def _tanh_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    return (g.apply("subtract", g.constant(1.0), g.apply("square", node)),)


def _tan_partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    return (g.apply("add", g.constant(1.0), g.apply("square", node)),)


def _faddeeva_partials(part: str) -> Partials:
    """w' = -2 z w + 2i / sqrt(pi): of K = Re w, L = Im w at z = u + iv

    dK/du = 2 (v L - u K),  dK/dv = 2 (u L + v K) - 2 / sqrt(pi),  dL/du = -dK/dv,  dL/dv = dK/du.
    """

    def partials(g: Graph, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
        u, v = a
        k, line = g.apply("wofz_real", u, v), g.apply("wofz_imag", u, v)
        two, times = g.constant(2.0), lambda x, y: g.apply("multiply", x, y)
        by_u = times(two, g.apply("subtract", times(v, line), times(u, k)))
        inner = times(two, g.apply("add", times(u, line), times(v, k)))
        by_v = g.apply("subtract", inner, g.constant(2.0 / ROOT_PI))
        return (by_u, by_v) if part == "real" else (g.apply("negative", by_v), by_u)

    return partials


def _comparison(array: Callable[..., Any], tensor: Callable[..., Any]) -> Operation:
    """1.0 or 0.0, not a truth value: those cannot be subtracted, and numbers beside one would become truth values."""
    return Operation(
        2, lambda x, y: np.multiply(array(x, y), 1.0), _tensors(lambda x, y: tensor(x, y).to(x.dtype)), _none
    )


OPERATIONS: dict[str, Operation] = {
    "add": Operation(2, np.add, lambda x, y: x + y, lambda g, _, a: (g.constant(1.0), g.constant(1.0))),
    "subtract": Operation(2, np.subtract, lambda x, y: x - y, lambda g, _, a: (g.constant(1.0), g.constant(-1.0))),
    "multiply": Operation(2, np.multiply, lambda x, y: x * y, _product),
    "divide": Operation(2, np.divide, _tensors(torch.div), _quotient),
    "negative": Operation(1, np.negative, lambda x: -x, lambda g, _, a: (g.constant(-1.0),)),
    "square": Operation(1, np.square, lambda x: x * x, _scaled(2.0, "identity")),
    "identity": Operation(1, lambda x: x, lambda x: x, lambda g, _, a: (g.constant(1.0),)),
    "power": Operation(2, np.power, _tensors(torch.pow), _power),
    "power_log": Operation(2, _power_log, _tensors(_power_log_tensor), _power_log_partials),
    "exp": Operation(1, np.exp, _tensors(torch.exp), lambda g, node, a: (node,)),
    "expm1": Operation(1, np.expm1, _tensors(torch.expm1), _of("exp")),
    "log": Operation(1, np.log, _tensors(torch.log), _reciprocal(lambda g, x, _: x)),
    "log2": Operation(
        1,
        np.log2,
        _tensors(torch.log2),
        _reciprocal(lambda g, x, _: g.apply("multiply", g.constant(0.6931471805599453094), x)),
    ),
    "log10": Operation(
        1,
        np.log10,
        _tensors(torch.log10),
        _reciprocal(lambda g, x, _: g.apply("multiply", g.constant(2.302585092994045684), x)),
    ),
    "log1p": Operation(
        1, np.log1p, _tensors(torch.log1p), _reciprocal(lambda g, x, _: g.apply("add", g.constant(1.0), x))
    ),
    "sqrt": Operation(
        1,
        np.sqrt,
        _tensors(torch.sqrt),
        _reciprocal(lambda g, _, node: g.apply("multiply", g.constant(2.0), node)),
    ),
    "absolute": Operation(1, np.abs, _tensors(torch.abs), _of("sign")),
    "sign": Operation(1, np.sign, _tensors(torch.sign), _none),
    "sin": Operation(1, np.sin, _tensors(torch.sin), _of("cos")),
    "cos": Operation(1, np.cos, _tensors(torch.cos), _scaled(-1.0, "sin")),
    "tan": Operation(1, np.tan, _tensors(torch.tan), _tan_partials),
    "arcsin": Operation(1, np.arcsin, _tensors(torch.arcsin), _reciprocal(_root_of(_one_minus_square))),
    "arccos": Operation(
        1,
        np.arccos,
        _tensors(torch.arccos),
        _arccos_partials,
    ),
    "arctan": Operation(1, np.arctan, _tensors(torch.arctan), _reciprocal(_one_plus_square)),
    "arctan2": Operation(2, np.arctan2, _tensors(torch.arctan2), _arctan2_partials),
    "sinh": Operation(1, np.sinh, _tensors(torch.sinh), _of("cosh")),
    "cosh": Operation(1, np.cosh, _tensors(torch.cosh), _of("sinh")),
    "tanh": Operation(1, np.tanh, _tensors(torch.tanh), _tanh_partials),
    "arcsinh": Operation(1, np.arcsinh, _tensors(torch.arcsinh), _reciprocal(_root_of(_one_plus_square))),
    "arccosh": Operation(1, np.arccosh, _tensors(torch.arccosh), _reciprocal(_root_of(_square_minus_one))),
    "arctanh": Operation(1, np.arctanh, _tensors(torch.arctanh), _reciprocal(_one_minus_square)),
    "erf": Operation(1, _double(scipy.special.erf), _tensors(torch.erf), _gaussian_slope(1.0), extended=False),
    "erfc": Operation(1, _double(scipy.special.erfc), _tensors(torch.erfc), _gaussian_slope(-1.0), extended=False),
    "erfcx": Operation(1, _double(scipy.special.erfcx), _tensors(torch.special.erfcx), _erfcx_partials, extended=False),
    "sigmoid": Operation(1, _sigmoid, _tensors(torch.sigmoid), _sigmoid_partials),
    "softplus": Operation(1, _softplus, _tensors(lambda x: torch.logaddexp(x, torch.zeros_like(x))), _of("sigmoid")),
    "wofz_real": Operation(
        2, _double(_faddeeva("real")), _tensors(_faddeeva_tensor("real")), _faddeeva_partials("real"), extended=False
    ),
    "wofz_imag": Operation(
        2, _double(_faddeeva("imag")), _tensors(_faddeeva_tensor("imag")), _faddeeva_partials("imag"), extended=False
    ),
    "minimum": Operation(2, np.minimum, _tensors(torch.minimum), _none),
    "maximum": Operation(2, np.maximum, _tensors(torch.maximum), _none),
    "where": Operation(
        3, lambda c, a, b: np.where(c != 0, a, b), _tensors(lambda c, a, b: torch.where(c != 0, a, b)), _none
    ),
    "floor": Operation(1, np.floor, _tensors(torch.floor), _none),
    "ceil": Operation(1, np.ceil, _tensors(torch.ceil), _none),
    "round": Operation(1, np.rint, _tensors(torch.round), _none),
    "equal": _comparison(np.equal, torch.eq),
    "not_equal": _comparison(np.not_equal, torch.ne),
    "less": _comparison(np.less, torch.lt),
    "less_equal": _comparison(np.less_equal, torch.le),
    "greater": _comparison(np.greater, torch.gt),
    "greater_equal": _comparison(np.greater_equal, torch.ge),
}
