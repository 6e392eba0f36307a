"""What to set where a descent ended too early: a change of its options, or another solver, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True)
class Remedy:
    """Numbers to set.

    Attributes
    ----------
    options : mapping of str to Any
        What to give the solver, in place of what it was given.
    solver : str
        Another solver of Thalweg's, which has these options and no others; "" for the same solver.
    sure : bool
        Whether the fit that has them is known to end within the tolerance.
    nearer : bool
        Whether all that is known is that it ends nearer.
    note : str
        What the first option is.

    Examples
    --------
    >>> print(Remedy({"lr": 0.0287, "steps": 696}, note="the fastest stable rate"))
    lr=0.0287 (the fastest stable rate) with steps=696
    >>> print(Remedy({"lr": 0.0517, "momentum": 0.8, "steps": 72}, "GradientDescent"))
    solver=GradientDescent(lr=0.0517, momentum=0.8, steps=72)
    """

    options: Mapping[str, Any]
    solver: str = ""
    sure: bool = False
    nearer: bool = False
    note: str = ""

    def __str__(self) -> str:
        texts = [f"{name}={written(value)}" for name, value in self.options.items()]
        if self.solver:
            return f"solver={self.solver}({', '.join(texts)})"
        if self.note:
            texts[0] += f" ({self.note})"
        if len(texts) == 1:
            return texts[0]
        return f"{' and '.join(filter(None, (', '.join(texts[:-2]), texts[-2])))} with {texts[-1]}"

    def __repr__(self) -> str:
        return f"Remedy({dict(self.options)!r}, {self.solver!r}, sure={self.sure})"


def written(value: Any) -> str:
    """An option's value as users type it.

    Examples
    --------
    >>> written(0.0287), written("sum"), written(True), written(696)
    ('0.0287', "'sum'", 'True', '696')
    """
    return f"{value:.12g}" if isinstance(value, float) else repr(value)
