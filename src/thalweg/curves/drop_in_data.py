"""What `curve_fit` reads of its data: xdata, ydata, sigma, and what becomes of NaN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from thalweg.errors import DataError, OptionError


@final
@dataclass(frozen=True)
class Observations:
    """The data.

    Attributes
    ----------
    x : object
        What the function is given.
    y : ndarray, (M,)
    root : ndarray, (M,), optional
        1 / sigma.
    factor : ndarray, (M, M), optional
        The lower factor of a covariance.
    """

    x: Any
    y: np.ndarray
    root: np.ndarray | None = None
    factor: np.ndarray | None = None

    def of_rows(self, count: int) -> Observations:
        """The same where one y stands for all values of the function."""
        if self.y.size == count or self.y.size != 1:
            return self
        root = None if self.root is None else np.full(count, self.root[0])
        return Observations(self.x, np.full(count, self.y[0]), root)


def read_observations(
    xdata: Any, ydata: Any, sigma: Any, check_finite: bool | None, nan_policy: str | None
) -> Observations:
    """The data as scipy reads them.

    Raises
    ------
    DataError
        Empty, not finite, of shapes that do not match; a covariance that is none.
    OptionError
        A policy that there is not.
    """
    finite = nan_policy is None if check_finite is None else check_finite
    xdata, ydata, sigma = _unmasked(xdata, ydata, sigma)
    y = _reals(ydata, "ydata")
    x = _reals(xdata, "xdata") if isinstance(xdata, list | tuple | np.ndarray) else xdata
    if finite:
        _check_finite(y, "ydata")
        if isinstance(x, np.ndarray):
            _check_finite(x, "xdata")
    if y.size == 0:
        raise DataError("`ydata` must not be empty", advice="Give one value for each of xdata.")
    if y.ndim > 1:
        raise DataError(f"ydata has the shape {y.shape}", advice="Give numbers in a row: ydata.ravel().")
    if not finite and nan_policy is not None:
        x, y, sigma = _by_policy(nan_policy, x, y, sigma)
    return Observations(x, y.ravel(), *_weights(sigma, y.size))


def _reals(values: Any, name: str) -> np.ndarray:
    """Numbers as float64.

    Raises
    ------
    DataError
        Complex numbers, text, or lists of different lengths.
    """
    try:
        found = np.asarray(values)
        if found.dtype.kind == "c":
            raise DataError(f"{name} holds complex numbers", advice="Fit their real and imaginary parts as real rows.")
        if found.dtype.kind in "SU":
            raise TypeError(f"text: {str(found.flat[0])!r}" if found.size else "text")
        return found.astype(np.float64, copy=False)
    except DataError:
        raise
    except (TypeError, ValueError) as problem:
        raise DataError(f"{name} is no array of numbers", where=f"{problem!s:.60}", advice="Give numbers.") from None


def _unmasked(x: Any, y: Any, sigma: Any) -> tuple[Any, Any, Any]:
    """The data without the values that are masked in xdata, ydata or sigma.

    Raises
    ------
    DataError
        A mask of data whose shapes do not tell which values belong together.
    """
    masked = [each for each in (x, y, sigma) if isinstance(each, np.ma.MaskedArray)]
    if not masked:
        return x, y, sigma
    rows = np.size(y)
    hidden = np.zeros(rows, dtype=bool)
    for each in masked:
        mask = np.ma.getmaskarray(each)
        if mask.any() and (mask.ndim == 0 or mask.shape[-1] != rows):
            raise DataError(
                f"a masked array of shape {mask.shape} with {rows} values of ydata",
                advice="Leave masked values out beforehand.",
            )
        if mask.any():
            hidden |= mask.reshape(-1, rows).any(axis=0)
    x, y, sigma = (np.ma.getdata(each) if isinstance(each, np.ma.MaskedArray) else each for each in (x, y, sigma))
    if not hidden.any():
        return x, y, sigma
    values = _numbers(x)
    if values is None or not values.ndim or values.shape[-1] != rows:
        raise DataError("ydata is masked, and xdata is no array with a value for each", advice="Leave masked ones out.")
    return values[..., ~hidden], np.ravel(y)[~hidden], _without(sigma, ~hidden)


def _check_finite(values: np.ndarray, name: str) -> None:
    if np.isfinite(values).all():
        return
    at = ", ".join(map(str, np.argwhere(~np.isfinite(values))[0]))
    raise DataError(
        f"{name} contains NaN or infinite values",
        where=f"the first one at index {at}",
        advice="Leave them out, or set nan_policy='omit'.",
    )


def _by_policy(policy: str, x: Any, y: np.ndarray, sigma: Any) -> tuple[Any, np.ndarray, Any]:
    if policy == "propagate":
        raise OptionError("`nan_policy='propagate'` is not supported by this function.".rstrip("."))
    if policy not in ("raise", "omit"):
        raise OptionError("nan_policy must be one of {None, 'raise', 'omit'}", where=f"it is {policy!r}")
    values = _numbers(x)
    nan = np.isnan(y)
    if values is not None and values.ndim and values.shape[-1] == y.size:
        nan = nan | np.isnan(values).any(axis=tuple(range(values.ndim - 1)))
    if not nan.any():
        return x, y, sigma
    if policy == "raise":
        raise DataError("The input contains nan values", advice="Leave them out, or set nan_policy='omit'.")
    if values is None:
        raise DataError("xdata is no array of which values could be left out", advice="Leave NaN out beforehand.")
    return (x if isinstance(x, np.ndarray) else values)[..., ~nan], y[~nan], _without(sigma, ~nan)


def _numbers(x: Any) -> np.ndarray | None:
    """Numbers in which NaN can be looked for; None of objects."""
    try:
        return np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        return None


def _without(sigma: Any, keep: np.ndarray) -> Any:
    sigma = None if sigma is None else np.asarray(sigma)
    if sigma is None or sigma.ndim == 0:
        return sigma
    return sigma[keep] if sigma.ndim == 1 else sigma[keep][:, keep]


def _weights(sigma: Any, rows: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """1 / sigma, or the factor L of a covariance L L'."""
    if sigma is None:
        return None, None
    sigma = np.asarray(sigma, dtype=np.float64)
    if np.isnan(sigma).any():
        raise DataError("sigma contains NaN", advice="Leave these rows out; an infinite sigma ignores a row.")
    if sigma.size == 1 or sigma.shape == (rows,):
        if not sigma.all():
            raise DataError("sigma contains 0", advice="A standard deviation is above 0.")
        return np.broadcast_to(1.0 / sigma.ravel(), (rows,)), None
    if sigma.shape == (rows, rows):
        try:
            return None, cholesky(sigma, lower=True)
        except LinAlgError:
            raise DataError("`sigma` must be positive definite") from None
    raise DataError(
        "`sigma` has incorrect shape",
        where=f"{sigma.shape} for {rows} values",
        advice="Give one standard deviation for each, or their covariance.",
    )
