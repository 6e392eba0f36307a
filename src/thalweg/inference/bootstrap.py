"""The bootstrap: the fit again and again, to data as chance might have made them.

    1. K new responses, or new multiplicities of the rows                             `thalweg.inference.resample`
    2. each is fitted from the estimate; least squares of one curve over the same columns, so all K at once
    3. intervals from the estimates t*_1, ..., t*_K around the fit's t, with q(a) their quantile and a = (1 - level) / 2

        percentile   (q(a), q(1 - a))
        basic        (2 t - q(1 - a), 2 t - q(a))
        bca          (q(a1), q(a2)),   a1 = Phi(z0 + (z0 + z_a) / (1 - c (z0 + z_a))),   a2 with z_(1-a)          [1]

       z0 = Phi^-1(share of t* below t), for the bias; c = sum d_i^3 / (6 (sum d_i^2)^(3/2)) for the skewness, with d_i
       what t loses with row i, by one step of Newton's method: d_i = -s_i loss'_i U x_i / (1 - h_i)

BCa is right to second order and keeps its ends under any change of scale; basic is not, but corrects a bias.

References
----------
.. [1] B. Efron, "Better bootstrap confidence intervals", J. American Statistical Association 82 (1987),
   doi:10.2307/2289144.
.. [2] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application" (1997), doi:10.1017/CBO9780511802843.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float

from thalweg.curves.batch import solve_batch
from thalweg.curves.conclude import whole_thetas
from thalweg.curves.curve import Evaluator
from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.refit import Refit, is_curve
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError, tell
from thalweg.inference.covariance import FULL_LEVERAGE
from thalweg.inference.distributions import check_level
from thalweg.inference.reading import Reading, map_readings
from thalweg.inference.resample import Observed, draws
from thalweg.inference.residuals import diagnostics
from thalweg.inference.statistics import is_least_squares
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import iterate
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

if TYPE_CHECKING:
    from thalweg.result import Fit

INTERVALS = ("bca", "percentile", "basic")
STEPS = 100  # of one replicate
TOLERANCE = 1e-8  # relative length of a replicate's last step: chance is larger by far
ALONE = 1e-6  # the same of one that is fitted by itself, where the flat J of other losses shows no shorter step
MANY = 0.01  # of the replicates: more that fail are told in a warning

Array = np.ndarray


@final
@dataclass(frozen=True, repr=False)
class Bootstrap:
    """The estimates of K replicates.

    Attributes
    ----------
    names : tuple of str
    fitted : ndarray, (p,)
        The fit's own estimates.
    estimates : ndarray, (K, p)
        Of the replicates that could be fitted.
    failed : int
        How many could not: their rows did not determine the parameters, or the solver did not converge.
    kind : {"residual", "pairs", "parametric"}
    seed : int
    level : float
        The fit's.
    acceleration : ndarray, (p,)
        c of the module.
    absent : mapping of str to str
        Parameters that have no interval, and why.
    """

    names: tuple[str, ...]
    fitted: Float[Array, "p"]
    estimates: Float[Array, "K p"]
    failed: int
    kind: str
    seed: int
    level: float
    acceleration: Float[Array, "p"]
    absent: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def std_errors(self) -> dict[str, float]:
        """Standard deviations of the estimates, by name."""
        if len(self.estimates) < 2:
            return dict.fromkeys(self.names, math.nan)
        found = self.estimates.std(axis=0, ddof=1).tolist()
        return {n: math.nan if n in self.absent else s for n, s in zip(self.names, found, strict=True)}

    @cached_property
    def bias(self) -> dict[str, float]:
        """Mean of the estimates less the fit's, by name."""
        found = (self.estimates.mean(axis=0) - self.fitted).tolist() if len(self.estimates) else []
        return {n: math.nan if n in self.absent else b for n, b in zip(self.names, found, strict=False)}

    def intervals(self, level: float | None = None, kind: str = "bca") -> dict[str, tuple[float, float]]:
        """Confidence intervals by name; NaN for what is held or not determined.

        Parameters
        ----------
        level : float, optional
            In (0, 1); the fit's own by default.
        kind : {"bca", "percentile", "basic"}

        Raises
        ------
        OptionError
        """
        level = self.level if level is None else level
        check_level(level)
        if kind not in INTERVALS:
            raise OptionError(f"the intervals' kind is {kind!r}", advice=f"It is one of {', '.join(INTERVALS)}.")
        return {name: self._ends(j, (1 - level) / 2, kind) for j, name in enumerate(self.names)}

    def _ends(self, j: int, tail: float, kind: str) -> tuple[float, float]:
        if self.names[j] in self.absent or len(self.estimates) < 2:
            return math.nan, math.nan
        estimates, fitted = self.estimates[:, j], float(self.fitted[j])
        tails = (tail, 1 - tail) if kind != "bca" else self._corrected(j, tail)
        if any(math.isnan(each) for each in tails):
            return math.nan, math.nan
        low, high = (float(each) for each in np.quantile(estimates, tails))
        return (2 * fitted - high, 2 * fitted - low) if kind == "basic" else (low, high)

    def _corrected(self, j: int, tail: float) -> tuple[float, float]:
        """a1 and a2; NaN where all estimates lie on one side of the fit's."""
        from scipy import special

        estimates, fitted = self.estimates[:, j], self.fitted[j]
        below = float((estimates < fitted).mean() + (estimates == fitted).mean() / 2)
        if not 0 < below < 1:
            return math.nan, math.nan
        bias, c = float(special.ndtri(below)), float(self.acceleration[j])
        moved = [bias + float(special.ndtri(each)) for each in (tail, 1 - tail)]
        low, high = (float(special.ndtr(bias + z / (1 - c * z))) for z in moved)
        return low, high

    def __repr__(self) -> str:
        failed = f", {self.failed} more failed" if self.failed else ""
        return f"<Bootstrap of {', '.join(self.names)}: {len(self.estimates)} {self.kind} replicates{failed}>"


