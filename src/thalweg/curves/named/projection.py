"""Sums of squares of many candidates at once, with the linear parameters projected out.

For columns s_1 ... s_k of a candidate (k curves of height 1), a baseline with orthonormal basis Q, and weighted rows y:

1. S = (I - Q Q') s,  r = (I - Q Q') y       what the baseline leaves
2. q_1 ... q_k                               S made orthonormal, one column after another (modified Gram-Schmidt)
3. R = r'r - (q_1'r)^2 - ... - (q_k'r)^2     the sum of squares at the best heights

Reference: Golub & Pereyra (1973), doi:10.1137/0710036.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.rows import Rows

NOTHING = 1e-7  # of its length: a column of which the baseline leaves no more is part of the baseline
CONDITION = 1e-9  # of the heights: what the rows do not determine is 0


def residual_squares(rows: Rows, columns: Float[ndarray, "m k n"], baseline: int) -> Float[ndarray, "m"]:
    """R of step 3 for m candidates; inf where a column is not finite.

    Parameters
    ----------
    rows : Rows
    columns : (m, k, n)
        Curves of height about 1 at the rows.
    baseline : int
        0 for none, 1 for an offset, 2 for an offset and a slope.
    """
    finite = np.isfinite(columns).all(axis=(1, 2))
    weighted = (columns if finite.all() else np.where(finite[:, None, None], columns, 0.0)) * rows.root
    basis = rows.basis[:baseline]
    left = weighted - (weighted @ basis.T) @ basis  # 1
    r = rows.y - (rows.y @ basis.T) @ basis
    least = NOTHING * _lengths(weighted)
    squares = np.full(len(columns), r @ r)
    for i in range(columns.shape[1]):  # 2
        length = _lengths(left[:, i])
        used = length > least[:, i]
        q = left[:, i] * np.where(used, 1 / np.where(used, length, 1.0), 0.0)[:, None]
        squares -= (q @ r) ** 2  # 3
        left[:, i + 1 :] -= (left[:, i + 1 :] @ q[:, :, None]) * q[:, None, :]
    return np.where(finite, np.maximum(squares, 0.0), np.inf)


def _lengths(columns: ndarray) -> ndarray:
    return np.sqrt(np.einsum("...n,...n->...", columns, columns))


def heights(rows: Rows, columns: Float[ndarray, "k n"], baseline: int) -> tuple[Float[ndarray, "k"], float]:
    """The best heights of one candidate's columns, and the baseline at the mean of x (0 for none)."""
    finite = np.where(np.isfinite(columns), columns, 0.0)
    design = np.concatenate([finite * rows.root, rows.trend[:baseline]])
    solution = np.linalg.lstsq(design.T, rows.y, rcond=CONDITION)[0]
    offset = float(solution[len(columns)]) if baseline else 0.0
    return solution[: len(columns)], offset
