"""The numbers that describe a fit as a whole, each with a reason where there is none.

With r_i how many rows a row counts as and s_i the precision of each times its binomial trials
(`thalweg.inference.reading`):

    n = sum_i r_i                      df_residual = n - rank
    RSS = sum_i r_i s_i (y_i - mu_i)^2           Pearson's chi2 = sum_i r_i s_i (y_i - mu_i)^2 / V(mu_i)
    deviance = sum_i r_i s_i d(y_i, mu_i)        dispersion = fixed by the family, else chi2 / df_residual

Conventions where books and programs differ:

- *Log-likelihood*: the gaussian one is taken at its own maximum-likelihood variance RSS / n (R, statsmodels); for
  gamma, inverse Gaussian and Tweedie at the Pearson dispersion (statsmodels). Precision weights divide the dispersion.
- *AIC* = -2 logL + 2 k, *BIC* = -2 logL + log(n) k with k the rank: the dispersion is not counted as a parameter, as in
  statsmodels. R counts it where it is estimated: its AIC is larger by 2, its BIC by log(n). A negative binomial's
  alpha is counted where it was estimated (statsmodels' NegativeBinomial, R's glm.nb).
- *Null model*: intercept and offset, also for a model without an intercept (statsmodels; R then takes mu = h(offset)).
- *R2* = 1 - RSS / TSS of least squares: TSS is that of y - offset, centred where the model has an intercept and not
  where it has none (R, statsmodels). R2 of the deviance = 1 - deviance / null deviance, for every family.
- *Sampling weights*: w_i are scaled to mean 1 in the dispersion (as Stata's regress does for pweights), so that it does
  not depend on their unit; a weighted pseudo-likelihood is no likelihood, so logL, AIC and BIC are absent.
- *Absolute weights* are w_i = 1 / sigma_i^2 of a gaussian response with known sigma_i: the dispersion is 1, RSS is a
  chi-squared with df_residual degrees of freedom, and the likelihood is that of these sigma_i.
- *Robust losses* have no dispersion (the residuals' variance is what they do not trust), hence no sigma; and no null
  model: the best constant is no mean, and for a loss that is not convex there can be several.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

from jaxtyping import Float
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.inference.distributions import upper
from thalweg.inference.null_model import null_intercept
from thalweg.inference.reading import Reading, map_readings
from thalweg.inference.sums import Sums, saturated
from thalweg.losses.base import Family

if TYPE_CHECKING:
    from thalweg.data.spec import Spec

NAN = math.nan
EPSILON = 2.0**-53


@final
@dataclass(frozen=True)
class Statistics:
    """A fit in numbers; one that does not exist is NaN and `reasons` says why, by its name.

    Attributes
    ----------
    n : float
        Rows of positive weight; with frequency weights their sum.
    n_dropped : int
        Rows left out for missing values.
    weight_sum : float
        Sum of the user's weights.
    df_model : float
        Rank of the design, less one for an intercept.
    df_residual : float
        n - rank.
    dispersion : float
        phi in Var(y_i) = phi V(mu_i) / w_i; sigma^2 of least squares.
    dispersion_method : {"fixed", "pearson", "residual variance", "none"}
    sigma : float
        Square root of the dispersion.
    rss, tss : float
        Residual and total sum of squares; tss is that of least squares only.
    deviance, null_deviance, pearson_chi2 : float
        Unscaled: the dispersion is not divided out.
    log_likelihood, null_log_likelihood, aic, bic : float
        See the module for the conventions.
    r2, r2_adjusted, f_statistic, f_pvalue : float
        Of least squares.
    r2_mcfadden : float
        1 - logL / null logL, for discrete responses (fixed dispersion).
    r2_deviance : float
    reasons : dict of str to str
    """

    n: float
    n_dropped: int
    weight_sum: float
    df_model: float
    df_residual: float
    dispersion: float
    dispersion_method: str
    sigma: float
    rss: float
    tss: float
    deviance: float
    null_deviance: float
    pearson_chi2: float
    log_likelihood: float
    null_log_likelihood: float
    aic: float
    bic: float
    r2: float
    r2_adjusted: float
    r2_mcfadden: float
    r2_deviance: float
    f_statistic: float
    f_pvalue: float
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def reduced_chi2(self) -> float:
        """Pearson's chi-squared by its degrees of freedom: near 1 where the known variances are right."""
        return self.pearson_chi2 / self.df_residual if self.df_residual > 0 else NAN

    @property
    def chi2_pvalue(self) -> float:
        """P(chi-squared(df_residual) >= pearson_chi2), the test of the fit where the variance is known; else NaN.

        For counts it is the large-sample test of Pearson, good where means are above 5 or so.
        """
        if self.dispersion_method != "fixed" or not self.df_residual > 0:
            return NAN
        return upper(self.pearson_chi2, self.df_residual, None)


