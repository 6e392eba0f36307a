"""cr(x, ...), cs(x, ...) and cc(x, ...): natural and cyclic cubic regression splines, as formulaic and mgcv.

The coefficients of the columns are the spline's values at the knots; F maps them to its second derivatives there.

References
----------
.. [1] S. N. Wood, Generalized Additive Models, Chapman & Hall 2006, section 4.1.2, doi:10.1201/9781420010404.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Binary, Call, Node, Number
from thalweg.data.transforms.base import Options, State, Transform, floats, number
from thalweg.data.transforms.bspline import MAX_KNOTS, RangeLearner, check_range
from thalweg.data.transforms.piecewise import piecewise


def check(options: Options) -> None:
    """Refuse options that no cubic spline has."""
    check_range(options)
    if options["constraints"] not in (None, "center"):
        raise ValueError("constraints must be 'center' or None")
    if options["df"] is None and options["knots"] is None:
        raise ValueError("give df or knots")
    number(options, "df", least=1 if options["constraints"] else 2, whole=True)
    if int(options["df"] or 0) > MAX_KNOTS:
        raise ValueError(f"df must be at most {MAX_KNOTS}")


class CubicLearner(RangeLearner):
    """The knots, and with constraints='center' the basis in which every column has mean zero."""

    def __init__(self, options: Options, *, cyclic: bool) -> None:
        super().__init__(options, hold=options["df"] is not None or options["constraints"] is not None)
        self.cyclic = cyclic

    def state(self) -> State:
        low, high = self.bounds()
        inner = self._inner(low, high)
        knots = np.unique(np.concatenate([[low, high], inner]))
        if len(knots) != len(inner) + 2 or knots[0] < low or knots[-1] > high:
            raise ValueError(f"{len(inner)} distinct inner knots do not fit between {low:g} and {high:g}")
        if self.cyclic and len(knots) < 3:
            raise ValueError("a cyclic spline needs an inner knot; raise df")
        return {"knots": knots.tolist(), "basis": self._basis(knots.tolist())}

    def _inner(self, low: float, high: float) -> np.ndarray:
        if self.options["df"] is None:
            return np.unique(np.array(self.options["knots"], dtype=float))
        count = int(self.options["df"]) - 2 + self.cyclic + (self.options["constraints"] is not None)
        x = np.unique(self.values(low, high))
        x = x[(x >= low) & (x <= high)]
        if not len(x):
            raise ValueError(f"no values lie between the bounds {low:g} and {high:g}")
        return np.percentile(x, np.linspace(0, 100, count + 2)[1:-1])

    def _basis(self, knots: list[float]) -> list[list[float]] | None:
        if self.options["constraints"] is None:
            return None
        free = CubicSpline(self.options, {"knots": knots, "basis": None}, cyclic=self.cyclic)
        mean = free.values(torch.cat(self.held)).mean(dim=0).numpy()
        q, _ = np.linalg.qr(mean[:, None], mode="complete")
        return q[:, 1:].tolist()


class CubicSpline(Transform):
    """The columns that the knots define; `basis` recombines them."""

    def __init__(self, options: Options, state: State, *, cyclic: bool) -> None:
        self.cyclic = cyclic
        self.extrapolation = options["extrapolation"]
        self.knots = floats(state, "knots")
        rising = all(left < right for left, right in pairwise(self.knots))
        if not 2 + cyclic <= len(self.knots) <= MAX_KNOTS + 2 or not rising:
            raise ValueError("knots are not in order, or too few")
        self.free = len(self.knots) - cyclic
        self.basis = self._read_basis(state.get("basis"))
        self.curvature = (_cyclic_curvature if cyclic else _natural_curvature)(np.array(self.knots))

    def _read_basis(self, rows: object) -> Tensor | None:
        if rows is None:
            return None
        if not isinstance(rows, list) or len(rows) != self.free:
            raise ValueError(f"basis is not a list of {self.free} rows")
        values = [floats({"basis": row}, "basis", self.free - 1) for row in rows]
        return torch.tensor(values, dtype=torch.float64)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(str(i + 1) for i in range(self.free - (self.basis is not None)))

    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        low, high = self.knots[0], self.knots[-1]
        outside = (x < low) | (x > high)
        if self.extrapolation == "raise" and bool(outside.any()):
            raise ValueError(f"values lie beyond the bounds {low:g} and {high:g} of a spline")
        columns = self._columns(x.clamp(low, high) if self.extrapolation == "clip" else x)
        return torch.where(outside[:, None], 0.0, columns) if self.extrapolation == "zero" else columns

    def _columns(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        knots = torch.tensor(self.knots, dtype=x.dtype, device=x.device)
        x = self._wrapped(x)
        left = (torch.searchsorted(knots, x.contiguous()) - 1).clamp(0, len(self.knots) - 2)
        values, (bend_left, bend_right) = _local(x, knots, left)
        after = (left + 1) % self.free  # the last knot of a cyclic spline is its first
        curvature = torch.tensor(self.curvature, dtype=x.dtype, device=x.device)
        free = bend_left[:, None] * curvature[left] + bend_right[:, None] * curvature[after]
        free.scatter_add_(1, torch.stack([left, after], dim=1), torch.stack(values, dim=1))
        return free if self.basis is None else free @ self.basis.to(x.device)

    def _wrapped(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        if not self.cyclic:
            return x
        low, period = self.knots[0], self.knots[-1] - self.knots[0]
        inside = (x >= low) & (x <= self.knots[-1])
        return torch.where(inside, x, x - period * torch.floor((x - low) / period))

    def nodes(self, argument: Node) -> list[Node]:
        if self.cyclic:
            low, period = Number(self.knots[0]), Number(self.knots[-1] - self.knots[0])
            turns = Call("floor", (Binary("/", Binary("-", argument, low), period),))
            argument = Binary("-", argument, Binary("*", period, turns))
        return piecewise(argument, self.knots, 3, self._everywhere)

    def _everywhere(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        if self.extrapolation in ("raise", "extend"):
            return self._columns(x)
        return self.values(x)


def _local(x: Tensor, knots: Tensor, left: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Weights of the two nearest knots' values and second derivatives, [1] table 4.1; linear beyond the knots."""
    h = knots[left + 1] - knots[left]
    before, after = knots[left + 1] - x, x - knots[left]
    bend_left = torch.where(x > knots[-1], 0.0, before**3 / (6 * h)) - h * before / 6
    bend_right = torch.where(x < knots[0], 0.0, after**3 / (6 * h)) - h * after / 6
    return (before / h, after / h), (bend_left, bend_right)


