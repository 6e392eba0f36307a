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
    mean: float = 0.0
    squares: float = 0.0

    def merge(self, values: Float[Tensor, "n"], weights: Float[Tensor, "n"]) -> Moments:
        """These moments and those of one more block."""
        w = float(weights.sum())
        if w == 0.0:
            return self
        mean = float((weights * values).sum()) / w
        centred = values - mean
        mean += float((weights * centred).sum()) / w  # the first mean's own rounding
        squares = float((weights * (values - mean).square()).sum())
        total, d = self.weight + w, mean - self.mean
        return Moments(total, self.mean + d * w / total, self.squares + squares + d * d * self.weight * w / total)
