"""Mean and sum of squares of a column read in blocks, without the cancellation of squares of large sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor


@final
@dataclass(frozen=True)
class Moments:
    """Weighted mean and centred sum of squares.

    Those of two parts meet by the pairwise rule: with d = mean_b - mean_a and W = W_a + W_b,

        mean = mean_a + d W_b / W,        squares = squares_a + squares_b + d^2 W_a W_b / W.

    The means are kept as what they exceed the first value by (`shift`), so that d has its digits where the mean is
    large and the spread small.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample variance: analysis and
    recommendations", The American Statistician 37 (1983), doi:10.1080/00031305.1983.10483115.

    Examples
    --------
    >>> import torch
    >>> v = torch.tensor([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16], dtype=torch.float64)
    >>> w = torch.ones_like(v)
    >>> m = Moments.of(v[:1], w[:1]).merge(Moments.of(v[1:], w[1:]))
    >>> m.mean - 1e9, m.squares
    (10.0, 90.0)
    """

    weight: float = 0.0
    excess: float = 0.0
    squares: float = 0.0
    shift: float = 0.0

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return self.shift + self.excess

    @classmethod
    def of(cls, values: Float[Tensor, "n"], weights: Float[Tensor, "n"]) -> Moments:
        """Moments of one block, in two passes over it."""
        w = float(weights.sum())
        if w == 0.0:
            return cls()
        shift = float(values[0])
        values = values - shift
        mean = float(weights @ values) / w
        mean += float(weights @ (values - mean)) / w  # the first mean's own rounding
        return cls(w, mean, float(weights @ (values - mean).square()), shift)

    def merge(self, other: Moments) -> Moments:
        """Moments of both parts."""
        if self.weight == 0.0 or other.weight == 0.0:
            return other if self.weight == 0.0 else self
        total = self.weight + other.weight
        d = (other.shift - self.shift) + (other.excess - self.excess)
        squares = self.squares + other.squares + d * d * self.weight * other.weight / total
        return Moments(total, self.excess + d * other.weight / total, squares, self.shift)
