"""The linear predictor of a formula: eta = X theta."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from thalweg.errors import DataError
from thalweg.predictors.base import Predictor

INTERCEPT = "Intercept"  # what formulas call the column of ones, which they put first


@final
class Linear(Predictor):
    """eta = X theta, with one parameter for each column of the design.

    Examples
    --------
    >>> import torch
    >>> Linear(("Intercept", "x"))(torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 3.0]]))
    tensor([7.])
    """

    linear = True

    def __init__(self, names: tuple[str, ...]) -> None:
        self.shapes = dict.fromkeys(names, ())
        self.intercept = names[:1] == (INTERCEPT,)

    def __call__(self, theta: Float[Tensor, "p"], x: Float[Tensor, "n p"]) -> Float[Tensor, "n"]:
        return x @ theta

    def transpose_times(
        self, theta: Float[Tensor, "p"], x: Float[Tensor, "n p"], slope: Float[Tensor, "n"]
    ) -> Float[Tensor, "p"]:
        return x.T @ slope

    def design(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
        """X itself: `thalweg.solvers.quadratic` need not differentiate to find it."""
        return x

    def bind(self, x: Tensor, y: Tensor) -> Linear:
        if x.dim() != 2 or x.shape[1] != len(self.shapes):
            raise DataError(
                f"x has the shape {tuple(x.shape)}, and a linear predictor of {len(self.shapes)} columns needs"
                f" (n, {len(self.shapes)})"
            )
        return self

    def module(self, inverse: Callable[[Tensor], Tensor] | None = None) -> LinearModule:
        return LinearModule(len(self.shapes) - self.intercept, bias=self.intercept, inverse=inverse)

    def inputs(self, x: Float[Tensor, "n p"]) -> Float[Tensor, "n k"]:
        """The columns without the intercept, which the module calls its bias."""
        if self.intercept and not bool((x[:, 0] == 1).all()):
            raise DataError(f"the column {INTERCEPT!r} is not one in every row, and a module's bias is")
        return x[:, int(self.intercept) :]

    def state(self, theta: Float[Tensor, "p"]) -> dict[str, Tensor]:
        if not self.intercept:
            return {"linear.weight": theta[None]}
        return {"linear.weight": theta[None, 1:], "linear.bias": theta[:1]}


@final
class LinearModule(nn.Module):
    """mean = h(X weight' + bias + offset): a formula's model as one layer.

    Its `state_dict` holds "linear.weight" (1, k) and, where the formula has an intercept, "linear.bias" (1,).

    Parameters
    ----------
    columns : int
        k, without the intercept.
    bias : bool
    inverse : callable, optional
        The inverse link h; none for the identity.

    Examples
    --------
    >>> import torch
    >>> module = LinearModule(2)
    >>> module(torch.ones(3, 2)).shape, list(module.state_dict())
    (torch.Size([3]), ['linear.weight', 'linear.bias'])
    """

    def __init__(self, columns: int, *, bias: bool = True, inverse: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of a layer without columns, which "y ~ 1" is
            layer = nn.utils.skip_init(nn.Linear, columns, 1, bias=bias)  # the global generator is not ours to turn
        for parameter in layer.parameters():
            nn.init.zeros_(parameter) if parameter.numel() else None
        self.linear, self.inverse = layer, inverse

    def forward(self, x: Float[Tensor, "n k"], offset: Float[Tensor, "n"] | None = None) -> Float[Tensor, "n"]:
        """The means, flat."""
        eta = self.linear(x).squeeze(-1)
        eta = eta if offset is None else eta + offset
        return eta if self.inverse is None else self.inverse(eta)