def compute(
    rows: Readable,
    family: Family,
    theta: Float[Tensor, "p"],
    spec: Spec,
    *,
    weights_kind: str = "precision",
    rank: int,
    rss: float | None = None,
    estimated: int = 0,
) -> Statistics:
    """All statistics of a fit, in one pass over the rows.

    A dispersion that is estimated takes a second pass for the likelihood (not for a gaussian), and an offset some more
    for the null model; they read the response but not the design.

    Parameters
    ----------
    rows : Readable
    family : Family
    theta : Tensor, (p,), float64
        The coefficients, 0 where aliased.
    spec : Spec
        Read for `has_intercept` and `dropped`.
    weights_kind : {"precision", "absolute", "frequency", "sampling"}
    rank : int
        Coefficients that are not aliased.
    rss : float, optional
        The weighted residual sum of squares of least squares where the solver has it in doubled precision: the plain
        float64 sum loses digits where the columns are large and the residuals small.
    estimated : int
        Parameters of the family that were estimated by maximum likelihood, which AIC and BIC count: 1 for a negative
        binomial's alpha.
    """
    sums = Sums.gathered(map_readings(Sums.of, rows, family, theta, weights_kind), family)
    if rss is not None and is_least_squares(family):
        sums = replace(sums, rss=rss, chi2=rss, deviance=rss)
    known = _Known(sums, family, theta, weights_kind, rank, bool(spec.has_intercept))
    likelihoods = _likelihoods(rows, known)
    values: dict[str, float] = {
        **_sizes(known),
        **likelihoods,
        **_criteria(known, likelihoods, estimated),
        **_r_squared(known),
    }
    values |= {
        "r2_mcfadden": _mcfadden(known, likelihoods),
        "r2_deviance": NAN if known.constant else _share(sums.deviance, likelihoods["null_deviance"]),
    }
    reasons = {name: _reason(name, known) for name, value in values.items() if math.isnan(value)}
    return Statistics(n_dropped=spec.dropped, dispersion_method=_method(known), reasons=reasons, **values)


def _method(known: _Known) -> str:
    """How the dispersion is found."""
    if known.family.dispersion_reason is not None:
        return "none"
    if known.fixed or known.absolute:
        return "fixed"
    return "residual variance" if is_least_squares(known.family) else "pearson"


def is_least_squares(family: Family) -> bool:
    """Whether the family is the gaussian one with the identity link, whose theory is exact."""
    return family.name == "gaussian" and family.link.name == "identity"


