"""Matrix products in doubled precision by ordinary matrix products of slices.

A matrix is scaled to columns below 1/2 by powers of two and cut into slices of so few bits that every product of two
slices, and every sum of such products over the rows, is a float64 number exactly, whatever the order in which a
library or a GPU adds them. What is dropped lies 2^-105 and more below the largest entry of a column, so that a product
has the digits of double-double arithmetic at the speed of matrix products: about fifteen of them (nine where the
product is symmetric) in place of twenty operations per pair of entries.

References
----------
.. [1] K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, "Error-free transformations of matrix multiplication by using fast
   routines of matrix multiplication and its applications", Numer. Algorithms 59 (2012), doi:10.1007/s11075-011-9478-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.error_free import Pair, dd_add, quick_two_sum, two_prod, two_sum

SLICES = 5  # of 21 bits for 1024 rows, of up to 25 for fewer: 105 bits and more
CHUNK = 1024  # rows over which products of slices are summed exactly

Doubled = tuple[Float[Tensor, "_ _"], Float[Tensor, "_ _"] | None]  # (n, p); a low word of None is zero


def power_of_two(exponent: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """2**exponent exactly, for exponents held within the normal range of float64.

    The bits are written rather than computed: neither `exp2` nor `ldexp` promises the exact number.

    Examples
    --------
    >>> import torch
    >>> power_of_two(torch.tensor([-3, 0, 1000])).tolist() == [0.125, 1.0, 2.0**1000]
    True
    """
    return ((exponent.to(torch.int64).clamp(-1022, 1023) + 1023) << 52).view(torch.float64)


def shifted(x: Float[Tensor, "*shape"], shift: Int[Tensor, "*#shape"]) -> Float[Tensor, "*shape"]:
    """x 2^shift, in two factors where 2^shift alone would leave the range of float64.

    Examples
    --------
    >>> import torch
    >>> shifted(torch.tensor([2.0**-1000], dtype=torch.float64), torch.tensor([1999])).item() == 2.0**999
    True
    """
    if int(shift.abs().max()) <= 1000:
        return x * power_of_two(shift)
    half = shift >> 1
    return x * power_of_two(half) * power_of_two(shift - half)


def exponent(x: Float[Tensor, "*shape"]) -> Int[Tensor, "*#shape"]:
    """e with |x| in [2^(e-1), 2^e); 0 for x = 0."""
    return torch.frexp(x).exponent.to(torch.int64)


@dataclass(frozen=True)
class Slices:
    """Columns as sums of short slices, times a power of two per column.

    Attributes
    ----------
    parts : sequence of Tensor, each (q, a)
        parts[i] holds multiples of 2^(-(i+1) bits), at most 2^(bits-1) of them.
    scale : Tensor, (a,)
        Powers of two.
    """

    parts: Sequence[Float[Tensor, "q a"]]
    scale: Float[Tensor, "a"]


def slice_columns(x: Doubled) -> Slices:
    """Cut the columns of at most `CHUNK` rows.

    With s bits per slice and q rows, a sum over q rows and `SLICES` pairs of slices of products below 2^(2s-2) must
    stay within 53 bits: 2s - 2 + log2(q) + 3 <= 53.
    """
    high, low = x
    q = high.shape[0]
    bits = (52 - max(q - 1, 1).bit_length()) // 2
    top = exponent(high.abs().amax(0)) + 1
    down = power_of_two(-top)
    rest = high * down
    tail = None if low is None else low * down
    parts = []
    for i in range(SLICES):
        if tail is not None and i >= 2:  # before, the low word is far below the slice's last bit
            rest, tail = two_sum(rest, tail)
        grid = 1.5 * 2.0 ** (52 - (i + 1) * bits)  # adding it rounds to the slice's last bit
        part = (rest + grid) - grid
        parts.append(part)
        rest = rest - part
    return Slices(parts, power_of_two(top))


def slice_product(left: Slices, right: Slices) -> Pair:
    """X'Z of sliced X (q, a) and Z (q, b)."""
    wide = torch.cat(list(right.parts), dim=1)
    b = right.scale.shape[0]
    levels: list[list[Tensor]] = [[] for _ in range(SLICES)]
    for i, part in enumerate(left.parts):
        product = matmul(part.T, wide[:, : (SLICES - i) * b])
        for j, piece in enumerate(product.split(b, dim=1)):
            levels[i + j].append(piece)
    return _fold([_plain_sum(level) for level in levels], left.scale[:, None] * right.scale)


