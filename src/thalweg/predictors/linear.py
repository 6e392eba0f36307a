"""The linear predictor of a formula: eta = X theta."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from thalweg.predictors.base import Predictor


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

    def __call__(self, theta: Float[Tensor, "p"], x: Float[Tensor, "n p"]) -> Float[Tensor, "n"]:
        return x @ theta

    def transpose_times(
        self, theta: Float[Tensor, "p"], x: Float[Tensor, "n p"], slope: Float[Tensor, "n"]
    ) -> Float[Tensor, "p"]:
        return x.T @ slope
