"""From what the user gave to a curve, its parameters and its rows: the first half of a fit."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from thalweg.curves.by_group import Asked
from thalweg.curves.given import Given, given_curve
from thalweg.curves.group_starts import with_starts
from thalweg.curves.groups import Grouped, group_column, group_options, grouped_parameters
from thalweg.curves.language import warn_of_slips
from thalweg.curves.parameters import Parameters, bounds_by_name, parameters_of
from thalweg.curves.robust import needs_scale
from thalweg.curves.spec import CurveSpec
from thalweg.data.gathered import gathered
from thalweg.data.roles import Joined, with_roles
from thalweg.data.rows import Rows
from thalweg.data.source import Source
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import DataError, OptionError
from thalweg.foreign import FAMILY, FOREIGN
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.observers.adapt import check_observer
from thalweg.observers.given import listed
from thalweg.prepare import READING

MOST_STARTS = 100_000
SAID = ("start", "bounds", "fixed", "positive", "tied")
_SOLVER = "Of a curve it is an option of the solver: solver=thalweg.LevenbergMarquardt(max_steps=500, tol=1e-8)."
_ELSEWHERE = {
    **dict.fromkeys(["maxiter", "max_iterations", "maxfev", "max_nfev", "nfev", "steps", "max_steps"], _SOLVER),
    **dict.fromkeys(["xtol", "ftol", "gtol", "tolerance"], _SOLVER),
    "method": "solver=thalweg.LevenbergMarquardt() is the method of curves, and used where none is told.",
    "max_iter": _SOLVER,
    "tol": _SOLVER,
    "exposure": "Write it into the curve: y = exposure * (...).",
    "p0": "Here it is start={name: value}, or a sequence in the order of the parameters.",
    "sigma": 'Here it is weights="1/sigma**2"; where sigma is known absolutely, weights_kind="absolute" too.',
    "absolute_sigma": 'Here it is weights_kind="absolute".',
    "f_scale": "Here it is scale=.",
    "loss": 'Here it is family="huber", "soft_l1" or "cauchy".',
    "params": "Here it is start=, bounds=, fixed= and tied=.",
    "expr": "Here it is tied={name: expression}.",
    "vary": "Here it is fixed={name: value}.",
    "min": "Here it is bounds={name: (low, high)}.",
    "max": "Here it is bounds={name: (low, high)}.",
    "groups": "Here it is by=column.",
    "n_starts": "Here it is starts=32.",
}


@final
@dataclass(frozen=True)
class Opened:
    """The data and the curve.

    Attributes
    ----------
    what : str, callable or nn.Module
        The curve as it was given.
    given : Given
    source : Source
    roles : dict
        Weights, offset, trials and clusters as columns or expressions.
    group : str or None
        The column of groups.
    shared : tuple of str
    told : mapping
        Every option by name.
    options : mapping
        Those of the family.
    """

    what: Any
    given: Given
    source: Source
    roles: dict[str, str | None]
    group: str | None
    shared: Any
    told: Mapping[str, Any]
    options: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Ready:
    """Rows, curve, parameters and loss.

    Attributes
    ----------
    rows : Rows
    spec : CurveSpec
    parameters : Parameters
    model : Family
    scaleless : str or None
        The name of a robust loss whose scale is to be found; `model` is then least squares.
    """

    rows: Rows
    spec: CurveSpec
    parameters: Parameters
    model: Family
    scaleless: str | None


def check_told(told: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Refuse options that do not exist, or whose value is none of theirs, before anything is read.

    Raises
    ------
    OptionError
    """
    check_numbers(told)
    for watcher in (told["progress"], *listed(told["observers"])):
        if watcher is not None:
            check_observer(watcher)
    known = [*told, *READING, *FAMILY]
    for name in options:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}=?" if near else f"The options are {', '.join(sorted(known))}."
        if name in FOREIGN and name not in _ELSEWHERE and not near:
            hint = f"Here it is {FOREIGN[name]}."
        raise OptionError(f"there is no option {name!r} of a curve", advice=_ELSEWHERE.get(name, hint))


