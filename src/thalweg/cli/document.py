"""A fit as one JSON object with keys that stay: what `--json` prints."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.result import Fit


def document(fit: Fit, equation: str | None = None) -> dict[str, Any]:
    """What a fit says, under keys that stay; an absent number is NaN here and null when printed."""
    from dataclasses import asdict

    from thalweg.cli.descent_report import descent_document
    from thalweg.inference.coefficients import coefficient_table
    from thalweg.show.whole import figures

    return {
        "thalweg": fit.versions.get("thalweg"),
        "created": fit.created,
        "formula": fit.formula,
        "family": fit.family.to_json(),
        "data": fit.rows.source.description if fit.rows is not None else None,
        "status": fit.solution.status.value if fit.solution is not None else None,
        "descent": descent_document(fit.descent) if fit.descent is not None else None,
        "separation": fit.separation.sentence if fit.separation is not None else None,
        "level": fit.level,
        "covariance": fit.covariance_kind,
        "df": fit.df,
        "coefficients": [asdict(row) for row in coefficient_table(fit, fit.level)],
        "statistics": figures(fit),
        "equation": equation,
        **_curve(fit),
    }


def _curve(fit: Fit) -> dict[str, Any]:
    """What only a curve has: what is held and why, how many starts were tried, and the other minima that they found."""
    from thalweg.curves.spec import CurveSpec

    if not isinstance(fit.spec, CurveSpec):
        return {}
    search = fit.options.get("search", {})
    return {"held": dict(fit.held), "starts": search.get("starts"), "minima": search.get("minima")}


def printed(document: dict[str, Any]) -> str:
    """Strict JSON: what is not a finite number is null; what JSON has no word for (a date) is text.

    Examples
    --------
    >>> printed({"aic": float("nan"), "n": 3})
    '{"aic": null, "n": 3}'
    """
    return json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
