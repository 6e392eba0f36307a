"""What the user holds after a curve was fitted to each group of rows for itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.group_rows import GroupRows, OneGroup
from thalweg.curves.spec import CurveSpec
from thalweg.data.contrasts import show_level
from thalweg.data.source import Source
from thalweg.errors import NotAvailableError, OptionError, UnseenLevelError
from thalweg.inference.distributions import check_level, quantile

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from thalweg.inference.nested import NestedTest
    from thalweg.result import Fit

STATISTICS = ("n", "df_residual", "sigma", "rss", "r_squared", "log_likelihood", "aic", "bic")


@final
@dataclass(frozen=True, eq=False, repr=False)
class Fits:
    """One curve fitted to each group of rows for itself.

    Made by `thalweg.fit` with ``by=`` and without ``shared=``. ``fits[group]`` fits the rows of one group again and
    gives its `Fit`; everything else is known already.

    Attributes
    ----------
    spec : CurveSpec
        The curve and how its rows are read.
    by : str
        The column of groups.
    groups : tuple
        The groups in order: numbers or texts.
    estimates, errors : ndarray, (G, P)
        Parameters and their standard errors in the order of `names`; NaN where there is none.
    statistics : mapping of str to ndarray, (G,)
        n, df_residual, sigma, rss, r_squared, log_likelihood, aic, bic.
    converged : ndarray of bool, (G,)
    notes : mapping of group to str
        What is to be said of a group: why it has no estimates, or which parameter its rows do not determine.
    held : mapping of (group, parameter) to str
        Why an estimate has no standard error.
    level : float
        Of the intervals.
    normal : bool
        Whether intervals are those of the normal distribution: the dispersion is fixed by the family, or is known.

    Examples
    --------
    >>> import numpy as np, thalweg as tw
    >>> t = np.tile(np.arange(8.0), 3)
    >>> run = np.repeat(["p", "q", "r"], 8)
    >>> y = np.repeat([5.0, 3.0, 8.0], 8) * np.exp(-t / 2) + 0.01 * np.cos(7 * t)
    >>> fits = tw.fit("y = a * exp(-t / tau)", {"t": t, "y": y, "run": run}, by="run", start={"a": 1, "tau": 1})
    >>> fits
    <Fits 'y = a * exp(-t / tau)' by run: 3 groups, all fitted: call summary()>
    >>> round(fits.coefficients["q"]["tau"], 2), round(fits["q"].coefficients["tau"], 2)
    (1.99, 1.99)
    """

    spec: CurveSpec
    by: str
    groups: tuple[Hashable, ...]
    estimates: Float[ndarray, "G P"]
    errors: Float[ndarray, "G P"]
    statistics: Mapping[str, ndarray]
    converged: ndarray
    notes: Mapping[Hashable, str]
    held: Mapping[tuple[Hashable, str], str]
    level: float
    rows: GroupRows
    again: Callable[[Source, dict[str, float] | None], Fit] = field(repr=False)
    normal: bool = False

    # ------------------------------------------------------------------------------------------- as a mapping

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {group: i for i, group in enumerate(self.groups)}

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.groups)

    def __contains__(self, group: object) -> bool:
        return group in self._places

    def __getitem__(self, group: Hashable) -> Fit:
        """The fit of one group's rows, from its estimates.

        Raises
        ------
        UnseenLevelError
            There is no such group.
        ThalwegError
            Its rows cannot be fitted.
        """
        i = self._place(group)
        start = self.coefficients_of(i) if self.converged[i] else None
        return self.again(self.rows.of(i, f"rows where {self.by} is {show_level(group)}"), start)

    def _place(self, group: Hashable) -> int:
        if group in self._places:
            return self._places[group]
        known = ", ".join(map(repr, self.groups[:20])) + (", ..." if len(self) > 20 else "")
        raise UnseenLevelError(f"there is no group {group!r} of {self.by}", advice=f"Groups are {known}.")

    # ------------------------------------------------------------------------------------------------ numbers

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return self.spec.names

    @property
    def formula(self) -> str:
        """The curve as it was written."""
        return self.spec.formula

    @property
    def coefficients(self) -> dict[Hashable, dict[str, float]]:
        """Estimates by group and name; NaN where a group was not fitted."""
        return {group: self.coefficients_of(i) for i, group in enumerate(self.groups)}

    @property
    def std_errors(self) -> dict[Hashable, dict[str, float]]:
        """Standard errors by group and name; NaN where there is none."""
        return {
            group: dict(zip(self.names, self.errors[i].tolist(), strict=True)) for i, group in enumerate(self.groups)
        }

    def coefficients_of(self, number: int) -> dict[str, float]:
        """Estimates of the group with this number, from 0."""
        return dict(zip(self.names, self.estimates[number].tolist(), strict=True))

    @property
    def failed(self) -> tuple[Hashable, ...]:
        """Groups that have no minimum: too few rows, or no convergence. `notes` says which."""
        return tuple(group for group, good in zip(self.groups, self.converged.tolist(), strict=True) if not good)

    def half_widths(self, level: float | None = None) -> Float[ndarray, "G P"]:
        """Half of each confidence interval: standard error times the quantile of t, or of the normal distribution."""
        level = self.level if level is None else level
        check_level(level)
        if self.normal:
            return self.errors * quantile(level, None)
        degrees, at = np.unique(self.statistics["df_residual"], return_inverse=True)
        quantiles = [quantile(level, float(each)) if each > 0 else np.nan for each in degrees]
        return self.errors * np.array(quantiles)[at][:, None]

    def intervals(self, level: float | None = None) -> dict[Hashable, dict[str, tuple[float, float]]]:
        """Wald's confidence intervals by group and name, (low, high); NaN where there is none.

        Parameters
        ----------
        level : float, optional
            In (0, 1); the fit's own by default. For profile intervals ask one group's fit.
        """
        half = self.half_widths(level)
        ends = np.stack([self.estimates - half, self.estimates + half], axis=-1).tolist()
        each = [dict(zip(self.names, map(tuple, rows), strict=True)) for rows in ends]
        return dict(zip(self.groups, each, strict=True))

    def compare(self, other: Any, *others: Any) -> NestedTest:
        """Test a fit with shared parameters against these independent ones.

        F = ((RSS_1 - sum_g RSS_g) / (p_2 - p_1)) / (sum_g RSS_g / df), df = sum_g df_g: one variance for all groups.

        Parameters
        ----------
        other : Fit or Fits
            Of the same rows: with ``by=`` and ``shared=``, or of all groups as one, or another curve for each group.

        Returns
        -------
        NestedTest
            As `Fit.compare`, which tests the same where it is given these fits.

        Raises
        ------
        OptionError, NotAvailableError
            As `Fit.compare`; a group without estimates.

        References
        ----------
        Bates & Watts (1988), Nonlinear Regression Analysis and Its Applications, section 3.10.1,
        doi:10.1002/9780470316757.

        Examples
        --------
        >>> import thalweg as tw
        >>> said = {"formula": "rate = vmax * conc / (km + conc)", "data": "puromycin", "by": "state"}
        >>> test = tw.fit(**said).compare(tw.fit(**said, shared=["km"]))
        >>> round(test.statistic, 3), test.df, test.df_denominator, round(test.p_value, 3)
        (1.718, 1, 19.0, 0.206)
        """
        from thalweg.inference.nested import compare

        return compare(self, other, *others)

    # ------------------------------------------------------------------------------------------------- tables

    def tidy(self, *, level: float | None = None) -> Any:
        """One row per group and parameter, as a frame of the library that the data came in.

        Parameters
        ----------
        level : float, optional
            Of the confidence intervals; the fit's own by default.

        Returns
        -------
        frame
            The group under the name of its column, term, estimate, std_error, conf_low, conf_high, note.
        """
        from thalweg.show.frames import frame, library_for

        half, width = self.half_widths(level), len(self.names)
        columns = {
            self._column("term"): [group for group in self.groups for _ in range(width)],
            "term": list(self.names) * len(self),
            "estimate": self.estimates.ravel(),
            "std_error": self.errors.ravel(),
            "conf_low": (self.estimates - half).ravel(),
            "conf_high": (self.estimates + half).ravel(),
            "note": [self._note(group, name) for group in self.groups for name in self.names],
        }
        return frame(columns, library_for(self.rows.source))

    def glance(self) -> Any:
        """One row per group: nobs, sigma, rss, r_squared, log_lik, aic, bic, df_residual, converged, note."""
        from thalweg.show.frames import frame, library_for

        shown = {"nobs": "n", "log_lik": "log_likelihood"}
        names = ("nobs", "sigma", "rss", "r_squared", "log_lik", "aic", "bic", "df_residual")
        columns: dict[str, Any] = {self._column("nobs"): list(self.groups)}
        columns |= {name: self.statistics[shown.get(name, name)] for name in names}
        columns["nobs"] = columns["nobs"].astype(int)
        columns["converged"] = self.converged
        columns["note"] = [self.notes.get(group, "") for group in self.groups]
        return frame(columns, library_for(self.rows.source))

    def _column(self, taken: str) -> str:
        """What the column of groups is called in a table."""
        others = {"term", "estimate", "std_error", "conf_low", "conf_high", "note", "converged", *STATISTICS, taken}
        return f"{self.by}_" if self.by in others else self.by

    def _note(self, group: Hashable, name: str) -> str:
        if (group, name) in self.held:
            return self.held[group, name]
        return "" if self.converged[self._places[group]] else self.notes.get(group, "")

    def summary(self, *, digits: int = 4) -> str:
        """The first groups, the spread of each parameter over all of them, and what could not be fitted."""
        from thalweg.curves.fits_text import summary_text

        return summary_text(self, digits=digits)

    def plot(self, path: str | Path | None = None, *, x: str | None = None) -> Figure:
        """The data, the curve and its band in a panel for each group, of many groups the first sixteen.

        Parameters
        ----------
        path : path, optional
            A file to write too: .png, .svg, .pdf, .jpg or .webp.
        x : str, optional
            The column along which a curve of several is drawn.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from thalweg.show.plots.by_group import draw_groups
        from thalweg.show.plots.style import save

        figure = draw_groups(self, x)
        if path is not None:
            save(figure, path)
        return figure

    def save(self, path: str | Path) -> NoReturn:
        """Not available: a model file holds one fit.

        Raises
        ------
        NotAvailableError
        """
        raise NotAvailableError(
            f"a model file holds one fit, and these are {len(self):,}",
            advice=f"Save each by itself, fits[{self.groups[0]!r}].save({str(path)!r}), or their tidy().",
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            from thalweg.curves.fits_text import no_attribute

            raise no_attribute(name, vars(self).get("groups", ()))

    def __repr__(self) -> str:
        bad = len(self.failed)
        what = f"{bad:,} not fitted" if bad else "all fitted"
        groups = f"{len(self):,} group{'s' * (len(self) != 1)}"
        return f"<Fits {self.formula!r} by {self.by}: {groups}, {what}: call summary()>"

    # -------------------------------------------------------------------------------------------- predictions

    def predict(
        self,
        data: Any = None,
        interval: str | float | None = None,
        *,
        level: float | None = None,
        unseen: str = "error",
        missing: str = "error",
        **reading: Any,
    ) -> Any:
        """The curve of each row's group, with an interval if wanted.

        Parameters
        ----------
        data : anything that `fit` reads, optional
            The complete rows of the fit by default, in their order.
        interval : {"mean", "prediction"} or float, optional
            As `Fit.predict` has it. The groups of these rows are fitted once more, for their covariances.
        level : float, optional
            Of the interval where that is a word; the fit's own by default.
        unseen : {"error", "null"}
            What a group that the fit never saw does: raise, or give NaN. A group without estimates gives NaN.
        missing : {"error", "null"}
            What a row that lacks a column does.
        **reading
            How to read a text file.

        Returns
        -------
        array or frame
            An array; with `interval` a frame of prediction, lower, upper and standard_error.

        Raises
        ------
        ColumnError, MissingValueError, UnseenLevelError, OptionError

        Warns
        -----
        ExtrapolationWarning : with an interval, rows outside the range of their group's data.
        """
        from thalweg.curves.fits_predict import intervals_of_rows, values_of_rows
        from thalweg.data.sources import open_source

        if unseen not in ("error", "null"):
            raise OptionError(f"unseen={unseen!r} is not an option", advice="Use 'error' or 'null'.")
        source = self._own() if data is None else open_source(data, **reading)
        if interval is not None or level is not None:
            asked: dict[str, Any] = {"interval": interval, "level": level, "missing": missing}
            return intervals_of_rows(self, source, self.predict(source, unseen=unseen, missing=missing), data, asked)
        return values_of_rows(self, source, unseen, missing)

    def _own(self) -> Source:
        return OneGroup(self.rows.source, np.sort(self.rows.numbers), "complete rows")
