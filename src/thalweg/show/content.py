"""What a summary says, before anything decides how it looks: text, terminal and notebook show the same content."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thalweg.curves.undetermined import UNDETERMINED
from thalweg.inference.coefficients import Row, coefficient_table
from thalweg.inference.statistics import Statistics
from thalweg.losses.robust import Robust
from thalweg.show.curve import HELD, curve_title, has_precisions, is_curve, tied
from thalweg.show.header import header
from thalweg.show.numbers import LARGE, p_text, significant, with_error
from thalweg.show.whole import is_robust, is_zero_one, statistics

if TYPE_CHECKING:
    from thalweg.result import Fit


@dataclass(frozen=True)
class Content:
    """A summary as plain strings.

    Attributes
    ----------
    title : str
        One line.
    header : tuple of (label, text)
        What was fitted to what, and how.
    columns : tuple of str
        Headings of the coefficient table.
    coefficients : tuple of rows of str
        As many cells as `columns`; numbers are not padded.
    statistics : tuple of (label, text)
        Figures of the whole fit; those that do not apply are left out.
    notes : tuple of str
        Whole sentences: why a number is absent, what to be careful about.
    """

    title: str
    header: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    coefficients: tuple[tuple[str, ...], ...]
    statistics: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def content(fit: Fit, *, level: float | None = None, digits: int = 4) -> Content:
    """The content of a fit's summary.

    Parameters
    ----------
    fit : Fit
    level : float, optional
        Of the confidence intervals; the fit's own by default.
    digits : int
        Significant digits of a standard error; an estimate is shown to the same decimal.
    """
    level = fit.level if level is None else level
    rows, whole = coefficient_table(fit, level), statistics(fit)
    return Content(
        title=title(fit),
        header=tuple(header(fit)),
        columns=_columns(fit, level),
        coefficients=tuple(_cells(row, digits) for row in rows),
        statistics=tuple(_statistics(fit, whole)),
        notes=tuple(dict.fromkeys(_notes(fit, rows, whole))),
    )


def title(fit: Fit) -> str:
    """What kind of model this is, in the words of a textbook."""
    if is_curve(fit):
        return curve_title(fit)
    family, link = fit.family.name.replace("_", " "), fit.family.link.name
    named = {("gaussian", "identity"): "Linear regression", ("binomial", "logit"): "Logistic regression"}
    return named.get((family, link), f"Generalized linear model, {family} family, {link.replace('_', ' ')} link")


# ------------------------------------------------------------------------------------------------- coefficients


def _columns(fit: Fit, level: float) -> tuple[str, ...]:
    statistic = "z" if fit.df is None else "t"
    return ("", "estimate", "std error", statistic, "p", f"low {100 * level:g}%", f"high {100 * level:g}%")


def _cells(row: Row, digits: int) -> tuple[str, ...]:
    estimate, error, low, high = with_error(row.estimate, row.std_error, row.low, row.high, digits=digits)
    if row.note == HELD:
        estimate = f"{row.estimate:.10g}"  # as it was given
    return row.name, estimate, error, _ratio(row.statistic), p_text(row.p_value), low, high


def _ratio(value: float) -> str:
    """A t or z to three decimals; more is not read, and large ones need fewer."""
    if not math.isfinite(value):
        return significant(value)
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


# --------------------------------------------------------------------------------------------------- statistics

_GAUSSIAN = (
    ("R²", "r2"),
    ("adjusted R²", "r2_adjusted"),
    ("sigma", "sigma"),
    ("F", "f_statistic"),
    ("residual sum of squares", "rss"),
)
# Of a curve: no adjusted R², whose correction counts parameters as if the model were linear in them
# (doi:10.1186/1471-2210-10-6), and no F, because a curve need not hold a constant inside it.
_CURVE = (("R²", "r2"), ("sigma", "sigma"), ("residual sum of squares", "rss"))
_WEIGHTED_CURVE = (("R²", "r2"), ("sigma", "sigma"), ("chi²", "pearson_chi2"), ("reduced chi²", "reduced_chi2"))
_KNOWN_VARIANCES = (
    ("R²", "r2"),
    ("chi²", "pearson_chi2"),
    ("p of chi²", "chi2_pvalue"),
    ("reduced chi²", "reduced_chi2"),
)
_GENERAL = (
    ("deviance", "deviance"),
    ("null deviance", "null_deviance"),
    ("deviance R²", "r2_deviance"),
    ("Pearson chi²", "pearson_chi2"),
    ("dispersion", "dispersion"),
)
_ROBUST = (("robust sum of squares", "deviance"),)  # squares near the model; it is no likelihood, and has no R²
_DISCRETE = (("McFadden R²", "r2_mcfadden"),)
_BOTH = (("log-likelihood", "log_likelihood"), ("AIC", "aic"), ("BIC", "bic"))


def _shown_statistics(fit: Fit) -> tuple[tuple[str, str], ...]:
    """Labels and names of the statistics that suit the family."""
    if fit.family.name == "gaussian" and fit.family.link.name == "identity":
        if is_curve(fit):
            return _of_squares(fit) + _BOTH
        robust = {"F": "F (robust)"} if is_robust(fit) else {}
        return tuple((robust.get(label, label), name) for label, name in _GAUSSIAN) + _BOTH
    if isinstance(fit.family, Robust):
        return _ROBUST
    return _GENERAL + _BOTH + (_DISCRETE if fit.family.name == "binomial" else ())


def _of_squares(fit: Fit) -> tuple[tuple[str, str], ...]:
    """Of a curve by least squares: a chi-squared, where the weights are 1 / variance."""
    if not has_precisions(fit):
        return _CURVE
    return _KNOWN_VARIANCES if fit.options.get("weights_kind") == "absolute" else _WEIGHTED_CURVE


def _statistics(fit: Fit, shown: Statistics) -> Iterator[tuple[str, str]]:
    for label, name in _shown_statistics(fit):
        yield label, _figure(shown, name)
    yield "residual df", f"{shown.df_residual:.15g}"


def _figure(shown: Statistics, name: str) -> str:
    value = getattr(shown, name)
    if not math.isfinite(value):
        return significant(value)
    if name == "f_statistic":
        p = p_text(shown.f_pvalue)
        return f"{significant(value)}, p {p if p.startswith('<') else '= ' + p}"
    if name == "chi2_pvalue":
        return p_text(value)
    if name == "dispersion":
        return f"{value:.5g} ({shown.dispersion_method})"
    if name in ("log_likelihood", "aic", "bic") and 10 <= abs(value) < LARGE:
        return f"{value:.2f}"
    return significant(value)


# -------------------------------------------------------------------------------------------------------- notes


def _notes(fit: Fit, rows: list[Row], whole: Statistics) -> Iterator[str]:
    if fit.solution is not None and fit.solution.advice:
        yield _sentence(fit.solution.advice)
    if fit.separation is not None:
        yield _sentence(fit.separation.sentence)
    for name, reason in fit.aliased.items():
        relation = f"{name} {reason}" if reason.startswith("=") else reason
        yield _sentence(f"{name} has no coefficient of its own ({relation})")
    yield from _parameter_notes(fit)
    yield from _row_notes(fit, rows)
    yield from _statistic_notes(fit, whole)
    yield from _weight_notes(fit)
    if _lacks_trials(fit):
        yield "The response holds proportions without trials: standard errors treat each as one trial."
    yield from map(_sentence, fit.notes)


def _parameter_notes(fit: Fit) -> Iterator[str]:
    """Parameters of a curve that were not fitted."""
    held = [name for name, reason in fit.held.items() if reason == HELD]
    if held:
        were, a, have = ("were", "values", "have") if len(held) > 1 else ("was", "a value", "has")
        yield f"{_listed(held)} {were} held at {a} that you gave, and {have} no standard error."
    ties = [f"{name} = {text}" for name, text in tied(fit).items()]
    if ties:
        yield f"Tied, not fitted: {_listed(ties)}."


_LISTED = 6


def _listed(names: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'; of many the first and how many more."""
    if len(names) > _LISTED:
        return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _row_notes(fit: Fit, rows: list[Row]) -> Iterator[str]:
    """Reasons for absent errors, those that several rows share only once."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.note and row.note != HELD and not _told(fit, row):
            by_reason.setdefault(row.note, []).append(row.name)
    for reason, names in by_reason.items():
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield _sentence(f"{shown}: {reason}")


def _told(fit: Fit, row: Row) -> bool:
    """Whether another note says it already."""
    separated = fit.separation is not None and row.note.startswith("separated")
    if row.note == UNDETERMINED and any(row.name in note for note in fit.notes):
        return True
    return row.name in fit.aliased or row.note == fit.covariance_reason or separated


def _statistic_notes(fit: Fit, whole: Statistics) -> Iterator[str]:
    """Why standard errors, or a figure that is shown, are absent; several with one reason in one sentence."""
    by_reason: dict[str, list[str]] = {}
    if fit.covariance_reason and fit.separation is None:
        by_reason[fit.covariance_reason] = ["standard errors"]
    for label, name in _shown_statistics(fit):
        reason = whole.reasons.get(name)
        if reason and math.isnan(getattr(whole, name)):
            by_reason.setdefault(reason, []).append(label)
    for reason, labels in by_reason.items():
        yield _sentence(f"{', '.join(labels)}: {reason}")
    if isinstance(fit.family, Robust):
        yield f"There is no R², log-likelihood, AIC or BIC: {fit.family.likelihood_reason}."


_WEIGHTS = {
    "frequency": "Weights are frequencies: a weight of 2 counts as two rows, in the errors too.",
    "precision": "Weights are precisions: the variance of a row is the dispersion divided by its weight.",
    "absolute": "Weights are 1 / variance, taken as known: how far the rows scatter does not change the errors.",
    "sampling": "Weights are sampling weights: the estimates are those of the population that they describe.",
}


def _weight_notes(fit: Fit) -> Iterator[str]:
    if fit.options.get("weights"):
        yield _WEIGHTS[fit.options.get("weights_kind", "precision")]


def _lacks_trials(fit: Fit) -> bool:
    """Whether a binomial response holds shares, of which nobody said how many trials stand behind them."""
    roles = fit.spec.roles
    given = roles.trials is not None or roles.weights is not None or fit.spec.response.kind == "trials"
    return fit.family.name == "binomial" and not given and is_zero_one(fit) is False


def _sentence(text: str) -> str:
    """With its full stop. The first letter is left as it is: a name may stand there."""
    return text if text.endswith((".", "!", "?")) else text + "."
