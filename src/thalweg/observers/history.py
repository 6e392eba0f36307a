"""The record of a solve."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from thalweg.solvers.base import State


@final
@dataclass
class History:
    """An observer that keeps step, value, gradient size and seconds of each state.

    Examples
    --------
    >>> import torch
    >>> from thalweg.solvers.base import State
    >>> history = History()
    >>> history(State(torch.zeros(1, dtype=torch.float64), 2.5, 0.1))
    >>> history.value
    [2.5]
    """

    step: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    gradient_size: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    def __call__(self, state: State) -> None:
        self.step.append(state.step)
        self.value.append(state.value)
        self.gradient_size.append(state.gradient_size)
        self.seconds.append(time.perf_counter() - self.started)

    def __len__(self) -> int:
        return len(self.step)
