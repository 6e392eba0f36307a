"""What the pictures and texts of a curve ask of its fit: which of its parameters were free, held, or tied."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from thalweg.losses.robust import Robust

if TYPE_CHECKING:
    from thalweg.curves.curve import Curve
    from thalweg.curves.parameters import Parameters
    from thalweg.curves.spec import CurveSpec
    from thalweg.result import Fit

HELD = "held at this value"


def curve_spec(fit: Fit) -> CurveSpec | None:
    """The description of a curve's rows; None for a linear predictor."""
    from thalweg.curves.spec import CurveSpec

    return cast("CurveSpec", fit.spec) if isinstance(fit.spec, CurveSpec) else None


def is_curve(fit: Fit) -> bool:
    """Whether a fit is one of a curve."""
    return curve_spec(fit) is not None


def parameters_of(fit: Fit) -> Parameters | None:
    """What the user said of the parameters; None of a model that was loaded."""
    return None if fit.solution is None else fit.solution.details.get("parameters")


def tied(fit: Fit) -> dict[str, str]:
    """Parameters that were computed from others, and how: {"s2": "2 * s1"}."""
    known = parameters_of(fit)
    return dict(fit.options.get("tied") or {}) if known is None else dict(known.texts)


def fixed(fit: Fit) -> dict[str, float]:
    """Parameters that the user held, and where."""
    values = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    return {name: values[name] for name, reason in fit.held.items() if reason == HELD}


def free(fit: Fit) -> tuple[str, ...]:
    """Parameters that were fitted, in the order of the curve."""
    others = fixed(fit).keys() | tied(fit).keys()
    return tuple(name for name in fit.names if name not in others)


def free_curve(fit: Fit) -> Curve:
    """The curve as a function of its free parameters, as its solver saw it."""
    spec, known = curve_spec(fit), parameters_of(fit)
    assert spec is not None
    return spec.curve if known is None else spec.curve.restricted(known.fixed, known.ties)


def has_precisions(fit: Fit) -> bool:
    """Whether the weights are 1 / variance, but for a factor: then each row has an error bar."""
    kind = fit.options.get("weights_kind", "precision")
    return fit.spec.roles.weights is not None and kind in ("precision", "absolute")


def curve_title(fit: Fit) -> str:
    """What kind of fit this is, in the words of a textbook."""
    family, link = fit.family.name.replace("_", " "), fit.family.link.name.replace("_", " ")
    if isinstance(fit.family, Robust):
        return f"Robust nonlinear regression, {fit.family.title} loss"
    if (family, link) != ("gaussian", "identity"):
        return f"Generalized nonlinear model, {family} family, {link} link"
    weighted = fit.spec.roles.weights is not None
    return "Weighted nonlinear least squares" if weighted else "Nonlinear least squares"
