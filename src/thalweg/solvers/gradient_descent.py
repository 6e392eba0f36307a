"""Full-batch gradient descent, plain and with momentum.

    v_0 = 0,   v_{t+1} = momentum v_t + g(theta_t),   theta_{t+1} = theta_t - lr v_{t+1}              (heavy ball)
    nesterov:                                         theta_{t+1} = theta_t - lr (g + momentum v_{t+1})

as `torch.optim.SGD` computes them, operation for operation. An uncleared gradient in PyTorch is the heavy ball with
momentum 1. Where the rate is searched, a step that does not lower the loss enough is tried again shorter; with momentum
it is first tried without, from v = 0 (O'Donoghue & Candes 2015, doi:10.1007/s10208-013-9150-3).

References: Polyak (1964), doi:10.1016/0041-5553(64)90137-5; Nesterov (1983), Soviet Mathematics Doklady 27, 372.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.problem import Problem
from thalweg.solvers.armijo import Armijo, rounding
from thalweg.solvers.base import State, Status
from thalweg.solvers.descent import RISING, DescentSolver, DescentState, Differentiation, first_point, read
from thalweg.solvers.rates import MAJORIZE, Chosen, LearningRate, check_lr, check_momentum, choose_rate, scheduled

if TYPE_CHECKING:
    from thalweg.observers.rules import Rule
    from thalweg.solvers.replay import Replay


@final
@dataclass(frozen=True)
class MomentumState(DescentState):
    """With the velocity v_t and what the search for a rate remembers.

    Attributes
    ----------
    velocity : Tensor, (p,)
    momentum : float
    trial : float
        The rate that the next search tries first.
    searched : bool
        Whether rates are searched at all.
    evaluations : int
        Of the loss, so far.
    rises : int
        Steps in a row that raised the loss.
    stalled : bool
        No rate lowered the loss.
    how : str
        Where a chosen rate comes from.
    """

    velocity: Float[Tensor, "p"] | None = None
    momentum: float = 0.0
    trial: float = math.nan
    searched: bool = False
    evaluations: int = 1
    rises: int = 0
    stalled: bool = False
    how: str = ""


@final
class GradientDescent(DescentSolver):
    """Full-batch gradient descent.

    Parameters
    ----------
    lr : float, "auto", schedule or Armijo
        Learning rate, > 0; "auto" chooses it (`thalweg.solvers.rates`; `fit.descent.solution.details` tells which); a
        callable from step to rate, as `thalweg.CosineDecay(0.1, steps=500)`; or `thalweg.Armijo()`, which searches.
    steps : int
        Most steps.
    momentum : float or "auto"
        In [0, 1]; 1 is a gradient that is never cleared. "auto" with lr="auto": the fastest pair.
    nesterov : bool
        Look ahead along the velocity.
    allow_divergence : bool
        Run a rate that is known to diverge, until the loss is no number any more.
    loss : {"mean", "sum", "half mean", "half sum"}
        How rows are added up: see `thalweg.convention`.
    derivative : {"hand", "autograd", "module"} or callable
        Where gradients come from: see `thalweg.derivatives`.
    dtype : {"float64", "float32"}
    device : str, optional
        That of the data by default.
    replay : bool, optional
        Whether the states come in closed form, without running the loop, where the loss is a quadratic and the rate
        constant. None: where it applies.

    Raises
    ------
    OptionError
        Options that contradict each other, or are out of range.
    DivergenceError
        From the fit, before its first step: a rate beyond the stable limit of a squared loss.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr="auto", steps=200))
    >>> {name: round(value, 6) for name, value in fit.coefficients.items()}
    {'Intercept': 1.0, 'x': 2.0}
    """

    state_type: ClassVar[type[DescentState]] = MomentumState

    def __init__(
        self,
        lr: LearningRate = "auto",
        steps: int = 1000,
        *,
        momentum: float | Literal["auto"] = 0.0,
        nesterov: bool = False,
        allow_divergence: bool = False,
        loss: str = "mean",
        derivative: Differentiation = "hand",
        dtype: str = "float64",
        device: str | None = None,
        replay: bool | None = None,
    ) -> None:
        super().__init__(
            steps, loss=loss, derivative=derivative, dtype=dtype, device=device, allow_divergence=allow_divergence
        )
        check_lr(lr)
        check_momentum(momentum, nesterov, lr)
        if replay is not None and not isinstance(replay, bool):
            raise OptionError(f"replay is {replay!r}", advice="Give True, False or None.")
        self._constant = None if callable(lr) or isinstance(lr, str | Armijo) else float(lr)
        self.lr: LearningRate = lr if self._constant is None else self._constant
        self.momentum: float | Literal["auto"] = "auto" if isinstance(momentum, str) else float(momentum)
        self.nesterov, self.replay = nesterov, replay

    def chosen(self, problem: Problem, theta: Float[Tensor, "p"]) -> Chosen:
        """The rate and momentum of a descent from theta."""
        return choose_rate(problem, theta, self.lr, self.momentum, self.nesterov)

    def init(self, objective: Problem, theta: Float[Tensor, "p"] | None) -> MomentumState:
        if self._constant is not None and not self.allow_divergence and not isinstance(self.momentum, str):
            from thalweg.diagnose.rates import check_rate

            check_rate(objective, self._constant, momentum=self.momentum, nesterov=self.nesterov)
        start, value, gradient = first_point(objective, theta)
        loss, size = read(value, gradient)
        chosen = self.chosen(objective, start)
        return MomentumState(
            theta=start,
            value=loss,
            gradient_size=size,
            gradient=gradient,
            rate=chosen.rate,
            start_value=loss,
            start=start,
            velocity=torch.zeros_like(start),
            momentum=chosen.momentum,
            trial=chosen.rate,
            searched=chosen.search is not None,
            how=chosen.how,
        )

    def step(self, objective: Problem, state: State) -> MomentumState:
        assert isinstance(state, MomentumState)
        if state.searched:
            return self._searched(objective, state)
        rate = self._rate(state) if self._constant is None else self._constant
        velocity, direction = self._direction(state) if state.momentum else (state.gradient, state.gradient)
        assert direction is not None
        theta = torch.sub(state.theta, direction, alpha=rate)
        value, gradient = objective.value_and_gradient(theta)
        loss, size = read(value, gradient)
        return state.next(
            theta=theta,
            value=loss,
            gradient_size=size,
            gradient=gradient,
            rate=rate,
            velocity=velocity,
            evaluations=state.evaluations + 1,
            rises=state.rises + 1 if loss > state.value else 0,
        )

    def _rate(self, state: MomentumState) -> float:
        """A rate that is not constant."""
        return scheduled(self.lr, state.step) if callable(self.lr) else state.trial

    def _direction(self, state: MomentumState) -> tuple[Tensor, Tensor]:
        """v_{t+1}, and what the rate multiplies."""
        gradient, momentum = state.gradient, state.momentum
        assert gradient is not None
        if not momentum:
            return gradient, gradient
        assert state.velocity is not None
        velocity = state.velocity.mul(momentum).add_(gradient)
        return velocity, gradient.add(velocity, alpha=momentum) if self.nesterov else velocity

    # --- searched rates -----------------------------------------------------------------------------------------

    def _searched(self, problem: Problem, state: MomentumState) -> MomentumState:
        """The first rate that lowers the loss enough: with the velocity, else without."""
        if state.momentum:
            new = self._try_velocity(problem, state)
            if new is not None:
                return new
        return self._backtracked(problem, state)

    def _try_velocity(self, problem: Problem, state: MomentumState) -> MomentumState | None:
        """A step with momentum, where it does not raise the loss."""
        velocity, direction = self._direction(state)
        theta = torch.sub(state.theta, direction, alpha=state.trial)
        value, gradient = problem.value_and_gradient(theta)
        loss, size = read(value, gradient)
        if not loss <= state.value + rounding(state.value, problem.dtype):
            return None
        changed = {"theta": theta, "value": loss, "gradient_size": size, "gradient": gradient, "velocity": velocity}
        return state.next(**changed, rate=state.trial, evaluations=state.evaluations + 1)

    def _backtracked(self, problem: Problem, state: MomentumState) -> MomentumState:
        """A step along the gradient, as long as the search allows."""
        search = self.lr if isinstance(self.lr, Armijo) else MAJORIZE
        gradient = state.gradient
        assert gradient is not None
        tried: dict[str, Any] = {}

        def trial(rate: float) -> tuple[float, float]:
            theta = torch.sub(state.theta, gradient, alpha=rate)
            value, slope = problem.value_and_gradient(theta)
            loss, size = read(value, slope)
            tried.update(theta=theta, value=loss, gradient_size=size, gradient=slope, velocity=gradient)
            return loss, slope.dot(gradient).item()

        noise = rounding(state.value, problem.dtype)
        rate, count = search.search(trial, state.value, state.gradient_size**2, state.trial, noise)
        evaluations = state.evaluations + count + int(bool(state.momentum))
        if rate == 0:
            return state.next(stalled=True, evaluations=evaluations)
        following = rate * search.grow if count == 1 else rate
        return state.next(**tried, rate=rate, trial=following, evaluations=evaluations)

    def leap(
        self,
        objective: Problem,
        theta: Float[Tensor, "p"] | None,
        observers: Sequence[Callable[[State], None]],
        rule: Rule | None,
    ) -> Replay | None:
        from thalweg.solvers.replay import leap

        return leap(self, objective, theta, observers, rule)

    # --- endings ------------------------------------------------------------------------------------------------

    def terminate(self, objective: Problem, state: State) -> Status | None:
        assert isinstance(state, MomentumState)
        if state.stalled:
            return Status.STALLED
        if state.rises >= RISING and self._only_rises(state) and not self.allow_divergence:
            return Status.DIVERGED
        return super().terminate(objective, state)

    def _only_rises(self, state: MomentumState) -> bool:
        """Whether the loss is on a way up that a stable rate never takes: a constant one, without momentum."""
        return self._constant is not None and state.momentum == 0 and state.value > state.start_value

    def _settled(self, state: DescentState) -> bool:
        assert isinstance(state, MomentumState)
        return state.momentum == 0 or state.velocity is None or not bool(state.velocity.any())

    def _at_limit(self, state: DescentState) -> Status:
        assert isinstance(state, MomentumState)
        return Status.DIVERGED if state.rises > 1 and self._only_rises(state) else Status.LIMIT

    def follow(self, lr: float, momentum: float) -> dict[str, Any] | None:
        return followed(lr, momentum, bool(self.momentum), self.nesterov)

    def _beyond(self, problem: Problem, state: DescentState) -> bool:
        """Not where the rate is known to be stable: the heavy ball may rise far before it settles."""
        told = self.recursion(state)
        if problem.quadratic is not None and told:
            from thalweg.diagnose.rates import stable_limit

            largest = float(problem.quadratic.eigenvalues[-1])
            if told["lr"] <= stable_limit(largest, told["momentum"], told["nesterov"]):
                return False
        return super()._beyond(problem, state)

    def recursion(self, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, MomentumState)
        if state.searched or callable(self.lr):
            return {}
        return {
            "lr": state.rate, "momentum": state.momentum, "nesterov": self.nesterov, "velocity": state.velocity
        }  # fmt: skip

    def details(self, problem: Problem, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, MomentumState)
        told = {**super().details(problem, state), "momentum": state.momentum, "evaluations": state.evaluations}
        return {**told, "lr_chosen": state.how} if state.how else told

    def passes(self, problem: Problem, state: DescentState) -> int:
        assert isinstance(state, MomentumState)
        return state.evaluations


def followed(lr: float, momentum: float, had_momentum: bool, had_nesterov: bool) -> dict[str, Any]:
    """lr and momentum as options, with what has to be taken back of those that were given."""
    options: dict[str, Any] = {"lr": lr}
    if momentum or had_momentum:
        options["momentum"] = momentum
    return {**options, "nesterov": False} if had_nesterov else options
