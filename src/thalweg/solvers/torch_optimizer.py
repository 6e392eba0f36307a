"""Every optimizer of `torch.optim`, with its schedulers, as a descent.

The optimizer works on a copy of theta, in the parameters' own shapes, and is given the gradients of the problem; what a
state holds is a copy again, so that whoever keeps a state keeps what it was. A state and its optimizer belong together:
only the latest state can be continued or kept for later.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from thalweg.diagnose.words import settable_rate
from thalweg.errors import IncompatibleError, NotAvailableError, OptionError
from thalweg.problem import Problem
from thalweg.solvers.base import State
from thalweg.solvers.descent import DescentState, Differentiation, first_point, read
from thalweg.solvers.gradient_descent import followed
from thalweg.solvers.minibatch import BatchSolver, BatchState
from thalweg.solvers.packing import packed, unpacked
from thalweg.solvers.rates import scheduled

SPARSE = "SparseAdam"  # the one optimizer that takes no dense gradients


@dataclass(eq=False)
class Live:
    """An optimizer at work: what a state of it stands for.

    Attributes
    ----------
    flat : Tensor, (p,)
        The parameters, which the optimizer changes in place.
    parameters : list of Tensor
        Views of them in their own shapes.
    step : int
        Steps taken.
    """

    flat: Float[Tensor, "p"]
    parameters: list[Tensor]
    optimizer: Optimizer
    scheduler: Any
    step: int = 0


@final
@dataclass(frozen=True)
class OptimizerState(BatchState):
    """With the optimizer that made it."""

    live: Live | None = None


@final
class TorchOptimizer(BatchSolver):
    """An optimizer of `torch.optim`.

    Parameters
    ----------
    optimizer : str or class
        "Adam", "adamw", "RMSprop", "LBFGS", ...: a name of `torch.optim`, in any case of letters; or a class made like
        them.
    steps : int, optional
        Most steps; 1000 where `epochs` is not given either.
    epochs : int, optional
        Readings of the rows, in place of steps: with `batch_size`.
    batch_size : int, optional
        Rows of a mini-batch; all of them by default.
    scheduler : str, class or callable, optional
        "StepLR", "CosineAnnealingLR", ...: a name of `torch.optim.lr_scheduler`, a class made like them, or a function
        from the optimizer to a scheduler. It moves on after every step.
    scheduler_options : mapping, optional
        Keyword options of the scheduler, as {"step_size": 100}.
    seed, drop_last, evaluate :
        Of mini-batches, as for `thalweg.SGD`.
    loss, derivative, dtype, device, allow_divergence :
        As for `thalweg.GradientDescent`.
    **options :
        Keyword options of the optimizer: lr, betas, weight_decay, ...; lr may be a schedule of Thalweg's.

    Raises
    ------
    OptionError
        No such optimizer or scheduler, or options that it refuses.
    IncompatibleError
        From the fit, before its first step: an optimizer of matrices and a model of vectors (Muon).

    Examples
    --------
    >>> import thalweg as tw
    >>> solver = tw.TorchOptimizer("adamw", steps=500, lr=0.1, scheduler="StepLR", scheduler_options={"step_size": 100})
    >>> solver.optimizer.__name__
    'AdamW'
    """

    state_type: ClassVar[type[DescentState]] = OptimizerState

    def __init__(
        self,
        optimizer: str | type[Optimizer] = "Adam",
        steps: int | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        scheduler: str | Callable[..., Any] | None = None,
        scheduler_options: Mapping[str, Any] | None = None,
        seed: int = 0,
        drop_last: bool = False,
        evaluate: int | None = None,
        loss: str = "mean",
        derivative: Differentiation = "hand",
        dtype: str = "float64",
        device: str | None = None,
        allow_divergence: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            epochs=epochs,
            steps=1000 if steps is None and epochs is None else steps,
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
        self.optimizer = optimizer_class(optimizer)
        self.scheduler = None if scheduler is None else scheduler_maker(scheduler)
        self.scheduler_options = dict(scheduler_options or {})
        self.schedule = options.pop("lr") if callable(options.get("lr")) else None
        self.options = options if self.schedule is None else {**options, "lr": scheduled(self.schedule, 0)}
        self.closure = _requires(self.optimizer, "closure")
        self._check()

    def _check(self) -> None:
        """Refuse options at once that the optimizer or the scheduler would refuse at the first step."""
        if isinstance(self.options.get("lr"), str):
            raise OptionError(
                f"lr is {self.options['lr']!r}", advice=f"{self.optimizer.__name__} takes a number or a schedule."
            )
        if self.schedule is not None and self.scheduler is not None:
            raise OptionError("lr is a schedule and scheduler= is given too", advice="Give one of them.")
        if self.scheduler_options and self.scheduler is None:
            raise OptionError("scheduler_options without a scheduler", advice='Name it: scheduler="StepLR".')
        trial = torch.zeros(1, 1)
        self._made([trial], OptionError)

    def _made(self, parameters: list[Tensor], kind: type[OptionError] | type[IncompatibleError]) -> tuple[Any, Any]:
        """An optimizer of these parameters and its scheduler."""
        what = f"torch.optim.{self.optimizer.__name__}"
        try:
            optimizer = self.optimizer(cast(Any, parameters), **self.options)
            what = "the scheduler"
            scheduler = None if self.scheduler is None else self.scheduler(optimizer, **self.scheduler_options)
        except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
            text = str(error).rstrip(".")
            raise kind(f"{what} refuses this: {text}", advice=_advice(self.optimizer)) from None
        return optimizer, scheduler

    # --- steps --------------------------------------------------------------------------------------------------

    def live(self, problem: Problem, theta: Float[Tensor, "p"]) -> Live:
        """An optimizer of a copy of theta."""
        flat = theta.clone()
        parameters = _views(problem, flat)
        optimizer, scheduler = self._made(parameters, IncompatibleError)
        return Live(flat, parameters, optimizer, scheduler)

    def init(self, objective: Problem, theta: Float[Tensor, "p"] | None) -> OptimizerState:
        if self.batch_size is not None and "batches" not in objective.has:
            raise IncompatibleError(f"{type(self).__name__} with batch_size needs batches, which these rows have not")
        start, value, gradient = first_point(objective, theta)
        loss, size = read(value, gradient)
        live = self.live(objective, start)
        batch, at = self.batch(BatchState(start, loss, size, **self.begun(objective)))
        if batch is not None:
            value, gradient = objective.value_and_gradient(start, batch)
            size = read(value, gradient)[1]
        return OptimizerState(
            theta=start,
            value=loss,
            gradient_size=size,
            gradient=gradient,
            rate=_rate(live.optimizer),
            start_value=loss,
            start=start,
            best_theta=start,
            best_value=loss,
            live=live,
            **at,
        )

    def step(self, objective: Problem, state: State) -> OptimizerState:
        assert isinstance(state, OptimizerState)
        live = _latest(state)
        if self.schedule is not None:
            for group in live.optimizer.param_groups:
                group["lr"] = scheduled(self.schedule, state.step)
        rate = _rate(live.optimizer)
        self._stepped(objective, live, state)
        theta = live.flat.clone()
        batch, at = self.batch(state)
        value, gradient = objective.value_and_gradient(theta, batch)
        loss, size = read(value, gradient)
        live.step += 1
        return state.next(
            theta=theta, gradient=gradient, gradient_size=size, rate=rate, **at,
            **self.evaluated(objective, state, theta, loss),
        )  # fmt: skip

    def _current(self, state: OptimizerState) -> Int[Tensor, "m"]:
        """The batch of a state, which the optimizer with a closure evaluates again."""
        assert self.batch_size is not None
        assert state.rows is not None
        size = state.position % self.batch_size or self.batch_size
        return state.rows[state.position - size : state.position]

    def _stepped(self, problem: Problem, live: Live, state: OptimizerState) -> None:
        """One step of the optimizer and of its scheduler."""
        assert state.gradient is not None
        _assign(live, state.gradient)
        if self.closure:
            batch = None if self.batch_size is None else self._current(state)
            live.optimizer.step(cast(Any, _closure(problem, live, batch)))
        else:
            try:
                live.optimizer.step()
            except AssertionError as error:  # what it asserts of its options and the device: capturable=True on a CPU
                text = f"torch.optim.{self.optimizer.__name__} refuses this: {str(error).rstrip('.')}"
                raise IncompatibleError(text, advice=_advice(self.optimizer)) from None
        if live.scheduler is not None:
            live.scheduler.step(*([state.value] if _requires(type(live.scheduler), "metrics") else []))

    # --- what it is called, and what it can be set to ---------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.optimizer.__name__

    def changed(self, **options: Any) -> TorchOptimizer:
        own = {name: value for name, value in options.items() if hasattr(self, name)}
        new = super().changed(**own)
        new.options = {**self.options, **{name: value for name, value in options.items() if name not in own}}
        return new

    def copied(self, problem: Problem, state: DescentState) -> DescentState:
        return self.restored(problem, self.snapshot(state))

    def calmer(self, problem: Problem, steps: int, *, falls: bool) -> dict[str, Any]:
        """A quarter of the rate, and four times the steps: as long a way."""
        rate = _rate(self._made([torch.zeros(1, 1)], OptionError)[0])
        changes = self.schedule is not None or self.scheduler is not None
        if falls or changes or not 0 < rate < math.inf or self.closure:
            return {}
        return {"lr": settable_rate(rate / 4), **self.longer(problem, 4 * max(steps, 1))}

    def follow(self, lr: float, momentum: float) -> dict[str, Any] | None:
        if not self._plain():
            return None
        options = followed(lr, momentum, bool(self.options.get("momentum")), bool(self.options.get("nesterov")))
        return options if self.epochs is None else None

    def _plain(self) -> bool:
        """Whether it is `torch.optim.SGD` with a constant rate over all rows: the recursion of GradientDescent."""
        other = ("dampening", "weight_decay", "maximize")
        changes = self.schedule is not None or self.scheduler is not None or self.batch_size is not None
        return self.optimizer is torch.optim.SGD and not changes and not any(map(self.options.get, other))

    def recursion(self, state: DescentState) -> dict[str, Any]:
        if not self._plain():
            return {}
        momentum, nesterov = float(self.options.get("momentum", 0.0)), bool(self.options.get("nesterov", False))
        return {"lr": state.rate, "momentum": momentum, "nesterov": nesterov, "velocity": _velocity(state)}

    # --- kept for later -----------------------------------------------------------------------------------------

    def snapshot(self, state: DescentState) -> dict[str, Tensor | float | int | str]:
        assert isinstance(state, OptimizerState)
        live = _latest(state)
        kept = super().snapshot(state)
        del kept["live"]
        kept.update(packed(live.optimizer.state_dict(), "optimizer"))
        if live.scheduler is not None:
            kept.update(packed(live.scheduler.state_dict(), "scheduler"))
        return kept

    def restored(self, problem: Problem, kept: Mapping[str, Tensor | float | int | str]) -> DescentState:
        state = cast(OptimizerState, super().restored(problem, kept))
        live = self.live(problem, state.theta)
        if live.scheduler is not None:
            live.scheduler.load_state_dict(unpacked(kept, "scheduler"))
        _load(live, unpacked(kept, "optimizer"))
        live.step = state.step
        vars(state)["live"] = live
        return state


def _latest(state: OptimizerState) -> Live:
    """The optimizer of a state, unless it has gone on."""
    live = state.live
    if live is None or live.step != state.step:
        raise NotAvailableError("only the latest state of an optimizer can be continued, or kept for later")
    return live


def _velocity(state: DescentState) -> Float[Tensor, "p"] | None:
    """The momentum that `torch.optim.SGD` keeps; None of one that has none, or has gone on."""
    live = getattr(state, "live", None)
    if live is None or live.step != state.step:
        return None
    kept = [live.optimizer.state[each].get("momentum_buffer") for each in live.parameters]
    return None if any(each is None for each in kept) else torch.cat([each.reshape(-1) for each in kept]).clone()


def _views(problem: Problem, flat: Float[Tensor, "p"]) -> list[Tensor]:
    """The parameters in their own shapes; those of a formula, a scalar for each column, as the one vector they are."""
    predictor = getattr(problem, "predictor", None)
    if predictor is None or all(shape == () for shape in predictor.shapes.values()):
        return [flat]
    return list(predictor.split(flat).values())


def _load(live: Live, settings: dict[str, Any]) -> None:
    """Put an optimizer's state back, in the types that it had.

    `load_state_dict` gives every number the type of the parameters: NAdam's float32 product would go on in float64.
    """
    live.optimizer.load_state_dict(settings)
    for number, values in settings["state"].items():
        own = live.optimizer.state[live.parameters[number]]
        for name, value in values.items():
            if isinstance(value, Tensor) and own[name].dtype is not value.dtype:
                own[name] = value.to(own[name].device)


def _assign(live: Live, gradient: Float[Tensor, "p"]) -> None:
    """Give each parameter its part of the gradient."""
    start = 0
    for each in live.parameters:
        end = start + each.numel()
        each.grad = gradient if each is live.flat else gradient[start:end].view(each.shape)
        start = end


def _closure(problem: Problem, live: Live, batch: Tensor | None) -> Callable[[], Tensor]:
    """What evaluates the loss anew for an optimizer that searches."""

    def closure() -> Tensor:
        value, gradient = problem.value_and_gradient(live.flat.clone(), batch)
        _assign(live, gradient)
        return value

    return closure


def _rate(optimizer: Optimizer) -> float:
    return float(optimizer.param_groups[0].get("lr", math.nan))


# --- names ----------------------------------------------------------------------------------------------------------


def optimizers() -> dict[str, type[Optimizer]]:
    """The optimizers of `torch.optim` by name.

    Examples
    --------
    >>> sorted(optimizers())[:3]
    ['ASGD', 'Adadelta', 'Adafactor']
    """
    return _classes(torch.optim, Optimizer)


def _classes(module: Any, base: type[Any]) -> dict[str, Any]:
    """The public classes of a module that are made from a base."""
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {n: c for n, c in found.items() if isinstance(c, type) and issubclass(c, base) and c is not base}


def optimizer_class(choice: Any) -> type[Optimizer]:
    """The optimizer of this name, or the class itself.

    Raises
    ------
    OptionError
        There is none, or it takes sparse gradients only.
    """
    chosen: Any = choice if isinstance(choice, type) else _named(choice, optimizers(), "torch.optim", "optimizer")
    if not issubclass(chosen, Optimizer):
        raise OptionError(
            f"optimizer is {choice!r}", advice="Give a name of torch.optim, or a class made from its Optimizer."
        )
    if chosen.__name__ == SPARSE:
        raise OptionError(
            f"{SPARSE} takes sparse gradients only, and those of these models are dense", advice='Use "Adam".'
        )
    return chosen


def scheduler_maker(choice: Any) -> Callable[..., Any]:
    """From an optimizer and options to a scheduler.

    Raises
    ------
    OptionError
    """
    if callable(choice):
        return choice
    known = _classes(lr_scheduler, lr_scheduler.LRScheduler)
    return _named(choice, known, "torch.optim.lr_scheduler", "scheduler")


def _named(choice: Any, known: Mapping[str, Any], where: str, what: str) -> Any:
    """The entry of this name, in any case of letters."""
    lower = {name.lower(): entry for name, entry in known.items()}
    if isinstance(choice, str) and choice.lower() in lower:
        return lower[choice.lower()]
    near = difflib.get_close_matches(str(choice).lower(), lower, n=1)
    guess = f"Did you mean {lower[near[0]].__name__!r}? " if near else ""
    raise OptionError(f"{where} has no {what} {choice!r}", advice=f"{guess}There are {', '.join(sorted(known))}.")


def _requires(kind: type[Any], parameter: str) -> bool:
    """Whether `step` of an optimizer or a scheduler cannot be called without this."""
    found = inspect.signature(kind.step).parameters.get(parameter)
    return found is not None and found.default is inspect.Parameter.empty


def _advice(kind: type[Optimizer]) -> str:
    names = [name for name in inspect.signature(kind).parameters if name != "params"]
    return f"Its options are {', '.join(names)}."
