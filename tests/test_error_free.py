"""Error-free arithmetic against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from thalweg.error_free import Pair, dd_add, dd_mul, quick_two_sum, split, two_prod, two_sum

UNIT = 2.0**-53


def numbers(seed: int, n: int = 3000, decades: int = 100) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = torch.randint(-decades, decades, (n,), generator=generator).double()
    return torch.randn(n, generator=generator, dtype=torch.float64) * 10.0**size


def exact(pair: Pair) -> list[Fraction]:
    return [Fraction(high) + Fraction(low) for high, low in zip(pair[0].tolist(), pair[1].tolist(), strict=True)]


def pairs(seed: int) -> Pair:
    high = numbers(seed)
    return quick_two_sum(high, high * numbers(seed + 50, decades=1).clamp(-1, 1) * UNIT)


def test_sums_and_products_are_exact() -> None:
    a, b = numbers(1), numbers(2)
    for operation, pair in ((Fraction.__add__, two_sum(a, b)), (Fraction.__mul__, two_prod(a, b))):
        truth = [operation(Fraction(x), Fraction(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        assert exact(pair) == truth


def test_parts_of_a_split_are_short_and_add_up() -> None:
    a = torch.cat([numbers(3), torch.tensor([1.7e308, -1.7e308, 5e-324, 0.0, 2.0**53 - 1], dtype=torch.float64)])
    upper, lower = split(a)
    assert exact((upper, lower)) == [Fraction(x) for x in a.tolist()]
    for part in (upper, lower):
        assert all(x == 0 or abs(Fraction(x).numerator).bit_length() <= 26 or _trimmed(x) <= 26 for x in part.tolist())


def _trimmed(x: float) -> int:
    """Bits between the first and the last that is set."""
    numerator = abs(Fraction(x).numerator)
    return numerator.bit_length() - ((numerator & -numerator).bit_length() - 1)


def test_pairs_add_and_multiply_within_the_proved_bounds() -> None:
    x, y = pairs(4), pairs(5)
    for operation, computed, bound in ((Fraction.__add__, dd_add(x, y), 3.1), (Fraction.__mul__, dd_mul(x, y), 5.1)):
        truth = [operation(left, right) for left, right in zip(exact(x), exact(y), strict=True)]
        errors = [abs(float((got - want) / want)) for got, want in zip(exact(computed), truth, strict=True) if want]
        assert max(errors) < bound * UNIT**2
