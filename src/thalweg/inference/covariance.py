"""Covariance of the coefficients: by the model, robust to the variance, or robust to dependence within clusters.

With U the inverse of the expected curvature sum_i w_i E[loss''_i] x_i x_i', B that of the observed one (equal for a
canonical link), and z_i = s_i loss'_i B x_i how much one row moves the estimates, h_i = s_i E[loss''_i] x_i' U x_i its
leverage (r_i, s_i: `thalweg.inference.reading`):

    model        dispersion * U
    HC0          sum_i r_i z_i z_i'                                                           [1], [2]
    HC1          HC0 * n / df_residual
    HC2, HC3     sum_i r_i z_i z_i' / (1 - h_i),         sum_i r_i z_i z_i' / (1 - h_i)^2
    cluster      G/(G-1) * (n-1)/(n-k) * sum_g z_g z_g',    z_g = sum of r_i z_i in the cluster            [3]
    linearized   n/(n-1) * HC0                                                                [4]

n and df_residual = n - k are those of `Statistics`: a frequency weight repeats its row (r_i = w_i), a precision or
sampling weight multiplies its score (s_i = w_i). For least squares these are the usual formulas (statsmodels' OLS and
WLS). For other families the score and the observed curvature take the place of residual and weight, as in statsmodels'
GLM with HC0 and cluster, and in Stata; statsmodels' HC1 to HC3 of a GLM are its HC0. R's sandwich package puts U in
the place of B. A robust loss (`thalweg.losses.robust`) has psi for the score and psi' for the observed curvature, its
weights psi / r in U and h_i, and no model's covariance: HC1 is its default.

*linearized* is what sampling weights imply: the Taylor-linearization variance of a design with one stratum and each row
its own sampling unit, as R's survey::svyglm gives; Stata's regress with pweights has n/(n-k), which is HC1 here.

The z_i are formed row by row and then squared, rather than as B (sum s_i^2 loss'_i^2 x_i x_i') B, which would square
the design's condition number a second time and lose the digits of it.

References
----------
.. [1] H. White, "A heteroskedasticity-consistent covariance matrix estimator and a direct test for heteroskedasticity",
   Econometrica 48 (1980), doi:10.2307/1912934.
.. [2] J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved
   finite sample properties", J. Econometrics 29 (1985), doi:10.1016/0304-4076(85)90158-7.
.. [3] K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986),
   doi:10.1093/biomet/73.1.13.
.. [4] D. A. Binder, "On the variances of asymptotically normal estimators from complex surveys", Int. Statist. Rev. 51
   (1983), doi:10.2307/1402588.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.data.rows import Readable
from thalweg.errors import OptionError
from thalweg.inference.bread import observed_bread
from thalweg.inference.reading import Reading, check_weights_kind, map_readings
from thalweg.inference.statistics import Statistics
from thalweg.losses.base import Family

KINDS = ("model", "HC0", "HC1", "HC2", "HC3", "cluster", "linearized")
NO_BREAD = (
    "the observed curvature has no inverse: for some combination of the coefficients nearly all rows that know of it"
    " lie beyond the scale of the loss"
)
FULL_LEVERAGE = 1e-10  # 1 - h below this is rounding: the row is fitted exactly whatever its response

T = TypeVar("T")
Result = tuple[Float[Tensor, "p p"] | None, str | None]


def covariance(
    kind: str,
    *,
    unscaled: Float[Tensor, "p p"] | None,
    statistics: Statistics,
    rows: Readable | None,
    family: Family,
    theta: Float[Tensor, "p"],
    weights_kind: str = "precision",
    clusters: Int[Tensor, "n"] | None = None,
) -> Result:
    """The covariance matrix of the coefficients, or the reason why there is none.

    Parameters
    ----------
    kind : {"model", "HC0", "HC1", "HC2", "HC3", "cluster", "linearized"}
    unscaled : Tensor, (p, p), optional
        Inverse curvature; zero rows and columns where a coefficient is aliased.
    statistics : Statistics
    rows : Readable, optional
        Needed by all kinds but "model", which read the rows once more.
    family : Family
    theta : Tensor, (p,)
    weights_kind : {"precision", "absolute", "frequency", "sampling"}
    clusters : Tensor of int64, (n,), optional
        The cluster of each row in the order of reading, any codes.

    Returns
    -------
    Tensor (p, p) or None
        Symmetric, NaN in the rows and columns of aliased coefficients.
    str or None
        Why there is none, a sentence without its full stop.

    Raises
    ------
    OptionError
        An unknown kind, or "cluster" without clusters.
    """
    check_kind(kind)
    check_weights_kind(weights_kind)
    reason = _absent(kind, unscaled, statistics, rows, weights_kind, clusters)
    if reason is not None:
        return None, reason
    assert unscaled is not None
    if kind == "model":
        return _finished(statistics.dispersion * unscaled, unscaled)
    assert rows is not None
    reader = _Reader(rows, family, theta, weights_kind, unscaled)
    if not family.canonical:
        reader = replace(reader, bread=observed_bread(reader.map, unscaled))
        if family.dispersion_reason is not None and reader.bread is unscaled:
            return None, NO_BREAD
    if kind == "cluster":
        assert clusters is not None
        result, reason = _clustered(reader, statistics, clusters)
    else:
        result, reason = _by_row(reader, statistics, kind)
    return (None, reason) if result is None else _finished(result, unscaled)


def check_kind(kind: str) -> None:
    """Refuse a word that is none of the kinds."""
    if kind not in KINDS:
        raise OptionError(f"covariance is {kind!r}", advice=f"It is one of {', '.join(map(repr, KINDS))}.")


def default_kind(weights_kind: str, *, clustered: bool = False, robust: bool = False) -> str:
    """The kind that the weights imply where the user names none; HC1 for a robust loss, which has no model's."""
    if clustered:
        return "cluster"
    return "linearized" if weights_kind == "sampling" else "HC1" if robust else "model"


