"""What watches a solve: callables that are given each state. One that raises `Stop` ends it there.

An observer may have more than its call:

    every: int                  it is given the states whose step is a multiple of this, and the last one
    begin(solver, problem)      before the first state
    end(solution)               after the last
    failed(error)               instead of `end`, where the solve ended with an exception

Rules (`thalweg.observers.rule`) and callbacks of scikit-learn may stand among the observers too: see `adapted`.
"""

from typing import TYPE_CHECKING, Any

from thalweg.observers.adapt import adapted
from thalweg.observers.history import History
from thalweg.observers.live import Live
from thalweg.observers.log import Log
from thalweg.observers.patience import Patience
from thalweg.observers.pictures import Pictures
from thalweg.observers.progress import Progress
from thalweg.observers.rules import AllOf, AnyOf, GradientBelow, LossBelow, MaxSteps, RelativeChange, Rule
from thalweg.observers.stopping import Stop, StopWhen, TimeLimit
from thalweg.observers.tensorboard import TensorBoard

if TYPE_CHECKING:
    from thalweg.store.checkpoint import Checkpoint as Checkpoint

__all__ = [
    "AllOf",
    "AnyOf",
    "Checkpoint",
    "GradientBelow",
    "History",
    "Live",
    "Log",
    "LossBelow",
    "MaxSteps",
    "Patience",
    "Pictures",
    "Progress",
    "RelativeChange",
    "Rule",
    "Stop",
    "StopWhen",
    "TensorBoard",
    "TimeLimit",
    "adapted",
]


def __getattr__(name: str) -> Any:
    if name == "Checkpoint":  # on first use: it needs torch
        from thalweg.store.checkpoint import Checkpoint

        return Checkpoint
    raise AttributeError(f"module 'thalweg.observers' has no attribute {name!r}")