def check_numbers(told: Mapping[str, Any]) -> None:
    """Refuse a seed or a number of starts that is none, and starts where one run is asked for.

    Raises
    ------
    OptionError
    """
    seed, starts = told["seed"], told["starts"]
    if not _is_whole(seed) or not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed!r:.60}", advice="Give a whole number from 0 to 2**63 - 1.")
    if starts is not None and (not _is_whole(starts) or not 1 <= starts <= MOST_STARTS):
        raise OptionError(f"starts is {starts!r:.60}", advice=f"Give a whole number from 1 to {MOST_STARTS:,}.")
    for name in ("solver", "stop"):
        if told[name] is not None and starts not in (None, 1):
            raise OptionError(
                f"starts={starts} with {name}=, which means a single run from one start",
                advice="Leave out one of the two: many starts have a solver of their own, and end by themselves.",
            )
    shared = told["shared"]
    if shared is not None and (isinstance(shared, bool) or not isinstance(shared, Iterable)):
        raise OptionError(f"shared is {shared!r:.60}", advice="Give names of parameters: shared=['tau'].")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def opened(what: Any, data: Any, told: Mapping[str, Any], options: Mapping[str, Any]) -> Opened:
    """Open the data and read the curve."""
    given = {name: told[name] for name in ("weights", "offset", "trials", "cluster", "by")} | {"exposure": None}
    reading = {key: value for key, value in options.items() if key in READING}
    shared = group_options(told["by"], told["shared"])
    source, roles = with_roles(open_source(data, **reading), given)
    group = group_column(roles.pop("by"), source)
    source, response = _with_response(source, told["y"], what)
    curve = given_curve(what, source, y=response, x=told["x"])
    told = {**told, "y": response, "starts": None if told["starts"] is None else int(told["starts"])}
    told = {**told, "bounds": bounds_by_name(curve.curve.parameters, told["bounds"]) or None, "seed": int(told["seed"])}
    if curve.curve.whole_rows:
        check_not_by_group(group, curve.curve.title)
        source = gathered(source)
    if curve.equation is not None:
        warn_of_slips(curve.equation, source.names, [role for role in (*roles.values(), group) if role is not None])
    others = {key: value for key, value in options.items() if key not in READING}
    return Opened(what, curve, source, roles, group, shared, told, others)


def _with_response(source: Source, y: Any, what: Any) -> tuple[Source, Any]:
    """The source with a response that is an array as a column, and its name."""
    if y is None or isinstance(what, str) or np.ndim(y) == 0:
        return source, y
    name = "y" if "y" not in source.names else "y_given"
    held = open_source({name: y})
    batch = next(held.batches(held.names))
    if source.rows is not None and source.rows != batch.rows:
        raise DataError(
            f"y has {batch.rows} entries, and the data have {source.rows} rows", advice="Give one for each."
        )
    return Joined(source, {name: batch.columns[name]}, batch.rows), name


def check_not_by_group(group: str | None, title: str) -> None:
    """Refuse groups of a function that looks at all rows together.

    Raises
    ------
    OptionError
    """
    if group is not None:
        raise OptionError(
            f"{title} looks at all rows together, which by={group!r} would take apart",
            advice="Fit the rows of each group by themselves.",
        )


def is_apart(asked: Opened) -> bool:
    """Whether every group is fitted for itself."""
    return asked.group is not None and not asked.shared


def asked_by_group(fit: Callable[..., Any], asked: Opened) -> Asked:
    """What the fits of groups need to know."""
    assert asked.group is not None
    told = {name: value for name, value in asked.told.items() if name not in ("by", "shared")} | dict(asked.options)
    given = asked.given
    return Asked(fit, asked.what, given.curve, given, asked.source, asked.group, asked.roles, told)


def ready(fit: Callable[..., Any], asked: Opened) -> Ready:
    """Learn the rows, and read what is said of the parameters."""
    given, said = asked.given, {name: asked.told[name] for name in SAID}
    if given.starts and (said["start"] is None or isinstance(said["start"], Mapping)):
        tied = said["tied"] if isinstance(said["tied"], Mapping) else {}
        own = {name: value for name, value in given.starts.items() if name not in tied}
        said["start"] = {**own, **(said["start"] or {})}
    curve = given.curve if asked.group is None else Grouped(given.curve, asked.group, asked.shared)
    learning = {"missing": asked.told["missing"], **asked.roles}
    spec = CurveSpec.learn(curve, given.response, given.text, asked.source, **learning)
    if asked.group is None:
        parameters = parameters_of(spec.curve, **said)
    else:
        joint = cast(Grouped, spec.curve)
        parameters = with_starts(asked_by_group(fit, asked), joint, grouped_parameters(joint, **said))
    rows = Rows(asked.source, cast(Spec, spec))
    family, options = asked.told["family"], dict(asked.options)
    if needs_scale(family, options):
        return Ready(rows, spec, parameters, family_named("gaussian"), str(family))
    return Ready(rows, spec, parameters, model_of(family, asked.told["link"], options), None)


def model_of(family: Any, link: str | None, options: Mapping[str, Any]) -> Family:
    """The family, whose mean is the curve itself unless a link is named."""
    if isinstance(family, str) and link is None and family != "gaussian":
        link = "identity"
    return family_named(family, link, **options)
