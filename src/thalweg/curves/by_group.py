"""A curve fitted to each group of rows for itself: ten thousand small fits as a few large array operations.

    1. the rows are sorted by group; groups of like size are padded to one length, rows of weight 0 at their ends, and
       taken together as (K, n) arrays that fit the cache                                     (`thalweg.curves.chunks`)
    2. starts: the user's; where some are left open, the solutions of a few groups that are fitted one by one, for each
       group the one from which its linear parameters, solved for, leave the least
    3. `thalweg.curves.batch` leads all groups of a chunk to their minima, `thalweg.curves.gauss_newton` to their digits
    4. groups that did not converge, or where the solution of another group would leave less, start again from there;
       what is left is fitted one by one                                                (`thalweg.curves.group_minima`)
    5. standard errors from the triangle at the minimum, as for one fit             (`thalweg.curves.group_statistics`)

What the arrays cannot do (a loss other than squares, robust errors, offsets, functions) is done by the plain twin: one
`fit_curve` after the other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from thalweg.check import check
from thalweg.curves.chunks import Table, alike, chunk, read
from thalweg.curves.curve import Curve, Expression
from thalweg.curves.fits import STATISTICS, Fits
from thalweg.curves.gauss_newton import triangles
from thalweg.curves.group_minima import BETTER, Engine, Minima
from thalweg.curves.group_rows import GroupRows
from thalweg.curves.group_statistics import Inverses, inverses, statistics, whole, without_error
from thalweg.curves.parameters import Parameters, parameters_of
from thalweg.curves.spec import CurveSpec
from thalweg.data.contrasts import show_level
from thalweg.data.rows import Rows
from thalweg.data.source import Source
from thalweg.data.spec import Spec
from thalweg.errors import ConvergenceWarning, OptionError, ThalwegError, tell
from thalweg.inference.statistics import is_least_squares
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.observers.given import listed
from thalweg.solvers.base import Status
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from thalweg.result import Fit

REPRESENTATIVES = 4  # groups whose solutions are starts for all, where the user gave none
CANDIDATES = 8  # solutions that are tried on other groups
ROUNDS = 4  # of them, while they bring something
DOUBT = 4.0  # times the median of residual to total squares: a group that leaves more may be in a wrong minimum
IDLE = 4  # groups in a row that were looked at for nothing
SINGLY = 50  # groups that are fitted one by one where nothing else led to a minimum


@final
@dataclass(frozen=True)
class Asked:
    """A fit by group, as it was asked for.

    Attributes
    ----------
    fit : callable
        `fit_curve`.
    given : str or callable
        The curve as it was given.
    curve : Curve
        Of one group.
    equation : Equation
        Its text and response.
    source : Source
    by : str
        The column of groups.
    roles : mapping
        Weights, offset, trials and cluster as columns or expressions.
    told : mapping
        Every other option, by name.
    """

    fit: Callable[..., Fit]
    given: Any
    curve: Curve
    equation: Any
    source: Source
    by: str
    roles: Mapping[str, str | None]
    told: Mapping[str, Any]

    def said(self) -> dict[str, Any]:
        """What was said of the parameters."""
        return {name: self.told[name] for name in ("start", "bounds", "fixed", "positive", "tied")}

    def again(self, source: Source, start: dict[str, float] | None) -> Fit:
        """The fit of some rows of the source, from the user's start where there is no other."""
        roles = {name: text for name, text in self.roles.items() if name in self.told}
        options = {**self.told, **roles}
        if start is not None:  # from there alone: what it leads to is the minimum that the table shows
            single = {} if options.get("solver") is not None or options.get("stop") is not None else {"starts": 1}
            options |= {"start": start, **single}
        return self.fit(self.given, source, **options)


