"""What a simulation is made of: draws from one generator, columns, and the truth behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor


@final
class Simulated(dict[str, np.ndarray]):
    """Columns by name, as `simulate` made them, and the truth behind them.

    It is a plain mapping: `thalweg.fit`, a frame's constructor or a loop read it as one.

    Attributes
    ----------
    kind : str
        Of the simulation.
    truth : dict
        What a fit should find: coefficients under the names that a fit gives them, or the options of a curve.
    formula : str
        A formula that has the truth in it; empty where none has.
    outliers : tuple of int
        The rows that were moved far away, counted from 0.
    about : str
        All of it in words.
    generator : torch.Generator
        The stream after the last draw: a start drawn from it is the one that a program draws after its data.

    Examples
    --------
    >>> from thalweg.data.simulate import simulate
    >>> data = simulate("line", n=4, seed=10, noise=0)
    >>> data.truth, data.formula
    ({'Intercept': 0.0, 'x': 1.0}, 'y ~ x')
    >>> print(data.about)
    4 rows, y = 0 + 1 x, x random in [0, 10), seed 10.
    """

    def __init__(
        self, columns: Mapping[str, np.ndarray], kind: str, made: Made, about: str, generator: torch.Generator
    ) -> None:
        super().__init__(columns)
        self.kind, self.truth, self.formula = kind, dict(made.truth), made.formula
        self.outliers, self.about, self.generator = made.outliers, about, generator


@final
@dataclass(frozen=True)
class Draws:
    """The stream of a simulation: float32 draws of one torch.Generator, handed out in float64.

    The draws are float32 because the stream of a seed differs by type, and programs that call `torch.rand(8)` and
    `torch.randn(8)` draw that type: a simulation with their seed has their data. What is computed from the draws is
    float64, so that y = a + b x holds to float64 rounding where there is no noise.

    Parameters
    ----------
    generator : torch.Generator
    """

    generator: torch.Generator

    def uniform(self, *shape: int) -> Float64[Tensor, "..."]:
        """In [0, 1): `torch.rand(*shape)`."""
        return torch.rand(*shape, generator=self.generator, dtype=torch.float32).double()

    def normal(self, *shape: int) -> Float64[Tensor, "..."]:
        """Mean 0, standard deviation 1: `torch.randn(*shape)`."""
        return torch.randn(*shape, generator=self.generator, dtype=torch.float32).double()

    def rows(self, count: int, of: int) -> list[int]:
        """Some row numbers, ascending."""
        return sorted(torch.randperm(of, generator=self.generator)[:count].tolist())


@final
@dataclass(frozen=True)
class Made:
    """What a kind makes of its draws.

    Attributes
    ----------
    columns : mapping of str to Tensor
    moved : tuple of str
        The columns in which an outlier is moved.
    scale : float
        The size of an ordinary deviation in them.
    truth : mapping
    formula : str
    words : str
        As in "y = 3 + 2 x": the truth, to be read.
    outliers : tuple of int
    """

    columns: Mapping[str, Float64[Tensor, "..."]]
    moved: tuple[str, ...]
    scale: float
    truth: Mapping[str, Any]
    formula: str
    words: str
    outliers: tuple[int, ...] = field(default=())


@final
@dataclass(frozen=True)
class Kind:
    """A kind of simulated data.

    Attributes
    ----------
    name, about : str
        The word that users write, and a sentence.
    n : int or None
        Rows where not told; None where n does not apply.
    noise : float or None
        Standard deviation of the noise where not told; None where it does not apply.
    shape : mapping of str to Any
        Its options and what they are where not told.
    make : callable
        From draws, n, noise and options to what it makes.
    """

    name: str
    about: str
    n: int | None
    noise: float | None
    shape: Mapping[str, Any]
    make: Callable[[Draws, int, float, Mapping[str, Any]], Made]


def number(value: float) -> str:
    """A number as words show it: six digits, no trailing zeros."""
    return f"{value:.6g}"
