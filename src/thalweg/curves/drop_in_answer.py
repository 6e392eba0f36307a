"""What `curve_fit` returns: the covariance, and with `full_output` what scipy's solvers tell."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg.lapack import dgeqp3, dormqr
from scipy.optimize import OptimizeWarning, leastsq

from thalweg.curves.drop_in_solve import Minimum, Rows
from thalweg.curves.drop_in_start import Options

MESSAGE = "The step that is left is below 1e-8 of the parameters."


def covariance_of(found: Minimum, absolute: bool, rows: int) -> np.ndarray:
    """(F'F)^-1, times |r|^2 / (M - N) unless sigma is absolute; infinite where there is none.

    Warns
    -----
    OptimizeWarning
    """
    n = len(found.theta)
    if found.inverse is not None and np.isfinite(found.inverse).all():
        if absolute:
            return found.inverse
        if rows > n:
            return found.inverse * (found.squares / (rows - n))
    warnings.warn("Covariance of the parameters could not be estimated", OptimizeWarning, stacklevel=3)
    return np.full((n, n), np.inf)


def told(rows: Rows, found: Minimum, options: Options) -> tuple[dict[str, Any], str, int]:
    """infodict, the message and the flag: 2 of MINPACK and 3 of `least_squares` mean that the step is small."""
    rows = rows.scaled()
    f, jacobian = rows.evaluator.jacobian(list(found.theta))
    residual = f - rows.y
    info: dict[str, Any] = {"nfev": found.evaluations, "fvec": residual}
    if not options.minpack:
        return info, MESSAGE, 3
    return info | _factored(jacobian, residual), MESSAGE, 2


def _factored(jacobian: np.ndarray, residual: np.ndarray) -> dict[str, np.ndarray]:
    """F P = Q R as MINPACK stores it: R above the diagonal of fjac', and q = Q'r."""
    factored, order, tau, _, _ = dgeqp3(jacobian.T)
    turned, _, _ = dormqr("L", "T", factored, tau, residual[:, None], lwork=64)
    ipvt = (order - 1 + _first()).astype(np.int32)
    return {"fjac": factored.T, "ipvt": ipvt, "qtf": turned[: len(jacobian), 0]}


@cache
def _first() -> int:
    """From what this scipy counts columns: 1 as MINPACK in Fortran, later 0."""
    info = leastsq(lambda p: p - 1.0, [0.0], full_output=True)[2]
    return int(info["ipvt"][0])
