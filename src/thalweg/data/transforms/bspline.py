"""bs(x, ...): B-splines, as R's splines::bs and formulaic.

References
----------
.. [1] C. de Boor, A Practical Guide to Splines, Springer 2001, chapter IX, equation 14.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.nodes import Node
from thalweg.data.transforms.base import Learner, Options, State, Transform, floats, number, numbers, truth
from thalweg.data.transforms.piecewise import piecewise

EXTRAPOLATIONS = ("extend", "clip", "zero", "raise")
MAX_KNOTS = 1000


def check_range(options: Options) -> None:
    """Refuse bounds, knots or an extrapolation that no spline has."""
    numbers(options, "knots")
    number(options, "lower_bound")
    number(options, "upper_bound")
    if options["df"] is not None and options["knots"] is not None:
        raise ValueError("give df or knots, not both")
    if options["extrapolation"] not in EXTRAPOLATIONS:
        raise ValueError(f"extrapolation must be one of {', '.join(EXTRAPOLATIONS)}")
    low, high = options["lower_bound"], options["upper_bound"]
    if low is not None and high is not None and not low < high:
        raise ValueError("lower_bound must lie below upper_bound")
    if len(options["knots"] or ()) > MAX_KNOTS:
        raise ValueError(f"at most {MAX_KNOTS} knots are possible")


def check(options: Options) -> None:
    """Refuse options that no B-spline has."""
    check_range(options)
    number(options, "degree", least=0, whole=True)
    truth(options, "include_intercept")
    degree = int(options["degree"])
    if degree > 20:
        raise ValueError("degree must be at most 20")
    least = degree + bool(options["include_intercept"])
    number(options, "df", least=max(least, 1), whole=True)
    if int(options["df"] or 0) > MAX_KNOTS:
        raise ValueError(f"df must be at most {MAX_KNOTS}")


class RangeLearner(Learner):
    """The bounds of a column, and all of its values where knots are placed at their quantiles."""

    def __init__(self, options: Options, *, hold: bool) -> None:
        self.options, self.hold = options, hold
        self.held: list[Tensor] = []
        self.least, self.most = math.inf, -math.inf

    def update(self, x: Float[Tensor, "n"]) -> None:
        if not x.numel():
            return
        self.least, self.most = min(self.least, float(x.min())), max(self.most, float(x.max()))
        if self.hold:
            self.held.append(x.cpu())

    def bounds(self) -> tuple[float, float]:
        """Lower and upper: the options', else the column's.

        Raises
        ------
        ValueError
            The column is constant, or all of it lies outside.
        """
        given = self.options["lower_bound"], self.options["upper_bound"]
        low = self.least if given[0] is None else float(given[0])
        high = self.most if given[1] is None else float(given[1])
        if not low < high:
            raise ValueError(f"a spline needs a range, and its bounds are {low:g} and {high:g}")
        if self.options["extrapolation"] == "raise" and (self.least < low or self.most > high):
            raise ValueError(f"values from {self.least:g} to {self.most:g} lie beyond the bounds {low:g} and {high:g}")
        return low, high

    def values(self, low: float, high: float) -> np.ndarray:
        """The values that place the knots."""
        x = torch.cat(self.held).numpy()
        return x if self.options["extrapolation"] == "extend" else x[(x >= low) & (x <= high)]


class BSplineLearner(RangeLearner):
    """All knots, the bounds repeated."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, hold=options["df"] is not None)

    def state(self) -> State:
        low, high = self.bounds()
        inner = sorted(float(knot) for knot in self.options["knots"] or ())
        degree = int(self.options["degree"])
        if self.options["df"] is not None:
            count = int(self.options["df"]) - degree - bool(self.options["include_intercept"])
            inner = np.quantile(self.values(low, high), np.linspace(0, 1, count + 2))[1:-1].tolist()
        if inner and not (low <= inner[0] and inner[-1] <= high):
            raise ValueError(f"knots must lie between the bounds {low:g} and {high:g}")
        return {"knots": [low] * (degree + 1) + inner + [high] * (degree + 1)}


class BSpline(Transform):
    """The columns that the knots define."""

    def __init__(self, options: Options, state: State) -> None:
        self.degree = int(options["degree"])
        self.spans_intercept = bool(options["include_intercept"])
        self.extrapolation = options["extrapolation"]
        self.knots = floats(state, "knots")
        if self.knots != sorted(self.knots) or len(self.knots) < 2 * self.degree + 2:
            raise ValueError("knots are not in order, or too few")
        if not self.knots[0] < self.knots[-1]:
            raise ValueError("knots span no range")

    @property
    def fields(self) -> tuple[str, ...]:
        first = 0 if self.spans_intercept else 1
        return tuple(str(i) for i in range(first, len(self.knots) - self.degree - 1))

    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        low, high = self.knots[0], self.knots[-1]
        outside = (x < low) | (x > high)
        if self.extrapolation == "raise" and bool(outside.any()):
            raise ValueError(f"values lie beyond the bounds {low:g} and {high:g} of a spline")
        x = x.clamp(low, high) if self.extrapolation == "clip" else x
        basis = self._basis(x)
        if self.extrapolation == "zero":
            basis = torch.where(outside[:, None], 0.0, basis)
        return basis if self.spans_intercept else basis[:, 1:]

    def _basis(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        """All B-splines: the degree + 1 that are not zero in each row's interval by the recurrence, [1] equation 14."""
        t = torch.tensor(self.knots, dtype=x.dtype, device=x.device)
        interval = self._interval(x, t)
        left = [x - t[interval + 1 - k] for k in range(1, self.degree + 1)]
        right = [t[interval + k] - x for k in range(1, self.degree + 1)]
        local = [torch.where(torch.isnan(x), x, 1.0)]
        for d in range(1, self.degree + 1):
            shares = [local[r] / (right[r] + left[d - r - 1]) for r in range(d)]
            rising = [left[d - r - 1] * shares[r] for r in range(d)]
            falling = [right[r] * shares[r] for r in range(d)]
            local = [falling[0], *(rising[r - 1] + falling[r] for r in range(1, d)), rising[-1]]
        place = (interval - self.degree)[:, None] + torch.arange(self.degree + 1, device=x.device)
        basis = torch.zeros(x.shape[0], len(self.knots) - self.degree - 1, dtype=x.dtype, device=x.device)
        return basis.scatter_(1, place, torch.stack(local, dim=1))

    def _interval(self, x: Float[Tensor, "n"], t: Float[Tensor, "k"]) -> Int[Tensor, "n"]:
        """The last knot at or below each value; the outermost intervals reach to infinity."""
        inside = range(self.degree, len(self.knots) - self.degree - 1)
        wide = [i for i in inside if self.knots[i] < self.knots[i + 1]]
        return (torch.searchsorted(t, x.contiguous(), right=True) - 1).clamp(wide[0], wide[-1])

    def nodes(self, argument: Node) -> list[Node]:
        breaks = sorted(set(self.knots))
        return piecewise(argument, breaks, self.degree, self.values_everywhere)

    def values_everywhere(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n m"]:
        """`values`, extended where they would be refused."""
        inner = self.extrapolation
        self_extended = BSpline.__new__(BSpline)
        self_extended.__dict__ = {**self.__dict__, "extrapolation": "extend" if inner == "raise" else inner}
        return BSpline.values(self_extended, x)
