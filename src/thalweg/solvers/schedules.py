"""Learning rates that change with the step: functions of t = 0, 1, 2, ..., the steps already taken.

Every schedule gives the rate of the step from theta_t to theta_{t+1}. Any callable of one integer is one too.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, final

from thalweg.errors import OptionError


class Schedule(ABC):
    """A learning rate as a function of the step."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The rate of the step that follows `step` others."""


@final
@dataclass(frozen=True)
class StepDecay(Schedule):
    """lr factor^floor(t / every): the rate falls at once after every so many steps.

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    every : int
        Steps at one rate, >= 1.
    factor : float
        In (0, 1].

    Examples
    --------
    >>> rate = StepDecay(0.8, every=100, factor=0.5)
    >>> rate(0), rate(99), rate(100), rate(250)
    (0.8, 0.8, 0.4, 0.2)
    """

    lr: float
    every: int
    factor: float = 0.5

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        whole("every", self.every)
        part("factor", self.factor)

    def __call__(self, step: int) -> float:
        return self.lr * self.factor ** (step // self.every)


@final
@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """lr factor^t.

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    factor : float
        In (0, 1], as 0.999.

    Examples
    --------
    >>> ExponentialDecay(0.8, 0.5)(2)
    0.2
    """

    lr: float
    factor: float

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        part("factor", self.factor)

    def __call__(self, step: int) -> float:
        return self.lr * self.factor**step


@final
@dataclass(frozen=True)
class InverseDecay(Schedule):
    """lr / (1 + k t): rates whose sum is infinite while the sum of their squares is not, as SGD needs to settle.

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    k : float
        > 0; after 1 / k steps the rate is half the first one.

    References
    ----------
    Robbins & Monro (1951), doi:10.1214/aoms/1177729586.

    Examples
    --------
    >>> InverseDecay(0.5, k=0.01)(100)
    0.25
    """

    lr: float
    k: float

    def __post_init__(self) -> None:
        positive("lr", self.lr)
        positive("k", self.k)

    def __call__(self, step: int) -> float:
        return self.lr / (1 + self.k * step)


@final
@dataclass(frozen=True)
class CosineDecay(Schedule):
    """final + (lr - final) (1 + cos(pi t / steps)) / 2, and `final` after that.

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    steps : int
        Steps over which it falls, >= 1.
    final : float
        >= 0.

    References
    ----------
    Loshchilov & Hutter (2017), arXiv:1608.03983, equation 5.

    Examples
    --------
    >>> rate = CosineDecay(1.0, steps=100)
    >>> rate(0), round(rate(50), 12), rate(100), rate(1000)
    (1.0, 0.5, 0.0, 0.0)
    """

    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        falling(self.lr, self.steps, self.final)

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.final
        return self.final + (self.lr - self.final) * (1 + math.cos(math.pi * step / self.steps)) / 2


@final
@dataclass(frozen=True)
class LinearDecay(Schedule):
    """lr + (final - lr) t / steps, and `final` after that.

    Parameters
    ----------
    lr : float
        The first rate, > 0.
    steps : int
        Steps over which it falls, >= 1.
    final : float
        >= 0.

    Examples
    --------
    >>> rate = LinearDecay(1.0, steps=4)
    >>> rate(0), rate(1), rate(4), rate(5)
    (1.0, 0.75, 0.0, 0.0)
    """

    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        falling(self.lr, self.steps, self.final)

    def __call__(self, step: int) -> float:
        return self.lr + (self.final - self.lr) * (min(step, self.steps) / self.steps)


@final
@dataclass(frozen=True)
class Warmup(Schedule):
    """then(0) (t + 1) / steps while t < steps, and then(t - steps) after that.

    Parameters
    ----------
    steps : int
        Steps over which the rate grows, >= 1.
    then : float, or callable from step to rate
        What it grows to.

    Examples
    --------
    >>> rate = Warmup(4, then=ExponentialDecay(0.8, 0.5))
    >>> rate(0), rate(3), rate(4), rate(6)
    (0.2, 0.8, 0.8, 0.2)
    """

    steps: int
    then: float | Callable[[int], float]

    def __post_init__(self) -> None:
        whole("steps", self.steps)
        if not callable(self.then):
            positive("then", self.then)

    def __call__(self, step: int) -> float:
        then = self.then if callable(self.then) else (lambda step: self.then)
        return then(0) * (step + 1) / self.steps if step < self.steps else then(step - self.steps)


def number(value: Any) -> bool:
    """Whether it is a finite number: no text, no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def positive(name: str, value: Any) -> None:
    """Refuse what is no finite number above 0."""
    if isinstance(value, str):
        raise OptionError(
            f"{name} is the text {value!r}", advice=f"Give a number, without quotes: {name}={_bare(value)}."
        )
    if not number(value) or value <= 0:
        raise OptionError(f"{name} is {value!r}", advice=f"Give a number above 0, as {name}=0.01.")


def _bare(text: str) -> str:
    """The number that a text holds, else an example."""
    try:
        return text.strip() if float(text) > 0 else "0.01"
    except ValueError:
        return "0.01"


def whole(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Refuse what is no whole number from `least` to `most`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise OptionError(f"{name} is {value!r}", advice=f"Give a whole number, {least} or more.")
    if most is not None and int(value) > most:
        raise OptionError(f"{name} is {value!r}", advice=f"Give a whole number, at most {most}.")


def part(name: str, value: Any) -> None:
    """Refuse what is not in (0, 1]."""
    if not number(value) or not 0 < value <= 1:
        raise OptionError(f"{name} is {value!r}", advice="Give a number above 0 and at most 1.")


def falling(lr: Any, steps: Any, final: Any) -> None:
    """The options of a schedule that falls to `final` in so many steps."""
    positive("lr", lr)
    whole("steps", steps)
    if not number(final) or final < 0:
        raise OptionError(f"final is {final!r}", advice="Give the rate at the end: 0, or a number above it.")
