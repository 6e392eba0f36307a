"""What a named curve is: data. Nothing here is run on a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from numpy import ndarray

Parameters = dict[str, float]
Start = Callable[["Float[ndarray, 'n']", "Float[ndarray, 'n']", "Float[ndarray, 'n'] | None"], Parameters]
Starts = Callable[["Float[ndarray, 'n']", "Float[ndarray, 'n']", "Float[ndarray, 'n'] | None"], list[Parameters]]


@final
@dataclass(frozen=True)
class NamedCurve:
    """A curve with a name, its expression, and starting values from data.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        The variable, and then the parameters, in the order of the call.
    expression : str
        The curve in the language of `thalweg.curves.language`.
    start : callable
        (x, y, w) -> starting values. x and y have shape (n,), in any order, with repetitions or not; w holds the
        weights of the squares, or is None. Rows that are not finite or have no weight are left out. The values are
        always finite, and those of `positive` above 0, even where the rows determine nothing.
    positive : frozenset of str
        Parameters that must be above 0: widths, scales, half-saturation constants.
    about : str
        One sentence.
    reference : str
        DOI or book, or nothing.
    starts : callable, optional
        (x, y, w) -> several starting values, the first the same as `start`: other minima of the sum of squares, and
        the same curve upon no baseline, upon an offset and upon a slope.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.curves.named import named
    >>> curve = named("exponential_decay", 2)
    >>> curve.call, curve.expression
    ('exponential_decay(x, a, k)', 'a * exp(-k * x)')
    >>> x = np.array([0.0, 1.0, 2.0, 4.0])
    >>> {name: round(value, 3) for name, value in curve.start(x, 3 * np.exp(-0.5 * x), None).items()}
    {'a': 3.0, 'k': 0.5}
    """

    name: str
    arguments: tuple[str, ...]
    expression: str
    start: Start
    positive: frozenset[str]
    about: str
    reference: str = ""
    starts: Starts | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names after the variable."""
        return self.arguments[1:]

    @property
    def call(self) -> str:
        """How it is written: "gaussian(x, a, mu, s)"."""
        return f"{self.name}({', '.join(self.arguments)})"
