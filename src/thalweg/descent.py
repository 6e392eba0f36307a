"""What a descent leaves behind: the parameters, the way it came, and what can be told of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, final

from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from torch import nn

    from thalweg.data.rows import Rows
    from thalweg.diagnose.diagnosis import Diagnosis
    from thalweg.observers import History
    from thalweg.problem import MemoryProblem, Problem
    from thalweg.solvers.base import Solution
    from thalweg.solvers.descent import DescentSolver


@final
@dataclass(frozen=True, eq=False, repr=False)
class Descent:
    """A fit by descent of any predictor; `Fit.descent` where the predictor was a formula.

    Attributes
    ----------
    problem : Problem
        The function that was minimized.
    solver : DescentSolver
    solution : Solution
        How it ended: status, advice, steps.
    trace : History
        Its states.
    rows : Rows or None
        The rows behind the problem, where a formula made them.
    """

    problem: Problem
    solver: DescentSolver
    solution: Solution
    trace: History
    rows: Rows | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta."""
        return self.problem.names

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """The parameters at the end, by name and in their own shapes."""
        return cast("MemoryProblem", self.problem).predictor.split(self.solution.theta)

    @property
    def history(self) -> Any:
        """step, loss, gradient_norm, learning_rate, seconds and every parameter, as a frame."""
        from thalweg.show.history import history_frame

        return history_frame(self.trace, self.names, self.rows)

    def animate(self, path: str | Path, kind: str | None = None, **options: Any) -> None:
        """Draw the descent as a moving picture: .gif, .mp4 or .html."""
        from thalweg.show.motion import animate

        animate(self, path, kind, **options)

    def plot(self, kind: str = "loss", path: str | Path | None = None, **options: Any) -> Figure:
        """A picture of the descent: "loss", "traces", "surface" or "surface3d"."""
        from thalweg.show.plots.descent import plot_descent

        return plot_descent(self, kind, path, **options)

    def module(self) -> nn.Module:
        """The fitted predictor as an `nn.Module`, with its `state_dict`."""
        from thalweg.modules import module_of

        return module_of(self)

    def explain_step(self, step: int = 0) -> str:
        """One step written out, with the numbers put into the formulas."""
        from thalweg.explain import explain_step

        return explain_step(self, step)

    def diagnose(self) -> Diagnosis:
        """How far from the optimum the descent ended, and how many more steps it would take."""
        from thalweg.diagnose.after import diagnose_descent

        return diagnose_descent(self)

    def __repr__(self) -> str:
        return f"<Descent, {len(self.names)} parameters, {self.solution.status.value} at step {self.solution.steps}>"