def degrees_of_freedom(kind: str, family: Family, statistics: Statistics, groups: int | None = None) -> float | None:
    """Degrees of freedom of the t distribution; None for the normal one.

    A dispersion that is estimated calls for t with df_residual, whatever the covariance (R's lmtest::coeftest; the
    GLM of statsmodels takes the normal); clusters leave G - 1 of them (Stata, statsmodels). A dispersion that is
    fixed, by the family or by absolute weights, calls for the normal distribution, except for sampling weights, where
    R's survey package takes t with df_residual for every family.
    """
    if kind == "linearized":
        return statistics.df_residual
    if statistics.dispersion_method == "fixed":
        return None
    return float(groups - 1) if kind == "cluster" and groups is not None else statistics.df_residual


def count_clusters(rows: Readable, clusters: Int[Tensor, "n"]) -> int:
    """How many clusters have a row of positive weight."""
    kept, before = [], 0
    for block in rows.blocks():
        codes = clusters[before : before + block.matrix.shape[0]]
        before += codes.shape[0]
        weight = block.loss_weight
        kept.append((codes if weight is None else codes[weight.to(codes.device) > 0]).unique())
    return int(torch.cat(kept).unique().numel())


@final
@dataclass(frozen=True)
class _Reader:
    """The rows at the coefficients, one pass after the other."""

    rows: Readable
    family: Family
    theta: Tensor
    weights_kind: str
    unscaled: Tensor
    bread: Tensor | None = None  # where it is not `unscaled`

    def map(self, work: Callable[[Reading], T]) -> Iterator[T]:
        return map_readings(work, self.rows, self.family, self.theta, self.weights_kind)

    def influence(self, r: Reading) -> tuple[Tensor, Tensor]:
        """z_i = s_i loss'_i B x_i as rows (n, p), and the leverages h_i = s_i E[loss''_i] x_i' U x_i."""
        _, slope, curvature = self.family.terms(r.y, r.eta, 2, expected=True)
        x = r.matrix.dense()
        ux = x @ self.unscaled.to(x.device)
        leverage = r.scale * curvature * (ux * x).sum(1)
        z = ux if self.bread is None else x @ self.bread.to(x.device)
        return z.mul_((r.scale * slope)[:, None]), leverage


