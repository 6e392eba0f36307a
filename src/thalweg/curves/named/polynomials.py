"""Curves that are linear in all of their parameters: their starting values are least squares."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.polynomial import Polynomial

from thalweg.curves.named.base import NamedCurve, Parameters, Start
from thalweg.curves.named.rows import prepared
from thalweg.curves.named.starts import finite

HIGHEST = 9  # degree that has a name of its own: poly9


def _coefficients(
    x: Float[ndarray, "n"], y: Float[ndarray, "n"], w: Float[ndarray, "n"] | None, degree: int
) -> Float[ndarray, "k"]:
    """c0, c1, ... by least squares; the smallest in the rows' own units where the rows do not determine them.

    Solved in x mapped to [-1, 1], where the columns are far from dependent, and expanded afterwards.
    """
    with np.errstate(all="ignore"):
        rows = prepared(x, y, w)
        columns = np.vander(2 * rows.z - 1, degree + 1, increasing=True) * rows.root[:, None]
        solution = np.linalg.lstsq(columns, rows.y, rcond=None)[0] * rows.size
        mapped = Polynomial(solution, domain=[rows.low, rows.low + rows.span], window=[-1.0, 1.0])
        found = mapped.convert(domain=[-1.0, 1.0], window=[-1.0, 1.0]).coef
    coefficients = np.zeros(degree + 1)  # of which numpy has dropped those that are 0 at the end
    coefficients[: found.size] = found[: degree + 1]
    return coefficients


def _start(names: tuple[str, ...], order: tuple[int, ...]) -> Start:
    """names[i] is the coefficient of x**order[i]."""

    def start(x: ndarray, y: ndarray, w: ndarray | None) -> Parameters:
        found = _coefficients(x, y, w, len(names) - 1)
        return finite({name: float(found[power]) for name, power in zip(names, order, strict=True)})

    return start


def _horner(names: tuple[str, ...]) -> str:
    """c0 + x * (c1 + x * c2)."""
    text = names[-1]
    for name in names[-2::-1]:
        text = f"{name} + x * {f'({text})' if ' ' in text else text}"
    return text


@cache
def polynomial(parameters: int, name: str = "polynomial") -> NamedCurve:
    """The polynomial with so many coefficients, c0 to c(parameters - 1)."""
    names = tuple(f"c{power}" for power in range(parameters))
    return NamedCurve(
        name=name,
        arguments=("x", *names),
        expression=_horner(names),
        start=_start(names, tuple(range(parameters))),
        positive=frozenset(),
        about="A polynomial, the constant first; its degree follows from the number of coefficients.",
    )


POLYNOMIALS: tuple[tuple[NamedCurve, ...], ...] = (
    (
        NamedCurve(
            name="constant",
            arguments=("x", "c"),
            expression="c",
            start=_start(("c",), (0,)),
            positive=frozenset(),
            about="The same everywhere.",
        ),
    ),
    (
        NamedCurve(
            name="line",
            arguments=("x", "slope", "intercept"),
            expression="slope * x + intercept",
            start=_start(("slope", "intercept"), (1, 0)),
            positive=frozenset(),
            about="A straight line.",
        ),
    ),
    (polynomial(3),),
    *((polynomial(degree + 1, f"poly{degree}"),) for degree in range(2, HIGHEST + 1)),
)
