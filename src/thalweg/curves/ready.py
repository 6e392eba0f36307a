"""From what the user gave to a curve, its parameters and its rows: the first half of a fit."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast, final

from thalweg.curves.by_group import Asked
from thalweg.curves.given import Given, given_curve
from thalweg.curves.group_starts import with_starts
from thalweg.curves.groups import Grouped, group_column, group_options, grouped_parameters
from thalweg.curves.parameters import Parameters, parameters_of
from thalweg.curves.robust import needs_scale
from thalweg.curves.spec import CurveSpec
from thalweg.data.roles import with_roles
from thalweg.data.rows import Rows
from thalweg.data.source import Source
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import OptionError
from thalweg.foreign import FAMILY, FOREIGN
from thalweg.inference.covariance import check_kind
from thalweg.inference.distributions import check_level
from thalweg.inference.reading import check_weights_kind
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.observers.adapt import check_observer
from thalweg.observers.given import listed
from thalweg.prepare import READING

SAID = ("start", "bounds", "fixed", "positive", "tied")
_SOLVER = "Of a curve they are the solver's: solver=thalweg.LevenbergMarquardt(max_steps=500, tol=1e-8)."
_ELSEWHERE = {
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
    check_weights_kind(told["weights_kind"])
    check_level(told["level"])
    if told["covariance"] is not None:
        check_kind(told["covariance"])
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


def opened(what: Any, data: Any, told: Mapping[str, Any], options: Mapping[str, Any]) -> Opened:
    """Open the data and read the curve."""
    given = {name: told[name] for name in ("weights", "offset", "trials", "cluster", "by")} | {"exposure": None}
    reading = {key: value for key, value in options.items() if key in READING}
    shared = group_options(told["by"], told["shared"])
    source, roles = with_roles(open_source(data, **reading), given)
    group = group_column(roles.pop("by"), source)
    curve = given_curve(what, source, y=told["y"], x=told["x"])
    others = {key: value for key, value in options.items() if key not in READING}
    return Opened(what, curve, source, roles, group, shared, told, others)


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
        said["start"] = {**given.starts, **(said["start"] or {})}
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