def fit_by_group(asked: Asked, *, singly: int = SINGLY) -> Fits:
    """Fit every group.

    Parameters
    ----------
    asked : Asked
    singly : int
        Most groups that are fitted one by one where nothing else led to a minimum.

    Returns
    -------
    Fits

    Raises
    ------
    OptionError
        Options that one solve alone can heed.

    Warns
    -----
    ConvergenceWarning
        Naming the groups that have no estimates.
    """
    told, equation = asked.told, asked.equation
    _check_options(told)
    parameters = parameters_of(asked.curve, **asked.said())
    texts = {**asked.roles, "cluster": asked.by}
    spec = CurveSpec.learn(
        asked.curve, equation.response, equation.text, asked.source, missing=told["missing"], **texts
    )
    rows = Rows(asked.source, cast(Spec, spec))
    table, places = read(rows, spec)
    assert spec.base.cluster_levels is not None
    work = _Work(asked, spec, parameters, table, places, spec.base.cluster_levels, singly)
    with one_thread():
        if _for_arrays(told, asked.curve):
            check(rows, family_named("gaussian"), told["weights_kind"])
            found = all_at_once(work)
        else:
            found = one_by_one(work)
    _warn(found)
    return found


def _check_options(told: Mapping[str, Any]) -> None:
    if told["cluster"] is not None:
        raise OptionError("cluster= and by= without shared=", advice="Fit the groups with clusters one by one.")
    for name in ("checkpoint", "resume"):
        if told.get(name) is not None:
            raise OptionError(f"{name}= is of one solve, and by= without shared= takes many", advice="Leave it out.")


def _for_arrays(told: Mapping[str, Any], curve: Curve) -> bool:
    """Whether many groups can be taken together."""
    family = told["family"]
    squares = is_least_squares(family) if isinstance(family, Family) else family == "gaussian"
    plain = [told.get(name) is None for name in ("offset", "trials", "solver", "stop", "progress")]
    usual = told["weights_kind"] == "precision" and told["covariance"] in (None, "model")
    nobody = told["link"] in (None, "identity") and not listed(told["observers"])
    return squares and isinstance(curve, Expression) and all(plain) and usual and nobody


@final
@dataclass(frozen=True)
class _Work:
    """What both ways need."""

    asked: Asked
    spec: CurveSpec
    parameters: Parameters
    table: Table
    places: GroupRows
    groups: tuple[Hashable, ...]
    singly: int
    notes: dict[Hashable, str] = field(default_factory=dict)

    def single(self, group: int, start: dict[str, float] | None = None) -> Fit | None:
        """The fit of one group; None, with a note, where it cannot be fitted."""
        label = self.groups[group]
        what = f"rows where {self.asked.by} is {show_level(label)}"
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                fit = self.asked.again(self.places.of(group, what), start)
            except ThalwegError as error:
                self.notes[label] = str(error)
                return None
        if told:
            self.notes[label] = str(told[0].message)
        return fit

    def too_few(self) -> ndarray:
        """Which groups have fewer rows than parameters; they are noted."""
        counts, p = self.table.counts(), len(self.parameters.free)
        for i in np.flatnonzero(counts < p).tolist():
            rows = f"{counts[i]} row{'' if counts[i] == 1 else 's'}"
            self.notes[self.groups[i]] = f"{rows}, fewer than the {p} parameters"
        return counts < p

    def fits(
        self,
        estimates: ndarray,
        errors: ndarray,
        known: Mapping[str, ndarray],
        good: ndarray,
        held: Any,
        *,
        normal: bool = False,
    ) -> Fits:
        """The result."""
        notes = {group: self.notes[group] for group in self.groups if group in self.notes}
        known_of = (self.spec, self.asked.by, self.groups, estimates, errors, known, good, notes, held)
        return Fits(*known_of, self.asked.told["level"], self.places, self.asked.again, normal)


def _warn(fits: Fits) -> None:
    failed = fits.failed
    if not failed:
        return
    first = "; ".join(f"{show_level(group)} ({fits.notes[group].rstrip('.')})" for group in failed[:3])
    more = f"; and {len(failed) - 3:,} more, see notes" if len(failed) > 3 else ""
    tell(ConvergenceWarning(f"{len(failed):,} of {len(fits):,} groups have no estimates: {first}{more}"))


# ------------------------------------------------------------------------------------------------------- plain twin


