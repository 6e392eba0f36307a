"""The record of a solve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from thalweg.solvers.base import State

COLUMNS = ("step", "value", "gradient_size", "rate", "theta", "whole", "seconds")
MOST_BYTES = 2**26  # of parameters that are kept: beyond it every second state is let go, and so on


@final
@dataclass
class History:
    """An observer that keeps step, value, gradient size, learning rate, parameters and seconds of each state.

    `whole` says of each value whether it is the loss over all rows; where it is not, it is that of a mini-batch.

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
    whole: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    last: State | None = None
    _room: int = field(default=0, repr=False)  # states that there is room for, once it is known
    _packed: dict[str, Tensor] = field(default_factory=dict, repr=False)  # what the last snapshot held, to add to

    def __post_init__(self) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise OptionError(f"History: every is {self.every!r}", advice="Give a whole number, 1 or more.")

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
        self.whole.append(getattr(state, "whole", True))
        self.seconds.append(time.perf_counter() - self.started)
        if len(self.step) > self._room:
            self._make_room(state.theta.numel())

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: with the columns that nobody has asked for yet, which are made by a function."""
        self._columns()
        return {name: value for name, value in self.__dict__.items() if name != "_deferred"}

    def mend(self, state: State) -> None:
        """Columns of one length again, with this state in them, where an interrupt came in the midst of keeping it."""
        whole = min(len(column) for column in self._columns().values())
        for column in self._columns().values():
            del column[whole:]
        if not self.step or self.step[-1] < state.step:
            self(state)

    def _make_room(self, size: int) -> None:
        """Let every second state go where there are too many; how many there may be is reckoned once."""
        self._room = MOST_BYTES // (size * 8 + 500)
        if len(self.step) > self._room:
            self._thin()

    def _thin(self) -> None:
        self.every *= 2
        kept = [i for i, step in enumerate(self.step) if step % self.every == 0]
        for column in self._columns().values():
            column[:] = [column[i] for i in kept]
        self._packed = {}

    def _columns(self) -> dict[str, list[Any]]:
        return {name: getattr(self, name) for name in COLUMNS}

    def snapshot(self) -> dict[str, Any]:
        """Its columns as tensors, for a checkpoint: only what came since the last snapshot is converted."""
        import torch  # not at the top: `thalweg fit --help` needs no torch

        done = len(self._packed["step"]) if self._packed else 0
        for name, column in self._columns().items():
            if len(column) > done:
                added = column[done:]
                new = torch.stack(added).cpu() if name == "theta" else torch.tensor(added, dtype=_type(name))
                self._packed[name] = torch.cat([self._packed[name], new]) if done else new
        return {"every": self.every, **self._packed}

    def restore(self, memory: Mapping[str, Any], last: State) -> None:
        """Go on from a snapshot, taken when `last` was the last state; the seconds go on from those it had."""
        self.every, self.last = memory["every"], last
        for name, column in self._columns().items():
            kept = memory.get(name)
            column[:] = [] if kept is None else list(kept.to(last.theta.device)) if name == "theta" else kept.tolist()
        self.whole[:] = [bool(each) for each in self.whole]
        self._packed = {name: memory[name] for name in COLUMNS if name in memory}
        self.started = time.perf_counter() - (self.seconds[-1] if self.seconds else 0.0)

    def defer(self, columns: Callable[[int], dict[str, list[Any]]], size: int, steps: int) -> None:
        """Keep states that are known in closed form: their columns are made when somebody asks for one.

        Parameters
        ----------
        columns : callable
            From `every` to the columns but for seconds and whole: one state in so many steps, and the last.
        size, steps : int
            Of parameters, and of steps.
        """
        while (steps // self.every + 1) * (size * 8 + 500) > MOST_BYTES:
            self.every *= 2
        for name in COLUMNS:
            self.__dict__.pop(name, None)
        self.__dict__["_deferred"] = (columns, time.perf_counter() - self.started)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """A column that was put off."""
            if name not in COLUMNS or "_deferred" not in self.__dict__:
                raise AttributeError(f"a history has no {name!r}")
            columns, seconds = self.__dict__.pop("_deferred")
            self.__dict__.update(columns(self.every))
            self.seconds, self.whole = [seconds] * len(self.step), [True] * len(self.step)
            return self.__dict__[name]

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


def _type(column: str) -> Any:
    import torch

    return torch.int64 if column in ("step", "whole") else torch.float64
