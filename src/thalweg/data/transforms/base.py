"""What a transform offers: numbers learned from the training rows once, and columns computed from them ever after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Node
from thalweg.error_free import Pair

Options = Mapping[str, Any]  # checked once, by `bind`
State = dict[str, Any]


class Learner(ABC):
    """Reads the argument's values batch by batch, in float64 and without missing ones."""

    @abstractmethod
    def update(self, x: Float[Tensor, "n"]) -> None:
        """Take in some more rows."""

    @abstractmethod
    def state(self) -> State:
        """What was learned, as JSON can hold it.

        Raises
        ------
        ValueError
            The rows do not allow it; the text says why.
        """


class Transform(ABC):
    """A transform with its learned numbers.

    Attributes
    ----------
    spans_intercept : bool
        Whether its columns add up to a constant, so that the first is left out where the model has one already.
    """

    spans_intercept = False

    @property
    @abstractmethod
    def fields(self) -> tuple[str, ...] | None:
        """What stands in brackets behind the name of each column; None for a single column without brackets."""

    @abstractmethod
    def values(self, x: Float[Tensor, "n"]) -> Float[Tensor, "n ..."]:
        """The columns: (n,) where `fields` is None, else (n, len(fields))."""

    @abstractmethod
    def nodes(self, argument: Node) -> list[Node]:
        """One expression per column, in plain arithmetic, for equations."""

    def doubled(self, x: Pair) -> tuple[Tensor, Tensor | None]:
        """The columns in two words; low is None where the rounded values are taken as exact."""
        return self.values(x[0]), None


def number(options: Options, name: str, *, least: float | None = None, whole: bool = False) -> None:
    """Check that an option, where given, is a number in range.

    Raises
    ------
    ValueError
        It is not.
    """
    value = options[name]
    if value is None:
        return
    kind = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kind) or (least is not None and value < least):
        wanted = f"a {'whole ' if whole else ''}number" + (f" of at least {least:g}" if least is not None else "")
        raise ValueError(f"{name} must be {wanted}, not {value!r}")


def truth(options: Options, name: str) -> None:
    """Check that an option is True or False."""
    if not isinstance(options[name], bool):
        raise ValueError(f"{name} must be True or False, not {options[name]!r}")


def numbers(options: Options, name: str) -> None:
    """Check that an option, where given, is a list of numbers."""
    values = options[name]
    if values is None:
        return
    plain = isinstance(values, tuple) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not plain:
        raise ValueError(f"{name} must be a list of numbers, not {values!r}")


def floats(state: State, name: str, count: int | None = None) -> list[float]:
    """A list of finite numbers from a stored state.

    Raises
    ------
    ValueError
        It is something else.
    """
    values = state.get(name)
    if not isinstance(values, list) or (count is not None and len(values) != count) or len(values) > 100_000:
        raise ValueError(f"{name} is not a list of {count if count is not None else 'some'} numbers")
    return [real(value, name) for value in values]


def real(value: Any, name: str) -> float:
    """A finite number from a stored state."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1.8e308:
        raise ValueError(f"{name} holds {value!r}, which is no finite number")
    return float(value)
