"""What a solver is: init, step and terminate over explicit state, and the outcome of a solve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from thalweg.objective import Objective

if TYPE_CHECKING:
    from thalweg.observers.history import History
    from thalweg.observers.rules import Rule


class Status(Enum):
    """How a solve ended. The value is the word that tables show."""

    CONVERGED = "converged"
    LIMIT = "stopped at the limit of steps"
    STALLED = "no further decrease possible"
    SEPARATED = "separated"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped by an observer"
    REACHED = "stopped by its rule"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class State:
    """Where a solver is; subclasses add what they carry from step to step.

    Attributes
    ----------
    theta : Tensor, (p,), float64
        The parameters.
    value : float
        The objective there.
    gradient_size : float
        A scale-free size of the gradient: 0 at the optimum (each solver's docstring defines it).
    step : int
        Steps taken so far.
    """

    theta: Float[Tensor, "p"]
    value: float
    gradient_size: float
    step: int = 0


@dataclass(frozen=True)
class Solution:
    """The outcome of a solve.

    Attributes
    ----------
    theta : Tensor, (p,), float64
        The parameters; 0 where a column is aliased.
    status : Status
    advice : str
        One or two sentences for the user: empty when there is nothing to do.
    inverse_curvature : Tensor, (p, p), optional
        Inverse of sum_i w_i loss''_i x_i x_i' at theta, with zeros in the rows and columns of aliased columns.
        For a squared loss that is (X'WX)^-1.
    aliased : mapping of int to str
        Column index to reason, as "equal to 2 * x1 + 3 * Intercept": columns that are combinations of earlier ones.
    value : float
        The objective at theta (a sum, not a mean).
    steps, passes : int
        How many steps were taken, and how many readings of all rows.
    no_covariance : str
        Why inverse_curvature is None, in words: "the descent stopped 3 standard errors from the optimum".
    """

    theta: Float[Tensor, "p"]
    status: Status
    advice: str
    inverse_curvature: Float[Tensor, "p p"] | None
    value: float
    steps: int
    passes: int
    aliased: dict[int, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    no_covariance: str = ""


Target = TypeVar("Target")
"""What a solver minimizes: an `Objective` (sums over all rows), or a `Problem` (a loss whose scale has a meaning)."""


@runtime_checkable
class Leap(Protocol):
    """The states of a solve in closed form.

    Attributes
    ----------
    first : State
    reached : bool
        Whether the rule that it was given ended it; known after the last state.
    """

    first: Any
    reached: bool

    def __iter__(self) -> Iterator[State]:
        """The states that the observers look at, and the last."""

    def best(self, last: int) -> State:
        """The state of least value up to a step."""

    def fill(self, history: History, last: Any) -> None:
        """Give a history the states up to the last."""


class Solver(ABC, Generic[Target]):
    """A solver: explicit state, no printing, no loop of its own."""

    needs: ClassVar[frozenset[str]]  # of what it minimizes: its `has`

    def target(self, objective: Objective, names: tuple[str, ...]) -> Target:
        """What this solver minimizes of a formula's rows: the objective itself, or a problem made of it."""
        return cast(Target, objective)

    @abstractmethod
    def init(self, objective: Target, theta: Float[Tensor, "p"] | None) -> State:
        """The first state; theta is a start given by the user."""

    @abstractmethod
    def step(self, objective: Target, state: State) -> State:
        """One step."""

    @abstractmethod
    def terminate(self, objective: Target, state: State) -> Status | None:
        """The status with which to stop at this state, or None to go on."""

    @abstractmethod
    def solution(self, objective: Target, state: State, status: Status) -> Solution:
        """What the last state means."""

    def leap(
        self,
        objective: Target,
        theta: Float[Tensor, "p"] | None,
        observers: Sequence[Callable[[State], None]],
        rule: Rule | None,
    ) -> Leap | None:
        """The states without the steps between them, where they are known in closed form; None: run the loop."""
        return None

    def diverged(self, objective: Target, best: State, last: State) -> Solution:
        """What is left of a solve that diverged: its best state, and why."""
        return self.solution(objective, best, Status.DIVERGED)
