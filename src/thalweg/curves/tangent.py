"""A curve's rows where inference expects those of a linear model.

At its optimum a curve is a linear model with the Jacobian as its design. A `Tangent` is that design: everything that a
statistic, a covariance, a leverage or an interval asks of a `Matrix` is answered with the Jacobian at the fitted
parameters, except that `times(theta)`, which stands for the linear predictor, is the curve itself.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.curves.curve import Curve
from thalweg.data.matrix import Matrix


@final
class Tangent(Matrix):
    """Rows of a curve.

    Parameters
    ----------
    curve : Curve
    columns : dict of str to ndarray, (n,)
        What it reads.
    rows : int
    at : ndarray, (p,)
        Where the Jacobian is taken.
    """

    def __init__(self, curve: Curve, columns: dict[str, np.ndarray], rows: int, at: np.ndarray) -> None:
        self.curve, self.columns, self.rows, self.at = curve, columns, rows, at

    @cached_property
    def evaluator(self) -> Any:
        """The curve over these rows."""
        return self.curve.over(self.columns, self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, len(self.curve.parameters)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64

    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        """The curve at theta."""
        return torch.tensor(np.asarray(self.evaluator.values(theta.tolist()), dtype=np.float64))

    @cached_property
    def _jacobian(self) -> Float[Tensor, "n p"]:
        jacobian = self.evaluator.jacobian(list(self.at))[1]
        return torch.from_numpy(np.ascontiguousarray(jacobian, dtype=np.float64)).T

    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        return self._jacobian.T @ r

    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        right = self._jacobian if weight is None else self._jacobian * weight[:, None]
        return self._jacobian.T @ right

    def dense(self) -> Float[Tensor, "n p"]:
        return self._jacobian

    def __getitem__(self, rows: slice | Tensor) -> Tangent:
        at = rows if isinstance(rows, slice) else rows.numpy()
        columns = {name: column[at] for name, column in self.columns.items()}
        count = len(range(*rows.indices(self.rows))) if isinstance(rows, slice) else int(np.arange(self.rows)[at].size)
        return Tangent(self.curve, columns, count, self.at)

    def to(self, *args: Any, **kwargs: Any) -> Tangent:
        """Itself: a curve is computed in float64."""
        return self
