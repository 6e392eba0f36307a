"""Derivatives of the negative binomial log-likelihood in alpha, for alpha down to 0."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.losses.special import log1p_remainders

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)  # of alpha^(2j+1)
LARGEST = 0.1  # the asymptotic series of log Gamma(1 / alpha) up to here; digamma functions above


def alpha_derivatives(
    alpha: float, y: Float[Tensor, "*n"], mu: Float[Tensor, "*n"]
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """First and second derivative in alpha of the log density, per row.

    With n = 1 / alpha the density's terms that hold alpha are T(alpha) + Q(alpha),

        T = log Gamma(y + n) - log Gamma(n) + y log alpha,    Q = -(y + n) log(1 + alpha mu).
    """
    count = _series_derivatives if alpha <= LARGEST else _digamma_derivatives
    first, second = count(alpha, y)
    mean_first, mean_second = _mean_derivatives(alpha, y, mu)
    return first + mean_first, second + mean_second


def _mean_derivatives(alpha: float, y: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    """Q' and Q''. With x = alpha mu, w = x / (1 + x) and R1, R2 what log(1 - w) leaves after one and two terms,

    log(1 + x) - w = -R1(-w), hence Q' = -R1 / alpha^2 - y mu / (1 + x), Q'' = 2 R2 / alpha^3 + y (mu / (1 + x))^2.
    """
    scaled = mu / (1 + alpha * mu)
    first, second = log1p_remainders(-alpha * scaled)
    return -first / alpha**2 - y * scaled, 2 * second / alpha**3 + y * scaled**2


def _series_derivatives(alpha: float, y: Tensor) -> tuple[Tensor, Tensor]:
    """T' and T'' by Stirling's series, whose large terms cancel by hand. With x = alpha y, l = log(1 + x),

    (1) T = (y + n - 1/2) l - y + s(y + n) - s(n),    s(n) = sum_j c_j alpha^(2j+1), j = 0, 1, ...
    (2) of (y + n - 1/2) l - y:  T' = -R1(x) / alpha^2 - y / (2 (1 + x)),
        T'' = [2 R2(x) - x^3 / (1 + x)] / alpha^3 + y^2 / (2 (1 + x)^2);
    (3) s(y + n) = sum_j c_j [alpha / (1 + x)]^(2j+1), whose derivative in alpha has the factor (1 + x)^-2.
    """
    x = alpha * y
    grown, logarithm = 1 + x, torch.log1p(x)
    first, second = log1p_remainders(x)
    slope = -first / alpha**2 - y / (2 * grown)
    cubic = torch.where(x < 1, 2 * second - x**3 / grown, 2 * first + x * x / grown)  # equal; each on its good side
    bend = cubic / alpha**3 + (y / grown) ** 2 / 2
    for j, c in enumerate(_STIRLING):
        m = 2 * j + 1
        slope = slope + c * m * alpha ** (m - 1) * torch.expm1(-(m + 1) * logarithm)
        # d/d alpha of m alpha^(m-1) [(1 + x)^-(m+1) - 1], the part of alpha^(m-1) and that of 1 + x
        bend = bend - c * m * (m + 1) * alpha ** (m - 1) * y * torch.exp(-(m + 2) * logarithm)
        if m > 1:
            bend = bend + c * m * (m - 1) * alpha ** (m - 2) * torch.expm1(-(m + 1) * logarithm)
    return slope, bend


def _digamma_derivatives(alpha: float, y: Tensor) -> tuple[Tensor, Tensor]:
    """T' and T'' from dT/dn = psi(y + n) - psi(n) and the chain rule for n = 1 / alpha."""
    n = torch.as_tensor(1 / alpha, dtype=y.dtype, device=y.device)
    first = torch.digamma(y + n) - torch.digamma(n)
    second = torch.special.zeta(2, y + n) - torch.special.zeta(2, n)  # trigamma: polygamma(1, x) has 8 digits only
    return y / alpha - first / alpha**2, -y / alpha**2 + second / alpha**4 + 2 * first / alpha**3