def bootstrap(fit: Fit, replicates: int = 1000, kind: str = "residual", seed: int = 0) -> Bootstrap:
    """Fit the data again as chance might have made them.

    Parameters
    ----------
    fit : Fit
        Of a curve, or of least squares.
    replicates : int
    kind : {"residual", "pairs", "parametric"}
        See `thalweg.inference.resample`.
    seed : int

    Raises
    ------
    OptionError
        Options that do not exist.
    NotAvailableError
        A fit without a bootstrap (loaded, clustered, a generalized linear model); the text says why.

    Warns
    -----
    ConvergenceWarning
        One replicate in a hundred, or more, could not be fitted.
    """
    if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 1:
        raise OptionError(f"replicates is {replicates!r}", advice="Give a whole number, 1 or more, as 1000.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError(f"seed is {seed!r}", advice="Give a whole number, 0 or more.")
    if not is_curve(fit) and not is_least_squares(fit.family):
        raise NotAvailableError(f"the bootstrap is of curves and of least squares; this is a {fit.family.name} model")
    fit.data()
    problem = _Replicates.of(fit)
    parts = [problem.solved(y, weight) for y, weight in draws(fit, problem.rows, kind, replicates, seed)]
    estimates = np.concatenate(parts)
    good = np.isfinite(estimates).all(axis=1)
    failed = int((~good).sum())
    if failed >= max(1, MANY * replicates):
        tell(
            ConvergenceWarning(f"{failed} of {replicates} replicates could not be fitted; the intervals leave them out")
        )
    absent = {**dict.fromkeys(fit.aliased, "aliased"), **{n: r for n, r in fit.held.items() if "bound" not in r}}
    return Bootstrap(
        fit.names,
        fit.theta.numpy(force=True),
        problem.whole(estimates[good]),
        failed,
        kind,
        seed,
        fit.level,
        acceleration(fit),
        absent,
    )


# ------------------------------------------------------------------------------------------------- the replicates


@final
@dataclass(frozen=True)
class _Replicates:
    """The rows of a fit, to be fitted with other responses and weights (2).

    Attributes
    ----------
    evaluator : Evaluator
        Of the free parameters, over the rows of positive weight.
    rows : Observed
    offset : ndarray, (n,), optional
    theta, lower, upper : ndarray, (p,)
    fit : Fit
    refit : Refit or None
        Of a curve.
    kept : ndarray of int, (p,)
        Of a linear model: the columns that are not aliased.
    """

    evaluator: Evaluator
    rows: Observed
    offset: Array | None
    theta: Array
    lower: Array
    upper: Array
    fit: Fit
    refit: Refit | None
    kept: Array

    @classmethod
    def of(cls, fit: Fit) -> _Replicates:
        blocks = list(fit.data().blocks())
        y, weight, trials, offset = (_joined([getattr(b, name) for b in blocks]) for name in _BY_ROW)
        assert y is not None
        used = np.ones(len(y), bool)
        for each in (weight, trials):
            used &= True if each is None else each > 0
        found = diagnostics(fit, ["fitted", "leverage"])
        taken = [None if v is None else v[used] for v in (y, weight, trials, offset)]
        rows = Observed(taken[0], found["fitted"][used], found["leverage"][used], taken[1], taken[2])  # type: ignore[arg-type]
        kept = np.array([j for j, name in enumerate(fit.names) if name not in fit.aliased])
        if not is_curve(fit):
            design = np.concatenate([b.matrix.dense().double().numpy(force=True) for b in blocks])[used][:, kept]
            theta, free = fit.theta.numpy(force=True)[kept], np.full(len(kept), np.inf)
            return cls(_Linear(design), rows, taken[3], theta, -free, free, fit, None, kept)
        refit = Refit.of(fit)
        tangents: list[Any] = [block.matrix for block in blocks]
        columns = {name: np.concatenate([t.columns[name] for t in tangents])[used] for name in tangents[0].columns}
        evaluator = refit.problem.curve.over(columns, int(used.sum()))
        problem = refit.problem
        return cls(evaluator, rows, taken[3], refit.theta, problem.lower, problem.upper, fit, refit, kept)

    def solved(self, y: Array, weight: Array | None) -> Array:
        """Free parameters of some replicates, (k, p); NaN where a fit failed."""
        if is_least_squares(self.fit.family) and self.evaluator.batched:
            return self._together(y, weight)
        count = max(len(each) if each is not None and each.ndim == 2 else 1 for each in (y, weight))
        return np.array([self._alone(_row(y, k), _row(weight, k)) for k in range(count)])

    def _together(self, y: Array, weight: Array | None) -> Array:
        net = y if self.offset is None else y - self.offset
        count = max(len(each) if each is not None and each.ndim == 2 else 1 for each in (y, weight))
        start = np.tile(self.theta, (count, 1))
        found = solve_batch(
            lambda _: self.evaluator, net, weight, start, self.lower, self.upper, max_steps=STEPS, tol=TOLERANCE
        )
        return np.where(found.converged[:, None], found.theta, np.nan)

    def _alone(self, y: Array | None, weight: Array | None) -> Array:
        assert y is not None
        assert self.refit is not None
        known, part = self.refit.problem, Part(self.evaluator, y, weight, self.offset)
        problem = CurveProblem(known.curve, lambda: [part], known.loss, len(y), lower=self.lower, upper=self.upper)
        solver = LevenbergMarquardt(polish=False, tol=ALONE)
        with np.errstate(all="ignore"):
            *_, state = iterate(solver, problem, torch.from_numpy(self.theta.copy()))
        done = solver.terminate(problem, state) is Status.CONVERGED
        return state.theta.numpy() if done else np.full(len(self.theta), np.nan)

    def whole(self, estimates: Array) -> Array:
        """All parameters, or coefficients with 0 where aliased, (k, P)."""
        if self.refit is not None:
            return whole_thetas(self.refit.parameters, estimates)
        out = np.zeros((len(estimates), len(self.fit.names)))
        out[:, self.kept] = estimates
        return out


_BY_ROW = ("y", "weight", "trials", "offset")


def _joined(parts: list[Any]) -> Array | None:
    if parts[0] is None:
        return None
    return np.concatenate([part.double().numpy(force=True) for part in parts])


def _row(values: Array | None, k: int) -> Array | None:
    return values if values is None or values.ndim == 1 else values[k]


@final
class _Linear(Evaluator):
    """A linear model as a curve: f = X theta, (K, n) for candidates (K, 1)."""

    batched = True

    def __init__(self, design: Float[Array, "n p"]) -> None:
        self.design, self.rows = design, len(design)

    def values(self, theta: Any) -> Array:
        return self._theta(theta) @ self.design.T

    def jacobian(self, theta: Any) -> tuple[Array, Array]:
        f = self.values(theta)
        return f, np.broadcast_to(self.design.T[:, None, :], (self.design.shape[1], *f.shape))

    def _theta(self, theta: Any) -> Array:
        return np.concatenate([np.asarray(each, dtype=np.float64).reshape(-1, 1) for each in theta], axis=1)


# --------------------------------------------------------------------------------------------------- acceleration


def acceleration(fit: Fit) -> Float[Array, "p"]:
    """c of BCa by parameter; 0 where the fit has no leverages."""
    if fit.unscaled is None:
        return np.zeros(len(fit.names))
    unscaled = fit.unscaled

    def work(r: Reading) -> tuple[Array, Array]:
        _, slope, curvature = r.family.terms(r.y, r.eta, 2, expected=True)
        x = r.matrix.dense()
        moved = x @ unscaled
        left = 1 - r.scale * curvature * (moved * x).sum(1)
        left = left.where(left > FULL_LEVERAGE, torch.inf)
        d = moved * (-r.scale * slope / left)[:, None]
        repeat = r.repeat[:, None]
        return (repeat * d**2).sum(0).numpy(force=True), (repeat * d**3).sum(0).numpy(force=True)

    sums = list(map_readings(work, fit.data(), fit.family, fit.theta, fit.options.get("weights_kind", "precision")))
    squares, cubes = (sum(each) for each in zip(*sums, strict=True))
    with np.errstate(all="ignore"):
        return np.nan_to_num(cubes / (6 * np.asarray(squares) ** 1.5), nan=0.0)
