"""One step of a descent written out: predictions, errors, gradient, update and loss, with the numbers in the formulas.

The numbers are those of the descent: theta at the step and after it from its history, the gradient from the function
that it minimized. Where the update by formula and the one that the history shows are not the same, the text says so and
shows the latter: it explains what happened, not what should have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.errors import NotAvailableError, OptionError
from thalweg.solvers.batches import Order

if TYPE_CHECKING:
    from thalweg.descent import Descent


@final
@dataclass(frozen=True, eq=False)
class Step:
    """A step of a descent, with everything that its text needs.

    Attributes
    ----------
    descent : Descent
    number : int
        From state `number` to the next.
    theta, after : Tensor, (p,)
        The parameters there and after the step.
    batch : Tensor or None
        Rows of a mini-batch.
    value, value_after : float
        The loss at both, over the same rows.
    gradient : Tensor, (p,)
    rate : float
        The learning rate of the step.
    velocity : Tensor or None
        Before the step, of a descent with momentum.
    kept : bool
        Whether `after` comes from the history; else it was computed here.
    """

    descent: Descent
    number: int
    theta: Float[Tensor, "p"]
    after: Float[Tensor, "p"]
    batch: Int[Tensor, "m"] | None
    value: float
    value_after: float
    gradient: Float[Tensor, "p"]
    rate: float
    velocity: Float[Tensor, "p"] | None
    kept: bool = True

    @property
    def momentum(self) -> float:
        return momentum_of(self.descent)

    @property
    def nesterov(self) -> bool:
        return bool(getattr(self.descent.solver, "nesterov", False))

    @property
    def new_velocity(self) -> Float[Tensor, "p"]:
        """v_{t+1} = momentum v_t + g."""
        return self.gradient if self.velocity is None else self.momentum * self.velocity + self.gradient

    @property
    def direction(self) -> Float[Tensor, "p"]:
        """What the rate multiplies."""
        return self.gradient + self.momentum * self.new_velocity if self.nesterov else self.new_velocity

    @property
    def by_formula(self) -> bool:
        """Whether theta - rate * direction is where the descent went, to rounding."""
        if not follows_a_formula(self.descent) or not math.isfinite(self.rate):
            return False
        moved = self.theta - self.rate * self.direction
        size = self.theta.abs() + (self.rate * self.direction).abs() + self.after.abs()
        close = (moved - self.after).abs() <= 64 * math.sqrt(torch.finfo(self.theta.dtype).eps) * 1e-3 * size
        return bool((close | ~torch.isfinite(self.after)).all())


def explain_step(descent: Descent, step: int = 0) -> str:
    """One step of a descent written out, with the numbers put into the formulas.

    Parameters
    ----------
    descent : Descent
        `fit.descent`, or what `thalweg.fit` returns for a predictor that is no formula.
    step : int, default 0
        The step from state `step` to state `step + 1`; negative ones count from the end.

    Returns
    -------
    str
        Predictions and errors row by row (of more than eight rows the first three, and the sums), the loss, each entry
        of the gradient, the update of each parameter, and the loss after it. Of a mini-batch its own rows.

    Raises
    ------
    OptionError
        A step that the descent did not take, or whose state its history let go.
    NotAvailableError
        With momentum, where the history let the neighbouring states go.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.0]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=200))
    >>> print(fit.explain_step(0))
    Step 0: from state 0 to state 1 of GradientDescent, lr 0.1
    ...
      x <- 0 - 0.1 * (-17) = 1.7
    ...
    """
    from thalweg.show.step import step_text

    return step_text(step_of(descent, step))


def step_of(descent: Descent, number: int) -> Step:
    """The step itself, from the history."""
    trace, problem = descent.trace, descent.problem
    number = _checked(descent, number)
    here, there = _place(trace.step, number), _place(trace.step, number + 1)
    if here is None:
        raise OptionError(
            f"the history let state {number} go: it keeps one in {trace.every}",
            advice=f"Give a multiple of {trace.every}.",
        )
    theta, batch = trace.theta[here].to(device=problem.device, dtype=problem.dtype), batch_of(descent, number)
    value, gradient = problem.value_and_gradient(theta, batch)
    rate = float(trace.rate[here + 1] if here + 1 < len(trace.rate) else trace.rate[here])
    velocity = _velocity(descent, number)
    after = theta - rate * _direction(descent, gradient, velocity) if there is None else trace.theta[there].to(theta)
    value_after = float(problem.value(after, batch))
    return Step(
        descent, number, theta, after, batch, float(value), value_after, gradient, rate, velocity, there is not None
    )


def _checked(descent: Descent, number: int) -> int:
    """The step, counted from 0."""
    taken = descent.trace.step[-1]
    if not isinstance(number, int) or isinstance(number, bool) or not -taken <= number < taken:
        steps = f"0 to {taken - 1}" if taken > 0 else "none"
        raise OptionError(
            f"there is no step {number!r}: the descent took {steps}", advice=f"Give one of {steps}." if taken else None
        )
    return number % taken


def _place(steps: list[int], number: int) -> int | None:
    """Where a state is in the history."""
    return steps.index(number) if number in steps else None


def follows_a_formula(descent: Descent) -> bool:
    """Whether its update is theta - rate * (gradient or velocity): that of the solvers that have a momentum."""
    return hasattr(descent.solver, "momentum") and not getattr(descent.solver, "average", False)


def momentum_of(descent: Descent) -> float:
    """The momentum that was used; 0 where there is none."""
    used: Any = descent.solution.details.get("momentum", getattr(descent.solver, "momentum", 0.0))
    return float(used) if isinstance(used, int | float) else 0.0


def batch_of(descent: Descent, number: int) -> Int[Tensor, "m"] | None:
    """The rows that step `number` followed; None: all of them."""
    size, problem = getattr(descent.solver, "batch_size", None), descent.problem
    if size is None:
        return None
    solver: Any = descent.solver
    order = Order.first(problem.rows, solver.seed, problem.device)
    for _ in range(number + 1):
        batch, order = order.take(size, solver.drop_last)
    return batch


def _velocity(descent: Descent, number: int) -> Float[Tensor, "p"] | None:
    """v_t before a step, from the two states before it; None without momentum.

    theta_{t-1} - theta_t = rate v_t, or with Nesterov's momentum rate (g_{t-1} + momentum v_t).
    """
    momentum = momentum_of(descent)
    if not momentum or not follows_a_formula(descent):
        return None
    trace, problem = descent.trace, descent.problem
    places = _place(trace.step, number - 1), _place(trace.step, number)
    if number == 0:
        return torch.zeros_like(trace.theta[0]).to(device=problem.device, dtype=problem.dtype)
    if places[0] is None or places[1] is None:
        raise NotAvailableError(
            f"the velocity before step {number} is not known: the history keeps one state in {trace.every}",
            advice="Explain a step of a shorter descent, or step 0.",
        )
    before, here = (trace.theta[place].to(device=problem.device, dtype=problem.dtype) for place in places)  # type: ignore[index]
    moved = (before - here) / trace.rate[places[1]]
    if not getattr(descent.solver, "nesterov", False):
        return moved
    return (moved - problem.value_and_gradient(before, batch_of(descent, number - 1))[1]) / momentum


def _direction(descent: Descent, gradient: Tensor, velocity: Tensor | None) -> Float[Tensor, "p"]:
    """For a state that the history let go: only a plain descent can be followed without it."""
    if velocity is not None or not follows_a_formula(descent):
        raise NotAvailableError(
            f"the state after this step was let go: the history keeps one in {descent.trace.every}",
            advice="Explain a step of a shorter descent.",
        )
    return gradient
