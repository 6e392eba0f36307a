"""What a derivative is: a way from a problem and a point to (f, gradient)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


class Derivative(ABC):
    """A way to the gradient.

    Attributes
    ----------
    name : str
        As users write it: derivative="hand".
    """

    name: str

    @abstractmethod
    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        """(f, gradient) at theta over some rows, or all."""

    def check(self, problem: MemoryProblem, theta: Float[Tensor, "p"]) -> None:
        """Refuse a gradient that is wrong at or near theta; ours are proved by the tests.

        Raises
        ------
        OptionError
        """
        return
