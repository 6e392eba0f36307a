"""Products in doubled precision against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from thalweg import doubled

PRECISION = 2.0**-100  # relative to the largest entries of the columns; 2^-105 and more is dropped per product


def rational(x: tuple[Tensor, Tensor]) -> list[list[Fraction]]:
    return [
        [Fraction(a) + Fraction(b) for a, b in zip(r, s, strict=True)]
        for r, s in zip(*(w.tolist() for w in x), strict=True)
    ]


def worst(found: tuple[Tensor, Tensor], x: tuple[Tensor, Tensor], z: tuple[Tensor, Tensor]) -> float:
    """Largest error of X'Z relative to rows times the largest entries of its two columns."""
    got, left, right = rational(found), rational(x), rational(z)
    out = 0.0
    for i, row in enumerate(got):
        for j, value in enumerate(row):
            truth = sum(a[i] * b[j] for a, b in zip(left, right, strict=True))
            size = len(left) * max(abs(a[i]) for a in left) * max(abs(b[j]) for b in right)
            out = max(out, float(abs(value - truth) / size) if size else float(value))
    return out


def pair(n: int, p: int, seed: int, spread: float = 3.0) -> tuple[Tensor, Tensor]:
    """Columns with entries of very different sizes, in two words."""
    g = torch.Generator().manual_seed(seed)
    high = torch.randn(n, p, generator=g, dtype=torch.float64)
    high = high * 10 ** (spread * torch.randn(n, p, generator=g, dtype=torch.float64))
    return high, high * torch.randn(n, p, generator=g, dtype=torch.float64) * 2.0**-56


@pytest.mark.parametrize("n", [1, 2, 3, 33, 64, 65, 1023, 1024, 1025, 2100])
def test_cross_product_of_any_number_of_rows(n):
    x, z = pair(n, 2, n), pair(n, 3, n + 1)
    assert worst(doubled.cross(x, z), x, z) < PRECISION


@pytest.mark.parametrize("n", [1, 5, 100, 1024, 1500])
def test_gram_is_the_cross_product_with_itself(n):
    x = pair(n, 3, n)
    assert worst(doubled.gram(x), x, x) < PRECISION


@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0])
def test_one_word_is_two_words_with_zeros(spread):
    high, _ = pair(40, 3, 7, spread)
    zero = torch.zeros_like(high)
    one, two = doubled.gram((high, None)), doubled.gram((high, zero))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_worst_case_of_slices_all_entries_at_the_limit():
    x = torch.full((1024, 2), 1.0 - 2.0**-53, dtype=torch.float64)
    x[:, 1] = -x[:, 1]
    both = (x, torch.zeros_like(x))
    assert worst(doubled.gram(both), both, both) < PRECISION


def test_sums_of_integers_are_exact():
    g = torch.Generator().manual_seed(0)
    x = torch.randint(-(2**40), 2**40, (200, 3), generator=g).double()
    both = (x, torch.zeros_like(x))
    got, left = rational(doubled.gram(both)), rational(both)
    assert got == [[sum(r[i] * r[j] for r in left) for j in range(3)] for i in range(3)]


def test_product_contracts_columns_with_rows():
    x, z = pair(5, 4, 1), pair(4, 3, 2)
    transposed = (x[0].T, x[1].T)
    assert worst(doubled.product(x, z), transposed, z) < PRECISION


def test_columns_of_zeros_and_of_extreme_sizes():
    x = torch.zeros(6, 3, dtype=torch.float64)
    x[:, 1] = torch.arange(1.0, 7.0, dtype=torch.float64) * 2.0**400
    x[:, 2] = torch.arange(1.0, 7.0, dtype=torch.float64) * 2.0**-400
    high, low = doubled.gram((x, None))
    assert high.tolist() == [[0, 0, 0], [0, 91 * 2.0**800, 91.0], [0, 91.0, 91 * 2.0**-800]]
    assert not low.any()


@pytest.mark.parametrize("low", [True, False])
def test_scaling_by_a_weight(low):
    x, _ = pair(20, 2, 3), None
    w = torch.rand(20, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    got = rational(doubled.scaled(x if low else (x[0], None), w))
    truth = [[v * Fraction(m) for v in row] for row, [m] in zip(rational(x), w.tolist(), strict=True)]
    if not low:
        truth = [[Fraction(v) * Fraction(m) for v in row] for row, [m] in zip(x[0].tolist(), w.tolist(), strict=True)]
    pairs = [(a, b) for r, s in zip(got, truth, strict=True) for a, b in zip(r, s, strict=True)]
    assert all(abs(a - b) <= abs(b) * Fraction(2.0**-103) for a, b in pairs)


@pytest.mark.parametrize("shift", [-1500, -1001, -1000, 0, 7, 1023, 1900])
def test_shifts_are_exact_whatever_their_size(shift):
    x = torch.tensor([1.2345 * 2.0 ** (-shift // 2)], dtype=torch.float64)
    assert Fraction(doubled.shifted(x, torch.tensor([shift])).item()) == Fraction(x.item()) * Fraction(2) ** shift


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_bits():
    x = pair(3000, 5, 1)
    here, there = doubled.gram(x), doubled.gram((x[0].cuda(), x[1].cuda()))
    assert torch.equal(here[0], there[0].cpu())
    assert torch.equal(here[1], there[1].cpu())
