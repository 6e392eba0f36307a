"""For every named curve: its formula as textbooks have it, written apart from the expression, and how to draw data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from numpy.random import Generator
from scipy import special, stats

Draw = Callable[[Generator], dict[str, float]]


@dataclass(frozen=True)
class Case:
    """A curve to test.

    Attributes
    ----------
    formula : callable
        (x, **parameters) -> y.
    draw : callable
        Generator -> true parameters, for x between low and high.
    low, high : float
        Range of x.
    """

    formula: Callable[..., ndarray]
    draw: Draw
    low: float
    high: float


def _voigt(x: ndarray, a: float, mu: float, s: float, g: float) -> ndarray:
    return a * special.voigt_profile(x - mu, s, g) / special.voigt_profile(0.0, s, g)


def _either(rng: Generator, low: float, high: float) -> float:
    """From low to high evenly in the logarithm, of either sign."""
    return float(rng.choice([-1, 1]) * _log(rng, low, high))


def _log(rng: Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _drawn(**ranges: Callable[[Generator], float]) -> Draw:
    return lambda rng: {name: value(rng) for name, value in ranges.items()}


def _of(kind: Callable[[Generator, float, float], float], low: float, high: float) -> Callable[[Generator], float]:
    return lambda rng: kind(rng, low, high)


def _between(rng: Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _two_rates(rng: Generator) -> dict[str, float]:
    k = _log(rng, 0.1, 0.5)
    return {"a1": _log(rng, 1, 5), "k1": k * rng.uniform(4, 20), "a2": _log(rng, 1, 5), "k2": k}


_EXPONENTIAL = {"a": _of(_either, 0.1, 100), "k": _of(_log, 0.05, 3)}
_CENTRED = {"a": _of(_either, 0.1, 100), "k": _of(_log, 0.8, 8), "x0": _of(_between, 2, 8)}
_WEIBULL = {"a": _of(_either, 0.1, 100), "tau": _of(_log, 1, 8), "k": _of(_log, 0.5, 5)}

CASES: dict[str, Case] = {
    "constant": Case(lambda x, c: c + 0 * x, _drawn(c=_of(_either, 0.1, 100)), -5, 5),
    "line": Case(
        lambda x, slope, intercept: intercept + slope * x,
        _drawn(slope=_of(_either, 0.1, 100), intercept=_of(_either, 0.1, 100)),
        -5,
        5,
    ),
    "polynomial": Case(
        lambda x, c0, c1, c2: c0 + c1 * x + c2 * x**2,
        _drawn(c0=_of(_either, 1, 10), c1=_of(_either, 1, 10), c2=_of(_either, 1, 10)),
        -2,
        2,
    ),
    "exponential_decay": Case(lambda x, a, k: a * np.exp(-k * x), _drawn(**_EXPONENTIAL), 0, 10),
    "exponential_growth": Case(lambda x, a, k: a * np.exp(k * x), _drawn(**_EXPONENTIAL), 0, 10),
    "bi_exponential": Case(lambda x, a1, k1, a2, k2: a1 * np.exp(-k1 * x) + a2 * np.exp(-k2 * x), _two_rates, 0, 10),
    "power_law": Case(lambda x, a, b: a * x**b, _drawn(a=_of(_either, 0.1, 100), b=_of(_between, -3, 4)), 0.3, 10),
    "arrhenius": Case(
        lambda x, a, ea: a * np.exp(-ea / (8.314462618 * x)),
        _drawn(a=_of(_log, 1e8, 1e13), ea=_of(_between, 3e4, 1.2e5)),
        280,
        400,
    ),
    "logistic": Case(lambda x, a, k, x0: a / (1 + np.exp(-k * (x - x0))), _drawn(**_CENTRED), 0, 10),
    "gompertz": Case(lambda x, a, k, x0: a * np.exp(-np.exp(-k * (x - x0))), _drawn(**_CENTRED), 0, 10),
    "weibull": Case(lambda x, a, tau, k: a * stats.weibull_min.cdf(x, k, scale=tau), _drawn(**_WEIBULL), 0, 10),
    "weibull_survival": Case(lambda x, a, tau, k: a * stats.weibull_min.sf(x, k, scale=tau), _drawn(**_WEIBULL), 0, 10),
    "michaelis_menten": Case(
        lambda x, vmax, km: vmax / (1 + km / x), _drawn(vmax=_of(_log, 0.1, 100), km=_of(_log, 0.3, 10)), 0.01, 10
    ),
    "hill": Case(
        lambda x, vmax, k, n: vmax * x**n / (k**n + x**n),
        _drawn(vmax=_of(_either, 0.1, 100), k=_of(_log, 1, 7), n=_of(_log, 0.7, 6)),
        0,
        10,
    ),
    "gaussian": Case(
        lambda x, a, mu, s: a * np.sqrt(2 * np.pi) * s * stats.norm.pdf(x, mu, s),
        _drawn(a=_of(_either, 0.1, 100), mu=_of(_between, -3, 3), s=_of(_log, 0.3, 4)),
        -5,
        5,
    ),
    "lorentzian": Case(
        lambda x, a, x0, g: a * np.pi * g * stats.cauchy.pdf(x, x0, g),
        _drawn(a=_of(_either, 0.1, 100), x0=_of(_between, -3, 3), g=_of(_log, 0.3, 4)),
        -5,
        5,
    ),
    "voigt": Case(
        _voigt,
        _drawn(a=_of(_either, 0.1, 100), mu=_of(_between, -3, 3), s=_of(_log, 0.3, 1.5), g=_of(_log, 0.3, 1.5)),
        -5,
        5,
    ),
    "sine": Case(
        lambda x, a, f, phi: a * (np.sin(2 * np.pi * f * x) * np.cos(phi) + np.cos(2 * np.pi * f * x) * np.sin(phi)),
        _drawn(a=_of(_log, 0.1, 100), f=_of(_log, 0.05, 1.2), phi=_of(_between, -3, 3)),
        -5,
        5,
    ),
    "damped_sine": Case(
        lambda x, a, k, f, phi: (a * np.exp(1j * (2 * np.pi * f * x + phi) - k * x)).imag,
        _drawn(a=_of(_log, 0.1, 100), k=_of(_log, 0.05, 1), f=_of(_log, 0.1, 1.2), phi=_of(_between, -3, 3)),
        0,
        10,
    ),
    "step": Case(
        lambda x, a, x0, s: a * stats.norm.cdf(x, x0, s),
        _drawn(a=_of(_either, 0.1, 100), x0=_of(_between, -3, 3), s=_of(_log, 0.1, 2)),
        -5,
        5,
    ),
}

LANGUAGE: dict[str, Any] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "sigmoid": special.expit,
    "erfc": special.erfc,
    "minimum": np.minimum,
    "where": np.where,
    "pi": np.pi,
    "wofz_real": lambda u, v: special.wofz(u + 1j * v).real,
}
"""What the expressions may use; the parser of curves has tests of its own."""
