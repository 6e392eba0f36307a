"""What a descent minimizes: f(theta) = c sum_i w_i loss(y_i, eta_i), eta = f(x; theta), c by convention.

`thalweg.objective` returns sums in float64 and knows nothing of learning rates. A descent needs three things more: the
scale c (`thalweg.convention`), a floating-point type (float32 descends otherwise than float64), and some of the rows at
a time. A `Problem` offers them; `MemoryProblem` over tensors, `PassProblem` over an `Objective` whose rows are many.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from thalweg.convention import check_convention, is_mean, is_squared, per_unit
from thalweg.derivatives import BY_HAND, BY_MODULE, Derivative
from thalweg.derivatives.labels import Labels
from thalweg.derivatives.module import Twin
from thalweg.derivatives.squares import Squares
from thalweg.errors import IncompatibleError, NotAvailableError, OptionError
from thalweg.losses.base import Loss
from thalweg.objective import Objective, linear_predictor
from thalweg.predictors import Linear, Predictor

if TYPE_CHECKING:
    from thalweg.curves.problem import CurveProblem
    from thalweg.solvers.quadratic import Quadratic

KEEP_BYTES = 2**29  # a design up to this size is kept as one array
SYMMETRIC = ("logit", "probit")  # links whose inverse F is a distribution function with F(-eta) = 1 - F(eta)


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
    objective : Objective or None
        J, of which this is a multiple, where the rows are a formula's: for what only J has (curvature, separation).
    curve : CurveProblem or None
        The same J, where the predictor is a curve: for its linearization and its minimum.
    """

    objective: Objective | None = None
    curve: CurveProblem | None = None
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
        Where gradients come from. By hand where that is written down, else by the module.

    Attributes
    ----------
    columns : tuple of str
        What x was read from, where there was no formula.
    """

    columns: tuple[str, ...] = ()

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
        self.weight, self.offset = weight, offset
        self.derivative = BY_MODULE if derivative is BY_HAND and not predictor.by_hand else derivative
        self.names = predictor.names
        self.dtype, self.device, self.rows = y.dtype, y.device, y.numel()
        batches = {"batches"} if predictor.rowwise else set()
        self.has = frozenset({"value", "gradient", "hessian_product"} | batches)
        self._unit = per_unit(convention, loss)
        self._graph: tuple[Tensor, int, Tensor, Tensor] | None = None  # of `_curved`
        self._link: Any = getattr(loss, "link", None)
        self._link_name = getattr(self._link, "name", "")
        self._plain_squares = is_squared(loss) and self._link_name == "identity"
        self._probability = self._link_name in SYMMETRIC
        self._reduction = "mean" if is_mean(convention) else "sum"
        self._halved = convention.startswith("half")

    def part(self, batch: Int[Tensor, "m"] | None) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, float]:
        """(x, y, weight, offset, c) of some rows."""
        return (self.x if batch is None else self.x.index_select(0, batch), *self.responses(batch))

    def responses(self, batch: Int[Tensor, "m"] | None) -> tuple[Tensor, Tensor | None, Tensor | None, float]:
        """(y, weight, offset, c) of some rows."""
        if batch is None:
            return self.y, self.weight, self.offset, self.scale
        if not self.predictor.rowwise:
            raise IncompatibleError(f"{type(self.predictor).__name__} has no batches: its weights belong to all of x")
        weight = None if self.weight is None else self.weight.index_select(0, batch)
        offset = None if self.offset is None else self.offset.index_select(0, batch)
        return self.y.index_select(0, batch), weight, offset, self._factor(batch.numel(), weight)

    def _factor(self, rows: int, weight: Tensor | None) -> float:
        if not is_mean(self.convention):
            return self._unit
        total = rows if weight is None else float(weight.sum(dtype=torch.float64))
        return self._unit / total if total else 0.0  # a batch of rows without weight counts nothing

    @cached_property
    def scale(self) -> float:
        return self._factor(self.rows, self.weight)

    @cached_property
    def one(self) -> Float[Tensor, ""]:
        """df/df, where a backward pass begins."""
        return torch.ones((), dtype=self.dtype, device=self.device)

    def total(self, y: Tensor, eta: Tensor, weight: Tensor | None, offset: Tensor | None, factor: float) -> Tensor:
        """c sum_i w_i loss(y_i, eta_i + offset_i).

        Where a loss is one operation of PyTorch's, that one: an operation of a few rows, and its backward, cost some
        microseconds whatever they compute. The tests compare it with the sum of the loss itself.
        """
        eta = eta if offset is None else eta + offset
        if weight is None and self._short is not None:
            whole = self._short(eta, y, reduction=self._reduction)
            return whole / 2 if self._halved else whole
        losses = self.loss.value(y, eta)
        return factor * (losses.sum() if weight is None else weight.reshape(-1) @ losses.reshape(-1))

    def value(self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None) -> Float[Tensor, ""]:
        x, y, weight, offset, factor = self.part(batch)
        return self.total(y, self.predictor(theta, x), weight, offset, factor)

    def value_and_gradient(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        return self.derivative(self, theta, batch)

    def hessian_product(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """c J'(w loss'' * J v) of X v; for other predictors the derivative of gradient'v, by autograd."""
        if not self.predictor.linear or self.curve is not None:  # a linear curve may have a constant beside X v
            return self._curved(theta, v)
        x, y, weight, offset, factor = self.part(None)
        eta, moved = self.predictor(theta, x), self.predictor(v, x)
        curvature = self.loss.terms(y, eta if offset is None else eta + offset, 2)[2]
        bent = curvature * moved if weight is None else weight * curvature * moved
        return self.predictor.transpose_times(theta, x, bent).mul_(factor)

    def _curved(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """H v of a graph of the gradient that is kept while theta stays: a Hessian asks for it p times."""
        if self._graph is None or self._graph[0] is not theta or self._graph[1] != theta._version:
            with torch.enable_grad():
                leaf = theta.detach().clone().requires_grad_()
                (gradient,) = torch.autograd.grad(self.value(leaf), leaf, create_graph=True)
            self._graph = theta, theta._version, leaf, gradient
        *_, leaf, gradient = self._graph
        if not gradient.requires_grad:
            return torch.zeros_like(v)
        return torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)[0]

    @cached_property
    def is_least_squares(self) -> bool:
        """Whether f is a quadratic: squared errors of an eta that is linear in theta."""
        return self._plain_squares and self.predictor.linear

    @cached_property
    def quadratic(self) -> Quadratic | None:
        from thalweg.solvers.quadratic import quadratic_of

        if not self.is_least_squares:
            return None
        self.derivative.check(self, torch.zeros(len(self.names), dtype=self.dtype, device=self.device))
        return quadratic_of(self)

    @cached_property
    def _short(self) -> Callable[..., Tensor] | None:
        """The sum or the mean of the loss, before it is halved, in few operations: of (eta, y, reduction)."""
        if self._plain_squares:
            return _squares
        if self.has_labels:
            return binary_cross_entropy_with_logits
        return self._missed if is_squared(self.loss) and self._probability and self._labels_only else None

    def _missed(self, eta: Tensor, y: Tensor, reduction: str) -> Tensor:
        """Squares of F(eta) for a label 0, and of 1 - F(eta) = F(-eta) for a label 1."""
        sign, zero = self._signs if y is self.y else (1 - 2 * y, torch.zeros_like(y))
        return _squares(self._link.inverse(eta * sign), zero, reduction=reduction)

    @cached_property
    def _signs(self) -> tuple[Tensor, Tensor]:
        """1 for a label 0 and -1 for a label 1, and zeros."""
        return 1 - 2 * self.y, torch.zeros_like(self.y)

    @cached_property
    def _labels_only(self) -> bool:
        return bool(((self.y == 0) | (self.y == 1)).all())

    @cached_property
    def has_labels(self) -> bool:
        """Whether this is a logistic loss of labels 0 and 1."""
        return self.loss.name == "binomial" and self._link_name == "logit" and self._labels_only

    @cached_property
    def labels(self) -> Labels | None:
        """f and its gradient in few operations, where it is a logistic loss of a formula's columns."""
        few = self.x.numel() * self.x.element_size() <= KEEP_BYTES // 4
        return Labels(self, self.x) if few and self.has_labels and isinstance(self.predictor, Linear) else None

    @cached_property
    def squares(self) -> Squares | None:
        """f and its gradient in few operations, where it is a squared loss of a formula's columns."""
        if not self.is_least_squares or not isinstance(self.predictor, Linear):
            return None
        return Squares(self.x, self.y if self.offset is None else self.y - self.offset, self.weight, self.scale)

    @cached_property
    def twin(self) -> Twin:
        """f as a module and a loss, for derivative="module"."""
        return Twin(self)


