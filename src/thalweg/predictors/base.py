"""What a predictor is: eta = f(x; theta), with theta one flat vector whose entries have names.

Inside a fit the parameters are one vector; outside they are tensors with names and shapes. `Predictor.split` and
`Predictor.join` go between the two.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


class Predictor(ABC):
    """eta_i = f(x_i; theta).

    Attributes
    ----------
    shapes : mapping of str to tuple of int
        The parameters by name; theta is their entries one after the other.
    linear : bool
        Whether eta is linear in theta (up to a constant): then a squared loss is a quadratic.
    """

    shapes: Mapping[str, tuple[int, ...]]
    linear: bool

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

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta: that of its parameter, with its place where there are several."""
        return tuple(name for key, shape in self.shapes.items() for name in entry_names(key, shape))

    @property
    def size(self) -> int:
        """p."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def split(self, theta: Float[Tensor, "p"]) -> dict[str, Tensor]:
        """Flat to named: views of theta."""
        sizes = [math.prod(shape) for shape in self.shapes.values()]
        return {k: part.view(s) for (k, s), part in zip(self.shapes.items(), theta.split(sizes), strict=True)}

    def join(self, parameters: Mapping[str, Tensor]) -> Float[Tensor, "p"]:
        """Named to flat."""
        return torch.cat([parameters[name].reshape(-1) for name in self.shapes])


def entry_names(key: str, shape: tuple[int, ...]) -> list[str]:
    """ "b" for a scalar or a single entry, "w[0, 1]" for the others, counted from 0 as torch does."""
    if math.prod(shape) == 1:
        return [key]
    places = torch.cartesian_prod(*(torch.arange(n) for n in shape)).reshape(math.prod(shape), -1).tolist()
    return [f"{key}[{', '.join(map(str, place))}]" for place in places]
