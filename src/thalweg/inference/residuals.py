"""Residuals and influence, row by row.

With s_i the precision weight times the binomial trials (a frequency weight repeats its row and takes no part), h_i the
leverage, phi the dispersion and d_i the unit deviance:

    response         y_i - mu_i
    working          (y_i - mu_i) / h'(eta_i)
    pearson          P_i = (y_i - mu_i) sqrt(s_i / V(mu_i))
    deviance         D_i = sign(y_i - mu_i) sqrt(s_i d_i)
    leverage         h_i = s_i E[loss''_i] x_i' U x_i;  the sum of r_i h_i is the rank
    standardized     D_i / sqrt(phi (1 - h_i))                               R's rstandard
    standardized_pearson   P_i / sqrt(phi (1 - h_i))
    studentized      sign(D_i) sqrt(D_i^2 + P_i^2 h_i / (1 - h_i)) / sigma_(i)                R's rstudent, [1]
    cooks            P_i^2 h_i / ((1 - h_i)^2 phi k), k the rank                              [1]

with sigma_(i)^2 = (deviance - D_i^2 / (1 - h_i)) / (df_residual - 1) where the dispersion is estimated (exact for least
squares: the fit without row i), and 1 where it is fixed. A row of leverage 1 has no standardized residual: NaN.

References
----------
.. [1] D. A. Williams, "Generalized linear model diagnostics using the deviance and single case deletions", Applied
   Statistics 36 (1987), doi:10.2307/2347550.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.errors import NotAvailableError, OptionError
from thalweg.inference.covariance import FULL_LEVERAGE
from thalweg.inference.reading import Reading, map_readings
from thalweg.inference.statistics import Statistics
from thalweg.losses.base import Family

if TYPE_CHECKING:
    from thalweg.result import Fit


@final
@dataclass(frozen=True)
class _Row:
    """What the formulas above need of some rows; leverage is computed for the kinds that use it only."""

    r: Reading
    family: Family
    unscaled: Tensor | None
    statistics: Statistics
    rank: int
    reason: str | None = None

    @property
    def response(self) -> Tensor:
        return self.r.y - self.r.mu

    @property
    def working(self) -> Tensor:
        return self.response / self.family.link.derivative(self.r.eta)

    @property
    def pearson(self) -> Tensor:
        return self.family.pearson(self.r.y, self.r.mu) * self.r.scale.sqrt()

    @property
    def deviance(self) -> Tensor:
        unit = self.family.unit_deviance(self.r.y, self.r.mu).clamp_min(0.0)
        return self.response.sign() * (self.r.scale * unit).sqrt()

    @cached_property
    def leverage(self) -> Tensor:
        if self.unscaled is None:
            reason = self.reason or "the curvature at its coefficients has no inverse"
            raise NotAvailableError(f"the fit has no leverages: {reason}")
        x = self.r.matrix.dense()
        curvature = self.family.fisher(self.r.y, self.r.eta)
        present = (self.r.repeat > 0).to(x.dtype)
        return present * self.r.scale * curvature * ((x @ self.unscaled.to(x.device)) * x).sum(1)

    @property
    def left(self) -> Tensor:
        """1 - leverage, NaN where it is 0."""
        left = 1 - self.leverage
        return left.where(left > FULL_LEVERAGE, torch.nan)

    @property
    def standardized(self) -> Tensor:
        return self.deviance / (self.statistics.dispersion * self.left).sqrt()

    @property
    def standardized_pearson(self) -> Tensor:
        return self.pearson / (self.statistics.dispersion * self.left).sqrt()

    @property
    def studentized(self) -> Tensor:
        left, deviance = self.left, self.deviance
        squared = deviance.square() + self.pearson.square() * (1 - left) / left
        return self.response.sign() * (squared / self._variance_without(deviance.square() / left)).sqrt()

    def _variance_without(self, removed: Tensor) -> Tensor:
        """sigma_(i)^2."""
        if self.statistics.dispersion_method == "fixed":
            return torch.ones_like(removed)
        degrees = self.statistics.df_residual - 1
        rest = self.statistics.deviance - removed
        return rest.where(rest > 0, torch.nan) / (degrees if degrees > 0 else torch.nan)

    @property
    def cooks(self) -> Tensor:
        left = self.left
        return self.pearson.square() * (1 - left) / (left.square() * self.statistics.dispersion * self.rank)


_FORMULAS: dict[str, Callable[[_Row], Tensor]] = {
    "response": lambda row: row.response,
    "working": lambda row: row.working,
    "pearson": lambda row: row.pearson,
    "deviance": lambda row: row.deviance,
    "leverage": lambda row: row.leverage,
    "standardized": lambda row: row.standardized,
    "standardized_pearson": lambda row: row.standardized_pearson,
    "studentized": lambda row: row.studentized,
    "cooks": lambda row: row.cooks,
    "fitted": lambda row: row.r.mu,
    "linear_predictor": lambda row: row.r.eta,
}
KINDS = tuple(_FORMULAS)


def row_columns(
    kinds: Sequence[str],
    *,
    rows: Readable,
    family: Family,
    theta: Float[Tensor, "p"],
    unscaled: Float[Tensor, "p p"] | None,
    statistics: Statistics,
    rank: int,
    weights_kind: str = "precision",
    reason: str | None = None,
) -> dict[str, Float[Tensor, "n"]]:
    """Several kinds at once, in one pass over the rows.

    Parameters
    ----------
    kinds : sequence of str
        Any of the module's table, "fitted" (mu) and "linear_predictor" (eta).
    rows, family, theta, unscaled, statistics, rank, weights_kind
        As in `thalweg.inference.covariance`. The statistics are those of the fit, also when other rows are read.
    reason : str, optional
        Why there is no `unscaled`.

    Returns
    -------
    dict of str to Tensor, (n,)
        Rows of weight 0 are kept: their weighted residuals and leverages are 0.

    Raises
    ------
    OptionError
        A kind that does not exist.
    NotAvailableError
        Leverages (and what is made of them) of a fit without an inverse curvature.
    """
    for kind in kinds:
        if kind not in _FORMULAS:
            raise OptionError(f"residuals of kind {kind!r}", advice=f"The kinds are {', '.join(KINDS)}.")

    def work(reading: Reading) -> list[Tensor]:
        row = _Row(reading, family, unscaled, statistics, rank, reason)
        return [_FORMULAS[kind](row) for kind in kinds]

    parts = list(map_readings(work, rows, family, theta, weights_kind, keep_absent=True))
    return {kind: torch.cat([part[i] for part in parts]) for i, kind in enumerate(kinds)}


def residuals(fit: Fit, kind: str = "response") -> np.ndarray:
    """One kind of residual for the rows that the fit was made of, in their order.

    Raises
    ------
    OptionError
        A kind that does not exist.
    NotAvailableError
        A loaded fit holds no rows; or the fit has no leverages.
    """
    return diagnostics(fit, [kind])[kind]


def diagnostics(fit: Fit, kinds: Sequence[str], rows: Readable | None = None) -> dict[str, np.ndarray]:
    """Several kinds for the fit's own rows, or for others that hold a response.

    Raises
    ------
    OptionError, NotAvailableError
        As `residuals`.
    """
    rows = fit.rows if rows is None else rows
    if rows is None:
        raise NotAvailableError(
            "a loaded model holds no rows, so it has no residuals", advice="Use augment(data) with the data at hand."
        )
    columns = row_columns(
        kinds,
        rows=rows,
        family=fit.family,
        theta=fit.theta,
        unscaled=fit.unscaled,
        statistics=fit.statistics,
        rank=round(fit.statistics.n - fit.statistics.df_residual),
        weights_kind=fit.options.get("weights_kind", "precision"),
        reason=fit.covariance_reason,
    )
    return {kind: column.numpy(force=True) for kind, column in columns.items()}
