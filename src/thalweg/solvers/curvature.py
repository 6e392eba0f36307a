"""The curvature of a step, factored: what turns a gradient into a Newton direction.

A curvature H is scaled to a diagonal near 1 by powers of two (exact), then factored by Cholesky. The pivots of that
factor are 1 - R_j^2, with R_j the (weighted) multiple correlation of column j with the columns before it. Where one
falls below `DOUBTFUL`, H has lost too many digits to steer by, or columns are combinations of others; the triangle then
comes from the weighted rows themselves, by QR block after block, which sees the square root of that pivot.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import final

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Bool, Float
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtrs
from torch import Tensor

from thalweg.data.block import Block
from thalweg.objective import Objective, linear_predictor

Weighting = Callable[[Block], Tensor]
DOUBTFUL = 1e-9  # least pivot of a Cholesky factor that is good enough to steer by
DEPENDENT = 1e-13  # least pivot, relative, of a QR factor whose column is not a combination of earlier ones


@final
class Curvature:
    """H = D R'R D on the columns that are kept.

    Parameters
    ----------
    curvature : Tensor, (p, p)
        H, symmetric.
    kept : Tensor of bool, (p,), optional
        Columns that are no combination of earlier ones; None: all.
    """

    def __init__(self, curvature: Float[Tensor, "p p"], kept: Bool[Tensor, "p"] | None = None) -> None:
        self.kept = torch.ones(curvature.shape[0], dtype=torch.bool) if kept is None else kept
        h = curvature.detach().cpu() if bool(self.kept.all()) else curvature.cpu()[self.kept][:, self.kept]
        diagonal = h.diagonal()
        self.scale = _power_of_two(diagonal)
        # LAPACK through SciPy: no threads are woken for a small triangle, and a call costs a few microseconds.
        lower, info = dpotrf((self.scale[:, None] * h * self.scale).numpy(), lower=1)
        self.lower = torch.from_numpy(lower)
        self.definite = info == 0 and bool((diagonal > 0).all()) and bool(torch.isfinite(self.lower).all())
        self.pivot = float(self.lower.diagonal().square().min()) if self.definite and len(diagonal) else 1.0
        self.reliable = self.definite and self.pivot > DOUBTFUL

    @classmethod
    def from_rows(
        cls, objective: Objective, weight: Weighting | Float[Tensor, "p"], kept: Bool[Tensor, "p"] | None = None
    ) -> Curvature:
        """From the rows, R of sqrt(W) X D.

        Parameters
        ----------
        objective : Objective
        weight : callable or Tensor, (p,)
            From a block to its rows' weights W, or a theta: then W is the expected curvature there.
        kept : Tensor of bool, (p,), optional
            None: found here.
        """
        triangle, scale = weighted_triangle(objective, weight)
        found = independent(triangle) if kept is None else kept
        self = cls.__new__(cls)
        self.kept, self.scale = found, scale[found]
        r = _triangle(triangle[:, found])
        self.lower = (r * torch.where(r.diagonal() < 0, -1.0, 1.0)[:, None]).T.contiguous()
        norms = self.lower.square().sum(1)
        self.pivot = float((self.lower.diagonal().square() / norms).min()) if self.lower.numel() else 1.0
        self.definite = self.reliable = bool(torch.isfinite(self.lower).all())
        return self

    def solve(self, gradient: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """H^-1 g; 0 in the columns that are not kept."""
        g = gradient.cpu()[self.kept]
        out = torch.zeros(self.kept.shape[0], dtype=torch.float64)
        if len(g):
            inner = dpotrs(self.lower.numpy(), (self.scale * g).numpy(), lower=1)[0]
            out[self.kept] = self.scale * torch.from_numpy(inner)
        return out.to(gradient.device)

    def times(self, factor: float) -> Curvature:
        """factor * H."""
        other = copy(self)
        other.scale = self.scale / factor**0.5
        return other

    def quadratic(self, gradient: Float[Tensor, "p"]) -> float:
        """g' H^-1 g."""
        right = (self.scale * gradient.cpu()[self.kept]).numpy()
        half = dtrtrs(self.lower.numpy(), right, lower=1)[0] if len(right) else right
        return float(half @ half)

    def inverse(self) -> Float[Tensor, "p p"]:
        """H^-1, with zeros in the rows and columns that are not kept."""
        p = self.kept.shape[0]
        out = torch.zeros(p, p, dtype=torch.float64)
        index = self.kept.nonzero()[:, 0]
        half = torch.from_numpy(np.tril(dpotri(self.lower.numpy(), lower=1)[0])) if len(index) else self.lower
        inner = (half + half.tril(-1).T) * self.scale[:, None] * self.scale
        out[index[:, None], index] = (inner + inner.T) / 2
        return out