def _absent(
    kind: str,
    unscaled: Tensor | None,
    statistics: Statistics,
    rows: Readable | None,
    weights_kind: str,
    clusters: Tensor | None,
) -> str | None:
    """Why there can be no covariance of this kind."""
    if unscaled is None:
        return "the curvature at the coefficients has no inverse"
    if kind == "model":
        return _no_model(statistics, weights_kind)
    if rows is None:
        return f"covariance {kind!r} needs the rows of the fit, which a loaded model does not hold"
    if statistics.df_residual <= 0:
        return (
            f"no residual degrees of freedom ({statistics.n:g} rows for as many coefficients): "
            "a robust covariance is made of residuals, and all of them are zero"
        )
    if kind == "cluster" and clusters is None:
        raise OptionError("covariance is 'cluster' without clusters", advice="Name a column: cluster='school'.")
    return None


def _no_model(statistics: Statistics, weights_kind: str) -> str | None:
    if weights_kind == "sampling":
        return (
            "sampling weights say how rows were drawn, not how they vary, so the model's covariance does not hold; "
            "'linearized', 'HC0' to 'HC3' and 'cluster' do"
        )
    return statistics.reasons.get("dispersion")


def _by_row(reader: _Reader, statistics: Statistics, kind: str) -> Result:
    """HC0 to HC3 and linearized."""
    power = {"HC2": 1.0, "HC3": 2.0}.get(kind, 0.0)

    def work(r: Reading) -> tuple[Tensor, int | None]:
        z, leverage = reader.influence(r)
        left = 1 - leverage
        full = bool(power) and bool((left <= FULL_LEVERAGE).any())
        products = z.T @ (z * (r.repeat * left**-power if power else r.repeat)[:, None])
        return products, int(r.number[left.argmin()]) if full else None

    total = torch.zeros_like(reader.unscaled)
    for products, row in reader.map(work):
        if row is not None:
            return None, f"row {row + 1} has leverage 1 (it is fitted exactly), and {kind} divides by 1 - leverage"
        total += products.to(total.device)
    n = statistics.n
    factor = {"HC1": n / statistics.df_residual, "linearized": n / (n - 1)}.get(kind, 1.0)
    return factor * total, None


def _clustered(reader: _Reader, statistics: Statistics, clusters: Tensor) -> Result:
    """Sums of the rows' influences by cluster, (G, p), then their products."""

    def work(r: Reading) -> tuple[Tensor, Tensor]:
        return r.index, reader.influence(r)[0] * r.repeat[:, None]

    levels, codes = clusters.to(reader.unscaled.device).unique(return_inverse=True)
    sums = reader.unscaled.new_zeros(levels.numel(), reader.unscaled.shape[0])
    seen = torch.zeros_like(levels, dtype=torch.bool)
    for index, z in reader.map(work):
        place = codes[index.to(codes.device)]
        sums.index_add_(0, place, z.to(sums.device))
        seen[place] = True
    groups = int(seen.sum())
    if groups < 2:
        return None, f"a cluster-robust covariance needs two clusters or more, and there is {groups}"
    n, df = statistics.n, statistics.df_residual
    return groups / (groups - 1) * (n - 1) / df * (sums.T @ sums), None


def _finished(result: Tensor, unscaled: Tensor) -> Result:
    """Exactly symmetric, NaN where aliased; refused where a number left the range of float64."""
    result = (result + result.T) / 2
    if not bool(torch.isfinite(result).all()):
        return None, "the columns differ so much in size that a covariance leaves the range of float64; rescale them"
    aliased = ~unscaled.ne(0).any(1)
    result[aliased, :] = torch.nan
    result[:, aliased] = torch.nan
    return result, None
