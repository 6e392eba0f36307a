"""What a test of nested fits asks of each of them: one fit, or the fits of a curve to each group together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from thalweg.errors import NotAvailableError, OptionError
from thalweg.solvers.base import Status

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits
    from thalweg.result import Fit

SAME = 1e-9  # relative difference at which sums over the same rows are the same
MOST_SAID = 4  # of what was held or tied
SETTLED = (Status.CONVERGED, Status.STALLED)  # STALLED: rounding allows no lower value


@final
@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes
    ----------
    text : str
        The formula, with what else tells two fits of one formula apart.
    fit : Fit
        The fit itself; of groups, the first one's.
    n, weight_sum, null_deviance : float
        Of all rows; the last NaN where it is not known.
    df_residual, deviance, dispersion : float
    fixed_dispersion : float or None
        Where it is not estimated.
    dispersion_reason : str
        Why there is none.
    unsure : str
        How the solver ended where that was no minimum; else empty.
    log_likelihood, known_aic : float
        The second NaN for groups: theirs has a variance for each.
    """

    text: str
    fit: Fit
    n: float
    weight_sum: float
    null_deviance: float
    df_residual: float
    deviance: float
    dispersion: float
    fixed_dispersion: float | None
    dispersion_reason: str
    unsure: str
    log_likelihood: float
    known_aic: float

    @property
    def parameters(self) -> float:
        """How many were estimated."""
        return self.n - self.df_residual

    def below(self, smaller: Side) -> float:
        """How much lower its deviance is than that of a smaller one."""
        fall = smaller.deviance - self.deviance
        return 2 * (self.log_likelihood - smaller.log_likelihood) if math.isnan(fall) else fall

    def aic(self, smaller: Side) -> float:
        """AIC less that of a smaller one; of groups with one variance, n log(RSS_2 / RSS_1) + 2 (p_2 - p_1)."""
        found = self.known_aic - smaller.known_aic
        if math.isfinite(found):
            return found
        more = 2 * (self.parameters - smaller.parameters)
        if self.fixed_dispersion is not None:
            return more - self.below(smaller) / self.fixed_dispersion
        possible = self.deviance > 0 and smaller.deviance > 0
        return self.n * math.log(self.deviance / smaller.deviance) + more if possible else math.nan


def is_comparable(given: Any) -> bool:
    """Whether this is a fit, or fits by group."""
    from thalweg.curves.fits import Fits
    from thalweg.result import Fit

    return isinstance(given, (Fit, Fits))


def side_of(given: Fit | Fits) -> Side:
    """A fit, or fits by group, as one side.

    Raises
    ------
    NotAvailableError
        A group without estimates.
    """
    from thalweg.curves.fits import Fits

    return _of_groups(given) if isinstance(given, Fits) else _of_fit(given)


def _of_fit(fit: Fit) -> Side:
    known = fit.statistics
    ended = None if fit.solution is None else fit.solution.status
    return Side(
        text=_with_words(fit.formula, [*_grouping(fit), *_said(fit)]),
        fit=fit,
        n=known.n,
        weight_sum=known.weight_sum,
        null_deviance=known.null_deviance,
        df_residual=known.df_residual,
        deviance=known.deviance,
        dispersion=known.dispersion,
        fixed_dispersion=known.dispersion if known.dispersion_method == "fixed" else None,
        dispersion_reason=str(known.reasons.get("dispersion")),
        unsure="" if ended is None or ended in SETTLED else ended.value,
        log_likelihood=known.log_likelihood,
        known_aic=known.aic,
    )


# ------------------------------------------------------------------------------------------------------------- words


def _with_words(formula: str, words: list[str]) -> str:
    return f"{formula} ({', '.join(words)})" if words else formula


def _grouping(fit: Fit) -> list[str]:
    """["by state", "km shared"] of a curve with shared parameters."""
    from thalweg.curves.groups import Grouped

    curve = getattr(fit.spec, "curve", None)
    if not isinstance(curve, Grouped):
        return []
    return [f"by {curve.by}", f"{' and '.join(curve.shared)} shared" if curve.shared else "none shared"]


