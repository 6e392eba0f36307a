"""A line of numbers every k steps."""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING, Any, TextIO, final

from thalweg.errors import OptionError
from thalweg.observers.rules import whole

if TYPE_CHECKING:
    from thalweg.solvers.base import Solution, State

SHOWN = 4  # parameters in a line


@final
class Log:
    """Writes step, loss, gradient, learning rate and the first parameters, one aligned line every so many steps.

    The last state gets a line too, and a line says how the solve ended.

    Parameters
    ----------
    every : int
        >= 1.
    to : file or logging.Logger, optional
        Standard error by default. To a logger the lines go at level INFO.

    Raises
    ------
    OptionError
        `every` below 1, or a `to` that cannot be written to.

    Examples
    --------
    >>> import sys
    >>> import thalweg as tw
    >>> data, solver = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}, tw.GradientDescent(lr=0.1, steps=200)
    >>> fit = tw.fit("y ~ x", data, solver=solver, observers=[tw.observers.Log(every=100, to=sys.stdout)])
    step     0  loss         21  gradient       18.8  rate   0.1  Intercept          0  x          0
    step   100  loss ...
    step   200  loss ...
    converged, step 200
    """

    def __init__(self, every: int = 100, to: TextIO | logging.Logger | None = None) -> None:
        self.every = whole("Log: every", every, least=1)
        if to is not None and not isinstance(to, logging.Logger) and not hasattr(to, "write"):
            raise OptionError(f"Log: to is {to!r}", advice="Give an open text file or a logging.Logger.")
        self.to = to
        self._names: tuple[str, ...] = ()

    def begin(self, solver: Any, problem: Any) -> None:
        """Learn the names of the parameters."""
        self._names = tuple(getattr(problem, "names", ()))

    def __call__(self, state: State) -> None:
        """Write the line of a state."""
        self._write(self.line(state))

    def line(self, state: State) -> str:
        """The line, without its end."""
        rate = getattr(state, "rate", math.nan)
        values = state.theta[:SHOWN].tolist()
        names = self._names[:SHOWN] or tuple(f"theta[{i}]" for i in range(len(values)))
        parts = [f"step {state.step:>5}", f"loss {state.value:>10.5g}", f"gradient {state.gradient_size:>10.3g}"]
        parts += [] if math.isnan(rate) else [f"rate {rate:>5.3g}"]
        parts += [f"{name} {value:>10.5g}" for name, value in zip(names, values, strict=True)]
        return "  ".join(parts) + ("  ..." if state.theta.numel() > SHOWN else "")

    def end(self, solution: Solution) -> None:
        """Write how it ended."""
        rule = solution.details.get("rule")
        self._write(f"{solution.status.value}{'' if rule is None else f': {rule}'}, step {solution.steps}")

    def _write(self, line: str) -> None:
        if isinstance(self.to, logging.Logger):
            self.to.info(line)
        else:
            print(line, file=sys.stderr if self.to is None else self.to, flush=True)
