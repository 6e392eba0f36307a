"""Wald intervals of the coefficients: estimate ± quantile * standard error, as the table has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.inference.coefficients import coefficient_table

if TYPE_CHECKING:
    from thalweg.result import Fit


def intervals(fit: Fit, level: float | None = None) -> dict[str, tuple[float, float]]:
    """Confidence interval of each coefficient, by name; (NaN, NaN) where there is none.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        In (0, 1); the fit's own level where it is None.
    """
    return {row.name: (row.low, row.high) for row in coefficient_table(fit, level)}
