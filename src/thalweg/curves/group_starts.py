"""Starts of a joint fit of several groups: from the fit of each group for itself."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.curves.by_group import Asked, fit_by_group
from thalweg.curves.groups import Grouped
from thalweg.curves.parameters import Parameters
from thalweg.errors import ThalwegError


def with_starts(asked: Asked, curve: Grouped, parameters: Parameters) -> Parameters:
    """The parameters of a joint fit, with starts for those that have none.

    A local parameter starts at its group's estimate, a shared one at the median of the groups; groups whose rows do not
    determine a parameter get the median of those that do.

    Parameters
    ----------
    asked : Asked
    curve : Grouped
    parameters : Parameters
        Of that curve.
    """
    if all(name in parameters.start for name in parameters.free):
        return parameters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fits = fit_by_group(_alone(asked), singly=0)
        except ThalwegError:
            return parameters
    starts: dict[str, float] = {}
    for j, name in enumerate(curve.inner.parameters):
        values, sure = fits.estimates[:, j], np.isfinite(fits.errors[:, j])
        known = values[sure] if sure.any() else values[np.isfinite(values)]
        if len(known):
            middle = float(np.median(known))
            own = np.where(sure, values, middle).tolist()
            starts |= dict(zip(curve.of(name), own if name in curve.local else [middle], strict=True))
    bounds = zip(parameters.free, parameters.lower, parameters.upper, strict=True)
    found = {name: float(np.clip(starts[name], low, high)) for name, low, high in bounds if name in starts}
    return replace(parameters, start=found | parameters.start)


def _alone(asked: Asked) -> Asked:
    """Each group for itself by least squares, with what was said of all groups."""
    names = asked.curve.parameters
    said = {name: _of_all(value, names) for name, value in asked.said().items()}
    usual = {"family": "gaussian", "link": None, "weights_kind": "precision", "covariance": None, "cluster": None}
    nobody = {"solver": None, "stop": None, "observers": (), "progress": None, "checkpoint": None, "resume": None}
    plain = {"offset": None, "trials": None}
    roles = {name: text if name == "weights" else None for name, text in asked.roles.items()}
    return replace(asked, roles=roles, told={**asked.told, **said, **usual, **nobody, **plain})


def _of_all(said: Any, names: tuple[str, ...]) -> Any:
    """What is said of parameters by the names that they have in one group's curve."""
    if isinstance(said, Mapping):
        general = {name: value for name, value in said.items() if name in names}
        return {name: value for name, value in general.items() if not (isinstance(value, str) and "[" in value)} or None
    if said is None or isinstance(said, str):
        return said if said in names else None
    values = list(said)
    if all(isinstance(value, str) for value in values):
        return [value for value in values if value in names] or None
    return values if len(values) == len(names) else None
