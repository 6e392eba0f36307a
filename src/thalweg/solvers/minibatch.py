"""Stochastic gradient descent on mini-batches.

At step t, with g_t the gradient of the loss over batch t (of b rows, in the order of `thalweg.solvers.batches`):

    v_{t+1} = momentum v_t + g_t(theta_t),     theta_{t+1} = theta_t - lr_t v_{t+1}                               (1)
    nesterov: theta_{t+1} = theta_t - lr_t (g_t + momentum v_{t+1})
    average:  mean_{t+1} = mean_t + 4 / (t + 4) (theta_{t+1} - mean_t)                                            (2)

(1) is `torch.optim.SGD`. With a constant rate it never settles: theta goes on moving about the optimum by as much as
the noise of a batch and the rate make it. It settles where the rate falls (`thalweg.InverseDecay`), or in the mean of
the iterates: (2) weighs theta_t by about t^3, so that the way from the start is soon forgotten.

References: Robbins & Monro (1951), doi:10.1214/aoms/1177729586; Polyak & Juditsky (1992), doi:10.1137/0330046;
Shamir & Zhang (2013), arXiv:1212.1824, section 4, for (2) with eta = 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast, final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.problem import Problem
from thalweg.solvers.armijo import Armijo
from thalweg.solvers.base import Solution, State, Status
from thalweg.solvers.batches import Order, per_epoch
from thalweg.solvers.descent import DescentSolver, DescentState, Differentiation, first_point, read
from thalweg.solvers.rates import LearningRate, check_lr, check_momentum, choose_batch_rate, scheduled
from thalweg.solvers.schedules import whole

AVERAGED = 3  # eta of equation (2)


@dataclass(frozen=True)
class BatchState(DescentState):
    """A state of a descent on mini-batches.

    `value` and `gradient` are those of the batch that the next step follows; where `whole` is true, value is the loss
    over all rows instead: at the start, then every `evaluate` steps, and at the last step.

    Attributes
    ----------
    position, epoch : int
        Rows taken of this epoch's order, the batch of this state among them; epochs before this one.
    before, after : Tensor of uint8
        The generator's states: `thalweg.solvers.batches.Order`.
    rows : Tensor of int64, (n,)
        This epoch's order. (A checkpoint holds none: it is drawn again.)
    best_theta, best_value : Tensor, (p,), and float
        Of the states whose loss over all rows is known, the one with the least.
    """

    position: int = 0
    epoch: int = 0
    before: UInt8[Tensor, "k"] | None = None
    after: UInt8[Tensor, "k"] | None = None
    rows: Int[Tensor, "n"] | None = None
    best_theta: Float[Tensor, "p"] | None = None
    best_value: float = math.inf

    @property
    def order(self) -> Order:
        """The place in the sequence of batches."""
        assert self.rows is not None
        assert self.before is not None
        assert self.after is not None
        return Order(self.rows, self.position, self.epoch, self.before, self.after)


class BatchSolver(DescentSolver):
    """What descents on mini-batches share: how many steps, which batch, and when the loss of all rows is evaluated.

    Parameters
    ----------
    epochs, steps : int, optional
        Readings of the rows, or steps: one of the two.
    batch_size : int or None
        Rows of a batch, >= 1; None: all rows at each step, in their own order.
    evaluate : int, optional
        The loss over all rows is evaluated every so many steps; at each epoch's end where it is not given.
    drop_last : bool
        Leave out the rows at an epoch's end that are too few for a batch.
    seed : int
        Of the generator that shuffles.
    """

    state_type: ClassVar[type[DescentState]] = BatchState

    def __init__(
        self,
        *,
        epochs: int | None,
        steps: int | None,
        batch_size: int | None,
        evaluate: int | None,
        drop_last: bool,
        seed: int,
        **shared: Any,
    ) -> None:
        if epochs is not None and steps is not None:
            raise OptionError("both epochs and steps are given", advice="Give one of them.")
        super().__init__(0 if steps is None else steps, **shared)
        for name, value in (("epochs", epochs), ("batch_size", batch_size), ("evaluate", evaluate)):
            if value is not None:
                whole(name, value)
        whole("seed", seed, 0, 2**63 - 1)
        if not isinstance(drop_last, bool):
            raise OptionError(f"drop_last is {drop_last!r}", advice="Give True or False.")
        self.epochs, self.batch_size, self.evaluate, self.seed = epochs, batch_size, evaluate, seed
        self.drop_last = drop_last

    def every(self, problem: Problem) -> int:
        return 1 if self.epochs is None else self.per_epoch(problem)

    def longer(self, problem: Problem, steps: int) -> dict[str, Any]:
        return {"steps": steps} if self.epochs is None else {"epochs": -(-steps // self.per_epoch(problem))}

    def whole_batches(self, rows: int) -> bool:
        return self.batch_size is None or self.batch_size >= rows

    def per_epoch(self, problem: Problem) -> int:
        """Steps of an epoch."""
        size = self.batch_size
        return 1 if size is None else per_epoch(problem.rows, size, self.drop_last)

    def limit(self, problem: Problem) -> int:
        return self.steps if self.epochs is None else self.epochs * self.per_epoch(problem)

    def begun(self, problem: Problem) -> dict[str, Any]:
        """Where the sequence of batches begins, before its first batch."""
        if self.batch_size is None:
            return {}
        return placed(Order.first(problem.rows, self.seed, problem.device))

    def batch(self, state: BatchState) -> tuple[Int[Tensor, "m"] | None, dict[str, Any]]:
        """The batch after that of a state, and its place; None: all rows."""
        if self.batch_size is None:
            return None, {}
        batch, order = state.order.take(self.batch_size, self.drop_last)
        return batch, placed(order)

    def evaluated(self, problem: Problem, state: BatchState, theta: Float[Tensor, "p"], value: float) -> dict[str, Any]:
        """value and whole of the state after this one, at theta, where its batch has this loss."""
        step = state.step + 1
        if self.batch_size is None:
            full = value
        elif step % (self.evaluate or self.per_epoch(problem)) and step < self.limit(problem):
            return {"value": value, "whole": False}
        else:
            full = problem.value(theta).item()
        found: dict[str, Any] = {"value": full, "whole": True}
        return {**found, "best_theta": theta, "best_value": full} if full <= state.best_value else found

    def _settled(self, state: DescentState) -> bool:
        return False  # a batch without a gradient says nothing of the others

    def passes(self, problem: Problem, state: DescentState) -> int:
        return -(-state.step // self.per_epoch(problem))

    def details(self, problem: Problem, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, BatchState)
        told = super().details(problem, state)
        return told if self.batch_size is None else {**told, "epochs": state.step / self.per_epoch(problem)}

    def solution(self, objective: Problem, state: State, status: Status) -> Solution:
        """Of the state, or, where the solve was interrupted in between, of the best whose whole loss is known."""
        assert isinstance(state, BatchState)
        if not state.whole and math.isfinite(state.value):
            state = self._whole(objective, state, status)
        return super().solution(objective, state, status)

    def _whole(self, problem: Problem, state: BatchState, status: Status) -> BatchState:
        """The same state with the loss over all rows, or a better one: a batch may have been a lucky one."""
        value = problem.value(state.theta).item()
        theta = state.theta
        if status is Status.INTERRUPTED and state.best_value < value and state.best_theta is not None:
            theta, value = state.best_theta, state.best_value
        new = state.next(theta=theta, value=value, whole=True)
        vars(new)["step"] = state.step
        return new

    def diverged(self, objective: Problem, best: State, last: State) -> Solution:
        assert isinstance(last, BatchState)
        if last.best_theta is not None:
            best = last.next(theta=last.best_theta, value=last.best_value, whole=True)
        return super().diverged(objective, best, last)

    def snapshot(self, state: DescentState) -> dict[str, Tensor | float | int | str]:
        kept = super().snapshot(state)
        kept.pop("rows", None)
        return kept

    def restored(self, problem: Problem, kept: Mapping[str, Tensor | float | int | str]) -> DescentState:
        state = cast(BatchState, super().restored(problem, kept))
        if state.before is not None:
            drawn = Order.drawn(problem.rows, state.before, problem.device)
            vars(state)["rows"] = drawn.rows
        return state


def placed(order: Order) -> dict[str, Any]:
    """An order as attributes of a state."""
    return {
        "rows": order.rows, "position": order.position, "epoch": order.epoch, "before": order.before,
        "after": order.after,
    }  # fmt: skip


@final
@dataclass(frozen=True)
class StochasticState(BatchState):
    """With the velocity; where iterates are averaged, theta is their mean and `iterate` the last of them."""

    velocity: Float[Tensor, "p"] | None = None
    iterate: Float[Tensor, "p"] | None = None
    chosen: float = math.nan
    how: str = ""


@final
class SGD(BatchSolver):
    """Stochastic gradient descent: each step follows the gradient of a few rows.

    Parameters
    ----------
    lr : float, "auto" or schedule
        Learning rate, > 0; "auto" is half the inverse of a batch's largest curvature (`thalweg.solvers.rates`); a
        callable from step to rate, as `thalweg.InverseDecay(0.1, k=1e-3)`, for a descent that settles.
    epochs : int, optional
        Readings of the rows; 10 where `steps` is not given either.
    steps : int, optional
        Most steps, in place of epochs.
    batch_size : int
        Rows of a batch, >= 1; more than there are: all.
    momentum : float
        In [0, 1].
    nesterov : bool
    average : bool
        Average the iterates, equation (2) of `thalweg.solvers.minibatch`.
    seed : int
        Of the generator that shuffles the rows for each epoch. No global seed is touched.
    drop_last : bool
        Leave out the rows at an epoch's end that are too few for a batch.
    evaluate : int, optional
        The loss over all rows is evaluated every so many steps; at each epoch's end where it is not given. In between
        the history shows the loss of the batch at hand.
    loss, derivative, dtype, device, allow_divergence :
        As for `thalweg.GradientDescent`.

    Raises
    ------
    OptionError
        Options that contradict each other, or are out of range.
    IncompatibleError
        From the fit, before its first step: rows that are not in memory have no batches to draw.

    Examples
    --------
    >>> import thalweg as tw
    >>> solver = tw.SGD("auto", epochs=200, batch_size=64, average=True, seed=1)
    >>> solver.batch_size
    64
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gradient", "batches"})
    state_type: ClassVar[type[DescentState]] = StochasticState

    def __init__(
        self,
        lr: LearningRate = "auto",
        epochs: int | None = None,
        *,
        steps: int | None = None,
        batch_size: int = 32,
        momentum: float = 0.0,
        nesterov: bool = False,
        average: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        evaluate: int | None = None,
        loss: str = "mean",
        derivative: Differentiation = "hand",
        dtype: str = "float64",
        device: str | None = None,
        allow_divergence: bool = False,
    ) -> None:
        super().__init__(
            epochs=10 if epochs is None and steps is None else epochs,
            steps=steps,
            batch_size=batch_size,
            evaluate=evaluate,
            drop_last=drop_last,
            seed=seed,
            loss=loss,
            derivative=derivative,
            dtype=dtype,
            device=device,
            allow_divergence=allow_divergence,
        )
        _check(lr, momentum, nesterov, average, batch_size)
        self.lr, self.momentum, self.nesterov, self.average = lr, momentum, nesterov, average

    def init(self, objective: Problem, theta: Float[Tensor, "p"] | None) -> StochasticState:
        start, value, _ = first_point(objective, theta)
        whole_loss = float(value)
        rate, how = self._first_rate(objective, start)
        place = BatchState(start, whole_loss, math.nan, **self.begun(objective))
        batch, at = self.batch(place)
        value, gradient = objective.value_and_gradient(start, batch)
        return StochasticState(
            theta=start,
            value=whole_loss,
            gradient_size=read(value, gradient)[1],
            gradient=gradient,
            rate=rate,
            start_value=whole_loss,
            start=start,
            best_theta=start,
            best_value=whole_loss,
            velocity=torch.zeros_like(start),
            iterate=start,
            chosen=rate,
            how=how,
            **at,
        )

    def _first_rate(self, problem: Problem, theta: Float[Tensor, "p"]) -> tuple[float, str]:
        if callable(self.lr):
            return scheduled(self.lr, 0), ""
        if isinstance(self.lr, str):
            assert self.batch_size is not None
            chosen = choose_batch_rate(problem, theta, self.batch_size, self.momentum)
            return chosen.rate, chosen.how
        return float(cast(float, self.lr)), ""

    def step(self, objective: Problem, state: State) -> StochasticState:
        assert isinstance(state, StochasticState)
        assert state.iterate is not None
        rate = scheduled(self.lr, state.step) if callable(self.lr) else state.chosen
        velocity, direction = self._direction(state)
        iterate = torch.sub(state.iterate, direction, alpha=rate)
        batch, at = self.batch(state)
        value, gradient = objective.value_and_gradient(iterate, batch)
        loss, size = read(value, gradient)
        theta = self._mean(state, iterate)
        return state.next(
            theta=theta, iterate=iterate, velocity=velocity, gradient=gradient, gradient_size=size, rate=rate,
            **at, **self.evaluated(objective, state, theta, loss),
        )  # fmt: skip

    def _direction(self, state: StochasticState) -> tuple[Tensor, Tensor]:
        """v_{t+1}, and what the rate multiplies."""
        gradient, momentum = state.gradient, self.momentum
        assert gradient is not None
        if not momentum:
            return gradient, gradient
        assert state.velocity is not None
        velocity = state.velocity.mul(momentum).add_(gradient)
        return velocity, gradient.add(velocity, alpha=momentum) if self.nesterov else velocity

    def _mean(self, state: StochasticState, iterate: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """Equation (2)."""
        if not self.average:
            return iterate
        return torch.lerp(state.theta, iterate, (AVERAGED + 1) / (state.step + 1 + AVERAGED))

    def calmer(self, problem: Problem, steps: int, *, falls: bool) -> dict[str, Any]:
        """The mean of the iterates, of more of them."""
        return {"average": True, **self.longer(problem, 2 * steps)} if not self.average else {}

    def recursion(self, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, StochasticState)
        if self.average or callable(self.lr) or state.rows is None or not self.whole_batches(len(state.rows)):
            return {}
        return {
            "lr": state.chosen, "momentum": self.momentum, "nesterov": self.nesterov, "velocity": state.velocity
        }  # fmt: skip

    def details(self, problem: Problem, state: DescentState) -> dict[str, Any]:
        assert isinstance(state, StochasticState)
        told = super().details(problem, state)
        return {**told, "lr_chosen": state.how} if state.how else told


def _check(lr: Any, momentum: Any, nesterov: Any, average: Any, batch_size: Any) -> None:
    """The options that SGD has of its own."""
    if isinstance(lr, Armijo):
        raise OptionError(
            "Armijo compares losses over all rows, and SGD has those of batches",
            advice='Give a number, "auto" or a schedule, or use GradientDescent.',
        )
    check_lr(lr, 'a number above 0, "auto" or a schedule')
    if isinstance(momentum, str):
        raise OptionError(f"momentum is {momentum!r}", advice="Give a number from 0 to 1; 0.9 is common.")
    check_momentum(momentum, nesterov, lr)
    whole("batch_size", batch_size)
    if not isinstance(average, bool):
        raise OptionError(f"average is {average!r}", advice="Give True or False.")
