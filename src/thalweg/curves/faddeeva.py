"""The Faddeeva function over tensors: what a Voigt profile is made of on a device that scipy does not reach.

w(z) = exp(-z^2) erfc(-iz) by Weideman's rational series [1] with 64 terms, for Im z >= 0. scipy.special.wofz serves
NumPy arrays; the tests compare the two.

References
----------
.. [1] J. A. C. Weideman, "Computation of the complex error function", SIAM J. Numer. Anal. 31 (1994),
   doi:10.1137/0731077.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

TERMS = 64
ROOT_PI = 1.7724538509055160273


@cache
def _series() -> tuple[float, tuple[float, ...]]:
    """L and the coefficients of [1], by the fast Fourier transform of its section 4."""
    m = 2 * TERMS
    length = np.sqrt(TERMS / np.sqrt(2))
    t = length * np.tan(np.arange(-m + 1, m) * np.pi / m / 2)
    f = np.concatenate([[0.0], np.exp(-(t**2)) * (length**2 + t**2)])
    a = np.real(np.fft.fft(np.fft.fftshift(f))) / (2 * m)
    return float(length), tuple(a[1 : TERMS + 1][::-1].tolist())


def wofz(u: Tensor, v: Tensor) -> Tensor:
    """w(u + iv), complex.

    Parameters
    ----------
    u, v : Tensor
        v >= 0; for v < 0 by w(z) = 2 exp(-z^2) - w(-z).
    """
    u, v = torch.broadcast_tensors(u, v)
    z = torch.complex(u, v)
    below = v < 0
    upper = torch.where(below, -z, z)
    length, coefficients = _series()
    fraction = (length + 1j * upper) / (length - 1j * upper)
    p = torch.zeros_like(upper)
    for coefficient in coefficients:
        p = p * fraction + coefficient
    w = 2 * p / (length - 1j * upper) ** 2 + (1 / ROOT_PI) / (length - 1j * upper)
    return torch.where(below, 2 * torch.exp(-z * z) - w, w)
