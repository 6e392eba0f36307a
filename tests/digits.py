"""Digits of agreement with a reference value, as NIST counts them, and how many its linear sets allow."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import inf, log10

# Digits against the certificate of the exact (rational) solution of the float64 data, as the reference states them.
CEILINGS = {
    "Norris": 14.1,
    "Pontius": 13.5,
    "NoInt1": 14.7,
    "NoInt2": 15.0,
    "Filip": 14.0,
    "Longley": 14.6,
    "Wampler1": 15.0,
    "Wampler2": 13.2,
    "Wampler3": 15.0,
    "Wampler4": 15.0,
    "Wampler5": 15.0,
}


def digits(found: Iterable[float], truth: Iterable[str | float], *, most: float = 15.0) -> float:
    """The smallest log relative error, -log10(|q - c| / |c|), over the entries; at most `most`.

    The difference is taken exactly (both are rational numbers), so that the count itself loses nothing.
    """
    least = inf
    for q, c in zip(found, truth, strict=True):
        exact = Fraction(c)
        if q != q or abs(q) == inf:
            return 0.0
        error = abs(Fraction(q) - exact)
        scale = abs(exact) if exact else Fraction(1)
        least = min(least, most if error == 0 else -log10(error / scale))
    return max(0.0, min(least, most))
