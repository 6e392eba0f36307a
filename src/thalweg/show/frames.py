"""Answers as data frames of the library that the data came in.

Where the data were no frame (a file, arrays, a loaded model), the frame is pandas' if pandas is installed, else a
pyarrow table.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import narwhals as nw
import numpy as np

from thalweg.inference.coefficients import coefficient_table
from thalweg.show.rowwise import measured, values_of
from thalweg.show.whole import statistics, whole

if TYPE_CHECKING:
    from thalweg.data.source import Source
    from thalweg.result import Fit


def tidy(fit: Fit, *, level: float | None = None) -> Any:
    """One row per coefficient.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        Of the confidence intervals; the fit's own by default.

    Returns
    -------
    frame
        term, estimate, std_error, statistic, p_value, conf_low, conf_high, note; NaN with a note where theory gives no
        number.
    """
    rows = coefficient_table(fit, fit.level if level is None else level)
    columns: dict[str, Any] = {
        "term": [row.name for row in rows],
        "estimate": [row.estimate for row in rows],
        "std_error": [row.std_error for row in rows],
        "statistic": [row.statistic for row in rows],
        "p_value": [row.p_value for row in rows],
        "conf_low": [row.low for row in rows],
        "conf_high": [row.high for row in rows],
        "note": [row.note or "" for row in rows],
    }
    return frame(columns, library_of(fit))


def glance(fit: Fit) -> Any:
    """One row of statistics of the whole fit, under the names that broom gives them.

    Returns
    -------
    frame
        r_squared, adj_r_squared, sigma, statistic and p_value (of F), df, log_lik, aic, bic, deviance, null_deviance,
        pearson_chi2, dispersion, df_residual, nobs; NaN where a statistic does not apply to the family or the data are
        separated. F is the Wald test of all slopes where the standard errors are robust; nobs is an integer unless
        weights make it a fraction.
    """
    s = statistics(fit)
    row = {
        "r_squared": s.r2,
        "adj_r_squared": s.r2_adjusted,
        "sigma": s.sigma,
        "statistic": s.f_statistic,
        "p_value": s.f_pvalue,
        "df": s.df_model,
        "log_lik": s.log_likelihood,
        "aic": s.aic,
        "bic": s.bic,
        "deviance": s.deviance,
        "null_deviance": s.null_deviance,
        "pearson_chi2": s.pearson_chi2,
        "dispersion": s.dispersion,
        "df_residual": s.df_residual,
    }
    columns: dict[str, Any] = {name: [float(value)] for name, value in row.items()}
    return frame(columns | {"nobs": [whole(s.n)]}, library_of(fit))


def augment(fit: Fit, data: Any = None) -> Any:
    """The rows with what the fit says about each.

    Parameters
    ----------
    fit : Fit
    data : anything that `fit` reads, optional
        The rows of the fit by default. A frame comes back as it is, with columns added; of other data, and of the fit's
        own rows, numbers come back as float64.

    Returns
    -------
    frame
        The data's columns, and

        - fitted: the mean mu;
        - residual: y minus fitted;
        - std_residual: deviance residual divided by its standard error, as R's `rstandard`;
        - leverage, cooks_distance: see `thalweg.inference.residuals`;
        - lower, upper: interval of the mean at the fit's level.

        Data without the response get fitted, lower and upper only. Rows that were left out for missing values have NaN.
        A name that the data already have gets an underscore at its end.

    Raises
    ------
    NotAvailableError
        A loaded fit holds no rows: pass the data.
    """
    from thalweg.data.sources import open_source

    source = fit.data().source if data is None else open_source(data)
    added = measured(fit, source)
    added = {_free(name, source.names): values for name, values in added.items()}
    own = nw.from_native(data, eager_only=True, pass_through=True)
    if isinstance(own, nw.DataFrame):
        series = [nw.new_series(name, v, backend=own.implementation) for name, v in added.items()]
        return own.with_columns(*series).to_native()
    return frame(_columns(source) | added, library_for(source))


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _columns(source: Source) -> dict[str, Any]:
    """All columns of a source: numbers as arrays, categories as lists of values, matrix columns one by one."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in source.names}
    for batch in source.batches(source.names):
        for name, column in batch.columns.items():
            parts[name].append(values_of(column, np.arange(batch.rows)))
    columns: dict[str, Any] = {}
    for name, part in parts.items():
        joined = np.concatenate(part)
        if joined.ndim == 2:
            columns.update({f"{name}[{i}]": column for i, column in enumerate(joined.T)})
        else:
            columns[name] = joined.tolist() if joined.dtype == object else joined
    return columns


def predictions(fit: Fit, data: Any = None, interval: str | float | None = None, **options: Any) -> Any:
    """Predictions: an array of means; with an interval, a frame of prediction, lower, upper and standard_error.

    Parameters
    ----------
    fit : Fit
    data : anything that `fit` reads, optional
        The rows of the fit by default.
    interval, **options
        As `thalweg.inference.prediction.predict`. A number such as 0.95 asks for the limits of a *new value* where the
        model is least squares (gaussian, identity link), and of the *mean* for every other family; "mean" and
        "prediction" say which.

    Returns
    -------
    array, or frame
        A frame of the library of the data, with the index of a pandas one. lower and upper are the limits that were
        asked for; standard_error is that of the *mean* in every case (of eta for ``kind="link"``), so that prediction
        limits are wider than it says by itself.
    """
    from thalweg.inference.prediction import predict

    found = predict(fit, data, interval, **options)
    if interval is None:
        return found.columns["prediction"]
    return with_index_of(data, frame(found.columns, found.frame_library or library_for(None)))


def with_index_of(data: Any, made: Any) -> Any:
    """A new frame with the index of the pandas frame that it answers; other libraries have none."""
    own = nw.from_native(data, eager_only=True, pass_through=True)
    if isinstance(own, nw.DataFrame) and own.implementation.is_pandas():
        made.index = data.index
    return made


def frame(columns: Mapping[str, Any], library: str) -> Any:
    """Columns as a frame of 'pandas', 'polars' or 'pyarrow'."""
    return nw.from_dict(dict(columns), backend=cast("Any", library)).to_native()


def library_of(fit: Fit) -> str:
    """The library in which answers of this fit go back."""
    return library_for(fit.rows.source if fit.rows is not None else None)


def library_for(source: Source | None) -> str:
    """The library of a source's data; pandas if installed, else pyarrow, for data that were no frame."""
    known = source.frame_library if source is not None else None
    return known or ("pandas" if importlib.util.find_spec("pandas") else "pyarrow")
