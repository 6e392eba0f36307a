"""The transforms that learn from the data: center, scale, standardize, poly, bs, cr, cs and cc."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from thalweg.data.nodes import Stateful
from thalweg.data.transforms import bspline, cubic, poly, scale
from thalweg.data.transforms.base import Learner, Options, State, Transform


@dataclass(frozen=True)
class _Kind:
    """One transform: its options with their defaults, their check, and its two halves."""

    signature: Mapping[str, Hashable]
    check: Callable[[Options], None]
    learner: Callable[[Options], Learner]
    fitted: Callable[[Options, State], Transform]


_SPLINE = {"df": None, "knots": None}
_BOUNDS = {"lower_bound": None, "upper_bound": None}
_CUBIC = {**_SPLINE, **_BOUNDS, "constraints": None, "extrapolation": "extend"}


def _poly(options: Options, state: State) -> Transform:
    return poly.RawPoly(options, state) if options["raw"] else poly.OrthogonalPoly(options, state)


def _cubic(*, cyclic: bool) -> _Kind:
    return _Kind(
        _CUBIC,
        cubic.check,
        lambda options: cubic.CubicLearner(options, cyclic=cyclic),
        lambda options, state: cubic.CubicSpline(options, state, cyclic=cyclic),
    )


_KINDS = {
    "center": _Kind({"center": True, "scale": False, "ddof": 1}, scale.check, scale.ScaleLearner, scale.Scale),
    "scale": _Kind({"center": True, "scale": True, "ddof": 1}, scale.check, scale.ScaleLearner, scale.Scale),
    "standardize": _Kind({"center": True, "scale": True, "ddof": 0}, scale.check, scale.ScaleLearner, scale.Scale),
    "poly": _Kind({"degree": 1, "raw": False}, poly.check, poly.PolyLearner, _poly),
    "bs": _Kind(
        {**_SPLINE, "degree": 3, "include_intercept": False, **_BOUNDS, "extrapolation": "extend"},
        bspline.check,
        bspline.BSplineLearner,
        bspline.BSpline,
    ),
    "cr": _cubic(cyclic=False),
    "cs": _cubic(cyclic=False),
    "cc": _cubic(cyclic=True),
}
_SPELLINGS = {"standardize": {"rescale": "scale"}}  # what patsy and formulaic call an option

SIGNATURES: dict[str, Mapping[str, Hashable]] = {name: kind.signature for name, kind in _KINDS.items()}


def bind(name: str, values: Sequence[Hashable], options: Mapping[str, Hashable]) -> tuple[tuple[str, Hashable], ...]:
    """All options of a call, defaults filled in and checked.

    Raises
    ------
    ValueError
        An option that the transform does not have, or a value that it cannot take.

    Examples
    --------
    >>> bind("poly", [2], {})
    (('degree', 2), ('raw', False))
    """
    kind = _KINDS[name]
    renamed = {_SPELLINGS.get(name, {}).get(option, option): value for option, value in options.items()}
    given = dict(zip(kind.signature, values, strict=False))
    unknown = [option for option in renamed if option not in kind.signature or option in given]
    takes_none = name == "center" and (values or options)
    if unknown or len(values) > len(kind.signature) or takes_none:
        known = "no options" if name == "center" else f"the options {', '.join(kind.signature)}, each once"
        raise ValueError(f"{name} takes {known}")
    bound = {**kind.signature, **given, **renamed}
    kind.check(bound)
    return tuple(bound.items())


def learner(node: Stateful) -> Learner:
    """Something that learns what this call needs."""
    return _KINDS[node.transform].learner(dict(node.options))


def fitted(node: Stateful, state: State) -> Transform:
    """The transform with what was learned.

    Raises
    ------
    ValueError
        A state that this call cannot have learned.
    """
    return _KINDS[node.transform].fitted(dict(node.options), state)


__all__ = ["SIGNATURES", "Learner", "State", "Transform", "bind", "fitted", "learner"]
