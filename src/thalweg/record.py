"""What is known of a fitted model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, final

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.data.rows import Rows
    from thalweg.data.spec import Spec
    from thalweg.descent import Descent
    from thalweg.inference.coefficients import Row
    from thalweg.inference.statistics import Statistics
    from thalweg.losses.base import Family
    from thalweg.observers import History
    from thalweg.result import Fit
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


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """A fitted model as data: coefficients with their covariance, and what they came from.

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
    solution, trace, rows : Solution, History, Rows
        How the solver ended, its states, and the rows; None for a model that was loaded.
    descent : Descent or None
        Set where the solver was a descent: the function that it minimized, and its path.
    held : mapping of str to str
        Parameters of a curve that have a value and no standard error of their own, and why: held, on a bound, or not
        determined by the data.
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
    trace: History | None = None
    rows: Rows | None = None
    descent: Descent | None = None
    notes: tuple[str, ...] = field(default=())
    held: Mapping[str, str] = field(default_factory=dict)

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

    @property
    def p_values(self) -> dict[str, float]:
        """P-values by name, two-sided, of the hypothesis that the coefficient is 0; NaN where theory gives none."""
        return {row.name: row.p_value for row in self._table()}

    def _table(self, level: float | None = None) -> list[Row]:
        from thalweg.inference.coefficients import coefficient_table

        return coefficient_table(cast("Fit", self), self.level if level is None else level)

    @property
    def n(self) -> float:
        """Rows of positive weight; the sum of the weights where they are frequencies."""
        return self.statistics.n

    @property
    def r_squared(self) -> float:
        """R² of least squares; NaN for other families, which have `statistics.r2_deviance`."""
        return self.statistics.r2

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood with its constants; NaN for sampling weights."""
        return self.statistics.log_likelihood

    @property
    def aic(self) -> float:
        """-2 log L + 2 k, where k does not count an estimated dispersion. R's `AIC` of `lm` does: it is 2 larger."""
        return self.statistics.aic

    @property
    def bic(self) -> float:
        """-2 log L + k log n, with the same k."""
        return self.statistics.bic

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
