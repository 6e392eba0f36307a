"""A curve as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from thalweg.curves.arguments import read_arguments
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.outcome import numbers
from thalweg.errors import NotAvailableError
from thalweg.estimators.columns import check_columns_read, column_names, equation_of
from thalweg.losses import family
from thalweg.losses.base import Family
from thalweg.losses.families import ALIASES

if TYPE_CHECKING:
    from thalweg.result import Fit

SQUARED = ("squared", "squared_error")
ROBUST = ("huber", "soft_l1", "cauchy")


class CurveRegressor(RegressorMixin, BaseEstimator):
    """Any curve, fitted by `thalweg.fit` within scikit-learn: pipelines, grid searches, cross-validation.

    Minimizes sum_i w_i loss(y_i, f(x_i; theta)) over the parameters theta of f.

    Parameters
    ----------
    expression : str or function, optional
        The right side, ``"a * exp(-b * x) + c"``, or an equation, ``"y = a * exp(-b * x) + c"``, in the language of
        `thalweg.fit`; or a function of columns and parameters. Columns go by their names in a frame; those of an array
        are x0, x1, ..., and x where it has one column. By default a line, or a plane: an intercept, and a slope for
        each column.
    start : mapping of str to float, optional
        Starting values; found from the data where there is none.
    bounds : mapping of str to (low, high), optional
        None for no bound on that side.
    fixed : mapping of str to float, optional
        Parameters that are held.
    positive : sequence of str, optional
        Parameters above 0.
    tied : mapping of str to str, optional
        Parameters that are computed from others: ``{"s2": "2 * s1"}``.
    starts : int, optional
        From how many points the minimum is searched.
    seed : int, default 0
        Of these points.
    loss : {"squared", "huber", "soft_l1", "cauchy"} or any family of `thalweg.fit`, default "squared"
        "squared_error" is another name of "squared".
    scale : float, optional
        Residuals well below it are treated as by squares, where the loss is a robust one. By default it is found from
        the residuals, as `thalweg.fit` does.
    columns : sequence of str, optional
        Names for the columns of X.

    Attributes
    ----------
    coef_ : ndarray, (p,)
        In the order of `parameters_`.
    parameters_ : dict of str to float
    covariance_ : ndarray, (p, p)
        NaN where the data do not determine it.
    std_errors_ : ndarray, (p,)
    fit_ : Fit
        Everything else: summary, intervals, pictures. It holds the rows of the fit and is no part of a pickle, which
        needs it for nothing else; pickle it beside, or save it with ``fit_.save``.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, (n_features_in_,)
        Of a frame.

    Raises
    ------
    thalweg.errors.ThalwegError
        Of `fit`: what is wrong with the curve, its options or the data.

    Notes
    -----
    Weights are precisions, 1 / sigma**2 up to a factor. The parameters are those of a fit with each row repeated as
    often as its weight says.

    References
    ----------
    D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications", Wiley 1988,
    doi:10.1002/9780470316757.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg import CurveRegressor
    >>> X = np.linspace(0, 4, 50)[:, None]
    >>> y = 2.5 * np.exp(-1.3 * X[:, 0]) + 0.5
    >>> curve = CurveRegressor("a * exp(-b * x) + c", start={"a": 1, "b": 1, "c": 0}).fit(X, y)
    >>> {name: round(value, 6) for name, value in curve.parameters_.items()}
    {'a': 2.5, 'b': 1.3, 'c': 0.5}
    >>> curve.predict([[0.0], [1.0]]).round(6), round(curve.score(X, y), 6)
    (array([3.      , 1.181329]), 1.0)
    """

    def __init__(
        self,
        expression: str | Callable[..., Any] | None = None,
        start: Mapping[str, float] | Sequence[float] | None = None,
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        fixed: Mapping[str, float] | None = None,
        positive: Sequence[str] | None = None,
        tied: Mapping[str, str] | None = None,
        starts: int | None = None,
        seed: int = 0,
        loss: str | Family | Mapping[str, Any] = "squared",
        scale: float | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.expression = expression
        self.start = start
        self.bounds = bounds
        self.fixed = fixed
        self.positive = positive
        self.tied = tied
        self.starts = starts
        self.seed = seed
        self.loss = loss
        self.scale = scale
        self.columns = columns

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CurveRegressor:
        """Find the parameters.

        Parameters
        ----------
        X : array or frame, (n, number of columns)
        y : array, (n,)
        sample_weight : array, (n,), optional

        Returns
        -------
        CurveRegressor
            Itself.
        """
        from thalweg.fit import fit

        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        names = self._names()
        curve, response = equation_of(self.expression, names)
        self._check(curve, response, names)
        data = {**self._data(names, X), response: np.asarray(y, dtype=np.float64)}
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        named = {} if isinstance(curve, str) else {"y": response}
        self._fit = fit(curve, data, weights=sample_weight, **self._options(), **named)
        self._equation = curve if isinstance(curve, str) else None
        self._conclude()
        return self

    @property
    def fit_(self) -> Fit:
        """The whole fit.

        Raises
        ------
        NotAvailableError
            Of an estimator that was pickled.
        """
        check_is_fitted(self)
        if "_fit" not in vars(self):
            raise NotAvailableError(
                "fit_ holds the rows of the fit and is no part of a pickle; predict, score, coef_, parameters_,"
                " covariance_ and std_errors_ are",
                advice="Pickle fit_ too, beside the estimator, or fit again.",
            )
        return self._fit

    def predict(self, X: Any) -> np.ndarray:
        """The curve at X, (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        data = self._data(self._names(), X)
        if self._equation is None:
            arguments = read_arguments(self.expression, list(data))  # type: ignore[arg-type]
            value = arguments.call(self.expression, data, [np.float64(value) for value in self.coef_])  # type: ignore[arg-type]
            return np.array(numbers(value, len(X), arguments.title))
        curve = Expression.of(read_equation(self._equation, list(data)))
        return np.array(curve.over(data, len(X)).values(list(self.coef_)), dtype=np.float64)

    # ------------------------------------------------------------------------------------------------------- inside

    def _names(self) -> list[str]:
        return column_names(self.n_features_in_, self.columns, getattr(self, "feature_names_in_", None))

    def _data(self, names: list[str], X: np.ndarray) -> dict[str, np.ndarray]:
        """The columns by name; a single one without a name of its own is x and x0."""
        data = {name: np.ascontiguousarray(X[:, j]) for j, name in enumerate(names)}
        return {**data, "x0": data["x"]} if names == ["x"] else data

    def _check(self, curve: Any, response: str, names: list[str]) -> None:
        if isinstance(curve, str):
            known = [*self._data(names, np.empty((0, len(names)))), response]
            check_columns_read(self.expression, read_equation(curve, known).parameters, names)

    def _options(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in ("start", "bounds", "fixed", "positive", "tied", "starts")}
        options = {name: value for name, value in given.items() if value is not None}
        if self.expression is None:  # a line has one minimum, or with few rows the one of least norm from here
            options = {"start": [0.0] * (1 + self.n_features_in_), "starts": 1} | options
        return {**options, "seed": self.seed, "family": self._family()}

    def _family(self) -> Any:
        if isinstance(self.loss, str):
            if self.loss in SQUARED:
                return "gaussian"
            if ALIASES.get(self.loss, self.loss) in ROBUST and self.scale is not None:
                return family(self.loss, scale=self.scale)
        return self.loss

    def _conclude(self) -> None:
        self.parameters_ = {name: float(value) for name, value in self._fit.coefficients.items()}
        self.coef_ = np.array(list(self.parameters_.values()))
        p = len(self.coef_)
        try:
            self.covariance_ = np.array(self._fit.vcov().numpy(force=True), dtype=np.float64)
        except NotAvailableError:
            self.covariance_ = np.full((p, p), np.nan)
        self.std_errors_ = np.sqrt(self.covariance_.diagonal())

    def __getstate__(self) -> dict[str, Any]:
        """Without the fit, which holds all rows."""
        state = dict(super().__getstate__())
        state.pop("_fit", None)
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")
