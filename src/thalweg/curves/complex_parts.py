"""Complex numbers in a traced function, as two nodes each: impedances, transfer functions, a Voigt profile by `wofz`.

The value of a curve is real; what is complex on the way to it is written down as its real and imaginary parts.
"""

from __future__ import annotations

from collections.abc import Callable

from thalweg.curves.graph import Graph

Parts = tuple[int, int]
"""The nodes of the real and the imaginary part."""


def _add(g: Graph, x: Parts, y: Parts) -> Parts:
    return g.apply("add", x[0], y[0]), g.apply("add", x[1], y[1])


def _subtract(g: Graph, x: Parts, y: Parts) -> Parts:
    return g.apply("subtract", x[0], y[0]), g.apply("subtract", x[1], y[1])


def _multiply(g: Graph, x: Parts, y: Parts) -> Parts:
    real = g.apply("subtract", g.apply("multiply", x[0], y[0]), g.apply("multiply", x[1], y[1]))
    return real, g.apply("add", g.apply("multiply", x[0], y[1]), g.apply("multiply", x[1], y[0]))


def _divide(g: Graph, x: Parts, y: Parts) -> Parts:
    """x conj(y) / |y|^2."""
    real, imaginary = _multiply(g, x, _conjugate(g, y))
    size = _size(g, y)
    return g.apply("divide", real, size), g.apply("divide", imaginary, size)


def _negative(g: Graph, x: Parts) -> Parts:
    return g.apply("negative", x[0]), g.apply("negative", x[1])


def _conjugate(g: Graph, x: Parts) -> Parts:
    return x[0], g.apply("negative", x[1])


def _square(g: Graph, x: Parts) -> Parts:
    return _multiply(g, x, x)


def _exp(g: Graph, x: Parts) -> Parts:
    size = g.apply("exp", x[0])
    return g.apply("multiply", size, g.apply("cos", x[1])), g.apply("multiply", size, g.apply("sin", x[1]))


def _absolute(g: Graph, x: Parts) -> Parts:
    return g.apply("sqrt", _size(g, x)), g.constant(0.0)


def _angle(g: Graph, x: Parts) -> Parts:
    return g.apply("arctan2", x[1], x[0]), g.constant(0.0)


def _wofz(g: Graph, x: Parts) -> Parts:
    return g.apply("wofz_real", *x), g.apply("wofz_imag", *x)


def _real(g: Graph, x: Parts) -> Parts:
    return x[0], g.constant(0.0)


def _imag(g: Graph, x: Parts) -> Parts:
    return x[1], g.constant(0.0)


def _size(g: Graph, x: Parts) -> int:
    """|x|^2."""
    return g.apply("add", g.apply("square", x[0]), g.apply("square", x[1]))


COMPLEX: dict[str, Callable[..., Parts]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "negative": _negative,
    "conjugate": _conjugate,
    "square": _square,
    "exp": _exp,
    "absolute": _absolute,
    "angle": _angle,
    "wofz": _wofz,
    "real": _real,
    "imag": _imag,
}
REAL = ("absolute", "angle", "real", "imag")  # whose value has no imaginary part
ONLY = ("conjugate", "angle", "wofz", "real", "imag")  # that the table of operations does not have
