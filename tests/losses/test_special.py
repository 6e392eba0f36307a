"""Special functions in 50-digit arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import pytest
import torch

from thalweg.losses import special

POINTS = [1e-300, 1e-30, 1e-9, 1e-3, 0.1, 0.2999, 0.3001, 0.69, 0.7, 0.9, 1.0, 3.0, 15.99, 16.01, 1e3, 1e9, 1e200]
AROUND = [s * x for x in POINTS[2:10] for s in (-1, 1)] + [1.0, 5.0, 1e9]

One = Callable[[torch.Tensor], torch.Tensor]
CASES: dict[str, tuple[One, Callable[[mp.mpf], mp.mpf], list[float], float]] = {
    "log1p - x": (
        lambda x: special.log1p_remainders(x)[0],
        lambda x: mp.log1p(x) - x,
        AROUND,
        2e-15,
    ),
    "log1p - x + x^2/2": (
        lambda x: special.log1p_remainders(x)[1],
        lambda x: mp.log1p(x) - x + x * x / 2,
        AROUND,
        1e-14,
    ),
    "ratio excess": (
        lambda x: special.ratio_excess(1 + x, torch.ones_like(x)),
        lambda x: mp.mpf(float(1 + x)) - 1 - mp.log(mp.mpf(float(1 + x))),
        [x for x in AROUND if x > -1],
        3e-15,
    ),
    "Poisson excess": (
        lambda x: special.poisson_excess(x, torch.full_like(x, 0.7)),
        lambda x: x * mp.log(x / mp.mpf(0.7)) - x + mp.mpf(0.7),
        POINTS[:-1],
        3e-15,
    ),
    "log(1 - exp(-z))": (special.log1m_exp, lambda x: mp.log(-mp.expm1(-x)), POINTS[:14], 1e-15),
    "Stirling": (
        special.stirling_error,
        lambda x: mp.loggamma(x + 1) - (x + 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2,
        POINTS[1:-1],
        2e-12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_digit(name: str) -> None:
    function, exact, points, relative = CASES[name]
    got = function(torch.tensor(points, dtype=torch.float64))
    with mp.workdps(60):
        expected = torch.tensor([float(exact(mp.mpf(x))) for x in points], dtype=torch.float64)
    torch.testing.assert_close(got, expected, rtol=relative, atol=1e-300)


def test_nothing_at_equality() -> None:
    same = torch.tensor([1e-200, 0.3, 7.0, 1e200], dtype=torch.float64)
    assert torch.equal(special.ratio_excess(same, same), torch.zeros_like(same))
    assert torch.equal(special.poisson_excess(same, same), torch.zeros_like(same))
    zero = torch.zeros(2, dtype=torch.float64)
    assert torch.equal(
        special.poisson_excess(zero, torch.tensor([0.0, 2.5]).double()), torch.tensor([0.0, 2.5]).double()
    )
