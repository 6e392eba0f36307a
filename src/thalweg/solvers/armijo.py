"""Step lengths that are searched: backtracking until the loss has fallen enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch

from thalweg.errors import OptionError
from thalweg.solvers.schedules import number, part, positive

MOST = 60  # shrinkings of one step


@final
@dataclass(frozen=True)
class Armijo:
    """The first of r, shrink r, shrink^2 r, ... with f(theta - r g) <= f(theta) - c r g'g.

    r is `initial` for the first step; afterwards the length that the step before took, times `grow` where that was
    taken at the first trial.

    Parameters
    ----------
    initial : float
        > 0.
    shrink : float
        In (0, 1).
    c : float
        In (0, 1): the part of the decrease that a straight line would give which is enough.
    grow : float
        >= 1.

    References
    ----------
    Armijo (1966), doi:10.2140/pjm.1966.16.1; Nocedal & Wright (2006), algorithm 3.1, doi:10.1007/978-0-387-40065-5.

    Examples
    --------
    >>> import thalweg as tw
    >>> solver = tw.GradientDescent(Armijo(), steps=200)
    """

    initial: float = 1.0
    shrink: float = 0.5
    c: float = 1e-4
    grow: float = 2.0

    def __post_init__(self) -> None:
        positive("initial", self.initial)
        for name in ("shrink", "c"):
            part(name, getattr(self, name))
            if getattr(self, name) == 1:
                raise OptionError(f"{name} is 1", advice="Give a number between 0 and 1.")
        if not number(self.grow) or self.grow < 1:
            raise OptionError(f"grow is {self.grow!r}", advice="Give 1 or a number above it.")

    def search(
        self, trial: Callable[[float], tuple[float, float]], value: float, slope: float, rate: float, noise: float
    ) -> tuple[float, int]:
        """The rate that is taken, and how many trials it took; rate 0 where none lowers the loss.

        Where losses differ by no more than rounding, their slopes decide in their place: on a quadratic the condition
        is the same as g(theta - r d)'d >= (2 c - 1) g'd (Hager & Zhang 2005, doi:10.1137/030601880, equation 4.1).

        Parameters
        ----------
        trial : callable
            From a rate r to f(theta - r d) and g(theta - r d)'d, d the direction.
        value : float
            f(theta).
        slope : float
            g'd > 0.
        rate : float
            The first trial.
        noise : float
            Rounding of f.
        """
        for count in range(1, MOST + 1):
            loss, there = trial(rate)
            if abs(loss - value) <= noise:
                enough = there >= (2 * self.c - 1) * slope
            else:
                enough = loss <= value - self.c * rate * slope  # false for NaN
            if enough:
                return rate, count
            rate *= self.shrink
        return 0.0, MOST


def rounding(value: float, dtype: torch.dtype) -> float:
    """What rounding may do to a loss: a hundred units in its last place."""
    return 100 * torch.finfo(dtype).eps * abs(value)