@final
@dataclass(frozen=True)
class _Known:
    """The first pass's sums with what the fit is."""

    sums: Sums
    family: Family
    theta: Tensor
    weights_kind: str
    rank: int
    intercept: bool

    @property
    def fixed(self) -> bool:
        return self.family.fixed_dispersion is not None

    @property
    def absolute(self) -> bool:
        """Whether the weights are the inverses of known variances."""
        return self.weights_kind == "absolute"

    @property
    def df_residual(self) -> float:
        return self.sums.n - self.rank

    @property
    def dispersion(self) -> float:
        if self.family.fixed_dispersion is not None:
            return self.family.fixed_dispersion
        if self.absolute:
            return 1.0
        if self.df_residual <= 0 or self.family.dispersion_reason is not None:
            return NAN
        unit = self.sums.n / self.sums.response.weight if self.weights_kind == "sampling" else 1.0
        return unit * self.sums.chi2 / self.df_residual

    @property
    def tss(self) -> float:
        """Total sum of squares of y - offset."""
        net = self.sums.net
        if not is_least_squares(self.family):
            return NAN
        if not self.intercept:
            return net.squares + net.weight * net.mean**2
        return 0.0 if self.constant else net.squares

    @property
    def constant(self) -> bool:
        """Whether the null model fits exactly, up to the rounding that a constant response leaves."""
        least = is_least_squares(self.family)
        if self.sums.has_offset and not least:
            return False
        seen = self.sums.net if least else self.sums.response
        return math.sqrt(seen.squares) <= math.sqrt(seen.weight) * 4 * EPSILON * abs(seen.mean)


def _sizes(known: _Known) -> dict[str, float]:
    sums, dispersion = known.sums, known.dispersion
    return {
        "n": sums.n,
        "weight_sum": sums.user_weight,
        "df_model": float(known.rank - known.intercept),
        "df_residual": known.df_residual,
        "dispersion": dispersion,
        "sigma": math.sqrt(dispersion) if dispersion >= 0 else NAN,
        "rss": sums.rss,
        "tss": known.tss,
        "deviance": sums.deviance,
        "pearson_chi2": sums.chi2,
    }


def _likelihoods(rows: Readable, known: _Known) -> dict[str, float]:
    """Null deviance and both log-likelihoods."""
    null_deviance = _null_deviance(rows, known)
    if known.weights_kind == "sampling" or not known.dispersion > 0:
        both = (NAN, NAN)
    elif known.family.name == "gaussian":
        both = (_gaussian(known, known.sums.rss), _gaussian(known, null_deviance))
    else:
        most = _saturated_sum(rows, known)
        both = (
            most - known.sums.deviance / (2 * known.dispersion),
            most - null_deviance / (2 * known.dispersion),
        )
    return {"log_likelihood": both[0], "null_log_likelihood": both[1], "null_deviance": null_deviance}


def _gaussian(known: _Known, rss: float) -> float:
    """-n/2 (log(2 pi v) + RSS / n v) + 1/2 sum r_i log s_i at v = RSS / n; at 1 where the variances are known."""
    n = known.sums.n
    if known.absolute:
        return (known.sums.log_weights - n * math.log(2 * math.pi) - rss) / 2
    if not rss > 0 or known.df_residual <= 0:
        return NAN
    return -n / 2 * (math.log(2 * math.pi * rss / n) + 1) + known.sums.log_weights / 2


def _saturated_sum(rows: Readable, known: _Known) -> float:
    """From the first pass, or with a dispersion that was estimated from a pass over the response alone."""
    if known.fixed:
        return known.sums.saturated
    if math.isnan(known.dispersion) or known.family.likelihood_reason is not None:
        return NAN

    def work(r: Reading) -> float:
        return saturated(r, known.dispersion)

    return sum(map_readings(work, rows, known.family, known.theta, known.weights_kind))


def _null_deviance(rows: Readable, known: _Known) -> float:
    sums, family = known.sums, known.family
    if family.dispersion_reason is not None:
        return NAN
    if is_least_squares(family):
        return sums.net.squares
    if not sums.has_offset:
        return sums.constant.deviance
    intercept = null_intercept(rows, family, sums.response.mean, sums.offset.mean)

    def work(r: Reading) -> float:
        return float(r.weight @ family.unit_deviance(r.y, family.mean(intercept + r.offset)))

    return sum(map_readings(work, rows, family, known.theta, known.weights_kind))


def _criteria(known: _Known, likelihoods: dict[str, float], estimated: int) -> dict[str, float]:
    fitted, counted = likelihoods["log_likelihood"], known.rank + estimated
    return {"aic": -2 * fitted + 2 * counted, "bic": -2 * fitted + math.log(known.sums.n) * counted}