def _power_of_two(diagonal: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """2^k nearest to 1 / sqrt(diagonal); 1 where that is no positive number."""
    usable = torch.isfinite(diagonal) & (diagonal > 0)
    return torch.where(usable, torch.exp2(-(torch.log2(diagonal.clamp_min(1e-300)) / 2).round()), 1.0)


def _triangle(rows: Float[Tensor, "n p"]) -> Float[Tensor, "k p"]:
    """R of a QR factorization."""
    return torch.from_numpy(scipy.linalg.qr(rows.numpy(), mode="r", check_finite=False)[0][: rows.shape[1]])


def weighted_triangle(
    objective: Objective, weight: Weighting | Float[Tensor, "p"]
) -> tuple[Float[Tensor, "k p"], Float[Tensor, "p"]]:
    """R with R'R = D X'WX D, and the scale D; one reading, one block held. See `Curvature.from_rows`."""
    weights = expected_at(objective, weight) if isinstance(weight, Tensor) else weight
    scale: Tensor | None = None
    triangle: Tensor | None = None
    for block in objective.blocks():
        rows = (block.matrix.dense() * weights(block).sqrt()[:, None]).cpu()
        if scale is None:
            scale = _power_of_two(rows.square().sum(0))
        stacked = rows * scale if triangle is None else torch.cat([triangle, rows * scale])
        triangle = _triangle(stacked)
    assert triangle is not None
    assert scale is not None
    again = _power_of_two(triangle.square().sum(0))
    return triangle * again, scale * again


def expected_at(objective: Objective, theta: Float[Tensor, "p"]) -> Weighting:
    """The expected curvature of a block's rows at theta, times their weights."""

    def weights(block: Block) -> Tensor:
        assert block.y is not None
        expected = objective.loss.fisher(block.y, linear_predictor(block, theta))
        return expected if block.loss_weight is None else expected * block.loss_weight

    return weights


def independent(triangle: Float[Tensor, "k p"]) -> Bool[Tensor, "p"]:
    """Columns that are no combination of the columns before them, to rounding."""
    k, p = triangle.shape
    norms = triangle.square().sum(0).sqrt()
    kept = torch.zeros(p, dtype=torch.bool)
    basis = torch.zeros(k, 0, dtype=torch.float64)
    for j in range(p):
        column = triangle[:, j]
        for _ in range(2):  # twice is enough: Giraud, Langou & Rozloznik (2005), doi:10.1016/j.camwa.2005.08.009
            column = column - basis @ (basis.T @ column)
        size = column.square().sum().sqrt()
        if norms[j] > 0 and size > DEPENDENT * norms[j]:
            kept[j] = True
            basis = torch.cat([basis, (column / size)[:, None]], dim=1)
    return kept


def combinations(
    triangle: Float[Tensor, "k p"], scale: Float[Tensor, "p"], kept: Bool[Tensor, "p"]
) -> dict[int, dict[int, float]]:
    """Each column that is not kept as {kept column: coefficient}, without coefficients that are rounding."""
    index = kept.nonzero()[:, 0]
    found = {}
    for j in (~kept).nonzero()[:, 0].tolist():
        solved = torch.linalg.lstsq(triangle[:, index], triangle[:, j][:, None], driver="gelsd").solution[:, 0]
        sizes = solved.abs() if len(index) else solved
        clear = sizes > 1e-10 * (sizes.max() if len(index) else 1.0)
        own = solved * scale[index] / scale[j]
        found[j] = {int(i): float(f"{c:.12g}") for i, c in zip(index[clear], own[clear].tolist(), strict=True)}
    return found