def _natural_curvature(knots: np.ndarray) -> np.ndarray:
    """F of a natural spline: second derivatives at the knots, zero at both ends."""
    h, size = np.diff(knots), len(knots)
    if size == 2:
        return np.zeros((2, 2))
    b = np.diag((h[:-1] + h[1:]) / 3) + np.diag(h[1:-1] / 6, 1) + np.diag(h[1:-1] / 6, -1)
    d = np.zeros((size - 2, size))
    for i in range(size - 2):
        d[i, i : i + 3] = 1 / h[i], -1 / h[i] - 1 / h[i + 1], 1 / h[i + 1]
    return np.vstack([np.zeros(size), np.linalg.solve(b, d), np.zeros(size)])


def _cyclic_curvature(knots: np.ndarray) -> np.ndarray:
    """F of a cyclic spline, [1] pages 146 and 147."""
    h = np.diff(knots)
    n = len(knots) - 1
    b, d = np.zeros((n, n)), np.zeros((n, n))
    b[0, 0], d[0, 0] = (h[n - 1] + h[0]) / 3, -1 / h[0] - 1 / h[n - 1]
    b[0, n - 1], d[0, n - 1] = h[n - 1] / 6, 1 / h[n - 1]
    b[n - 1, 0], d[n - 1, 0] = h[n - 1] / 6, 1 / h[n - 1]
    for i in range(1, n):
        b[i, i], d[i, i] = (h[i - 1] + h[i]) / 3, -1 / h[i - 1] - 1 / h[i]
        b[i, i - 1] = b[i - 1, i] = h[i - 1] / 6
        d[i, i - 1] = d[i - 1, i] = 1 / h[i - 1]
    return np.linalg.solve(b, d)
