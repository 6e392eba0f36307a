"""Mean and sum of squares of a column read in blocks, without the cancellation of squares of large sums."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Weighted mean and centred sum of squares, of all blocks so far.

    `merge` adds a block's own two-pass moments by the pairwise rule: with d = mean_b - mean_a and W = W_a + W_b,

        mean = mean_a + d W_b / W,        squares = squares_a + squares_b + d^2 W_a W_b / W.

    The means are kept as what they exceed the very first value by (`shift`), so that d has its digits where the mean is
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
    >>> m = Moments().merge(v[:1], w[:1]).merge(v[1:], w[1:])
    >>> m.mean - 1e9, m.squares
    (10.0, 90.0)
    """

    weight: float = 0.0
    excess: float = 0.0
    squares: float = 0.0
    shift: float | None = None

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return (self.shift or 0.0) + self.excess

    def merge(self, values: Float[Tensor, "n"], weights: Float[Tensor, "n"]) -> Moments:
        """These moments and those of one more block."""
        w = float(weights.sum())
        if w == 0.0:
            return self
        shift = float(values[0]) if self.shift is None else self.shift
        values = values - shift
        mean = float((weights * values).sum()) / w
        mean += float((weights * (values - mean)).sum()) / w  # the first mean's own rounding
        squares = float((weights * (values - mean).square()).sum())
        total, d = self.weight + w, mean - self.excess
        merged = self.squares + squares + d * d * self.weight * w / total
        return Moments(total, self.excess + d * w / total, merged, shift)