@final
class PassProblem(Problem):
    """A loss over rows that are read block by block, in float64 with derivatives by hand: every call is a pass.

    Parameters
    ----------
    objective : Objective
    names : tuple of str
    convention : str
    """

    def __init__(self, objective: Objective, names: tuple[str, ...], convention: str) -> None:
        check_convention(convention, objective.loss)
        self.objective: Objective = objective
        self.names, self.loss, self.convention = names, objective.loss, convention
        self.rows = objective.count or 0
        response = next(iter(objective.rows.blocks())).y
        self.dtype, self.device = torch.float64, torch.device("cpu") if response is None else response.device
        self.has = frozenset({"value", "gradient", "hessian_product"})

    @cached_property
    def scale(self) -> float:
        unit = per_unit(self.convention, self.loss)
        if not is_mean(self.convention):
            return unit
        weights = (block.loss_weight for block in self.objective.blocks())
        return unit / sum(self.rows if w is None else float(w.sum()) for w in weights)

    def value(self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None) -> Float[Tensor, ""]:
        _refuse_batch(batch)
        return self._number(self.objective(theta, 0).value)

    def value_and_gradient(
        self, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        _refuse_batch(batch)
        sums = self.objective(theta, 1)
        gradient = torch.full_like(theta, torch.nan) if sums.gradient is None else self.scale * sums.gradient
        return self._number(sums.value), gradient

    def _number(self, value: float) -> Float[Tensor, ""]:
        return torch.tensor(self.scale * value, dtype=self.dtype, device=self.device)

    def hessian_product(self, theta: Float[Tensor, "p"], v: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """c X'(w loss'' * X v) in one pass, without the Hessian itself."""
        total = torch.zeros_like(theta)
        for block in self.objective.blocks():
            assert block.y is not None
            curvature = self.loss.terms(block.y, linear_predictor(block, theta), 2)[2]
            bent = curvature * block.matrix.times(v)
            weight = block.loss_weight
            total += block.matrix.transpose_times(bent if weight is None else weight * bent)
        return self.scale * total


def _squares(eta: Tensor, y: Tensor, reduction: str) -> Tensor:
    """Sum or mean of squared differences of tensors of one shape.

    `torch.nn.functional.mse_loss` without its broadcasting, which is in the graph: with the backward pass a tenth of an
    evaluation on a few rows.
    """
    return torch._C._nn.mse_loss(eta, y, 1 if reduction == "mean" else 2)  # type: ignore[arg-type]  # the stub's


def _refuse_batch(batch: Tensor | None) -> None:
    if batch is not None:
        raise IncompatibleError("rows that are read block by block cannot be drawn by their numbers")


def device_of(name: str | torch.device | None) -> torch.device | None:
    """The device of this name; "auto" is the GPU where there is one; None: where the data are.

    Raises
    ------
    OptionError
        No such kind of device.
    NotAvailableError
        A GPU is asked for and there is none.

    Examples
    --------
    >>> device_of("cpu")
    device(type='cpu')
    """
    if name is None:
        return None
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise OptionError(f"device is {name!r}", advice="Use 'cpu', 'cuda', 'cuda:1', or 'auto'.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        found = torch.cuda.device_count()
        raise NotAvailableError(
            f"device {str(name)!r} is asked for, and this machine has {found or 'no'} CUDA device{'s' * (found != 1)}"
            " that PyTorch can use",
            advice="Use device='cpu', or 'auto': the GPU where there is one.",
        )
    return device


def problem_of(
    objective: Objective,
    names: tuple[str, ...],
    convention: str = "mean",
    *,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device | None = None,
    derivative: Derivative = BY_HAND,
    predictor: Predictor | None = None,
) -> Problem:
    """The problem of a formula's rows: in memory where they fit, else by passes.

    Parameters
    ----------
    predictor : Predictor, optional
        What reads the design in the place of its product with the coefficients: a curve.

    Raises
    ------
    OptionError
        Rows too many to keep, and an option or a predictor that needs them in memory.
    NotAvailableError
        A device that this machine has not.
    """
    device, count = device_of(device), objective.count
    if count is None or count * objective.columns * dtype.itemsize > KEEP_BYTES:
        _check_passes(dtype, derivative, predictor)
        return PassProblem(objective, names, convention)
    blocks = [block.double() for block in objective.rows.blocks()]

    def column(parts: list[Tensor | None]) -> Tensor | None:
        given = [part for part in parts if part is not None]
        return torch.cat(given).to(device=device, dtype=dtype) if given else None

    x, y = column([block.matrix.dense() for block in blocks]), column([block.y for block in blocks])
    assert x is not None
    assert y is not None
    return MemoryProblem(
        predictor or Linear(names),
        x,
        y,
        objective.loss,
        convention,
        weight=column([block.loss_weight for block in blocks]),
        offset=column([block.offset for block in blocks]),
        derivative=derivative,
    )


def _check_passes(dtype: torch.dtype, derivative: Derivative, predictor: Predictor | None) -> None:
    """Refuse what a reading block by block has not."""
    if predictor is not None:
        raise OptionError(
            f"a descent on a curve keeps its columns in memory, and these take more than {KEEP_BYTES // 2**20} MB",
            advice="Leave solver= out: the curve is then fitted block by block.",
        )
    chosen = None if dtype == torch.float64 else f"dtype={str(dtype).removeprefix('torch.')!r}"
    chosen = chosen if derivative is BY_HAND else f"derivative={derivative.name!r}"
    if chosen:
        raise OptionError(
            f"{chosen} needs the rows in memory, and a design above {KEEP_BYTES // 2**20} MB is read block by block,"
            " in float64 with gradients by hand",
            advice="Leave the option out.",
        )
