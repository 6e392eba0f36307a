"""Pictures of the residuals: against the fit, against the normal distribution, their spread, and leverage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from thalweg.show.plots.labels import label_points
from thalweg.show.plots.sample import Sample, sample
from thalweg.show.plots.smooth import lowess
from thalweg.show.plots.style import LINE, NEUTRAL, TICK_SIZE, caption, dress, headline, new_figure, scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit

Panel = Callable[["Fit", Sample, "Axes"], None]
Vector = Float[np.ndarray, "n"]
COOK_LEVELS = (0.5, 1.0)


def draw_residuals(fit: Fit) -> Figure:
    """Residuals against the linear predictor: shows curvature that the formula lacks."""
    return _alone(fit, _residuals)


def draw_qq(fit: Fit) -> Figure:
    """Standardised residuals against normal quantiles."""
    return _alone(fit, _qq)


def draw_scale(fit: Fit) -> Figure:
    """Square root of the size of the residuals against the linear predictor: shows a variance that grows."""
    return _alone(fit, _scale)


def draw_leverage(fit: Fit) -> Figure:
    """Standardised residuals against leverage, with contours of Cook's distance: shows rows that steer the fit."""
    return _alone(fit, _leverage)


def draw_diagnostics(fit: Fit) -> Figure:
    """The four together."""
    shown = sample(fit)
    figure = new_figure(10.5, 8.5)
    for axes, panel in zip(figure.subplots(2, 2).flat, (_residuals, _qq, _scale, _leverage), strict=True):
        panel(fit, shown, axes)
    headline(figure, fit.spec.formula)
    caption(figure, _caption(fit, shown, figure.axes[-1]))
    return figure


def _alone(fit: Fit, panel: Panel) -> Figure:
    shown = sample(fit)
    figure = new_figure(7.2, 5.2)
    axes = figure.subplots()
    panel(fit, shown, axes)
    headline(figure, fit.spec.formula)
    caption(figure, _caption(fit, shown, axes if panel is _leverage else None))
    return figure


def _caption(fit: Fit, shown: Sample, leverage: Axes | None) -> str:
    parts = [shown.caption]
    if not np.isfinite(shown.rows.standardized).any():
        reason = fit.covariance_reason or fit.statistics.reasons.get("dispersion") or "this fit has no covariance"
        parts.append(f"No standardised residuals: {reason}.")
    if fit.family.name == "binomial" and bool(np.isin(shown.rows.y, (0, 1)).all()):
        parts.append("Residuals of a 0/1 response lie on two curves and are not normal even where the model is right.")
    if shown.outlying[1].size:
        parts.append("Labels are row numbers of the data, from 1.")
    if leverage is not None:
        parts.append(_without_contours(leverage))
    return " ".join(part for part in parts if part)


def _without_contours(axes: Axes) -> str:
    """What it means that a contour is not in the view: every point lies below it."""
    labels = axes.get_legend_handles_labels()[1]
    unseen = [level for level in COOK_LEVELS if _contour_label(level) not in labels]
    return f"No Cook's distance above {unseen[0]:g}." if unseen and len(axes.lines) > 1 else ""


def _contour_label(level: float) -> str:
    return f"Cook's distance {level:g}"


def _nothing(axes: Axes) -> None:
    """In place of points that do not exist; the caption says why."""
    axes.text(0.5, 0.5, "not available", transform=axes.transAxes, ha="center", color=NEUTRAL, fontsize=TICK_SIZE + 1)
    axes.set_xticks([])
    axes.set_yticks([])


def _residuals(fit: Fit, shown: Sample, axes: Axes) -> None:
    x, y = shown.rows.eta, shown.rows.deviance
    every = shown.outliers_too()
    scatter(axes, every.eta, every.deviance)
    axes.axhline(0, color=NEUTRAL, linewidth=1, zorder=1)
    _smooth(fit, axes, x, y)
    dress(axes, "Residuals against fitted", predictor_label(fit), _residual_label(fit))
    extreme, numbers = shown.outlying
    _label(axes, extreme.eta, extreme.deviance, numbers)


