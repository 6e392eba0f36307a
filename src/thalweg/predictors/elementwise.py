"""A weight for each place: eta = w * x + b."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.errors import DataError
from thalweg.predictors.base import Predictor


@final
class Elementwise(Predictor):
    """eta = w * x + b: w has the shape of x, b is one number for all places.

    x and y are tensors of one shape: numbers, matrices, pictures. There are more parameters than numbers in y, so that
    many of them fit exactly; which one a descent finds depends on where it starts.

    Parameters
    ----------
    shape : tuple of int, optional
        Of x; a fit takes it from the data.

    Examples
    --------
    >>> import torch
    >>> predictor = Elementwise((2,))
    >>> predictor.names
    ('w[0]', 'w[1]', 'b')
    >>> predictor(torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 4.0]))
    tensor([3.5000, 8.5000])
    """

    linear = True
    rowwise = False  # w belongs to all of x

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.shape = tuple(shape)
        self.shapes = {"w": self.shape, "b": ()}

    def assemble(self, columns: Mapping[str, Tensor]) -> Tensor:
        """The one x that there is."""
        if len(columns) != 1:
            raise DataError(
                f"an elementwise predictor reads one x, not {len(columns)} columns: {', '.join(columns)}",
                advice="Name it: x='x'.",
            )
        return next(iter(columns.values()))

    def bind(self, x: Tensor, y: Tensor) -> Elementwise:
        if x.shape != y.shape:
            raise DataError(
                f"x has the shape {tuple(x.shape)} and y the shape {tuple(y.shape)}",
                advice="An elementwise predictor relates each place of x to the same place of y: give equal shapes.",
            )
        return Elementwise(tuple(x.shape))

    def __call__(self, theta: Float[Tensor, "p"], x: Tensor) -> Tensor:
        if len(self.shape) != 1:
            return torch.addcmul(theta[-1], theta[:-1].view(self.shape), x)
        w, b = theta.split_with_sizes([self.shape[0], 1])  # one node of the backward pass where three were
        return torch.addcmul(b, w, x)

    def transpose_times(self, theta: Float[Tensor, "p"], x: Tensor, slope: Tensor) -> Float[Tensor, "p"]:
        """dw = slope * x, db = sum of slope."""
        return torch.cat([(slope * x).reshape(-1), slope.sum().reshape(1)])

    def design(self, x: Tensor) -> Float[Tensor, "n p"]:
        """X of eta = X theta, where somebody has to see it whole: x along the diagonal, and a column of ones."""
        flat = x.reshape(-1)
        return torch.cat([torch.diag(flat), torch.ones_like(flat)[:, None]], dim=1)

    def module(self, inverse: Callable[[Tensor], Tensor] | None = None) -> ElementwiseModule:
        return ElementwiseModule(self.shape, inverse)


@final
class ElementwiseModule(nn.Module):
    """mean = h(w * x + b), with the parameters "w" and "b".

    Parameters
    ----------
    shape : tuple of int
        Of x.
    inverse : callable, optional
        The inverse link h; none for the identity.
    """

    def __init__(self, shape: tuple[int, ...], inverse: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(()))
        self.inverse = inverse

    def forward(self, x: Tensor) -> Tensor:
        """The means, in the shape of x."""
        eta = self.w * x + self.b
        return eta if self.inverse is None else self.inverse(eta)
