"""What the functions of NumPy, scipy and PyTorch are in the operations of a curve.

A recipe is given the tracer and the arguments of the call, and says the same with `thalweg.curves.operations`. A
function that has no recipe is not traced; nothing is guessed from its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special
import torch

if TYPE_CHECKING:
    from thalweg.curves.tracing import Traced, Tracer

Recipe = Callable[..., "Traced"]


def _operation(name: str) -> Recipe:
    """An operation of the table, as it is."""
    return lambda t, *arguments: t.apply(name, *arguments)


def _identity(t: Tracer, x: Any) -> Traced:
    return t.traced(x)


def _constant(value: float) -> Recipe:
    """`zeros_like` and `ones_like`: a number has every shape."""
    return lambda t, x: t.traced(value)


def _times(factor: float) -> Recipe:
    return lambda t, x: t.apply("multiply", x, factor)


def _fixed_base(base: float) -> Recipe:
    return lambda t, x: t.apply("power", base, x)


def _hypot(t: Tracer, x: Any, y: Any) -> Traced:
    return t.apply("sqrt", t.apply("add", t.apply("square", x), t.apply("square", y)))


def _cbrt(t: Tracer, x: Any) -> Traced:
    return t.apply("multiply", t.apply("sign", x), t.apply("power", t.apply("absolute", x), 1 / 3))


def _reciprocal(t: Tracer, x: Any) -> Traced:
    return t.apply("divide", 1.0, x)


def _rsqrt(t: Tracer, x: Any) -> Traced:
    return t.apply("divide", 1.0, t.apply("sqrt", x))


def _logaddexp(t: Tracer, x: Any, y: Any) -> Traced:
    """The larger plus softplus(-|x - y|), branch by branch: max has no derivative where x = y, this has."""
    first = t.apply("add", x, t.apply("softplus", t.apply("subtract", y, x)))
    second = t.apply("add", y, t.apply("softplus", t.apply("subtract", x, y)))
    return t.apply("where", t.apply("greater_equal", x, y), first, second)


def _clip(t: Tracer, x: Any, min: Any = None, max: Any = None) -> Traced:
    x = t.traced(x)
    low = x if min is None else t.apply("maximum", x, min)
    return low if max is None else t.apply("minimum", low, max)


def _clip_array(t: Tracer, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Traced:
    return _clip(t, a, a_min if min is None else min, a_max if max is None else max)


def _heaviside(t: Tracer, x: Any, at_zero: Any) -> Traced:
    """0, h, 1; NaN stays NaN."""
    above = t.apply("where", t.apply("greater", x, 0.0), 1.0, x)
    rest = t.apply("where", t.apply("equal", x, 0.0), at_zero, above)
    return t.apply("where", t.apply("less", x, 0.0), 0.0, rest)


def _sinc(t: Tracer, x: Any) -> Traced:
    """sin(pi x) / (pi x)."""
    y = t.apply("multiply", math.pi, t.apply("where", t.apply("equal", x, 0.0), 1e-20, x))
    return t.apply("divide", t.apply("sin", y), y)


def _trunc(t: Tracer, x: Any) -> Traced:
    return t.apply("where", t.apply("less", x, 0.0), t.apply("ceil", x), t.apply("floor", x))


def _relu(t: Tracer, x: Any, inplace: bool = False) -> Traced:
    return _refused(t, "an operation in place") if inplace else t.apply("maximum", x, 0.0)


def _silu(t: Tracer, x: Any, inplace: bool = False) -> Traced:
    if inplace:
        return _refused(t, "an operation in place")
    return t.apply("multiply", x, t.apply("sigmoid", x))


def _softplus(t: Tracer, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Traced:
    """PyTorch's, which is a straight line from the threshold on."""
    scaled = t.apply("multiply", x, beta)
    bent = t.apply("divide", t.apply("softplus", scaled), beta)
    return t.apply("where", t.apply("greater", scaled, threshold), x, bent)


