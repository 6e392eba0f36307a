"""What the user holds after a fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.figure import Figure

    from thalweg.data.rows import Rows
    from thalweg.data.spec import Spec
    from thalweg.inference.hypotheses import WaldTest
    from thalweg.inference.prediction import Prediction
    from thalweg.inference.statistics import Statistics
    from thalweg.losses.base import Family
    from thalweg.observers import History
    from thalweg.solvers.base import Solution


@final
@dataclass(frozen=True)
class Separation:
    """That some coefficients have no finite maximum-likelihood estimate, and along which direction they run away.

    Attributes
    ----------
    complete : bool
        Whether every row is on its own side (complete), or some lie on the boundary (quasi-complete).
    direction : mapping of str to float
        The direction of recession by column name, largest standardized entry 1: the columns without a finite estimate.
        An entry of 0 takes no part in the direction, but what the data say of it vanishes on the way.
    sentence : str
        The same in words.
    """

    complete: bool
    direction: Mapping[str, float]
    sentence: str


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted model: coefficients with their covariance, and what they came from.

    Made by `thalweg.fit` or `thalweg.load`; its methods answer questions and never fit again.

    Attributes
    ----------
    spec : Spec
        The design: formula, columns, levels, transforms.
    family : Family
        The distribution and link.
    theta : Tensor, (p,), float64
        The coefficients in the order of `names`; 0 where a column is aliased.
    aliased : mapping of str to str
        Columns that are combinations of earlier ones, and of which.
    separation : Separation or None
        Set where coefficients have no finite estimate.
    covariance : Tensor, (p, p), or None
        Of the coefficients, of the kind `covariance_kind`; None (with `covariance_reason`) where theory gives none.
    unscaled : Tensor, (p, p), or None
        Inverse of sum_i w_i E[loss''_i] x_i x_i'.
    df : float or None
        Degrees of freedom of t; None: the normal distribution is used.
    statistics : Statistics
        Goodness of fit.
    solution, history, rows
        How the solver ended, its steps, and the rows; None for a model that was loaded.
    """

    spec: Spec
    family: Family
    theta: Float[Tensor, "p"]
    aliased: Mapping[str, str]
    separation: Separation | None
    level: float
    covariance_kind: str
    covariance: Float[Tensor, "p p"] | None
    covariance_reason: str | None
    unscaled: Float[Tensor, "p p"] | None
    df: float | None
    statistics: Statistics
    options: Mapping[str, Any]
    created: str
    versions: Mapping[str, str]
    solution: Solution | None = None
    history: History | None = None
    rows: Rows | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients."""
        return self.spec.names

    @property
    def formula(self) -> str:
        """The formula as written."""
        return self.spec.formula

    @property
    def coefficients(self) -> dict[str, float]:
        """Estimates by name; NaN where there is none (an aliased column, or one that separation sends to infinity)."""
        gone = set(self.aliased) | set(self.separation.direction if self.separation else ())
        values = self.theta.tolist()
        return {name: float("nan") if name in gone else v for name, v in zip(self.names, values, strict=True)}

    @property
    def std_errors(self) -> dict[str, float]:
        """Standard errors by name; NaN where theory gives none."""
        return {row.name: row.std_error for row in self._table()}

    def _table(self, level: float | None = None) -> Any:
        from thalweg.inference.coefficients import coefficient_table

        return coefficient_table(self, self.level if level is None else level)

    def data(self) -> Rows:
        """The rows of the fit.

        Raises
        ------
        NotAvailableError
            The model was loaded from a file, which holds no data.
        """
        if self.rows is None:
            raise NotAvailableError(
                "this model was loaded from a file, and model files hold no data",
                advice="Fit again, or pass the data to predict() or augment().",
            )
        return self.rows

    def summary(self) -> str:
        """The fit as a text table of about 80 columns."""
        from thalweg.show.tables import summary_text

        return summary_text(self)

    def tidy(self) -> Any:
        """One row per coefficient, as a frame of the library that the data came in."""
        from thalweg.show.frames import tidy

        return tidy(self)

    def glance(self) -> Any:
        """One row of statistics of the whole fit."""
        from thalweg.show.frames import glance

        return glance(self)

    def augment(self, data: Any = None) -> Any:
        """The data with fitted values, residuals, leverages and Cook's distances beside them."""
        from thalweg.show.frames import augment

        return augment(self, data)

    def equation(self, dialect: str = "text", **options: Any) -> str:
        """The fitted equation as "text", "latex", "python" or "sql"."""
        from thalweg.show.equation import equation

        return equation(self, dialect, **options)

    def plot(self, kind: str = "fit", path: str | Path | None = None, **options: Any) -> Figure:
        """A picture: "fit", "residuals", "qq", "scale", "leverage", "coefficients" or "diagnostics"."""
        from thalweg.show.plots import plot

        return plot(self, kind, path=path, **options)

    def predict(self, data: Any = None, interval: str | float | None = None, **options: Any) -> Any:
        """Predictions for new rows (or for the rows of the fit), with an interval if wanted.

        Returns an array of means; with `interval`, a frame of prediction, lower, upper and standard_error.
        """
        from thalweg.show.frames import predictions

        return predictions(self, data, interval, **options)

    def predict_columns(self, data: Any = None, interval: str | float | None = None, **options: Any) -> Prediction:
        """The same as plain columns with what is known of them (kind of interval, rows outside the training range)."""
        from thalweg.inference.prediction import predict

        return predict(self, data, interval, **options)

    def residuals(self, kind: str = "response") -> np.ndarray:
        """Residuals of the rows of the fit: "response", "pearson", "deviance", "working", "standardized", ..."""
        from thalweg.inference.residuals import residuals

        return residuals(self, kind)

    def wald(self, hypothesis: str) -> WaldTest:
        """Wald test of linear hypotheses in words, such as "bmi = bp" or "2*bmi - bp = 3, s5 = 0"."""
        from thalweg.inference.hypotheses import wald

        return wald(self, hypothesis)

    def term_tests(self) -> Any:
        """A Wald test of each term of the formula, all its coefficients together."""
        from thalweg.inference.hypotheses import term_tests

        return term_tests(self)

    def intervals(self, level: float | None = None) -> dict[str, tuple[float, float]]:
        """Confidence intervals of the coefficients by name, at the fit's level or another."""
        return {row.name: (row.low, row.high) for row in self._table(level)}

    def vcov(self, kind: str | None = None, cluster: str | None = None) -> Float[Tensor, "p p"]:
        """Covariance matrix of the coefficients: the fit's own, or of another kind made from its rows.

        Parameters
        ----------
        kind : {"model", "HC0", "HC1", "HC2", "HC3", "cluster", "linearized"}, optional
        cluster : str, optional
            A column of labels; the fit's own clusters by default.

        Raises
        ------
        NotAvailableError
            There is none, with the reason; or the model was loaded and holds no rows.
        """
        from thalweg.conclude import recovered

        matrix, reason = (self.covariance, self.covariance_reason) if kind is None else recovered(self, kind, cluster)
        if matrix is None:
            raise NotAvailableError(f"there is no covariance: {reason}")
        return matrix

    def save(self, path: str | Path) -> None:
        """Write one model file (safetensors), atomically, without the data."""
        from thalweg.store import save

        save(self, path)

    def __repr__(self) -> str:
        return f"<Fit {self.formula!r}, {self.family.name}, {self.statistics.n:.15g} rows: call summary()>"

    def _repr_html_(self) -> str:
        from thalweg.show.html import summary_html

        return summary_html(self)
