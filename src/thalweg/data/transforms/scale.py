"""center(x), scale(x) and standardize(x): the column less its mean, divided by its standard deviation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Binary, Node, Number
from thalweg.data.transforms.base import Learner, Options, State, Transform, number, real
from thalweg.error_free import Pair, dd_add


def check(options: Options) -> None:
    """Refuse options that are neither truth values nor numbers."""
    for name in ("center", "scale"):
        if not isinstance(options[name], bool):
            number(options, name)
    number(options, "ddof", least=0)


class ScaleLearner(Learner):
    """Mean and sum of squares about it, merged batch by batch.

    Values are shifted by the first one, where x - shift is (nearly) exact: a mean far from zero costs no digits.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance", Am. Stat. 37 (1983),
       doi:10.1080/00031305.1983.10483115, equation 2.1.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.least, self.most, self.shift = math.inf, -math.inf, 0.0

    def update(self, x: Float[Tensor, "n"]) -> None:
        count = x.shape[0]
        if not count:
            return
        self.least, self.most = min(self.least, float(x.min())), max(self.most, float(x.max()))
        if not self.count:
            self.shift = float(x[0])
        x = x - self.shift
        mean = float(x.mean())
        mean += float((x - mean).mean())  # the rounding of the first sum
        squares = float((x - mean).square().sum())
        total, shift = self.count + count, mean - self.mean
        self.squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def state(self) -> State:
        center, scale = self._center(), self.options["scale"]
        if isinstance(scale, bool):
            return {"center": center, "scale": self._deviation(center or 0.0) if scale else None}
        if float(scale) == 0:
            raise ValueError("a scale of 0 divides by zero")
        return {"center": center, "scale": float(scale)}

    def _center(self) -> float | None:
        center = self.options["center"]
        if isinstance(center, bool):
            return self.shift + self.mean if center else None
        return float(center)

    def _deviation(self, center: float) -> float:
        freedom = self.count - float(self.options["ddof"])
        if freedom <= 0:
            rows = "1 row is" if self.count == 1 else f"{self.count} rows are"
            raise ValueError(f"{rows} too few for a standard deviation")
        squares = 0.0 if self.least == self.most else self.squares
        deviation = math.sqrt((squares + self.count * (self.shift + self.mean - center) ** 2) / freedom)
        if deviation == 0:
            raise ValueError(f"it is constant ({self.most:g}) and cannot be divided by its standard deviation")
        return deviation


class Scale(Transform):
    """(x - center) / scale."""

    def __init__(self, options: Options, state: State) -> None:
        self.center = None if state.get("center") is None else real(state["center"], "center")
        self.scale = None if state.get("scale") is None else real(state["scale"], "scale")
        if self.scale == 0:
            raise ValueError("scale is 0")

    @property
    def fields(self) -> None:
        return None

    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        x = x if self.center is None else x - self.center
        return x if self.scale is None else x / self.scale

    def doubled(self, x: Pair) -> tuple[Tensor, Tensor | None]:
        if self.scale is not None or self.center is None:
            return self.values(x[0]), None
        shift = torch.full_like(x[0], -self.center)
        return dd_add(x, (shift, torch.zeros_like(shift)))

    def nodes(self, argument: Node) -> list[Node]:
        node = argument if self.center is None else Binary("-", argument, Number(self.center))
        return [node if self.scale is None else Binary("/", node, Number(self.scale))]
