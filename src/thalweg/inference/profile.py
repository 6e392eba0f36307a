"""Profile likelihood: for each value of one parameter, the best that the others can do.

With J the objective (half the deviance), phi the dispersion and v a value of parameter j,

    1. J(v) = min over the other parameters of J, theta_j = v                      (refitted, from the point before)
    2. tau(v) = sign(v - theta_j) sqrt(2 (J(v) - J) / phi)                         the signed root     [1]
    3. the interval is where |tau| <= the quantile of the fit's t (or normal) distribution; for least squares it is
       F = (RSS(v) - RSS) / s^2 <= t^2                                                               [1], [2]
    4. d tau / dv = (dJ / d theta_j) / (phi tau) at the refitted point: the others' derivatives are zero there. Newton's
       method on tau, kept between values on both sides of the end, takes two to four refits

Wald's interval is what this gives where tau is a straight line; how far it is from one shows in a plot of tau. The ends
move with the parameter's scale: those of log(k) are the logarithms of those of k. An end is infinite where tau does
not reach the quantile FAR away; it is the bound where the bound comes first.

References
----------
.. [1] D. M. Bates, D. G. Watts, "Nonlinear Regression Analysis and Its Applications" (1988), chapter 6,
   doi:10.1002/9780470316757.
.. [2] D. J. Venzon, S. H. Moolgavkar, "A method for computing profile-likelihood-based confidence intervals", Applied
   Statistics 37 (1988), doi:10.2307/2347496.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from thalweg.curves.conclude import whole_thetas
from thalweg.curves.problem import CurveProblem
from thalweg.curves.refit import Refit, is_curve
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError, tell
from thalweg.inference.distributions import check_level, quantile
from thalweg.inference.statistics import is_least_squares
from thalweg.solvers.base import State
from thalweg.solvers.iterate import iterate
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

if TYPE_CHECKING:
    from thalweg.result import Fit

FAR = 1e6  # of the larger of standard error and estimate
GROWTH = 3.0  # of the distance from the estimate, at most, from one value to the next
POINTS = 200  # values on one side, at most
REFINEMENTS = 60
HALVINGS = 40  # of a step into values where the curve is not finite
PRECISION = 1e-10  # of tau at an end
LOWER = 1e-6  # a deviance this much below the fit's, in units of the dispersion, is another minimum
PACE = 1 / 8  # of the quantile: how far apart the values of a profile to be drawn are
BEYOND = 1.2  # of the quantile: how far a profile to be drawn goes


@final
@dataclass(frozen=True)
class Profile:
    """The profile of one parameter.

    Attributes
    ----------
    name : str
    estimate : float
    value : ndarray, (m,)
        Values of the parameter, increasing.
    signed_root : ndarray, (m,)
        tau there: a straight line where Wald's interval is right.
    parameters : dict of str to ndarray, (m,)
        All parameters, refitted at each value: its trace.
    level : float
    low, high : float
        Ends of the interval.
    low_note, high_note : str
        Where an end is no crossing of the quantile: "never reached", "on its bound", ...
    """

    name: str
    estimate: float
    value: np.ndarray
    signed_root: np.ndarray
    parameters: dict[str, np.ndarray]
    level: float
    low: float
    high: float
    low_note: str = ""
    high_note: str = ""

    @property
    def note(self) -> str:
        """Both in a sentence without its full stop; empty where there is nothing to say."""
        ends = (("lower", self.low_note), ("upper", self.high_note))
        return ", ".join(f"its {side} end {note}" for side, note in ends if note)


def profile(fit: Fit, name: str, level: float | None = None) -> Profile:
    """The profile of a parameter, with points enough to draw it.

    Parameters
    ----------
    fit : Fit
        Of a curve.
    name : str
        A fitted parameter.
    level : float, optional
        In (0, 1); the fit's own where it is None.

    Raises
    ------
    OptionError
        A name that is no parameter.
    NotAvailableError
        A fit or parameter without a profile; the text says why.

    Warns
    -----
    ConvergenceWarning
        A lower minimum than the fit's was found; the text gives the start that leads there.
    """
    level = fit.level if level is None else level
    check_level(level)
    check_profiled(fit)
    if not is_curve(fit):
        raise NotAvailableError(f"{name}: the profile of a linear model is a straight line", advice="Use intervals().")
    refit = Refit.of(fit)
    if name not in fit.names:
        raise OptionError(f"{name!r} is no parameter", advice=f"Parameters are {', '.join(fit.names)}.")
    if name not in refit.names:
        how = "held" if name in refit.parameters.fixed else "computed from others"
        raise NotAvailableError(f"{name!r} is {how}: it has no profile of its own")
    return traced(fit, refit, name, level, PACE)


def profiles(fit: Fit, level: float) -> dict[str, Profile]:
    """Those of all fitted parameters of a curve, as far as their ends."""
    refit = Refit.of(fit)
    return {name: traced(fit, refit, name, level) for name in refit.names}


def check_profiled(fit: Fit) -> None:
    """Refuse a fit whose likelihood cannot be profiled.

    Raises
    ------
    NotAvailableError
    """
    if fit.family.dispersion_reason is not None:
        raise NotAvailableError(
            f"a robust loss has no profile likelihood: {fit.family.dispersion_reason}",
            advice="Use method='wald', whose covariance is robust, or method='bootstrap'.",
        )
    if fit.covariance_kind != "model":
        raise NotAvailableError(
            f"the covariance is {fit.covariance_kind!r}, and a profile would rest on the model's variance after all",
            advice="Use method='wald', or fit with covariance='model'.",
        )
    if not is_curve(fit) and not is_least_squares(fit.family):
        raise NotAvailableError(
            f"profile intervals are those of curves and of least squares; this is a {fit.family.name} model",
            advice="Use method='wald'.",
        )
    if math.isnan(fit.statistics.dispersion):
        raise NotAvailableError(f"there is no profile: {fit.statistics.reasons.get('dispersion')}")


def traced(fit: Fit, refit: Refit, name: str, level: float, pace: float = 1.0) -> Profile:
    """The profile of a fitted parameter, with values `pace` quantiles apart."""
    j, target = refit.names.index(name), quantile(level, fit.df)
    estimate = float(refit.theta[j])
    if fit.statistics.dispersion == 0.0:  # a perfect fit: any other value is infinitely worse
        return Profile(name, estimate, np.empty(0), np.empty(0), {}, level, estimate, estimate)
    trace = _Trace(refit, j, fit.statistics.dispersion, target)
    try:
        low, high = trace.side(-1.0, pace), trace.side(1.0, pace)
    except _LowerMinimum as found:
        _tell_of_minimum(refit, name, found)
        empty = np.empty(0)
        nan, note = math.nan, "cannot be found: there is a lower minimum than the fit's"
        return Profile(name, estimate, empty, empty, {}, level, nan, nan, note, note)
    points = [*reversed(low.points), trace.centre, *high.points]
    whole = whole_thetas(refit.parameters, np.array([point.theta for point in points])).T
    return Profile(
        name,
        estimate,
        np.array([point.value for point in points]),
        np.array([point.root for point in points]),
        dict(zip(refit.parameters.names, whole, strict=True)),
        level,
        low.end,
        high.end,
        low.note,
        high.note,
    )


def _tell_of_minimum(refit: Refit, name: str, found: _LowerMinimum) -> None:
    better = _solved(refit.problem, found.theta)
    start = ", ".join(f"{each!r}: {value:.6g}" for each, value in zip(refit.names, better.theta.tolist(), strict=True))
    fitted = refit.problem.value(list(refit.theta))
    tell(
        ConvergenceWarning(
            f"the profile of {name} found a lower minimum than the fit's: {2 * better.value:.6g} in place of"
            f" {2 * fitted:.6g}. Fit again with start={{{start}}}"
        )
    )


# ------------------------------------------------------------------------------------------------------ the trace


@final
@dataclass(frozen=True)
class _Point:
    """The best of the others at one value.

    Attributes
    ----------
    value, root, slope : float
        v, tau, d tau / dv.
    theta : ndarray, (p,)
    """

    value: float
    root: float
    slope: float
    theta: np.ndarray


@final
@dataclass(frozen=True)
class _Side:
    """One side of a profile: its points outwards, its end, and what the end is where it is no crossing."""

    points: list[_Point]
    end: float
    note: str = ""


class _LowerMinimum(Exception):
    """theta is below the fit."""

    def __init__(self, theta: np.ndarray) -> None:
        self.theta = theta


@final
class _Trace:
    """Values of one parameter outwards from the estimate, each refitted from the one before."""

    def __init__(self, refit: Refit, j: int, dispersion: float, target: float) -> None:
        self.refit, self.j, self.dispersion, self.target = refit, j, dispersion, target
        self.problem = refit.problem
        self.lower, self.upper = float(self.problem.lower[j]), float(self.problem.upper[j])
        linear = self.problem.linearize(list(refit.theta))
        self.least = linear.value
        self.reach = self._reach(linear.triangle, float(linear.gradient[j]))
        self.centre = _Point(float(refit.theta[j]), 0.0, target / self.reach, refit.theta)
        self.far = FAR * max(self.reach, abs(self.centre.value))

    def _reach(self, triangle: np.ndarray, gradient: float) -> float:
        """How far the end would be, were J the parabola that it is at the estimate; on a bound it has a slope too."""
        others = np.delete(triangle, self.j, axis=1)
        column = triangle[:, self.j]
        along = np.linalg.lstsq(others, column, rcond=1e-13)[0] if others.size else np.empty(0)
        self._along = np.insert(-along, self.j, 1.0)
        rest = column - others @ along
        curvature, size = float(rest @ rest), float(column @ column)
        if curvature <= 1e-20 * size or curvature == 0.0:  # not determined: begin with a step of its own size
            return 0.1 * max(abs(float(self.refit.theta[self.j])), 1.0)
        wanted = self.dispersion * self.target**2
        return max(wanted, np.finfo(float).tiny) / (abs(gradient) + math.sqrt(gradient**2 + curvature * wanted))

    def side(self, sign: float, pace: float) -> _Side:
        """Points 1 to 4 on one side."""
        points, bound = [self.centre], self.upper if sign > 0 else self.lower
        beyond = self.target * (BEYOND if pace < 1 else 1)
        note = "is never reached"
        while len(points) < POINTS and sign * points[-1].root < beyond:
            last = points[-1]
            if last.value == bound:
                note = "is its bound"
                break
            point = self._next(points, sign, pace, bound)
            if point is None:
                note = "is where the curve ceases to be finite"
                break
            points.append(point)
            if abs(point.value - self.centre.value) > self.far:
                break
        if any(sign * point.root >= self.target for point in points):
            return self._ended(points, sign)
        return _Side(points[1:], sign * math.inf if "never" in note else points[-1].value, note)

    def _next(self, points: list[_Point], sign: float, pace: float, bound: float) -> _Point | None:
        """A value further out, less far where the curve is not finite."""
        last = points[-1]
        done = abs(last.value - self.centre.value)
        step = pace * self.target / last.slope * 1.0000001 if last.slope > 0 else math.inf
        step = min(step, GROWTH * done if done > 0 else self.reach * pace * 1.0000001)
        for _ in range(HALVINGS):
            value = last.value + sign * step
            value = min(value, bound) if sign > 0 else max(value, bound)
            if value == last.value:
                return None
            point = self.at(value, points)
            if point is not None:
                return point
            step /= 2
        return None

    def _ended(self, points: list[_Point], sign: float) -> _Side:
        """The crossing of the quantile between two points (4)."""
        first = next(i for i, point in enumerate(points) if sign * point.root >= self.target)
        inner, outer = points[first - 1], points[first]
        for _ in range(REFINEMENTS):
            near = min(inner, outer, key=lambda point: abs(sign * point.root - self.target))
            gap = self.target - sign * near.root
            if abs(gap) <= PRECISION * self.target:
                break
            value = near.value + sign * gap / near.slope if near.slope > 0 else math.nan
            if not min(inner.value, outer.value) < value < max(inner.value, outer.value):
                value = (inner.value + outer.value) / 2
            if value in (inner.value, outer.value):
                break
            point = self.at(value, [*points[: first - 1], inner])
            if point is None:
                break
            inner, outer = (inner, point) if sign * point.root >= self.target else (point, outer)
        near = min(inner, outer, key=lambda point: abs(sign * point.root - self.target))
        return _Side(points[1:], near.value)

    def at(self, value: float, points: list[_Point]) -> _Point | None:
        """Points 1, 2 and 4 at a value; None where the curve is not finite."""
        lower, upper = self.problem.lower.copy(), self.problem.upper.copy()
        lower[self.j] = upper[self.j] = value
        problem = self.refit.bounded(lower, upper)
        starts = [np.clip(start, lower, upper) for start in self._starts(value, points)]
        state = _solved(problem, min(starts, key=lambda start: problem.value(list(start))))
        if not np.isfinite(state.value):
            return None
        excess = 2 * (state.value - self.least) / self.dispersion
        theta = state.theta.numpy()
        if excess < -LOWER:
            raise _LowerMinimum(theta)
        root = math.copysign(math.sqrt(max(excess, 0.0)), value - self.centre.value)
        gradient = float(problem.linearize(list(theta)).gradient[self.j])
        slope = gradient / (self.dispersion * root) if root else 0.0
        return _Point(value, root, slope, theta)

    def _starts(self, value: float, points: list[_Point]) -> list[np.ndarray]:
        """The others where they were, and where the line through the last two points leads."""
        last = points[-1]
        there = last.theta.copy()
        there[self.j] = value
        if len(points) == 1:
            return [there, last.theta + (value - last.value) * self._along]
        before = points[-2]
        share = (value - last.value) / (last.value - before.value)
        return [there, last.theta + share * (last.theta - before.theta)]


def _solved(problem: CurveProblem, start: np.ndarray) -> State:
    """The minimum from a start, to the half of the digits that J shows."""
    with np.errstate(all="ignore"):  # far out, columns of the Jacobian vanish
        *_, state = iterate(LevenbergMarquardt(polish=False), problem, torch.from_numpy(start.copy()))
    return state