def _log_sigmoid(t: Tracer, x: Any) -> Traced:
    return t.apply("negative", t.apply("softplus", t.apply("negative", x)))


def _logit(t: Tracer, x: Any) -> Traced:
    return t.apply("log", t.apply("divide", x, t.apply("subtract", 1.0, x)))


def _xlogy(t: Tracer, x: Any, y: Any) -> Traced:
    product = t.apply("multiply", x, t.apply("log", y))
    return t.apply("where", t.apply("equal", x, 0.0), 0.0, product)


def _normal_cdf(t: Tracer, x: Any) -> Traced:
    return t.apply("multiply", 0.5, t.apply("erfc", t.apply("multiply", x, -math.sqrt(0.5))))


def _voigt(t: Tracer, x: Any, sigma: Any, gamma: Any) -> Traced:
    """Re w((x + i gamma) / (sigma sqrt 2)) / (sigma sqrt(2 pi))."""
    width = t.apply("multiply", sigma, math.sqrt(2.0))
    w = t.apply("wofz_real", t.apply("divide", x, width), t.apply("divide", gamma, width))
    return t.apply("divide", w, t.apply("multiply", sigma, math.sqrt(2.0 * math.pi)))


def _round(t: Tracer, x: Any, decimals: int = 0) -> Traced:
    return t.apply("round", x) if decimals == 0 else _refused(t, "rounding to decimals")


def _full_like(t: Tracer, x: Any, value: Any) -> Traced:
    return t.traced(value)


def _polyval(t: Tracer, p: Sequence[Any], x: Any) -> Traced:
    """Horner's scheme, highest power first."""
    value = t.traced(0.0)
    for coefficient in list(p):
        value = t.apply("add", t.apply("multiply", value, x), coefficient)
    return value


def _where(t: Tracer, *arguments: Any) -> Traced:
    return t.apply("where", *arguments) if len(arguments) == 3 else _refused(t, "where with one argument")


def _where_tensor(t: Tracer, condition: Any, input: Any = None, other: Any = None) -> Traced:
    return _refused(t, "where with one argument") if other is None else t.apply("where", condition, input, other)


