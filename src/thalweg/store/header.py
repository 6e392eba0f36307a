"""Schemas 1 and 2 of the description in a model file, and its way to and from a fit.

The description says what the numbers in the tensors mean and how predictions are made of them. It holds no data: of the
training rows only their number, the ranges of the predictors and sums such as the log-likelihood.

| key | holds |
|---|---|
| `schema` | 1 for a formula, 2 for a curve: files of formulas are what they were, and are read by older versions |
| `spec`, `family` | `Spec.to_json()`, or that of `thalweg.curves.spec_file` for a curve; `Family.to_json()` |
| `names` | the p names of theta |
| `held` | of a curve alone: name to reason, for parameters without a standard error of their own |
| `aliased` | name to reason: coefficients that are 0 because their column is a combination of others |
| `separation` | the fields of `Separation`, or null |
| `covariance_kind`, `covariance_reason` | which covariance; why there is none, or for whom |
| `df` | degrees of freedom of t, or null for the normal distribution |
| `level` | of intervals |
| `statistics` | the fields of `Statistics` |
| `options` | weights and the like; its `solver` says how the fit ended: `status`, `advice`, `steps`, `passes` |
| `notes` | what the fit had to say |
| `created`, `versions` | ISO 8601 time; name to version |
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import ModelFileError
from thalweg.store.strict_json import shown

if TYPE_CHECKING:
    from thalweg.result import Fit, Separation

SCHEMA = 1
CURVES = 2  # the schema of curves, and the latest

_TEXT_OR_NONE = (str, type(None))
_NUMBER = (int, float)
_KINDS: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "spec": (dict,),
    "family": (dict,),
    "names": (list,),
    "aliased": (dict,),
    "separation": (dict, type(None)),
    "covariance_kind": (str,),
    "covariance_reason": _TEXT_OR_NONE,
    "df": (*_NUMBER, type(None)),
    "level": _NUMBER,
    "statistics": (dict,),
    "options": (dict,),
    "notes": (list,),
    "created": (str,),
    "versions": (dict,),
}
_NO_MODEL = "Predictions would not be numbers; fit.summary() says how the fit ended."
_SYMMETRY = 1e-6  # of sqrt(v_ii v_jj): sandwich products and inverses round to far less than that


def to_parts(fit: Fit) -> tuple[dict[str, Any], dict[str, Float[Tensor, "..."]]]:
    """The description and the tensors of a model file.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    description : dict
        See the table at the top of this file.
    tensors : dict of Tensor, float64
        theta (p,); covariance (p, p) and unscaled (p, p) where the fit has them.
    """
    curve = _curve(fit)
    description = {
        "schema": SCHEMA if curve is None else CURVES,
        "spec": fit.spec.to_json() if curve is None else curve,
        "family": fit.family.to_json(),
        "names": list(fit.names),
        "aliased": dict(fit.aliased),
        "separation": None if fit.separation is None else _separation(fit.separation),
        "covariance_kind": fit.covariance_kind,
        "covariance_reason": fit.covariance_reason,
        "df": fit.df,
        "level": fit.level,
        "statistics": dataclasses.asdict(fit.statistics),
        "options": {**fit.options, **_solver(fit)},
        "notes": list(fit.notes),
        "created": fit.created,
        "versions": dict(fit.versions),
    }
    if curve is not None:
        description["held"] = dict(fit.held)
    tensors = {"theta": fit.theta, "covariance": fit.covariance, "unscaled": fit.unscaled}
    return description, {name: t.to("cpu", torch.float64) for name, t in tensors.items() if t is not None}


def _curve(fit: Fit) -> dict[str, Any] | None:
    """The curve as JSON, or None for a formula."""
    from thalweg.curves.spec import CurveSpec
    from thalweg.curves.spec_file import to_json

    spec: Any = fit.spec  # a CurveSpec stands where a Spec is declared
    return to_json(spec) if isinstance(spec, CurveSpec) else None


def _separation(found: Separation) -> dict[str, Any]:
    return {"complete": found.complete, "direction": dict(found.direction), "sentence": found.sentence}


def _solver(fit: Fit) -> dict[str, Any]:
    """How the solver ended; a fit that was loaded has it among its options already."""
    ended = fit.solution
    if ended is None:
        return {}
    ending = {"status": ended.status.value, "advice": ended.advice, "steps": ended.steps, "passes": ended.passes}
    return {"solver": ending}


def check_schema(description: dict[str, Any]) -> None:
    """Refuse a description that another version of Thalweg wrote."""
    schema = description.get("schema")
    if type(schema) is not int or schema < 1:
        raise ModelFileError(f"it names no schema that exists: {shown(schema)}")
    if schema > CURVES:
        raise ModelFileError(
            f"it was written by a later version (schema {shown(schema)}); this Thalweg reads schemas 1 to {CURVES}",
            advice="Update Thalweg.",
        )


def from_parts(description: dict[str, Any], tensors: dict[str, Float[Tensor, "..."]]) -> dict[str, Any]:
    """The arguments of `Fit`, checked, but for `spec`, `family`, `statistics` and `separation`, which are still JSON.

    Raises
    ------
    ModelFileError
        A description or tensors that no fit can have.
    """
    check_schema(description)
    _check_kinds(description)
    names = _names(description["names"])
    _check_named("aliased", description["aliased"], names)
    _check_named("held", description.get("held", {}), names)
    _check_texts("versions", description["versions"].values())
    _check_texts("notes", description["notes"])
    _check_separation(description["separation"], names)
    _check_numbers(description)
    theta = _theta(tensors, names)
    matrices = {name: _matrix(name, tensors.get(name), names) for name in ("covariance", "unscaled")}
    kept = {key: value for key, value in description.items() if key not in ("schema", "names")}
    kept["notes"] = tuple(description["notes"])
    return {**kept, **matrices, "theta": theta}


def _check_kinds(description: dict[str, Any]) -> None:
    known = _KINDS if description["schema"] == SCHEMA else {**_KINDS, "held": (dict,)}
    missing, unknown = known.keys() - description.keys(), description.keys() - known.keys()
    if missing:
        raise ModelFileError(f"its description lacks {shown(sorted(missing))}")
    if unknown:
        raise ModelFileError(f"its description has the unknown keys {shown(sorted(unknown))}")
    for key, kinds in known.items():
        if type(description[key]) not in kinds:  # exactly: a bool is no number here
            raise ModelFileError(f"its {key!r} cannot be {shown(description[key])}")


def _names(names: list[Any]) -> list[str]:
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ModelFileError("its coefficients' names are not different texts")
    return names


def _check_texts(key: str, texts: Iterable[Any]) -> None:
    if not all(isinstance(text, str) for text in texts):
        raise ModelFileError(f"its {key!r} are not all text")


def _check_named(key: str, reasons: dict[str, Any], names: list[str]) -> None:
    """Names of coefficients, each with a sentence."""
    _check_texts(key, reasons.values())
    _check_known(key, reasons, names)


def _check_separation(separation: dict[str, Any] | None, names: list[str]) -> None:
    if separation is None:
        return
    kinds = {key: type(value) for key, value in separation.items()}
    if kinds != {"complete": bool, "direction": dict, "sentence": str}:
        raise ModelFileError("its 'separation' is not one")
    if not all(type(value) in _NUMBER for value in separation["direction"].values()):
        raise ModelFileError("its direction of separation is not all numbers")
    _check_known("separation", separation["direction"], names)


def _check_known(key: str, named: dict[str, Any], names: list[str]) -> None:
    if strangers := named.keys() - set(names):
        raise ModelFileError(f"its {key!r} names what it has no coefficient for: {shown(sorted(strangers))}")


def _check_numbers(description: dict[str, Any]) -> None:
    level, df = description["level"], description["df"]
    if not 0 < level < 1:
        raise ModelFileError(f"its level {shown(level)} is not between 0 and 1")
    if df is not None and not (df >= 0 or math.isnan(df)):
        raise ModelFileError(f"its degrees of freedom {shown(df)} are negative")


def _theta(tensors: dict[str, Tensor], names: list[str]) -> Float[Tensor, "p"]:
    theta = tensors.get("theta")
    if theta is None:
        raise ModelFileError("it has no 'theta'")
    if theta.dtype != torch.float64 or tuple(theta.shape) != (len(names),):
        raise ModelFileError(f"it has {len(names)} names for a 'theta' of shape {list(theta.shape)}")
    if not theta.isfinite().all():
        which = names[int((~theta.isfinite()).nonzero()[0])]
        raise ModelFileError(f"its coefficient of {shown(which)} is not a finite number", advice=_NO_MODEL)
    return theta


def _matrix(name: str, matrix: Tensor | None, names: list[str]) -> Float[Tensor, "p p"] | None:
    """A covariance as one can be: square and symmetric. NaN is allowed: no standard error there."""
    if matrix is None:
        return None
    if matrix.dtype != torch.float64 or tuple(matrix.shape) != (len(names), len(names)):
        raise ModelFileError(f"it has {len(names)} names for a {name!r} of shape {list(matrix.shape)}")
    if not _symmetric(matrix):
        raise ModelFileError(f"its {name!r} is not symmetric")
    return matrix


def _symmetric(matrix: Float[Tensor, "p p"]) -> bool:
    size = matrix.diagonal().abs().sqrt()
    near = (matrix - matrix.T).abs() <= _SYMMETRY * size[:, None] * size
    return bool((near | (matrix == matrix.T) | (matrix.isnan() & matrix.T.isnan())).all())
