"""What a descent minimizes: f(theta) = c sum_i w_i loss(y_i, eta_i), eta = f(x; theta), c by convention.

`thalweg.objective` returns sums in float64 and knows nothing of learning rates. A descent needs three things more: the
scale c (`thalweg.convention`), a floating-point type (float32 descends otherwise than float64), and some of the rows at
a time. A `Problem` offers them; `MemoryProblem` over tensors, `PassProblem` over an `Objective` whose rows are many.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.convention import check_convention, is_mean, is_squared, per_unit
from thalweg.derivatives import BY_HAND, Derivative
from thalweg.losses.base import Loss
from thalweg.objective import Objective
from thalweg.predictors import Linear, Predictor

if TYPE_CHECKING:
    from thalweg.solvers.quadratic import Quadratic

KEEP_BYTES = 2**29  # a design up to this size is kept as one array


class Problem(ABC):
    """A function of a flat vector of parameters, with its gradient.

    Attributes
    ----------
    names : tuple of str
        Of the entries of theta.
    loss : Loss
        The loss of one row in eta.
    convention : str
        How the rows' losses are added up: see `thalweg.convention`.
    rows : int
        Rows (entries of the response).
    dtype, device :
        Of theta.
    has : frozenset of str
        "value", "gradient", and where they are on offer "batches" (some of the rows at a time), "hessian_product".
    """

    names: tuple[str, ...]
    loss: Loss
    convention: str
    rows: int
    dtype: torch.dtype
    device: torch.device
    has: frozenset[str]

    @abstractmethod
    def value(self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None) -> Float[Tensor, ""]:
        """f(theta), or the same over some rows."""

    @abstractmethod
    def value_and_gradient(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        """f and its gradient at theta, or those over some rows."""

    @abstractmethod
    def hessian_product(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """H(theta) v."""

    @cached_property
    def quadratic(self) -> Quadratic | None:
        """f as a quadratic, where it is one: a squared loss of a linear predictor."""
        return None

    @property
    @abstractmethod
    def scale(self) -> float:
        """c over all rows: f = c J."""


@final
class MemoryProblem(Problem):
    """A loss over tensors in memory.

    Parameters
    ----------
    predictor : Predictor
    x : Tensor, (n, ...)
        What the predictor reads.
    y : Tensor
        The response; as many entries as eta.
    loss : Loss
    convention : str
    weight, offset : Tensor, optional
        One entry for each entry of y.
    derivative : Derivative
        Where gradients come from.
    """

    def __init__(
        self,
        predictor: Predictor,
        x: Tensor,
        y: Tensor,
        loss: Loss,
        convention: str = "mean",
        *,
        weight: Tensor | None = None,
        offset: Tensor | None = None,
        derivative: Derivative = BY_HAND,
    ) -> None:
        check_convention(convention, loss)
        self.predictor, self.x, self.y, self.loss, self.convention = predictor, x, y, loss, convention
        self.weight, self.offset, self.derivative = weight, offset, derivative
        self.names = predictor.names
        self.dtype, self.device, self.rows = y.dtype, y.device, y.numel()
        self.has = frozenset({"value", "gradient", "batches", "hessian_product"})
        self._unit = per_unit(convention, loss)

    def part(self, batch: Int[Tensor, "m"] | None) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, float]:
        """(x, y, weight, offset, c) of some rows."""
        if batch is None:
            return self.x, self.y, self.weight, self.offset, self.scale
        weight = None if self.weight is None else self.weight[batch]
        offset = None if self.offset is None else self.offset[batch]
        return self.x[batch], self.y[batch], weight, offset, self._factor(batch.numel(), weight)

    def _factor(self, rows: int, weight: Tensor | None) -> float:
        if not is_mean(self.convention):
            return self._unit
        return self._unit / (rows if weight is None else float(weight.sum(dtype=torch.float64)))

    @cached_property
    def scale(self) -> float:
        return self._factor(self.rows, self.weight)

    def value(self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None) -> Float[Tensor, ""]:
        x, y, weight, offset, factor = self.part(batch)
        eta = self.predictor(theta, x)
        losses = self.loss.value(y, eta if offset is None else eta + offset)
        return factor * (losses.sum() if weight is None else weight.reshape(-1) @ losses.reshape(-1))

    def value_and_gradient(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        return self.derivative(self, theta, batch)

    def hessian_product(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """By autograd: the derivative of gradient'v."""
        return torch.autograd.functional.hvp(self.value, theta, v)[1]

    @cached_property
    def quadratic(self) -> Quadratic | None:
        from thalweg.solvers.quadratic import quadratic_of

        identity = is_squared(self.loss) and getattr(getattr(self.loss, "link", None), "name", "") == "identity"
        return quadratic_of(self) if identity and self.predictor.linear else None


@final
class PassProblem(Problem):
    """A loss over rows that are read block by block, with derivatives by hand: every call is a pass.

    Parameters
    ----------
    objective : Objective
    names : tuple of str
    convention : str
    """

    def __init__(self, objective: Objective, names: tuple[str, ...], convention: str) -> None:
        check_convention(convention, objective.loss)
        self.objective, self.names, self.loss, self.convention = objective, names, objective.loss, convention
        self.rows = objective.count or 0
        self.dtype, self.device = torch.float64, next(iter(objective.rows.blocks())).matrix.dense().device
        self.has = frozenset({"value", "gradient", "hessian_product"})
        self._weight: float | None = None

    @property
    def scale(self) -> float:
        if not is_mean(self.convention):
            return per_unit(self.convention, self.loss)
        if self._weight is None:
            self._weight = self.objective(torch.zeros(len(self.names), dtype=self.dtype, device=self.device), 0).weight
        return per_unit(self.convention, self.loss) / self._weight

    def value(self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None) -> Float[Tensor, ""]:
        return torch.tensor(self.scale * self.objective(theta, 0).value, dtype=self.dtype)

    def value_and_gradient(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        sums = self.objective(theta, 1)
        gradient = torch.full_like(theta, torch.nan) if sums.gradient is None else self.scale * sums.gradient
        return torch.tensor(self.scale * sums.value, dtype=self.dtype), gradient

    def hessian_product(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        curvature = self.objective(theta, 2).curvature
        assert curvature is not None
        return self.scale * (curvature @ v)


def problem_of(
    objective: Objective,
    names: tuple[str, ...],
    convention: str = "mean",
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
    derivative: Derivative = BY_HAND,
) -> Problem:
    """The problem of a formula's rows: in memory where they fit, else by passes."""
    count = objective.count
    if count is None or count * objective.columns * 8 > KEEP_BYTES:
        return PassProblem(objective, names, convention)
    blocks = [block.double() for block in objective.rows.blocks()]

    def column(parts: list[Tensor | None]) -> Tensor | None:
        given = [part for part in parts if part is not None]
        return torch.cat(given).to(device=device, dtype=dtype) if given else None

    x, y = column([block.matrix.dense() for block in blocks]), column([block.y for block in blocks])
    assert x is not None
    assert y is not None
    return MemoryProblem(
        Linear(names),
        x,
        y,
        objective.loss,
        convention,
        weight=column([block.loss_weight for block in blocks]),
        offset=column([block.offset for block in blocks]),
        derivative=derivative,
    )