def _select(t: Tracer, conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Traced:
    """The first condition that holds."""
    value = t.traced(default)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        value = t.apply("where", condition, choice, value)
    return value


def _piecewise(t: Tracer, x: Any, conditions: Sequence[Any], functions: Sequence[Any]) -> Traced:
    """The last condition that holds; one function more is for the rows where none does."""
    if not isinstance(conditions, list | tuple):
        return _refused(t, "piecewise with conditions that are no list")
    pieces = [piece(x) if callable(piece) else piece for piece in functions]
    value = t.traced(pieces[-1] if len(pieces) == len(conditions) + 1 else 0.0)
    for condition, piece in zip(conditions, pieces, strict=False):
        value = t.apply("where", condition, piece, value)
    return value


def _refused(t: Tracer, what: str) -> Traced:
    raise t.refuse(what)


_ARCS = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
_SAME = (
    *("add", "subtract", "multiply", "divide", "negative", "square", "exp", "expm1", "log", "log2", "log10", "log1p"),
    *("sqrt", "absolute", "sign", "floor", "ceil", "minimum", "maximum", "equal", "not_equal", "less", "less_equal"),
    *("greater", "greater_equal", "arctan2", *_ARCS, *("arc" + name for name in _ARCS)),
)
_LOGICAL = {name: _operation(name) for name in ("logical_and", "logical_or", "logical_not")}
_BOTH: dict[str, Recipe] = {
    **{name: _operation(name) for name in _SAME},
    **_LOGICAL,
    "power": _operation("power"),
    "float_power": _operation("power"),
    "true_divide": _operation("divide"),
    "positive": _identity,
    "hypot": _hypot,
    "reciprocal": _reciprocal,
    "exp2": _fixed_base(2.0),
    "logaddexp": _logaddexp,
    "heaviside": _heaviside,
    "deg2rad": _times(math.pi / 180),
    "rad2deg": _times(180 / math.pi),
    "trunc": _trunc,
}
_ONLY_UFUNC: dict[str, Recipe] = {
    "rint": _operation("round"),
    "fabs": _operation("absolute"),
    "cbrt": _cbrt,
    "radians": _times(math.pi / 180),
    "degrees": _times(180 / math.pi),
    "bitwise_and": _LOGICAL["logical_and"],
    "bitwise_or": _LOGICAL["logical_or"],
    "conjugate": _operation("conjugate"),
    "invert": _LOGICAL["logical_not"],
}
_SCIPY: dict[str, Recipe] = {
    **{name: _operation(name) for name in ("erf", "erfc", "erfcx", "expm1", "log1p")},
    "expit": _operation("sigmoid"),
    "exp2": _fixed_base(2.0),
    "exp10": _fixed_base(10.0),
    "cbrt": _cbrt,
    "log_expit": _log_sigmoid,
    "logit": _logit,
    "xlogy": _xlogy,
    "ndtr": _normal_cdf,
    "voigt_profile": _voigt,
    "wofz": _operation("wofz"),
}
_ARRAY: dict[str, Recipe] = {
    "where": _where,
    "clip": _clip_array,
    "sinc": _sinc,
    "select": _select,
    "piecewise": _piecewise,
    "polyval": _polyval,
    "round": _round,
    "zeros_like": _constant(0.0),
    "ones_like": _constant(1.0),
    "full_like": _full_like,
    "real": _operation("real"),
    "imag": _operation("imag"),
    "angle": _operation("angle"),
    "copy": _identity,
}
_SHORT = {
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "neg": "negative",
    "abs": "absolute",
    "pow": "power",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_TENSOR: dict[str, Recipe] = {
    **_BOTH,
    **{name: _operation(full) for name, full in _SHORT.items()},
    **{"a" + name: _operation("arc" + name) for name in _ARCS},
    **{name: _operation(name) for name in ("erf", "erfc", "erfcx", "sigmoid")},
    "expit": _operation("sigmoid"),
    "atan2": _operation("arctan2"),
    "__pow__": _operation("power"),
    "round": _round,
    "rsqrt": _rsqrt,
    "clamp": _clip,
    "clip": _clip,
    "sinc": _sinc,
    "relu": _relu,
    "silu": _silu,
    "softplus": _softplus,
    "logsigmoid": _log_sigmoid,
    "logit": _logit,
    "xlogy": _xlogy,
    "ndtr": _normal_cdf,
    "where": _where_tensor,
    "zeros_like": _constant(0.0),
    "ones_like": _constant(1.0),
    "full_like": _full_like,
    "clone": _identity,
}


def _found(holders: Sequence[Any], recipes: dict[str, Recipe]) -> dict[Any, Recipe]:
    """The functions themselves, wherever the library keeps them."""
    made: dict[Any, Recipe] = {}
    for name, recipe in recipes.items():
        for holder in holders:
            function = getattr(holder, name, None)
            if function is not None:
                made.setdefault(function, recipe)
    return made


UFUNCS: dict[Any, Recipe] = {**_found([scipy.special], _SCIPY), **_found([np], {**_BOTH, **_ONLY_UFUNC})}
ARRAY_FUNCTIONS: dict[Any, Recipe] = _found([np], _ARRAY)
TENSOR_FUNCTIONS: dict[Any, Recipe] = _found(
    [torch, torch.special, torch.nn.functional, torch.Tensor, torch.Tensor.__base__], _TENSOR
)
METHODS: dict[str, Recipe] = {
    **{name: recipe for name, recipe in _TENSOR.items() if hasattr(torch.Tensor, name)},
    "where": lambda t, x, condition, other: t.apply("where", condition, x, other),
    "copy": _identity,
}