def slice_gram(x: Slices) -> Pair:
    """X'X of sliced X (q, a): `slice_product(x, x)` without the products that are transposes of others."""
    wide = torch.cat(list(x.parts), dim=1)
    a = x.scale.shape[0]
    levels: list[list[Tensor]] = [[] for _ in range(SLICES)]
    for i in range((SLICES + 1) // 2):
        product = matmul(x.parts[i].T, wide[:, i * a : (SLICES - i) * a])
        for j, piece in enumerate(product.split(a, dim=1), start=i):
            levels[i + j] += [piece] if i == j else [piece, piece.T]
    return _fold([_plain_sum(level) for level in levels], x.scale[:, None] * x.scale)


def matmul(x: Float[Tensor, "n q"], z: Float[Tensor, "q m"]) -> Float[Tensor, "n m"]:
    """X Z. On a processor through NumPy, whose BLAS starts no threads for a small product and knows A'A."""
    if x.device.type != "cpu":
        return x @ z
    return torch.from_numpy(x.numpy() @ z.numpy())


def _plain_sum(terms: Sequence[Tensor]) -> Tensor:
    """A sum that is exact by the choice of the slices' length."""
    return reduce(torch.add, terms)


def _fold(levels: Sequence[Tensor], scale: Tensor) -> Pair:
    """The sum of levels of falling size, as a pair."""
    high, low = levels[-1], torch.zeros_like(levels[-1])
    for level in reversed(levels[:-1]):
        high, error = two_sum(level, high)
        low = low + error
    high, low = quick_two_sum(high, low)
    return high * scale, low * scale


def sliced(x: Doubled) -> list[Slices]:
    """All rows cut, `CHUNK` rows at a time."""
    if x[0].shape[0] <= CHUNK:
        return [slice_columns(x)]
    count = -(-x[0].shape[0] // CHUNK)
    low = [None] * count if x[1] is None else x[1].split(CHUNK)
    return [slice_columns(part) for part in zip(x[0].split(CHUNK), low, strict=True)]


def gram(x: Doubled) -> Pair:
    """X'X of X (q, a).

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0], [2.0**-30], [-2.0**-50]], dtype=torch.float64)
    >>> high, low = gram((x, None))
    >>> high.item(), low.item() == 2.0**-60 + 2.0**-100
    (1.0, True)
    """
    return reduce(dd_add, [slice_gram(part) for part in sliced(x)])


def cross(x: Doubled | list[Slices], z: Doubled | list[Slices]) -> Pair:
    """X'Z of X (q, a) and Z (q, b), either of them sliced already."""
    left, right = (side if isinstance(side, list) else sliced(side) for side in (x, z))
    return reduce(dd_add, [slice_product(a, b) for a, b in zip(left, right, strict=True)])


def product(x: Doubled, z: Doubled) -> Pair:
    """X Z of X (n, q) and Z (q, b)."""
    return cross(transposed(x), z)


def transposed(x: Doubled) -> Doubled:
    """X'."""
    return x[0].T, None if x[1] is None else x[1].T


def scaled(x: Doubled, factor: Float[Tensor, "*shape"]) -> Pair:
    """x * factor elementwise, where factor is a float64 number of any bits."""
    high, error = two_prod(x[0], factor.expand_as(x[0]).contiguous())
    return quick_two_sum(high, error if x[1] is None else error + x[1] * factor)


def negative(x: Pair) -> Pair:
    """-x."""
    return -x[0], -x[1]
