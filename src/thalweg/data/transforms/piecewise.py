"""Spline columns written as piecewise polynomials, for equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from thalweg.data.nodes import Binary, Node, Number, Piecewise


def piecewise(argument: Node, breaks: Sequence[float], degree: int, values: Callable[[Tensor], Tensor]) -> list[Node]:
    """Each column of `values`, a polynomial of at most this degree between breaks and beyond them, as an expression."""
    edges = [2 * breaks[0] - breaks[1], *breaks, 2 * breaks[-1] - breaks[-2]]
    by_piece = [_coefficients(left, right, degree, values) for left, right in pairwise(edges)]
    origins = [breaks[0], *breaks[:-1], breaks[-1]]
    shifted = [_shift(c, edge - origin) for c, edge, origin in zip(by_piece, edges, origins, strict=False)]
    columns = shifted[0].shape[1]
    return [
        Piecewise(
            argument,
            tuple(breaks),
            tuple(_horner(argument, origin, piece[:, k]) for origin, piece in zip(origins, shifted, strict=True)),
        )
        for k in range(columns)
    ]


def _coefficients(left: float, right: float, degree: int, values: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Coefficients in powers of (x - left), (degree + 1, columns), from values at Chebyshev points."""
    points = [(1 - math.cos(math.pi * (2 * i + 1) / (2 * degree + 2))) / 2 for i in range(degree + 1)]
    x = torch.tensor([left + (right - left) * u for u in points], dtype=torch.float64)
    unit = np.linalg.solve(np.vander(np.array(points), increasing=True), values(x).numpy())
    return unit / (right - left) ** np.arange(degree + 1)[:, None]


def _shift(coefficients: np.ndarray, by: float) -> np.ndarray:
    """The same polynomials in powers of (x - origin) where origin = left - by."""
    if by == 0:
        return coefficients
    size = len(coefficients)
    binomial = np.array(
        [[math.comb(j, i) * (-by) ** (j - i) if j >= i else 0.0 for j in range(size)] for i in range(size)]
    )
    return binomial @ coefficients


def _horner(argument: Node, origin: float, coefficients: np.ndarray) -> Node:
    size = np.abs(coefficients).max()
    kept = [float(c) for c in coefficients]
    while len(kept) > 1 and abs(kept[-1]) <= 1e-300 + 0.0 * size:
        kept.pop()
    step = Binary("-", argument, Number(origin))
    node: Node = Number(kept[-1])
    for c in reversed(kept[:-1]):
        node = Binary("+", Binary("*", node, step), Number(c))
    return node
