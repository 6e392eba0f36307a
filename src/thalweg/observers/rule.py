"""Stopping rules: callables from a state to a bool, which compose.

    a | b     at the first state where either is true
    a & b     at the first state where both are

    tw.fit(..., stop=tw.LossBelow(1.0) | tw.TimeLimit(60))

The state of which a rule was true is the one that the fit keeps, and `solution.details["rule"]` says which rule it was.
Every part of a compound sees every state: one that counts (`RelativeChange`, `Patience`) misses none.

Where the states are known in closed form (`thalweg.solvers.replay`) no loop runs; rules that are `closed` tell the
first step themselves, of a trajectory that can be asked for its losses and gradient norms at any steps.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast, final

from thalweg.errors import OptionError
from thalweg.observers.given import refuse_class

if TYPE_CHECKING:
    from torch import Tensor

    from thalweg.solvers.base import State

FIRST_LOOK = 64  # steps of a trajectory that a compound asks for at once; twice as many each time


class Trajectory(Protocol):
    """The states of a descent in closed form."""

    def values(self, steps: Tensor) -> Tensor:
        """The losses at these steps."""

    def gradient_norms(self, steps: Tensor) -> Tensor:
        """The Euclidean norms of the gradient at these steps."""

    def first_below(self, kind: str, value: float, limit: int) -> int | None:
        """The first step, up to `limit`, whose "loss" or "gradient" is below a value; None: there is none."""


class Rule(ABC):
    """When to stop.

    Attributes
    ----------
    hit : bool
        Whether it was true of the last state that it was given.
    closed : bool
        Whether `holds` and `first` can answer for a trajectory in closed form.

    Examples
    --------
    >>> import thalweg as tw
    >>> class Doubled(tw.observers.Rule):  # a rule of your own: a condition on a state
    ...     def test(self, state):
    ...         return state.step > 0 and state.theta[0] > 2
    >>> data, solver = {"x": [0, 1, 2, 3], "y": [5, 5, 6, 7]}, tw.GradientDescent(lr=0.1, steps=50)
    >>> fit = tw.fit("y ~ x", data, solver=solver, stop=Doubled() | tw.MaxSteps(40))
    >>> fit.solution.status.value
    'stopped by its rule'
    """

    hit: bool = False
    closed: bool = False

    def __call__(self, state: State) -> bool:
        """Whether to stop at this state. Every state is to be given once, in order."""
        self.hit = bool(self.test(state))
        return self.hit

    @abstractmethod
    def test(self, state: State) -> bool:
        """The condition."""

    def begin(self, problem: Any) -> None:
        """Forget every state: a solve of this problem begins."""
        self.hit = False

    def training(self, problem: Any) -> Any:
        """The problem to minimize: all of it, unless the rule sets rows aside to judge by."""
        return problem

    def chosen(self) -> State | None:
        """The state to keep instead of the last one; None: the last, or the best of one that was interrupted."""
        return None

    def details(self) -> dict[str, Any]:
        """What it adds to `solution.details`."""
        return {}

    @property
    def reason(self) -> str:
        """What was true, as text: of a compound the parts that were."""
        return repr(self)

    def beyond(self, least: float) -> list[Rule]:
        """Its parts that no state can make true where no loss is below `least`."""
        return []

    def snapshot(self) -> dict[str, Any]:
        """What it remembers, for a checkpoint: numbers, texts, tensors, states, None, and mappings of them."""
        return {"hit": self.hit}

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Go on from a snapshot."""
        self.hit = bool(memory.get("hit", False))

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        """Whether it is true at each of these steps (of a closed rule)."""
        raise NotImplementedError

    def first(self, trajectory: Trajectory, limit: int) -> int | None:
        """The first step up to `limit` at which it is true (of a closed rule); None: at none."""
        import torch  # not at the top: `thalweg fit --help` needs no torch

        begin, count = 0, FIRST_LOOK
        while begin <= limit:
            steps = torch.arange(begin, min(begin + count, limit + 1))
            found = self.holds(trajectory, steps).nonzero()
            if found.numel():
                return int(steps[found[0, 0]])
            begin, count = begin + count, 2 * count
        return None

    def __or__(self, other: Rule) -> Rule:
        return AnyOf(self, rule_of(other)) if _is_rule(other) else NotImplemented

    def __and__(self, other: Rule) -> Rule:
        return AllOf(self, rule_of(other)) if _is_rule(other) else NotImplemented

    def __ror__(self, other: Rule) -> Rule:
        return AnyOf(rule_of(other), self) if _is_rule(other) else NotImplemented

    def __rand__(self, other: Rule) -> Rule:
        return AllOf(rule_of(other), self) if _is_rule(other) else NotImplemented