def _r_squared(known: _Known) -> dict[str, float]:
    """R2, adjusted R2 and the overall F test of least squares."""
    r2 = _share(known.sums.rss, known.tss)
    degrees = known.rank - known.intercept
    exists = known.df_residual > 0
    adjusted = 1 - (1 - r2) * (known.sums.n - known.intercept) / known.df_residual if exists else NAN
    f = NAN
    tested = known.weights_kind not in ("sampling", "absolute")
    if exists and degrees > 0 and tested and not math.isnan(r2):
        explained = (known.tss - known.sums.rss) / degrees
        unexplained = known.sums.rss / known.df_residual  # 0 too where it is below the range of float64
        f = explained / unexplained if unexplained > 0 else math.inf
    return {
        "r2": r2,
        "r2_adjusted": adjusted,
        "f_statistic": f,
        "f_pvalue": upper(max(f, 0.0), degrees, known.df_residual) if not math.isnan(f) else NAN,
    }


def _mcfadden(known: _Known, likelihoods: dict[str, float]) -> float:
    if not known.fixed or known.constant:
        return NAN
    return _share(likelihoods["log_likelihood"], likelihoods["null_log_likelihood"])


def _share(part: float, whole: float) -> float:
    """1 - part / whole; NaN where there is no whole."""
    return 1 - part / whole if whole != 0 else NAN


def _reasons_in_order(name: str, known: _Known) -> Iterator[tuple[bool, str]]:
    """What can be behind an absent number, the first that holds being the one to tell."""
    squares = is_least_squares(known.family)
    likelihood = {"log_likelihood", "null_log_likelihood", "aic", "bic", "r2_mcfadden"}
    least = {"tss", "r2", "r2_adjusted", "f_statistic", "f_pvalue"}
    sizes = f"{_counted(known.sums.n, 'row')}, {_counted(known.rank, 'coefficient')}"
    degrees = f"no residual degrees of freedom: {sizes}"
    robust = known.family.dispersion_reason
    yield name in least and not squares, "only least squares has it" + ": see r2_deviance" * (robust is None)
    yield name in {"dispersion", "sigma"} and robust is not None, robust or ""
    yield name in {"null_deviance", "r2_deviance"} and robust is not None, "a robust loss has no null model"
    yield (
        name == "r2_mcfadden" and not known.fixed,
        "it is for discrete responses: a density has no fixed scale; see r2_deviance",
    )
    none = known.family.likelihood_reason
    yield name in likelihood and none is not None, none or ""
    yield (
        name in likelihood and known.weights_kind == "sampling",
        "sampling weights make a pseudo-likelihood, which is no likelihood",
    )
    yield (
        name in {"f_statistic", "f_pvalue"} and known.weights_kind == "sampling",
        "with sampling weights a Wald test with the robust covariance takes its place",
    )
    yield (
        name in {"f_statistic", "f_pvalue"} and known.absolute,
        "with known variances a chi-squared test takes its place: fit.wald(...)",
    )
    yield name in {"f_statistic", "f_pvalue"} and known.rank <= known.intercept, "no coefficient besides the intercept"
    needs_degrees = {"dispersion", "sigma", "r2_adjusted", "f_statistic", "f_pvalue"} | likelihood
    perfect = known.sums.rss == 0 and not known.fixed
    yield name in likelihood and perfect, "the residuals are exactly zero: the likelihood has no bound"
    yield name in needs_degrees and known.df_residual <= 0, degrees
    yield name.startswith(("r2", "f_", "null")), "the response is constant"


def _counted(n: float, noun: str) -> str:
    return f"{n:,.10g} {noun}" + ("" if n == 1 else "s")


def _reason(name: str, known: _Known) -> str:
    for holds, sentence in _reasons_in_order(name, known):
        if holds:
            return sentence
    return "not finite at these coefficients"
