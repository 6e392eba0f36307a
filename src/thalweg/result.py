"""What the user holds after a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from thalweg.record import Separation
from thalweg.uncertainty import Uncertainty

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.figure import Figure

    from thalweg.inference.prediction import Prediction

__all__ = ["Fit", "Separation"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fit(Uncertainty):
    """A fitted model.

    Made by `thalweg.fit` or `thalweg.load`; its methods answer questions and never fit again. `thalweg.record.Record`
    lists what it holds: coefficients, n, r_squared, aic, bic, log_likelihood, statistics, covariance, names, spec, ...

    Examples
    --------
    >>> import thalweg as tw
    >>> fit = tw.fit("progression ~ bmi + bp", "diabetes")
    >>> fit
    <Fit 'progression ~ bmi + bp', gaussian, 442 rows: call summary()>
    >>> round(fit.r_squared, 4), round(fit.p_values["bp"], 12)
    (0.396, 1.726e-09)
    """

    def summary(self, *, level: float | None = None, digits: int = 4) -> str:
        """The fit as a text table of 88 columns; `print` it.

        Parameters
        ----------
        level : float, optional
            Of the confidence intervals, in (0, 1); the fit's own by default.
        digits : int
            Significant digits of a standard error; estimates are shown to the same decimal.

        Examples
        --------
        >>> import thalweg as tw
        >>> print(tw.fit("progression ~ bmi", "diabetes").summary())
        Linear regression
          formula  progression ~ bmi
        ...
        """
        from thalweg.show.tables import summary_text

        return summary_text(self, level=level, digits=digits)

    def summary_html(self, *, level: float | None = None, digits: int = 4) -> str:
        """The same as one HTML element, which a notebook shows where a fit is the last line of a cell."""
        from thalweg.show.html import summary_html

        return summary_html(self, level=level, digits=digits)

    def tidy(self, *, level: float | None = None) -> Any:
        """One row per coefficient, as a frame of the library that the data came in (else pandas, else pyarrow).

        Parameters
        ----------
        level : float, optional
            Of the confidence intervals, in (0, 1); the fit's own by default.

        Returns
        -------
        frame
            term, estimate, std_error, statistic, p_value, conf_low, conf_high, and a note where there is no number.

        Examples
        --------
        >>> import thalweg as tw
        >>> tw.fit("progression ~ bmi + bp", "diabetes").tidy()["term"].to_list()
        ['Intercept', 'bmi', 'bp']
        """
        from thalweg.show.frames import tidy

        return tidy(self, level=level)

    def glance(self) -> Any:
        """One row of statistics of the whole fit under broom's names: r_squared, sigma, log_lik, aic, bic, nobs, ...

        A statistic that the family does not have is NaN; `fit.statistics.reasons` says why.

        Examples
        --------
        >>> import thalweg as tw
        >>> round(float(tw.fit("progression ~ bmi + bp", "diabetes").glance()["aic"][0]), 2)
        4877.49
        """
        from thalweg.show.frames import glance

        return glance(self)

    def augment(self, data: Any = None) -> Any:
        """The data with what the fit says of each row beside them.

        Parameters
        ----------
        data : anything that `fit` reads, optional
            The rows of the fit by default (a model loaded from a file holds none).

        Returns
        -------
        frame
            The columns of the data, then fitted, residual, std_residual, leverage, cooks_distance, lower and upper (the
            interval of the mean). Data without the response get fitted, lower and upper only.

        Examples
        --------
        >>> import thalweg as tw
        >>> rows = tw.fit("progression ~ bmi + bp", "diabetes").augment()
        >>> rows.loc[rows["cooks_distance"].idxmax(), ["progression", "fitted"]].round(1).to_list()
        [346.0, 260.4]
        """
        from thalweg.show.frames import augment

        return augment(self, data)

    def equation(
        self,
        dialect: str = "text",
        *,
        digits: int = 4,
        kind: str = "mean",
        table: str = "data",
        symbolic: bool = False,
    ) -> str:
        """The fitted equation, to read or to compute with elsewhere.

        Parameters
        ----------
        dialect : {"text", "latex", "python", "sql"}
            "python" is the source of a function `predict(row)` that needs nothing but `math`; "sql" is one SELECT.
        digits : int
            Significant digits of coefficients in "text" and "latex"; the other two carry all.
        kind : {"mean", "link"}
            What "python" and "sql" compute: the mean, or the linear predictor.
        table : str
            The table that the SELECT reads. (SQL has no probit: its mean raises NotAvailableError.)
        symbolic : bool
            Of a curve, "text" and "latex": the names of the parameters in the place of their values.

        Examples
        --------
        >>> import thalweg as tw
        >>> print(tw.fit("progression ~ bmi + bp", "diabetes").equation())
        progression = -203.6 + 8.519 bmi + 1.385 bp
        """
        from thalweg.show.equation import equation

        return equation(self, dialect, digits=digits, kind=kind, table=table, symbolic=symbolic)

    def plot(
        self,
        kind: str = "fit",
        path: str | Path | None = None,
        *,
        x: str | Sequence[str] | None = None,
        xscale: str | None = None,
        intercept: bool | None = None,
        parameters: Sequence[str] | None = None,
    ) -> Figure:
        """A picture of the fit.

        Parameters
        ----------
        kind : {"fit", "residuals", "qq", "scale", "leverage", "diagnostics", "coefficients", "correlation", "profile"}
            "fit" is the data with the fitted curve and its band, or a panel per predictor; of a curve with its
            residuals below. "diagnostics" is the four before it together. "profile" is of curves: how far the profile
            likelihood of each parameter is from what its standard error supposes. All but "fit", "coefficients" and
            "correlation" need the rows, which a loaded model does not hold.
            Of the way to the fit: "loss", "traces" (coefficients by step), "surface" and "surface3d" (the loss over two
            coefficients, with the path on it), "gradient" and "rate".
        path : path, optional
            A file to write too: .png, .svg, .pdf, .jpg or .webp.
        x : str or list of str, optional
            For "fit": the predictors that get a panel.
        xscale : {"linear", "log"}, optional
            For "fit" of a curve: its horizontal axis. By default what suits the values; a logarithmic one holds 0 too.
        intercept : bool, optional
            For "coefficients": whether the intercept is shown (False by default).
        parameters : sequence of str, optional
            For "surface" and "surface3d": the two coefficients.

        Returns
        -------
        matplotlib.figure.Figure
            It belongs to no window; `figure.savefig(path)` writes it again.

        Examples
        --------
        >>> import thalweg as tw
        >>> figure = tw.fit("progression ~ bmi + bp", "diabetes").plot("fit", x="bmi")
        >>> figure.axes[0].get_xlabel()
        'bmi'
        """
        from thalweg.show.plots import plot
        from thalweg.show.plots.descent import KINDS, plot_descent

        told = {"x": x, "xscale": xscale, "intercept": intercept, "parameters": parameters}
        options = {name: value for name, value in told.items() if value is not None}
        if kind in KINDS:
            return plot_descent(self if self.descent is None else self.descent, kind, path, **options)
        return plot(self, kind, path=path, **options)

    def predict(
        self,
        data: Any = None,
        interval: str | float | None = None,
        *,
        level: float | None = None,
        kind: str = "mean",
        unseen: str = "error",
        missing: str = "error",
        offset: Any = None,
        exposure: Any = None,
        **reading: Any,
    ) -> Any:
        """Predictions for new rows, with an interval if wanted.

        Parameters
        ----------
        data : anything that `fit` reads, optional
            Rows by the names of the predictors' columns; the response may be absent. By default the rows of the fit
            (without those that were left out for missing values), in the order of `residuals`.
        interval : {"mean", "prediction"} or float, optional
            "mean": confidence interval of the mean. "prediction": interval of a new value, for gaussian fits with the
            identity link. A level such as 0.95 alone: of a new value where there is such an interval, else of the mean.
        level : float, optional
            Of the interval where that is a word; the fit's own by default.
        kind : {"mean", "link"}
            mu, or the linear predictor eta.
        unseen : {"error", "null", "reference"}
            What a category that the fit never saw does: raise, give NaN, or count as the reference level.
        missing : {"error", "null"}
            What a row that lacks a predictor does: raise, or give NaN.
        offset, exposure : str or array, optional
            Those of the new rows: a column, an expression, or one entry per row. By default the column that the fit
            names; a fit that was given an array needs one here.
        **reading
            How to read a text file: delimiter, decimal, encoding, header, format, text.

        Returns
        -------
        array or frame
            An array of means; with `interval` a frame of prediction, lower, upper and standard_error.

        Warns
        -----
        ExtrapolationWarning : rows outside the range of the training data, counted by column.

        Examples
        --------
        >>> import thalweg as tw
        >>> fit = tw.fit("progression ~ bmi + bp", "diabetes")
        >>> fit.predict({"bmi": [21, 33], "bp": [90, 110]}).round(1)
        array([ 99.9, 229.8])
        >>> fit.predict({"bmi": [21, 33], "bp": [90, 110]}, interval=0.95).round(1)
           prediction  lower  upper  standard_error
        0        99.9  -18.5  218.3             4.5
        1       229.8  111.3  348.3             5.4
        """
        from thalweg.show.frames import predictions

        options = {"level": level, "kind": kind, "unseen": unseen, "missing": missing}
        return predictions(self, data, interval, **options, offset=offset, exposure=exposure, **reading)

    def predict_columns(self, data: Any = None, interval: str | float | None = None, **options: Any) -> Prediction:
        """The same as plain columns with what is known of them (kind of interval, rows outside the training range)."""
        from thalweg.inference.prediction import predict

        return predict(self, data, interval, **options)

    def residuals(self, kind: str = "response") -> np.ndarray:
        """Residuals of the rows of the fit, in their order.

        Parameters
        ----------
        kind : str
            "response" (y - mu), "pearson", "deviance", "working", "standardized" (R's rstandard),
            "standardized_pearson", "studentized" (R's rstudent); also "leverage", "cooks", "fitted" and
            "linear_predictor". `thalweg.inference.residuals` has the formulas.

        Examples
        --------
        >>> import thalweg as tw
        >>> tw.fit("progression ~ bmi + bp", "diabetes").residuals("standardized")[:3].round(3)
        array([-0.98 , -0.432, -0.734])
        """
        from thalweg.inference.residuals import residuals

        return residuals(self, kind)

    def save(self, path: str | Path) -> None:
        """Write one model file (safetensors), whole or not at all, without the data; `thalweg.load` reads it.

        Examples
        --------
        >>> import tempfile, thalweg as tw
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     tw.fit("progression ~ bmi", "diabetes").save(f"{folder}/model.safetensors")
        ...     tw.load(f"{folder}/model.safetensors")
        <Fit 'progression ~ bmi', gaussian, 442 rows: call summary()>
        """
        from thalweg.store import save

        save(self, path)

    def __repr__(self) -> str:
        n = self.statistics.n
        return f"<Fit {self.formula!r}, {self.family.name}, {n:.15g} row{'s' * (n != 1)}: call summary()>"

    def _repr_html_(self) -> str:
        return self.summary_html()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            from thalweg.foreign import no_attribute

            # Python asks here too after a property has raised a NotAvailableError, and keeps nothing of it: ask again.
            if isinstance(known := getattr(type(self), name, None), property):
                return known.__get__(self)
            raise no_attribute(name)