def one_by_one(work: _Work) -> Fits:
    """One `fit_curve` after the other."""
    count, names = len(work.groups), work.spec.names
    estimates, errors = np.full((2, count, len(names)), np.nan)
    known = {name: np.full(count, np.nan) for name in STATISTICS}
    known["n"][:] = work.table.counts()
    good, held = np.zeros(count, bool), dict[tuple[Hashable, str], str]()
    few, normal = work.too_few(), False
    for i, group in enumerate(work.groups):
        fit = None if few[i] else work.single(i)
        if fit is None or fit.solution is None or fit.solution.status is not Status.CONVERGED:
            work.notes.setdefault(group, NO_MINIMUM)
            continue
        good[i], normal = True, fit.df is None
        estimates[i], errors[i] = list(fit.coefficients.values()), list(fit.std_errors.values())
        held |= {(group, name): note for name, note in fit.held.items()}
        for name, values in known.items():
            values[i] = getattr(fit.statistics, {"r_squared": "r2"}.get(name, name))
    return work.fits(estimates, errors, known, good, held, normal=normal)


NO_MINIMUM = "no minimum was found: give another start"
SATURATED = "no residual degrees of freedom: as many parameters as rows"
FLAT = "the response is the same in all its rows, and the curve too: nothing tells the errors"


# ------------------------------------------------------------------------------------------------------ all at once


def all_at_once(work: _Work) -> Fits:
    """Points 1 to 5 of the module."""
    parameters = work.parameters
    curve = work.spec.curve.restricted(parameters.fixed, parameters.ties)
    open_ones = [name for name in curve.linear() if name not in parameters.start]
    linear = tuple(parameters.free.index(name) for name in open_ones)
    engine = Engine(curve, work.table, parameters.lower, parameters.upper, linear)
    return _concluded(work, engine, _minima(work, engine, np.flatnonzero(~work.too_few())))


def _minima(work: _Work, engine: Engine, fitted: Int[ndarray, "k"]) -> Minima:
    """Points 2 to 4."""
    count, p = len(work.groups), len(engine.lower)
    minima = Minima(np.full((count, p), np.nan), np.full(count, np.inf), np.full(count, np.inf))
    if not len(fitted):
        return minima
    start, free = work.parameters.start, work.parameters.free
    given = all(name in start for name in free)
    if given:
        starts = np.tile([start[name] for name in free], (len(fitted), 1))
    else:
        starts, _ = engine.screened(fitted, _representatives(work, fitted))
    minima.improved(fitted, engine.solved(fitted, starts))
    _spread(engine, minima, fitted, given)
    if not given:
        _doubted(work, engine, minima, fitted)
    for group in fitted[~minima.converged[fitted]][: work.singly].tolist():
        _singly(work, minima, group)
    return minima


def _spread(engine: Engine, minima: Minima, fitted: Int[ndarray, "k"], given: bool) -> None:
    """Point 4, while it brings something; from the user's start only groups that did not converge go elsewhere."""
    for turn in range(ROUNDS):
        if not _from_others(engine, minima, fitted[~minima.converged[fitted]] if given else fitted, turn):
            return


def _doubted(work: _Work, engine: Engine, minima: Minima, fitted: Int[ndarray, "k"]) -> None:
    """Groups whose curve leaves far more than others do, the worst first, one by one while that finds lower minima."""
    with np.errstate(all="ignore"):
        left = minima.value[fitted] / work.table.total_squares()[fitted]
    worst = fitted[np.argsort(-left)][: min(int((left > DOUBT * np.nanmedian(left)).sum()), work.singly)]
    idle, found = 0, 0
    for group in worst.tolist():
        better = _singly(work, minima, group)
        found, idle = found + better, 0 if better else idle + 1
        if idle == IDLE:
            break
    if found:
        _spread(engine, minima, fitted, given=False)


def _representatives(work: _Work, fitted: Int[ndarray, "k"]) -> ndarray:
    """Solutions of a few groups, those with many rows, spread over their order."""
    sizes, parameters = work.table.sizes[fitted], work.parameters
    many = fitted[sizes >= np.median(sizes)]
    chosen = many[np.unique(np.linspace(0, len(many) - 1, REPRESENTATIVES).astype(int))]
    found = []
    for i in chosen:
        fit = work.single(int(i))
        work.notes.pop(work.groups[i], None)
        if fit is not None and np.isfinite(list(fit.coefficients.values())).all():
            found.append([fit.coefficients[name] for name in parameters.free])
    return np.array(found or [[parameters.start.get(name, 1.0) for name in parameters.free]])


