"""[F | r] of many rows as one small triangle: by QR, block upon block, or from cross products.

QR of rows' = (n, p + 1):  R and q with R'R = F'F, R'q = F'r; triangles of blocks stacked have the triangle of all
Cholesky of the cross products, columns scaled to one length: the same for the price of a product, but it squares
the condition number
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

Array = np.ndarray


def joined(gathered: Array, more: Array, *, careful: bool) -> Array:
    """Of two parts of the rows: their triangles as one, or the sum of their cross products."""
    return triangle_of(np.concatenate([gathered.T, more.T], axis=1)) if careful else gathered + more


def triangle_of(rows: Array) -> Array:
    """The triangle of the QR decomposition of rows' = (n, p + 1), zeros below where n is less; rows are overwritten."""
    width, n = rows.shape
    factored, _, _, _ = lapack.dgeqrf(rows.T, overwrite_a=1)
    out = np.zeros((width, width))
    out[: min(width, n)] = np.triu(factored[:width])
    return out


def cholesky(products: Array) -> Array | None:
    """R and q, (p + 1, p + 1), from [F | r]'[F | r]; None where F'F is not positive definite to rounding."""
    scale = np.sqrt(products.diagonal()).copy()
    scale[scale == 0] = 1.0
    scaled = products / scale / scale[:, None]
    factor, failed = lapack.dpotrf(scaled[:-1, :-1], lower=0, clean=1)
    if failed:
        return None
    right, _ = lapack.dtrtrs(factor, scaled[:-1, -1:], lower=0, trans=1)
    out = np.zeros_like(products)
    out[:-1, :-1], out[:-1, -1] = factor * scale[:-1], right[:, 0] * scale[-1]
    return out


def condition(triangle: Array) -> float:
    """Condition number of a triangle with its columns scaled to one length."""
    norms = np.sqrt(np.einsum("ij,ij->j", triangle, triangle))
    sizes = np.linalg.svd(triangle / np.where(norms == 0, 1, norms), compute_uv=False)
    return float(sizes[0] / sizes[-1]) if sizes[-1] > 0 else np.inf
