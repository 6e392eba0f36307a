"""Special functions in forms that do not cancel."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NEAR = 0.3  # series below, library functions above: each keeps about 15 digits on its side
_ATANH = tuple(1 / (2 * k + 3) for k in range(12))  # (atanh(r) - r) / r^3 in powers of r^2
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)  # in powers of 1 / x^2, times 1 / x


def polynomial(x: Float[Tensor, "*n"], coefficients: tuple[float, ...]) -> Float[Tensor, "*n"]:
    """sum_k coefficients[k] x^k by Horner's rule."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _near(x: Float[Tensor, "*n"]) -> tuple[Tensor, Tensor]:
    """r = x / (2 + x) and 2 (atanh(r) - r): log(1 + x) = 2 atanh(r)."""
    r = x / (2 + x)
    return r, 2 * r**3 * polynomial(r * r, _ATANH)


def log1p_remainders(x: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """log(1 + x) - x and log(1 + x) - x + x^2 / 2, to nearly full relative accuracy.

    Near 0 by log(1 + x) = 2 atanh(r), r = x / (2 + x): then 2 r - x = -r x and x^2 / 2 - r x = r x^2 / 2 are taken by
    hand and only the cubic rest is summed.

    Examples
    --------
    >>> import torch
    >>> [f"{float(part):.6e}" for part in log1p_remainders(torch.tensor(1e-9, dtype=torch.float64))]
    ['-5.000000e-19', '3.333333e-28']
    """
    r, cubic = _near(x)
    logarithm = torch.log1p(x)
    near = x.abs() < NEAR
    first = torch.where(near, cubic - r * x, logarithm - x)
    return first, torch.where(near, cubic + r * x * x / 2, logarithm - x + x * x / 2)


def ratio_excess(a: Float[Tensor, "*n"], b: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """a / b - 1 - log(a / b) >= 0, for positive a and b that may be close; half the gamma unit deviance of a at b.

    Examples
    --------
    >>> import torch
    >>> f"{float(ratio_excess(torch.tensor(1 + 1e-8, dtype=torch.float64), torch.tensor(1.0))):.3e}"
    '5.000e-17'
    """
    x = (a - b) / b
    r, cubic = _near(x)
    return torch.where(x.abs() < NEAR, r * x - cubic, x - torch.log(a / b))


def poisson_excess(a: Float[Tensor, "*n"], b: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """a log(a / b) - a + b >= 0, and b where a = 0; half the Poisson unit deviance of a at b.

    This is `bd0` of C. Loader, "Fast and accurate computation of binomial probabilities" (2000).
    """
    safe = torch.where(a > 0, a, 1)
    return torch.where(a > 0, safe * ratio_excess(b, safe), b)


def log_ratio(a: Float[Tensor, "*n"], b: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(a / b) for positive a and b that may be close."""
    x = (a - b) / b
    return torch.where(x.abs() < NEAR, torch.log1p(x), torch.log(a / b))


def stirling_error(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log Gamma(x + 1) - (x + 1/2) log x + x - log(2 pi) / 2: what Stirling's formula leaves, for x > 0.

    With it the log densities of large counts and shapes keep their digits. Reference as for `poisson_excess`.
    """
    direct = torch.lgamma(x + 1) - (x + 0.5) * torch.log(x) + x - math.log(2 * math.pi) / 2
    return torch.where(x < 16, direct, polynomial(1 / (x * x), _STIRLING) / x)


def largest_exponent(x: Tensor) -> float:
    """A number whose exponential is still finite in the type of x, with room for a factor of a few thousand."""
    return math.log(torch.finfo(x.dtype).max) - 9.0


def log1p_expm1(k: Float[Tensor, "*n"], v: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(1 + k expm1(v)) for k in (0, 1/2]; where exp(v) is too large for a number, log k + v."""
    cut = v.clamp(max=largest_exponent(v))
    return torch.log1p(k * torch.expm1(cut)) + (v - cut)


def log1m_exp(z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """log(1 - exp(-z)) for z > 0.

    M. Maechler, "Accurately computing log(1 - exp(-|a|))" (2012).
    """
    return torch.where(z < math.log(2), torch.log(-torch.expm1(-z)), torch.log1p(-torch.exp(-z)))
