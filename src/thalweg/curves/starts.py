"""Candidates for a search: drawn about the user's start, and on the scales on which the data let parameters lie.

    1. about the start      start * 10^U(-1.5, 1.5), sign kept in nine of ten
    2. from the data        `thalweg.curves.scales`
    3. mixed                some parameters of one kind and some of the other

by a scrambled Sobol sequence [1], the same for the same seed. A parameter that the user gave no start for is always
drawn from the data. Linear parameters are drawn too, and solved for later.

References
----------
.. [1] I. M. Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals", USSR
   Computational Mathematics and Mathematical Physics 7 (1967), doi:10.1016/0041-5553(67)90144-9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch.quasirandom import SobolEngine

from thalweg.curves.curve import Expression
from thalweg.curves.projection import Projection
from thalweg.curves.sample import Sample
from thalweg.curves.scales import ONE, Scale, scales_of

DECADES = 1.5  # about the user's start
TURNED = 0.1  # share of the candidates about the user's start with the other sign
SHARES = (0.2, 0.7, 0.1)  # of points 1, 2, 3
PER_PARAMETER = 4  # coordinates: which scale, where on it, sign, which kind


def scales(sample: Sample) -> dict[str, tuple[Scale, ...]]:
    """The scales of each parameter; 1 where the curve is no graph that could be read."""
    curve = sample.curve
    if not isinstance(curve, Expression):
        return dict.fromkeys(curve.parameters, (ONE,))
    return scales_of(curve.graph, curve.root, curve.parameters, sample.columns, sample.y)


def candidates(
    sample: Sample,
    start: Mapping[str, float],
    lower: Float[ndarray, "p"],
    upper: Float[ndarray, "p"],
    count: int,
    seed: int,
) -> Float[ndarray, "K p"]:
    """Points to look at.

    Parameters
    ----------
    sample : Sample
    start : mapping of str to float
        What the user gave: all, some or none of the parameters.
    lower, upper : ndarray, (p,)
    count : int
    seed : int

    Returns
    -------
    ndarray, (count, p)
    """
    names = sample.curve.parameters
    unit = _sobol(count, PER_PARAMETER * len(names), seed).reshape(count, PER_PARAMETER, len(names))
    kind = _kinds(count, bool(start))
    found = scales(sample)
    out = np.empty((count, len(names)))
    for j, name in enumerate(names):
        which, where, sign, mixed = unit[:, :, j].T
        drawn = _drawn(found[name], which, where, sign)
        if name in start:
            near = (kind == 0) | ((kind == 2) & (mixed < 0.5))
            drawn = np.where(near, _about(start[name], where, sign, found[name]), drawn)
        out[:, j] = _within(drawn, lower[j], upper[j], where)
    return out


@lru_cache(8)
def _sobol(count: int, dimensions: int, seed: int) -> Float[ndarray, "count d"]:
    """PyTorch's, as scipy's takes half a second to import."""
    return SobolEngine(dimensions, scramble=True, seed=seed).draw(count, dtype=torch.float64).numpy()


def _kinds(count: int, given: bool) -> ndarray:
    """Which of points 1 to 3 each candidate follows."""
    if not given:
        return np.ones(count, dtype=int)
    ends = np.cumsum(SHARES)
    return np.searchsorted(ends, (np.arange(count) * 0.6180339887498949) % 1.0, side="right").clip(0, 2)


def _drawn(found: Sequence[Scale], which: ndarray, where: ndarray, sign: ndarray) -> ndarray:
    chosen = np.minimum((which * len(found)).astype(int), len(found) - 1)
    return np.choose(chosen, [scale.draw(where, sign) for scale in found[:30]], mode="clip")


def _about(value: float, where: ndarray, sign: ndarray, found: Sequence[Scale]) -> ndarray:
    if value == 0.0:
        return found[0].draw(where, sign)
    return value * 10 ** (DECADES * (2 * where - 1)) * np.where(sign < TURNED, -1.0, 1.0)


def _within(drawn: ndarray, low: float, high: float, where: ndarray) -> ndarray:
    """Moved into the bounds: by its sign where that helps, otherwise anywhere between them, or on the nearest."""
    outside = (drawn < low) | (drawn > high)
    turned = np.where(outside, -drawn, drawn)
    outside = (turned < low) | (turned > high)
    if np.isfinite(low) and np.isfinite(high):
        return np.where(outside, low + (high - low) * where, turned)
    return np.clip(turned, low, high)


# ------------------------------------------------------------------------------------------------------- term by term


def swept(
    projection: Projection,
    theta: Float[ndarray, "K p"],
    value: Float[ndarray, "K"],
    parents: int,
    tries: int,
    seed: int,
) -> tuple[Float[ndarray, "M p"], Float[ndarray, "M"]]:
    """The best candidates made better, term by term: a peak after the other.

    Where a curve is a sum of terms, few candidates have all of them right, and many have one. Each of the best tries
    the terms of other candidates in place of its own, one term after the other, and keeps what lowers J. To try many
    terms once does more than to try few again, or to move a term a little: that is what comes after.

    Parameters
    ----------
    projection : Projection
    theta, value : ndarray
        Candidates and their J.
    parents : int
        How many are made better.
    tries : int
        What each tries for every term.
    seed : int

    Returns
    -------
    theta, value : ndarray
        All that were tried.
    """
    if len(projection.terms) < 2:
        return theta[:0], value[:0]
    generator = np.random.default_rng(seed)
    order = np.argsort(value, kind="stable")
    donors = theta[order[: len(order) // 2]]
    at, reached = theta[order[:parents]], value[order[:parents]]
    tried = [(at[:0], reached[:0])]
    for term in projection.terms:
        trial = np.repeat(at, tries, axis=0)
        trial[:, term] = donors[generator.integers(0, len(donors), len(trial))][:, term]
        trial, found = projection(trial)
        tried.append((trial, found))
        at, reached = _improved(at, reached, trial, found, tries)
    return np.concatenate([each[0] for each in tried]), np.concatenate([each[1] for each in tried])


def _improved(at: ndarray, reached: ndarray, trial: ndarray, found: ndarray, tries: int) -> tuple[ndarray, ndarray]:
    """Each parent, or the best of its trials."""
    found = found.reshape(len(at), tries)
    best = found.argmin(axis=1)
    lowest = found[np.arange(len(at)), best]
    chosen = trial.reshape(len(at), tries, -1)[np.arange(len(at)), best]
    better = lowest < reached
    return np.where(better[:, None], chosen, at), np.where(better, lowest, reached)
