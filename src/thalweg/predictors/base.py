"""What a predictor is: eta = f(x; theta), with theta one flat vector whose entries have names.

Inside a fit the parameters are one vector; outside they are tensors with names and shapes. `Predictor.split` and
`Predictor.join` go between the two.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.errors import DataError


class Predictor(ABC):
    """eta_i = f(x_i; theta).

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        The parameters by name; theta is their entries one after the other.
    linear : bool
        Whether eta is linear in theta (up to a constant): then a squared loss is a quadratic.
    by_hand : bool
        Whether `transpose_times` is written down.
    rowwise : bool
        Whether a row of x gives its eta whatever the other rows are: then a descent may take some rows at a time.
    dtype, device : torch.dtype, torch.device, or None
        Where and in which type it computes, where that is not the solver's to choose.

    Examples
    --------
    >>> import thalweg as tw
    >>> predictor = tw.Elementwise((2,))
    >>> predictor.names, predictor.size
    (('w[0]', 'w[1]', 'b'), 3)
    >>> predictor.split(torch.tensor([1.0, 2.0, 0.5]))
    {'w': tensor([1., 2.]), 'b': tensor(0.5000)}
    """

    shapes: Mapping[str, tuple[int, ...]]
    linear: bool
    by_hand: bool = True
    rowwise: bool = True
    dtype: torch.dtype | None = None
    device: torch.device | None = None

    @abstractmethod
    def __call__(self, theta: Float[Tensor, "p"], x: Tensor) -> Tensor:
        """eta, one entry for each entry of the response."""

    @abstractmethod
    def transpose_times(self, theta: Float[Tensor, "p"], x: Tensor, slope: Tensor) -> Float[Tensor, "p"]:
        """J(theta)' slope, by hand: the gradient of sum_i slope_i eta_i.

        Raises
        ------
        NotAvailableError
            A predictor whose derivatives were never written down (an `nn.Module`): only autograd has them.
        """

    @abstractmethod
    def module(self, inverse: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
        """A new module that computes eta of `inputs(x)`, and carries it through an inverse link where one is given."""

    def inputs(self, x: Tensor) -> Tensor:
        """What the module reads of x."""
        return x

    def state(self, theta: Float[Tensor, "p"]) -> dict[str, Tensor]:
        """The parameters of the module, as views of theta, under the names and in the shapes that they have there."""
        return self.split(theta)

    def assemble(self, columns: Mapping[str, Tensor]) -> Tensor:
        """x of the columns that the user named: side by side as (n, k), or a single one of more dimensions as it is.

        Raises
        ------
        DataError
            Columns of different lengths, or several of which one is no column.
        """
        return side_by_side(columns)

    def bind(self, x: Tensor, y: Tensor) -> Predictor:
        """This predictor for data of these shapes.

        Raises
        ------
        DataError
            Shapes that do not fit it or each other.
        """
        return self

    def start(self) -> Float[Tensor, "p"]:
        """Where a descent starts that was told nothing: zeros."""
        return torch.zeros(self.size, dtype=self.dtype or torch.float64)

    def adopt(self, theta: Float[Tensor, "p"]) -> None:
        """Take the fitted values over into the user's own object, where there is one."""
        return

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta: that of its parameter, with its place where there are several."""
        return tuple(name for key, shape in self.shapes.items() for name in entry_names(key, shape))

    @cached_property
    def size(self) -> int:
        """p."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def entries(self, name: str) -> int:
        """How many entries a parameter has."""
        return math.prod(self.shapes[name])

    def split(self, theta: Float[Tensor, "p"]) -> dict[str, Tensor]:
        """Flat to named: views of theta."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        return {k: part.view(s) for (k, s), part in zip(self.shapes.items(), theta.split(sizes), strict=True)}

    def join(self, parameters: Mapping[str, Tensor]) -> Float[Tensor, "p"]:
        """Named to flat."""
        return torch.cat([parameters[name].reshape(-1) for name in self.shapes])


def side_by_side(columns: Mapping[str, Tensor]) -> Tensor:
    """Columns (n,) and matrices (n, k) as one matrix."""
    if len(columns) == 1:
        (single,) = columns.values()
        return single[:, None] if single.dim() == 1 else single
    first, rows = next(((name, value.shape[:1]) for name, value in columns.items()))
    for name, value in columns.items():
        if value.dim() not in (1, 2) or value.shape[:1] != rows:
            raise DataError(
                f"the columns {first!r} and {name!r} have the shapes {tuple(columns[first].shape)} and"
                f" {tuple(value.shape)}, and cannot stand side by side",
                advice="Give every column one value, or one row of values, for each row.",
            )
    return torch.cat([value.reshape(len(value), -1) for value in columns.values()], 1)


def entry_names(key: str, shape: tuple[int, ...]) -> list[str]:
    """ "b" for a scalar or a single entry, "w[0, 1]" for the others, counted from 0 as torch does."""
    if math.prod(shape) == 1:
        return [key]
    places = torch.cartesian_prod(*(torch.arange(n) for n in shape)).reshape(math.prod(shape), -1).tolist()
    return [f"{key}[{', '.join(map(str, place))}]" for place in places]
