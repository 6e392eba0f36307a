"""Sums of squares of many candidates at once, with the linear parameters projected out.

For columns s_1 ... s_k of a candidate (k curves of height 1), a baseline with orthonormal basis Q, and weighted rows y:

1. S = (I - Q Q') s,  r = (I - Q Q') y       what the baseline leaves
2. G = S S',  b = S r                        k by k
3. R = r'r - b' G^+ b                        the sum of squares at the best heights

Reference: Golub & Pereyra (1973), doi:10.1137/0710036.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.rows import Rows

NOTHING = 1e-7  # of its length: a column of which the baseline leaves no more is part of the baseline
CONDITION = 1e-9


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
    weighted = np.where(finite[:, None, None], columns, 0.0) * rows.root
    basis = rows.basis[:baseline]
    left = weighted - (weighted @ basis.T) @ basis  # 1
    r = rows.y - (rows.y @ basis.T) @ basis
    lengths = np.linalg.norm(left, axis=2)
    used = lengths > NOTHING * np.linalg.norm(weighted, axis=2)
    left *= np.where(used, 1 / np.where(used, lengths, 1), 0)[:, :, None]
    gram, b = left @ left.transpose(0, 2, 1), left @ r  # 2
    heights = (np.linalg.pinv(gram, rcond=CONDITION, hermitian=True) @ b[:, :, None])[:, :, 0]
    return np.where(finite, np.maximum(r @ r - (heights * b).sum(axis=1), 0.0), np.inf)  # 3


def heights(rows: Rows, columns: Float[ndarray, "k n"], baseline: int) -> tuple[Float[ndarray, "k"], float]:
    """The best heights of one candidate's columns, and the baseline at the mean of x (0 for none)."""
    finite = np.where(np.isfinite(columns), columns, 0.0)
    design = np.concatenate([finite * rows.root, rows.trend[:baseline]])
    solution = np.linalg.lstsq(design.T, rows.y, rcond=CONDITION)[0]
    offset = float(solution[len(columns)]) if baseline else 0.0
    return solution[: len(columns)], offset