def _from_others(engine: Engine, minima: Minima, groups: Int[ndarray, "k"], turn: int) -> int:
    """Point 4: from solutions of other groups, where they leave less than what was found or nothing was; how many."""
    converged = np.flatnonzero(minima.converged)
    if not len(groups) or not len(converged):
        return 0
    order = converged[np.lexsort(np.roll(minima.theta[converged].T, turn, axis=0))]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, CANDIDATES).astype(int))]
    starts, left = engine.screened(groups, minima.theta[chosen])
    worth = np.isfinite(left) & (~minima.converged[groups] | (left < minima.value[groups] * (1 - BETTER)))
    return minima.improved(groups[worth], engine.solved(groups[worth], starts[worth])) if worth.any() else 0


def _singly(work: _Work, minima: Minima, group: int) -> int:
    """The fit of one group by itself; 1 where that is better than what the arrays found."""
    fit = work.single(group)
    if minima.converged[group]:
        work.notes.pop(work.groups[group], None)
    if fit is None or fit.solution is None or fit.solution.status is not Status.CONVERGED:
        return 0
    theta = np.array([[fit.coefficients[name] for name in work.parameters.free]])
    return minima.improved(np.array([group]), Minima(theta, np.array([fit.statistics.rss / 2]), np.zeros(1)))


def _concluded(work: _Work, engine: Engine, minima: Minima) -> Fits:
    """Point 5."""
    parameters, table, good = work.parameters, work.table, minima.converged
    count, p = minima.theta.shape
    inverse, rank = np.full((count, p, p), np.nan), np.full(count, p)
    held, undetermined = np.zeros((count, p), bool), np.zeros((count, p), bool)
    for at, found in map(partial(_inverses, work, engine, minima), alike(table, np.flatnonzero(good))):
        inverse[at], rank[at], held[at], undetermined[at] = found.inverse, found.rank, found.held, found.undetermined
        work.notes.update({work.groups[at[k]]: sentence for k, sentence in found.told.items()})
    for group in np.flatnonzero(~good).tolist():
        work.notes.setdefault(work.groups[group], NO_MINIMUM)
    estimates, slopes = whole(parameters, np.where(good[:, None], minima.theta, np.nan))
    counts, rss = table.counts(), np.where(good, 2 * minima.value, np.nan)
    known = statistics(counts, rank, rss, table.total_squares(), table.log_weights())
    with np.errstate(invalid="ignore"):
        errors = known["sigma"][:, None] * np.sqrt(np.einsum("gPi,gij,gPj->gP", slopes, inverse, slopes))
    flat = good & table.flat(rss)
    work.notes.update({work.groups[i]: FLAT for i in np.flatnonzero(flat).tolist()})
    notes = _without_error(work, engine, minima, (held, undetermined, slopes, counts - rank, flat))
    for i, told in notes.items():
        errors[i, [parameters.names.index(name) for name in told]] = np.nan
    named = {(work.groups[i], name): note for i, told in notes.items() for name, note in told.items()}
    return work.fits(estimates, errors, known, good, named)


def _without_error(
    work: _Work, engine: Engine, minima: Minima, known: tuple[ndarray, ndarray, ndarray, ndarray, ndarray]
) -> dict[int, dict[str, str]]:
    """For each group, the parameters without a standard error and why."""
    parameters = work.parameters
    held, undetermined, slopes, df, flat = known
    some = held.any(axis=1) | undetermined.any(axis=1) | (df <= 0) | flat | bool(parameters.fixed or parameters.ties)
    notes = {}
    for i in np.flatnonzero(minima.converged & some).tolist():
        side = np.where(minima.theta[i] <= engine.lower, "lower", "upper").tolist()
        told = without_error(parameters, held[i], undetermined[i], slopes[i], side)
        if df[i] <= 0 or flat[i]:
            told = dict.fromkeys(parameters.names, FLAT if flat[i] else SATURATED) | told
        notes[i] = told
    return notes


def _inverses(work: _Work, engine: Engine, minima: Minima, some: ndarray) -> tuple[ndarray, Inverses]:
    """Point 5 for the groups of a chunk."""
    theta, each = minima.theta[some], np.arange(len(some))
    with np.errstate(all="ignore"):
        at = triangles(*chunk(work.table, some).over(engine.curve)(each), theta)
        return some, inverses(at, theta, engine.lower, engine.upper, work.parameters.free)