def _qq(fit: Fit, shown: Sample, axes: Axes) -> None:
    """Ordered uniforms are Beta(i, n + 1 - i): that gives a band, point by point, without simulation."""
    residual = shown.rows.standardized
    numbers = shown.numbers[np.isfinite(residual)]
    residual = residual[np.isfinite(residual)]
    dress(axes, "Normal quantiles", "normal quantile", "standardised residual")
    if not residual.size:
        _nothing(axes)
        return
    order = np.argsort(residual, kind="stable")
    normal, low, high = normal_band(residual.size, fit.level)
    axes.fill_between(normal, low, high, color=NEUTRAL, alpha=0.18, linewidth=0, zorder=1)
    axes.plot(normal, normal, color=LINE, linewidth=1.4, zorder=3)
    scatter(axes, normal, residual[order])
    last = np.argsort(-np.abs(residual[order]), kind="stable")[: len(shown.outlying[1])]
    _label(axes, normal[last], residual[order][last], numbers[order][last])


def normal_band(n: int, level: float) -> tuple[Vector, Vector, Vector]:
    """Expected normal quantiles of n ordered values and the pointwise band that holds each with probability `level`.

    Returns
    -------
    normal, low, high : arrays, (n,)
        Phi⁻¹ of (i - 1/2) / n and of the Beta(i, n + 1 - i) quantiles at (1 ∓ level) / 2.
    """
    from scipy.special import betaincinv, ndtri

    i = np.arange(1, n + 1)
    tail = (1 - level) / 2
    return ndtri((i - 0.5) / n), ndtri(betaincinv(i, n + 1 - i, tail)), ndtri(betaincinv(i, n + 1 - i, 1 - tail))


def _scale(fit: Fit, shown: Sample, axes: Axes) -> None:
    x, y = shown.rows.eta, np.sqrt(np.abs(shown.rows.standardized))
    every = shown.outliers_too()
    dress(axes, "Spread against fitted", predictor_label(fit), "sqrt |standardised residual|")
    if not np.isfinite(y).any():
        _nothing(axes)
        return
    scatter(axes, every.eta, np.sqrt(np.abs(every.standardized)))
    axes.set_ylim(bottom=0)
    _smooth(fit, axes, x, y)
    extreme, numbers = shown.outlying
    _label(axes, extreme.eta, np.sqrt(np.abs(extreme.standardized)), numbers)


def _leverage(fit: Fit, shown: Sample, axes: Axes) -> None:
    every = shown.outliers_too()
    x, y = every.leverage, every.standardized_pearson
    dress(axes, "Leverage", "leverage", "standardised Pearson residual")
    if not np.isfinite(y).any():
        _nothing(axes)
        return
    axes.locator_params(axis="x", nbins=6)
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
    scatter(axes, x, y)
    axes.axhline(0, color=NEUTRAL, linewidth=1, zorder=1)
    axes.set_xlim(0, 1.08 * float(np.nanmax(x)))
    axes.set_ylim(axes.get_ylim())
    _cook_contours(axes, len(fit.names) - len(fit.aliased))
    extreme, numbers = shown.influential
    _label(axes, extreme.leverage, extreme.standardized_pearson, numbers)


def _cook_contours(axes: Axes, rank: int) -> None:
    """Where r² h / (p (1 - h)) is 0.5 and 1, for standardised Pearson residuals r."""
    right = axes.get_xlim()[1]
    h = np.linspace(right / 400, min(right, 0.999), 400)
    low, high = axes.get_ylim()
    for level, dashes in zip(COOK_LEVELS, ((5, 3), (2, 2)), strict=True):
        r = np.sqrt(level * rank * (1 - h) / h)
        seen = (r <= high) | (-r >= low)
        for sign in (1, -1):
            label = _contour_label(level) if sign == 1 and seen.any() else None
            axes.plot(h, sign * r, color=LINE, linewidth=1.1, dashes=dashes, label=label, zorder=1)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=TICK_SIZE - 0.5, frameon=True, framealpha=0.85, edgecolor="none", loc="best")


def _smooth(fit: Fit, axes: Axes, x: Vector, y: Vector) -> None:
    """Not robust for proportions, as in R: their rarer outcome would be taken for outliers."""
    at, smooth = lowess(x, y, robust_steps=0 if fit.family.name == "binomial" else 3)
    axes.plot(at, smooth, color=LINE, linewidth=1.8, zorder=3)


def _label(axes: Axes, x: Vector, y: Vector, numbers: np.ndarray) -> None:
    axes.margins(x=0.04)
    label_points(axes, x, y, [str(number + 1) for number in numbers])


def predictor_label(fit: Fit) -> str:
    """Name of eta's axis."""
    link = fit.family.link.name.replace("_", " ")
    return "fitted" if link == "identity" else f"linear predictor ({link} of the mean)"


def _residual_label(fit: Fit) -> str:
    return "residual" if fit.family.name == "gaussian" else "deviance residual"
