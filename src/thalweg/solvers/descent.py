"""What all descents share: options, state, when a descent ends, and how its state is kept for later."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.convention import CONVENTIONS
from thalweg.derivatives import Derivative, derivative_of
from thalweg.errors import OptionError
from thalweg.objective import Objective
from thalweg.problem import MemoryProblem, Problem, problem_of
from thalweg.solvers.base import Solution, Solver, State, Status
from thalweg.solvers.schedules import whole
from thalweg.solvers.start import constant_point, starting_point

Differentiation = str | Derivative | Callable[..., Any]
"""What `derivative` may be: a name, or a function gradient(parameters, x, y)."""

Kind = TypeVar("Kind", bound="DescentState")
Same = TypeVar("Same", bound="DescentSolver")
DTYPES = {"float64": torch.float64, "float32": torch.float32}
BEYOND = 1e4  # times the loss at the start (or without parameters): a loss that no descent comes back from
FEW = 8  # parameters whose gradient is read as numbers
RISING = 50  # steps of a constant rate without momentum that all raise the loss: no stable rate raises it at all


@dataclass(frozen=True)
class DescentState(State):
    """A state of a descent: value is the loss in the solver's convention, gradient_size the Euclidean norm.

    Attributes
    ----------
    gradient : Tensor, (p,)
        At theta.
    rate : float
        The learning rate of the step that led here; of the first state, that of the step to come.
    start_value : float
        The loss where the descent began.
    whole : bool
        Whether value is the loss over all rows, and not over a batch.
    start : Tensor, (p,)
        Where the descent began.
    """

    gradient: Float[Tensor, "p"] | None = None
    rate: float = math.nan
    start_value: float = math.nan
    whole: bool = True
    start: Float[Tensor, "p"] | None = None

    def next(self: Kind, **changes: Any) -> Kind:
        """The state of one step more: this one with other values. (`dataclasses.replace` takes ten times as long.)"""
        new = object.__new__(type(self))
        values = vars(new)
        values.update(vars(self))
        values.update(changes)
        values["step"] += 1
        return new


class DescentSolver(Solver[Problem]):
    """A solver that follows gradients, with the options that all of them have.

    Parameters
    ----------
    steps : int
        Most steps.
    loss : str
        "mean", "sum", "half mean" or "half sum": see `thalweg.convention`.
    derivative : str or callable
        "hand", "autograd", "module", or a function of your own: see `thalweg.derivatives`.
    dtype : str
        "float64" or "float32".
    device : str, optional
        That of the data by default.
    allow_divergence : bool
        Go on where the loss has left all bounds, until it is no number any more.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gradient"})
    state_type: ClassVar[type[DescentState]] = DescentState

    def __init__(
        self,
        steps: int = 1000,
        *,
        loss: str = "mean",
        derivative: Differentiation = "hand",
        dtype: str = "float64",
        device: str | None = None,
        allow_divergence: bool = False,
    ) -> None:
        whole("steps", steps, 0)
        for name, value, known in (("loss", loss, CONVENTIONS), ("dtype", dtype, DTYPES)):
            if value not in known:
                raise OptionError(f"{name} is {value!r}", advice=f"Use one of {', '.join(map(repr, known))}.")
        self.steps, self.loss, self.dtype, self.device = steps, loss, dtype, device
        self.derivative = derivative_of(derivative)
        self.allow_divergence = allow_divergence

    def target(self, objective: Objective, names: tuple[str, ...]) -> Problem:
        """The problem that this solver makes of a formula's rows."""
        problem = problem_of(
            objective,
            names,
            self.loss,
            dtype=DTYPES[self.dtype],
            device=self.device,
            derivative=self.derivative,
        )
        problem.objective = objective
        return problem

    def limit(self, problem: Problem) -> int:
        """Most steps."""
        return self.steps

    def terminate(self, objective: Problem, state: State) -> Status | None:
        assert isinstance(state, DescentState)
        if not (math.isfinite(state.value) and math.isfinite(state.gradient_size)):
            return Status.DIVERGED
        far = state.whole and state.value > BEYOND * abs(state.start_value) and not self.allow_divergence
        if far and self._beyond(objective, state):
            return Status.DIVERGED
        if state.gradient_size == 0 and self._settled(state):
            return Status.CONVERGED
        return None if state.step < self.limit(objective) else self._at_limit(state)

    def _beyond(self, problem: Problem, state: DescentState) -> bool:
        """Whether the loss is far above what it is without parameters too: the start may have been next to perfect."""
        without = float(problem.value(torch.zeros_like(state.theta)))
        return not state.value <= state.start_value + BEYOND * abs(without)

    def _settled(self, state: DescentState) -> bool:
        """Whether a gradient of 0 means that nothing moves any more."""
        return True

    def _at_limit(self, state: DescentState) -> Status:
        """The status at the last step."""
        return Status.LIMIT

    # --- what it is called, and what it can be set to ---------------------------------------------------------------

    @property
    def name(self) -> str:
        """ "GradientDescent", or what users call it."""
        return type(self).__name__

    def title(self, rates: Sequence[float] = ()) -> str:
        """ "GradientDescent, lr 0.1, momentum 0.9"; a rate that the solver found itself is taken from its states."""
        return ", ".join([self.name, *self.settings(rates)])

    def settings(self, rates: Sequence[float] = ()) -> Iterator[str]:
        """Rate and momentum in words."""
        told = vars(self) | getattr(self, "options", {})
        rate = getattr(self, "schedule", None) or told.get("lr")
        if isinstance(rate, str):
            yield f"lr {rates[0]:.3g} (found)" if len(set(rates)) == 1 else f"lr {rate}"
        elif rate is not None:
            yield f"lr {float(rate):g}" if isinstance(rate, int | float | Tensor) else f"lr {called(rate)}"
        momentum = told.get("momentum")
        if isinstance(momentum, int | float) and momentum:
            yield f"{'Nesterov ' if told.get('nesterov') else ''}momentum {momentum:g}"

    def changed(self: Same, **options: Any) -> Same:
        """The same solver with other values of the options that `longer` and `calmer` name."""
        new = copy.copy(self)
        for name, value in options.items():
            setattr(new, name, value)
        return new

    def copied(self, problem: Problem, state: DescentState) -> DescentState:
        """A state from which to go on without a change of this one."""
        return state

    def every(self, problem: Problem) -> int:
        """Steps come in multiples of this."""
        return 1

    def whole_batches(self, rows: int) -> bool:
        """Whether every step reads all rows."""
        return True

    def longer(self, problem: Problem, steps: int) -> dict[str, Any]:
        """Options with which it takes so many steps, or a few more."""
        return {"steps": steps}

    def calmer(self, problem: Problem, steps: int, *, falls: bool) -> dict[str, Any]:
        """Options that bring a descent nearer that has taken so many steps and does not settle; none: {}."""
        return {}

    def follow(self, lr: float, momentum: float) -> dict[str, Any] | None:
        """Options that make it the recursion of `GradientDescent`; None where it is another method."""
        return None

    def recursion(self, state: DescentState) -> dict[str, Any]:
        """lr, momentum, nesterov and velocity, as far as they stay as they are: what the steps to come depend on."""
        return {}

    def details(self, problem: Problem, state: DescentState) -> dict[str, Any]:
        """What the solution tells of the way."""
        return {"gradient_size": state.gradient_size, "lr": state.rate}

    def passes(self, problem: Problem, state: DescentState) -> int:
        """Readings of all rows."""
        return state.step + 1

    def solution(self, objective: Problem, state: State, status: Status) -> Solution:
        from thalweg.solvers.ending import ending

        assert isinstance(state, DescentState)
        return ending(self, objective, state, status)

    def diverged(self, objective: Problem, best: State, last: State) -> Solution:
        from thalweg.solvers.ending import divergence

        assert isinstance(best, DescentState)
        assert isinstance(last, DescentState)
        return divergence(self, objective, best, last)

    # --- kept for later -----------------------------------------------------------------------------------------

    def snapshot(self, state: DescentState) -> dict[str, Tensor | float | int | str]:
        """A state as tensors, numbers and text by name; `restored` makes it a state again, bit for bit."""
        kept: dict[str, Tensor | float | int | str] = {}
        for each in fields(state):
            value = getattr(state, each.name)
            if isinstance(value, tuple):
                value = torch.stack(value) if value else None
            if value is not None:
                kept[each.name] = value.detach().clone() if isinstance(value, Tensor) else value
        return kept

    def restored(self, problem: Problem, kept: Mapping[str, Tensor | float | int | str]) -> DescentState:
        """The state that `snapshot` kept, from which the descent goes on as if it had never stopped."""
        values: dict[str, Any] = {}
        for each in fields(self.state_type):
            value: Any = kept.get(each.name)
            if isinstance(value, Tensor):
                value = value.clone() if value.dtype is torch.uint8 else value.to(problem.device, copy=True)
                if "tuple" in str(each.type):
                    value = value.unbind()
            if value is not None:
                values[each.name] = value
        return self.state_type(**values)


