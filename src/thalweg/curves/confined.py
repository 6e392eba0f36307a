"""Where a search looks: among frequencies that the rows can show.

On a lattice of rows a wave and its aliases, whole sampling rates away, have the same values in every row, so that no
sum of squares tells them apart. A search from the data therefore stays below Nyquist's frequency, and where the rows
are no lattice, below a few times their average rate; a start of the user's widens it.

    C. E. Shannon, "Communication in the presence of noise", Proceedings of the IRE 37 (1949),
    doi:10.1109/JRPROC.1949.232969.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.problem import CurveProblem
from thalweg.curves.sample import Sample
from thalweg.curves.scales import Frequency
from thalweg.curves.starts import scales

TIE = 1e-9  # of the highest frequency: still inside


def confined(problem: CurveProblem, sample: Sample, start: Mapping[str, float]) -> CurveProblem:
    """The problem within the bounds of a search; itself where it has no frequencies."""
    lower, upper = searched(sample, start, problem.lower, problem.upper)
    if np.array_equal(lower, problem.lower) and np.array_equal(upper, problem.upper):
        return problem
    inside = np.clip(problem.start, lower, upper)
    return CurveProblem(
        problem.curve, problem.parts, problem.loss, problem.rows, lower=lower, upper=upper, start=inside
    )


def searched(
    sample: Sample, start: Mapping[str, float], lower: Float[ndarray, "p"], upper: Float[ndarray, "p"]
) -> tuple[Float[ndarray, "p"], Float[ndarray, "p"]]:
    """The bounds of a search: frequencies no higher than the rows can show, or than the user's start asks for.

    Where rows are a lattice, a frequency and its aliases give the same values; the lowest is the one that is meant.

    Parameters
    ----------
    sample : Sample
    start : mapping of str to float
        What the user gave.
    lower, upper : ndarray, (p,)
        The user's bounds; kept where nothing would be left between them.
    """
    low, high = lower.copy(), upper.copy()
    for j, (name, found) in enumerate(scales(sample).items()):
        waves = [each for each in found if isinstance(each, Frequency)]
        if len(waves) < len(found) or len({each.inverse for each in waves}) > 1:
            continue
        given, most = abs(start.get(name, 0.0)), max(each.most for each in waves) * (1 + TIE)
        if not waves[0].inverse:
            most = max(most, 2 * given)
            ends = max(low[j], -most), min(high[j], most)
        else:
            least = min(1 / most, 0.5 * given or np.inf)
            ends = (max(low[j], least), high[j]) if start.get(name, 1.0) > 0 else (low[j], min(high[j], -least))
        if ends[0] < ends[1]:
            low[j], high[j] = ends
    return low, high
