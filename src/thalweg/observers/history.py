"""The record of a solve."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from thalweg.solvers.base import State

MOST_BYTES = 2**26  # of parameters that are kept: beyond it every second state is let go, and so on


@final
@dataclass
class History:
    """An observer that keeps step, value, gradient size, learning rate, parameters and seconds of each state.

    Where the parameters of all states would take more than 64 MB, every second one is let go, then three of four, and
    so on; the first is always kept, and `close` adds the last.

    Parameters
    ----------
    every : int
        Keep one state in so many steps.

    Examples
    --------
    >>> import torch
    >>> from thalweg.solvers.base import State
    >>> history = History()
    >>> history(State(torch.zeros(1, dtype=torch.float64), 2.5, 0.1))
    >>> history.value
    [2.5]
    """

    every: int = 1
    step: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    gradient_size: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    theta: list[Tensor] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    last: State | None = None

    def __call__(self, state: State) -> None:
        self.last = state
        if state.step % self.every == 0:
            self._keep(state)

    def _keep(self, state: State) -> None:
        self.step.append(state.step)
        self.value.append(state.value)
        self.gradient_size.append(state.gradient_size)
        self.rate.append(getattr(state, "rate", math.nan))
        self.theta.append(state.theta)
        self.seconds.append(time.perf_counter() - self.started)
        if len(self.step) * (state.theta.numel() * 8 + 500) > MOST_BYTES:
            self._thin()

    def _thin(self) -> None:
        self.every *= 2
        kept = [i for i, step in enumerate(self.step) if step % self.every == 0]
        columns: list[list[Any]] = [self.step, self.value, self.gradient_size, self.rate, self.theta, self.seconds]
        for column in columns:
            column[:] = [column[i] for i in kept]

    def close(self) -> None:
        """Add the last state, where it was not one of those kept."""
        if self.last is not None and (not self.step or self.step[-1] != self.last.step):
            self._keep(self.last)

    @property
    def path(self) -> Float[Tensor, "k p"]:
        """The parameters, one row for each state that was kept, in float64 on the CPU."""
        import torch  # not at the top: `thalweg fit --help` needs no torch

        return torch.stack(self.theta).double().cpu()

    def __len__(self) -> int:
        return len(self.step)
