"""Confidence intervals of the coefficients by three methods.

    wald        estimate ± quantile * standard error, as the table has them
    profile     where the likelihood, maximized over the others, is high enough: `thalweg.inference.profile`
    bootstrap   from fits of resampled data: `thalweg.inference.bootstrap`

For a line and least squares the first two are the same.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from thalweg.curves.refit import is_curve
from thalweg.errors import OptionError
from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.distributions import check_level

if TYPE_CHECKING:
    from thalweg.result import Fit

METHODS = ("wald", "profile", "bootstrap")
OF_BOOTSTRAP = ("replicates", "kind", "interval", "seed")


@final
class Intervals(dict[str, tuple[float, float]]):
    """Intervals by name, (low, high), with what is to be said of some of them.

    Attributes
    ----------
    level : float
    method : {"wald", "profile", "bootstrap"}
    notes : dict of str to str
        Why an interval is absent (NaN), infinite, or not of this method; by name.
    """

    def __init__(
        self, ends: dict[str, tuple[float, float]], level: float, method: str, notes: dict[str, str] | None = None
    ) -> None:
        super().__init__(ends)
        self.level, self.method, self.notes = level, method, notes or {}


def intervals(fit: Fit, level: float | None = None, method: str = "wald", **options: Any) -> Intervals:
    """Confidence interval of each coefficient, by name; (NaN, NaN) where there is none.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        In (0, 1); the fit's own level where it is None.
    method : {"wald", "profile", "bootstrap"}
    **options
        Of the bootstrap: replicates, kind ("residual", "pairs", "parametric"), seed, and interval ("bca", "percentile",
        "basic").

    Raises
    ------
    OptionError
        A method or option that does not exist.
    NotAvailableError
        A fit that has no profile or bootstrap; the text says why.
    """
    level = fit.level if level is None else level
    check_level(level)
    if method not in METHODS:
        raise OptionError(f"method is {method!r}", advice=f"It is one of {', '.join(map(repr, METHODS))}.")
    for name in options:
        if method != "bootstrap" or name not in OF_BOOTSTRAP:
            raise OptionError(
                f"{name}= is no option of method {method!r}",
                advice=f"method='bootstrap' has {', '.join(OF_BOOTSTRAP)}." if method != "bootstrap" else None,
            )
    if method == "wald":
        return wald(fit, level)
    return profiled(fit, level) if method == "profile" else bootstrapped(fit, level, **options)


def wald(fit: Fit, level: float) -> Intervals:
    """Those of the table of coefficients."""
    rows = coefficient_table(fit, level)
    return Intervals(
        {row.name: (row.low, row.high) for row in rows}, level, "wald", {row.name: row.note for row in rows if row.note}
    )


def profiled(fit: Fit, level: float) -> Intervals:
    """Profile likelihood for fitted parameters; of a derived one, Wald's, with a note."""
    from thalweg.inference.profile import check_profiled, profiles

    check_profiled(fit)
    known = wald(fit, level)
    if not is_curve(fit):
        return Intervals(dict(known), level, "profile", known.notes)
    found = profiles(fit, level)
    ends = {name: (found[name].low, found[name].high) if name in found else known[name] for name in fit.names}
    notes = {name: each.note for name, each in found.items() if each.note}
    for name in fit.names:
        if name not in found:
            computed = "computed from other parameters: this is Wald's interval"
            notes[name] = known.notes.get(name, "") or computed
    return Intervals(ends, level, "profile", notes)


def bootstrapped(fit: Fit, level: float, interval: str = "bca", **options: Any) -> Intervals:
    """Those of `fit.bootstrap`."""
    from thalweg.inference.bootstrap import bootstrap

    found = bootstrap(fit, **options)
    ends = found.intervals(level, interval)
    notes = dict(found.absent) | {
        name: "all replicates lie on one side of the estimate"
        for name, (low, _) in ends.items()
        if math.isnan(low) and name not in found.absent
    }
    return Intervals(ends, level, "bootstrap", notes)