class _Compound(Rule):
    """Rules in one."""

    word: str

    def __init__(self, *rules: Rule) -> None:
        self.rules: tuple[Rule, ...] = ()
        for rule in rules:  # (a | b) | c is a | b | c
            self.rules += rule.rules if isinstance(rule, _Compound) and rule.word == self.word else (rule,)
        self.closed = all(rule.closed for rule in self.rules)

    def begin(self, problem: Any) -> None:
        self.hit = False
        for rule in self.rules:
            rule.begin(problem)

    def training(self, problem: Any) -> Any:
        for rule in self.rules:
            problem = rule.training(problem)
        return problem

    def chosen(self) -> State | None:
        """That of a part that ended the solve, or, where none did, of any part."""
        ended = [rule for rule in self.rules if rule.hit] if self.hit else self.rules
        return next((state for rule in ended if (state := rule.chosen()) is not None), None)

    def details(self) -> dict[str, Any]:
        return {name: value for rule in self.rules for name, value in rule.details().items()}

    @property
    def reason(self) -> str:
        true = [rule for rule in self.rules if rule.hit] or list(self.rules)
        if len(true) == 1:
            return true[0].reason
        return f" {self.word} ".join(_bracketed(rule, rule.reason) for rule in true)

    def beyond(self, least: float) -> list[Rule]:
        return [part for rule in self.rules for part in rule.beyond(least)]

    def snapshot(self) -> dict[str, Any]:
        return {"hit": self.hit, **{str(i): rule.snapshot() for i, rule in enumerate(self.rules)}}

    def restore(self, memory: Mapping[str, Any]) -> None:
        self.hit = bool(memory["hit"])
        for i, rule in enumerate(self.rules):
            rule.restore(memory.get(str(i), {}))

    def __repr__(self) -> str:
        return f" {self.word} ".join(_bracketed(rule, repr(rule)) for rule in self.rules)


@final
class AnyOf(_Compound):
    """True where any of its rules is: `a | b`.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.LossBelow(1.0) | tw.MaxSteps(50)
    LossBelow(1.0) | MaxSteps(50)
    """

    word = "|"

    def test(self, state: State) -> bool:
        true = [rule(state) for rule in self.rules]  # first all of them: each rule sees each state
        return any(true)

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        found = self.rules[0].holds(trajectory, steps)
        for rule in self.rules[1:]:
            found = found | rule.holds(trajectory, steps)
        return found

    def first(self, trajectory: Trajectory, limit: int) -> int | None:
        found = None
        for rule in self.rules:
            step = rule.first(trajectory, limit)
            found, limit = (found, limit) if step is None else (step, step)
        return found


@final
class AllOf(_Compound):
    """True where all of its rules are: `a & b`.

    Examples
    --------
    >>> import thalweg as tw
    >>> tw.LossBelow(1.0) & (tw.MaxSteps(50) | tw.GradientBelow(0.1))
    LossBelow(1.0) & (MaxSteps(50) | GradientBelow(0.1))
    """

    word = "&"

    def test(self, state: State) -> bool:
        true = [rule(state) for rule in self.rules]  # first all of them: each rule sees each state
        return all(true)

    def holds(self, trajectory: Trajectory, steps: Tensor) -> Tensor:
        found = self.rules[0].holds(trajectory, steps)
        for rule in self.rules[1:]:
            found = found & rule.holds(trajectory, steps)
        return found


def rule_of(stop: Any) -> Rule:
    """A rule of what the user gave: a rule, a function of a state, or several of them, any of which stops.

    Raises
    ------
    OptionError
        Something else, also the class of a rule.
    """
    refuse_class(stop)
    if isinstance(stop, Rule):
        return stop
    if callable(stop):
        from thalweg.observers.stopping import StopWhen

        return StopWhen(cast("Callable[[State], bool]", stop))
    if isinstance(stop, Iterable) and not isinstance(stop, str | bytes | Mapping):
        rules = [rule_of(each) for each in stop]
        if rules:
            return rules[0] if len(rules) == 1 else AnyOf(*rules)
    raise OptionError(
        f"stop is {stop!r}", advice="Give a rule as thalweg.LossBelow(1.0), a function of the state, or a list of them."
    )


def whole(what: str, value: Any, *, least: int, most: int | None = None) -> int:
    """A whole number, or an OptionError that says what it is for."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{what} is given {value!r}", advice=f"Give a whole number, {least} or more.")
    if most is not None and value > most:
        raise OptionError(f"{what} is given {value!r}", advice=f"Give a whole number, at most {most}.")
    return value


def number(what: str, value: Any, *, least: float = 0.0) -> float:
    """A finite number above `least`, or an OptionError that says what it is for."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > least):
        above = "" if least == -math.inf else f" above {least:g}"
        raise OptionError(f"{what} is given {value!r}", advice=f"Give a finite number{above}.")
    return number


def _is_rule(value: Any) -> bool:
    return isinstance(value, Rule) or callable(value)


def _bracketed(rule: Rule, text: str) -> str:
    return f"({text})" if isinstance(rule, _Compound) and f" {rule.word} " in text else text
