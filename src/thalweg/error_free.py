"""Error-free arithmetic: the sum or product of two float64 numbers as a rounded value and its exact error.

A pair (high, low) with |low| <= ulp(high)/2 carries about 32 digits. Each step is a tensor operation of its own, so
that nothing can contract a product and a sum into a fused one; the same code is right on a CPU and on a GPU. None of
it may be handed to `torch.compile`.

Range: sums are exact wherever they do not overflow; products where the factors are below 1e300 and the product
lies between 1e-290 and 1e300 in size (below, the error term underflows; the product itself is still rounded correctly).

References
----------
.. [1] T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971),
   doi:10.1007/BF01397083.
.. [2] M. Joldes, J.-M. Muller, V. Popescu, "Tight and rigorous error bounds for basic building blocks of double-word
   arithmetic", ACM TOMS 44 (2017), doi:10.1145/3121432.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Pair = tuple[Float[Tensor, "..."], Float[Tensor, "..."]]

_LOW_BITS = 27  # of the 53: the upper part keeps 26 bits, the lower one fits in 26 and a sign


def two_sum(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Pair:
    """a + b = s + e exactly, with s the rounded sum; any order of sizes.

    Examples
    --------
    >>> import torch
    >>> s, e = two_sum(torch.tensor([1.0], dtype=torch.float64), torch.tensor([2.0**-60], dtype=torch.float64))
    >>> s.item(), e.item() == 2.0**-60
    (1.0, True)
    """
    s = a + b
    kept_of_b = s - a
    return s, (a - (s - kept_of_b)) + (b - kept_of_b)


def quick_two_sum(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Pair:
    """a + b = s + e exactly where |a| >= |b| (or a = 0)."""
    s = a + b
    return s, b - (s - a)


def split(a: Float[Tensor, "*shape"]) -> Pair:
    """a = upper + lower exactly, each short enough (26 bits) that products of two such parts are exact.

    The bits are cut rather than multiplied by 2**27 + 1 (Veltkamp): the same parts, and no overflow for large a.
    """
    bits = a.view(torch.int64) + (1 << (_LOW_BITS - 1))  # round half away from zero; a carry raises the exponent
    upper = (bits & -(1 << _LOW_BITS)).view(torch.float64)
    return upper, a - upper


def two_prod(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Pair:
    """a * b = p + e exactly, with p the rounded product ([1], without a fused multiply-add).

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([0.1], dtype=torch.float64)
    >>> from fractions import Fraction
    >>> p, e = two_prod(x, x)
    >>> Fraction(p.item()) + Fraction(e.item()) == Fraction(0.1) ** 2
    True
    """
    p = a * b
    (a1, a0), (b1, b0) = split(a), split(b)
    return p, ((a1 * b1 - p) + a1 * b0 + a0 * b1) + a0 * b0


def dd_add(x: Pair, y: Pair) -> Pair:
    """x + y of two pairs, relative error below 3 u² + 13 u³ with u = 2⁻⁵³ ([2], algorithm 6)."""
    (s, e), (t, f) = two_sum(x[0], y[0]), two_sum(x[1], y[1])
    s, e = quick_two_sum(s, e + t)
    return quick_two_sum(s, e + f)


def dd_mul(x: Pair, y: Pair) -> Pair:
    """x * y of two pairs, relative error below 5 u² with u = 2⁻⁵³ ([2], algorithm 11 with the product x₀y₀)."""
    p, e = two_prod(x[0], y[0])
    cross = x[0] * y[1] + x[1] * y[0] + x[1] * y[1]
    return quick_two_sum(p, e + cross)