def start_of(problem: Problem, theta: Float[Tensor, "p"] | None) -> Float[Tensor, "p"]:
    """The user's start, or the predictor's own (zeros of a formula), in the problem's type and on its device."""
    if theta is None and isinstance(problem, MemoryProblem):
        theta = problem.predictor.start()
    if theta is None:
        return torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    return theta.detach().to(dtype=problem.dtype, device=problem.device, copy=True)


def first_point(
    problem: Problem, theta: Float[Tensor, "p"] | None
) -> tuple[Float[Tensor, "p"], Float[Tensor, ""], Float[Tensor, "p"]]:
    """(theta, f, gradient) at the start: the user's, else zeros, else a constant mean where zeros are no model.

    Raises
    ------
    DataError
        The loss there is no number.
    """
    start = start_of(problem, theta)
    value, gradient = problem.value_and_gradient(start)
    if theta is None and not math.isfinite(value) and problem.objective is not None:
        start = start_of(problem, _feasible(problem.objective))
        value, gradient = problem.value_and_gradient(start)
    if not math.isfinite(value):
        from thalweg.diagnose.start import bad_start

        raise bad_start(problem, start, "Give others with start=." if theta is not None else "Give some with start=.")
    return start, value, gradient


def _feasible(objective: Objective) -> Float[Tensor, "p"]:
    """The coefficients of a constant mean, where that is in the domain; else what Newton's method starts from."""
    constant = constant_point(objective)
    if constant is not None and math.isfinite(objective(constant, 0).value):
        return constant
    return starting_point(objective)


def read(value: Float[Tensor, ""], gradient: Float[Tensor, "p"]) -> tuple[float, float]:
    """f and |gradient| as numbers: the only reading of a step, and one synchronisation on a device.

    On a processor the product g'g takes a third of the time of a norm, and a few numbers are squared and added faster
    outside of PyTorch; beyond the range of both the norm is taken, which overflows where that of the type does.
    """
    if gradient.is_cpu and gradient.numel() <= FEW:
        size = math.hypot(*gradient.tolist())
        if 1e-15 < size < 1e15:
            return value.item(), size
    if gradient.device.type != "cpu":
        loss, size = torch.stack([value, torch.linalg.vector_norm(gradient).to(value.dtype)]).tolist()
        return loss, size
    square = gradient.dot(gradient).item()
    if 1e-30 < square < 1e30:
        return value.item(), math.sqrt(square)
    return value.item(), torch.linalg.vector_norm(gradient).item()


def called(rate: Any) -> str:
    """A schedule, a search or a function by its name."""
    return str(getattr(rate, "__name__", type(rate).__name__))