def _said(fit: Fit) -> list[str]:
    """["c held at 0.5", "s2 = 2 * s1"] of a curve."""
    from thalweg.show.curve import fixed, is_curve, tied

    if not is_curve(fit):
        return []
    words = [f"{name} held at {value:g}" for name, value in fixed(fit).items()]
    words += [f"{name} = {text}" for name, text in tied(fit).items()]
    return words if len(words) <= MOST_SAID else [*words[:MOST_SAID], "..."]


# ------------------------------------------------------------------------------------------------------------ groups


def _of_groups(fits: Fits) -> Side:
    """All groups as one fit: sums of squares, parameters and degrees of freedom added up, with one variance."""
    if fits.failed:
        named = ", ".join(map(str, fits.failed[:3])) + (", ..." if len(fits.failed) > 3 else "")
        raise NotAvailableError(
            f"{len(fits.failed):,} of {len(fits):,} groups have no estimates: {named}",
            advice="Fit all without their rows.",
        )
    fit, known = fits[fits.groups[0]], {name: float(each.sum()) for name, each in fits.statistics.items()}
    fixed = fit.statistics.dispersion if fit.statistics.dispersion_method == "fixed" else None
    squares, df = fit.family.name == "gaussian", known["df_residual"]
    if fixed is None and not squares:
        raise NotAvailableError(
            f"fits by group have no common dispersion in the {fit.family.name} family",
            advice="Fit with shared= too, and compare those.",
        )
    weight_sum, null = _totals(fits)
    return Side(
        text=_with_words(fits.formula, [f"by {fits.by}", *_said(fit)]),
        fit=fit,
        n=known["n"],
        weight_sum=weight_sum,
        null_deviance=null if squares else math.nan,
        df_residual=df,
        deviance=known["rss"] if squares else math.nan,
        dispersion=known["rss"] / df if df > 0 else math.nan,
        fixed_dispersion=fixed,
        dispersion_reason="no residual degrees of freedom",
        unsure="",
        log_likelihood=known["log_likelihood"],
        known_aic=math.nan,
    )


def _totals(fits: Fits) -> tuple[float, float]:
    """Sum of the weights, and the sum of squares of the response about its mean, over the rows of all groups."""
    from thalweg.data.rows import Rows
    from thalweg.data.spec import Spec

    y, w = [], []
    for block in Rows(fits.rows.source, cast(Spec, fits.spec)).blocks():
        assert block.y is not None
        y.append(block.y.double().numpy(force=True))
        w.append(np.ones(block.rows) if block.weight is None else block.weight.double().numpy(force=True))
    response, weight = np.concatenate(y), np.concatenate(w)
    total = float(weight.sum())
    mean = float(weight @ response) / total
    return total, float(weight @ (response - mean) ** 2)


# -------------------------------------------------------------------------------------------------------------- rows


def check_same(a: Side, b: Side) -> None:
    """That both are of the same rows, as far as their sums tell.

    Raises
    ------
    OptionError
    """
    one, other = a.fit, b.fit
    responses = (one.spec.response.name, other.spec.response.name)
    if responses[0] != responses[1]:
        raise OptionError(f"the responses differ: {responses[0]} and {responses[1]}")
    if one.family != other.family:
        raise OptionError(f"the families differ: {one.family!r} and {other.family!r}")
    kinds = [fit.options.get("weights_kind", "precision") for fit in (one, other)]
    if kinds[0] != kinds[1]:
        raise OptionError(f"the weights differ in kind: {kinds[0]} and {kinds[1]}")
    if a.n != b.n:
        raise OptionError(
            f"the fits are of different rows: {a.n:g} and {b.n:g}",
            advice="Fit both to the rows that have all columns, as with data.dropna().",
        )
    if not _near(a.weight_sum, b.weight_sum):
        raise OptionError("the weights differ", advice="Fit both with the same weights.")
    offsets = one.spec.roles.offset is not None or other.spec.roles.offset is not None
    unknown = math.isnan(a.null_deviance) != math.isnan(b.null_deviance)
    if not offsets and not unknown and not _near(a.null_deviance, b.null_deviance):
        raise OptionError("the fits are of different rows: their responses vary about their means by different sums")


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(abs(a), abs(b)) or (math.isnan(a) and math.isnan(b))
