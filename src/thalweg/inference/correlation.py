"""Correlations of the estimates: how much of one parameter's error is another's.

    r_ij = C_ij / sqrt(C_ii C_jj),   C the covariance of the estimates

Near 1 or -1, the data determine a combination of the two well and each of them badly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.result import Fit


def covariance_of_estimates(fit: Fit) -> Float[Tensor, "p p"]:
    """The fit's covariance, NaN for what is held or not determined.

    Raises
    ------
    NotAvailableError
        There is none, with the reason.
    """
    if fit.covariance is None:
        raise NotAvailableError(f"there is no covariance: {fit.covariance_reason}")
    return without_held(fit, fit.covariance)


def without_held(fit: Fit, matrix: Float[Tensor, "p p"]) -> Float[Tensor, "p p"]:
    """NaN in the rows and columns of parameters that have no standard error of their own."""
    if not fit.held:
        return matrix
    known = torch.tensor([name not in fit.held for name in fit.names], device=matrix.device)
    return matrix.where(known[:, None] & known, torch.nan)


def correlations(fit: Fit) -> Float[Tensor, "p p"]:
    """The matrix r in the order of `names`; NaN where there is no standard error, or where it is 0.

    Raises
    ------
    NotAvailableError
        The fit has no covariance; the text says why.
    """
    covariance = covariance_of_estimates(fit).cpu()
    errors = covariance.diagonal().sqrt()
    errors = errors.where(errors > 0, torch.nan)
    matrix = (covariance / errors / errors[:, None]).clamp(-1.0, 1.0)
    matrix.diagonal()[~errors.isnan()] = 1.0
    return matrix


def correlation(fit: Fit) -> Any:
    """The same as a frame: a column `term` with the names, and a column for each of them."""
    from thalweg.show.frames import frame, library_of

    matrix = correlations(fit).numpy()
    label = "term"
    while label in fit.names:
        label += "_"
    columns: dict[str, Any] = {label: list(fit.names)}
    return frame(columns | dict(zip(fit.names, matrix, strict=True)), library_of(fit))
