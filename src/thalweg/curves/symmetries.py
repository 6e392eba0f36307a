"""Other parameters that give the same curve: a sign that is squared away, terms that change places.

s and -s are the same width; a exp(-b x) + c exp(-d x) is the same sum in either order. Which of them a search meets is
chance, and what a user is told should not be. They are found by trying, in batches: signs of one and of two parameters,
and blocks of parameters that are exchanged; then the same from what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.sample import Sample

SAME = 1e-9  # of the largest value: curves that differ by less are the same
TURNED = 3.0  # decades: as far as this is a sign
ROWS = 64  # more than parameters enough to tell curves apart
MOST_PARAMETERS = 16
MOST = 48  # ways to write the same curve

Vector = Float[ndarray, "p"]


def same_curves(
    sample: Sample, theta: Vector, lower: Vector, upper: Vector, angles: Mapping[int, float] | None = None
) -> Float[ndarray, "m p"]:
    """Parameters of the same curve inside the bounds, theta itself first.

    Parameters
    ----------
    sample : Sample
    theta, lower, upper : ndarray, (p,)
    angles : mapping of int to float, optional
        Parameters that may be angles, and what a whole turn is in their unit: half a turn more may be a sign less, and
        a sine that is run through backwards is one that begins half a turn on.

    Examples
    --------
    >>> from thalweg.curves.curve import Expression
    >>> from thalweg.curves.language import read_equation
    >>> curve = Expression.of(read_equation("y = exp(-(x / s)**2)", ["x", "y"]))
    >>> x = np.linspace(-1, 1, 9)
    >>> free = np.array([np.inf])
    >>> same_curves(Sample(curve, {"x": x}, x, None), np.array([2.0]), -free, free).tolist()
    [[2.0], [-2.0]]
    """
    found, some = [theta], sample.thinned(ROWS)
    if theta.size > MOST_PARAMETERS:
        return np.stack(found)
    moves = list(_moves(theta.size, angles or {}))
    at = 0
    while at < len(found) < MOST:
        tried = np.stack([sign * found[at][places] + shift for places, sign, shift in moves])
        tried = tried[((tried >= lower) & (tried <= upper)).all(axis=1)]
        for each in tried[_alike(some, tried, theta)] if len(tried) else ():
            if not any(np.allclose(each, other, rtol=SAME, atol=0.0) for other in found):
                found.append(each)
        at += 1
    return np.stack(found[:MOST])


def _moves(p: int, angles: Mapping[int, float]) -> Iterator[tuple[list[int], ndarray, ndarray]]:
    """Which entry comes to which place, signs, and what is added."""
    as_is, same = list(range(p)), np.zeros(p)
    for i in range(p):
        for j in range(i, p):
            sign = np.ones(p)
            sign[[i, j]] = -1.0
            yield as_is, sign, same
    for length in range(1, p // 2 + 1):
        for i in range(p):
            for j in range(i + length, p - length + 1):
                places = as_is.copy()
                places[i : i + length], places[j : j + length] = places[j : j + length], places[i : i + length]
                yield places, np.ones(p), same
    for angle, turn in angles.items():
        for turns in (-1.0, -0.5, 0.5, 1.0):
            shift = np.zeros(p)
            shift[angle] = turns * turn
            for i in range(p):
                for backwards in (1.0, -1.0):
                    sign = np.ones(p)
                    sign[i] = -1.0
                    sign[angle] = 1.0 if i == angle else backwards
                    if i != angle or backwards == 1.0:
                        yield as_is, sign, shift


def _alike(sample: Sample, tried: Float[ndarray, "k p"], theta: Vector) -> ndarray:
    with np.errstate(all="ignore"):
        whole = np.concatenate([theta[None], tried])
        f = sample.evaluator.values(list(whole.T[:, :, None]))
        return np.abs(f[1:] - f[0]).max(axis=1) <= SAME * np.abs(f[0]).max()


def nearest(found: Float[ndarray, "m p"], start: Vector) -> int:
    """Which lies nearest to a start: each parameter by how many times it is larger, and by its sign."""
    tiny = np.finfo(float).tiny
    times = np.log10(np.maximum(np.abs(found), tiny)) - np.log10(np.maximum(np.abs(start), tiny))
    turned = np.where(found * start < 0, TURNED, 0.0)
    return int((np.clip(times, -TURNED, TURNED) ** 2 + turned**2).sum(axis=1).argmin())


def plainest(
    found: Float[ndarray, "m p"],
    linear: Sequence[int],
    angles: Mapping[int, float] | None = None,
    waves: Sequence[int] = (),
) -> int:
    """Which has frequencies above 0, angles of half a turn at most, the fewest negative numbers, and then nonlinear
    parameters that ascend.

    Parameters
    ----------
    found : ndarray, (m, p)
    linear : sequence of int
    angles : mapping of int to float, optional
        As for `same_curves`.
    waves : sequence of int
        Frequencies and periods.
    """
    order = [j for j in range(found.shape[1]) if j not in linear] + list(linear)
    turns = angles or {}
    others = [j for j in order if j not in turns]
    half = 0.5 * np.array(list(turns.values())) * (1 + SAME)
    keys = [
        (
            (row[list(waves)] < 0).sum(),
            (np.abs(row[list(turns)]) > half).sum(),
            (row[others] < 0).sum(),
            *(float(f"{value:.6g}") for value in row[order]),
        )
        for row in found
    ]
    return min(range(len(keys)), key=keys.__getitem__)
