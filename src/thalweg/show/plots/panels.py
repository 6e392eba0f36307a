"""A panel per predictor: the fit along it with the others held, and partial residuals around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.show.links import mean_name
from thalweg.show.plots.curves import Curve, caveat, curve, draw_band, draw_means, draw_strips, is_binary, outcome
from thalweg.show.plots.grid import grid, held, held_text, places
from thalweg.show.plots.predictors import Predictor
from thalweg.show.plots.style import LINE, caption, dress, headline, new_figure, scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit
    from thalweg.show.plots.sample import Sample

MOST_PANELS = 12


@dataclass(frozen=True)
class _Panel:
    """One predictor with the fit along it."""

    predictor: Predictor
    found: Curve

    @property
    def effect(self) -> float:
        return float(np.ptp(self.found.mean))


def draw_panels(fit: Fit, wanted: Sequence[Predictor], shown: Sample) -> Figure:
    """Panels for the wanted predictors; of too many, those along which the fit moves most.

    A 0/1 response is drawn as a probability with its outcomes; everything else on the scale of the link, where partial
    residuals, the fit at x_i with the others held plus the working residual (y_i - mu_i) / h'(eta_i), are additive.
    """
    at = held(fit, shown)
    binary = is_binary(fit, shown)
    panels = [_Panel(p, curve(fit, grid(at, {p: places(p)}), kind=_kind(binary))) for p in wanted]
    kept = _largest(panels)
    figure, frames, across = _frames(len(kept))
    for i, (axes, panel) in enumerate(zip(frames, kept, strict=False)):
        _draw(fit, axes, panel, at, shown, "" if i % across else _label(fit, binary))
    for axes in frames[len(kept) :]:
        axes.set_visible(False)
    headline(figure, fit.spec.formula)
    if len(kept) == 1:
        at = {name: value for name, value in at.items() if name != kept[0].predictor.column}
    caption(figure, _caption(fit, at, kept, len(panels), shown, binary))
    return figure


def _kind(binary: bool) -> str:
    return "mean" if binary else "link"


def _largest(panels: list[_Panel]) -> list[_Panel]:
    if len(panels) <= MOST_PANELS:
        return panels
    keep = sorted(panels, key=lambda panel: -panel.effect)[:MOST_PANELS]
    return [panel for panel in panels if panel in keep]


def _frames(n: int) -> tuple[Figure, list[Axes], int]:
    across = n if n <= 3 else 2 if n == 4 else 3 if n <= 9 else 4
    down = math.ceil(n / across)
    figure = new_figure(max(3.6 * across, 6.4), 3.1 * down + 0.9)
    return figure, list(figure.subplots(down, across, sharey=True, squeeze=False).flat), across


def _draw(fit: Fit, axes: Axes, panel: _Panel, at: dict[str, Any], shown: Sample, label: str) -> None:
    p = panel.predictor
    x = p.of(shown.columns)
    y = outcome(fit, shown) if is_binary(fit, shown) else _partial(fit, p, at, shown)
    if p.numeric:
        scatter(axes, x, y)
        draw_band(axes, places(p), panel.found, LINE)
    else:
        draw_strips(axes, p, x, y)
        draw_means(axes, p, panel.found)
    dress(axes, "", p.name, label)


def _partial(fit: Fit, p: Predictor, at: dict[str, Any], shown: Sample) -> np.ndarray:
    """The fit at each row's x with the others held, plus the row's working residual."""
    return curve(fit, grid(at, {p: p.of(shown.columns)}), kind="link").mean + shown.rows.working


def _label(fit: Fit, binary: bool) -> str:
    link = fit.family.link.name
    return mean_name(fit) if binary or link == "identity" else f"{link.replace('_', ' ')} of {mean_name(fit)}"


def _caption(fit: Fit, at: dict[str, Any], kept: list[_Panel], panels: int, shown: Sample, binary: bool) -> str:
    points = "Points are the outcomes 0 and 1, spread a little." if binary else "Points are partial residuals."
    others = f"Other predictors held at {held_text(at)}." if at else ""
    parts = [others, points, shown.caption, caveat(fit)]
    if panels > len(kept):
        parts.append(f"The {len(kept)} of {panels} predictors along which the fit moves most; name others with x=.")
    return " ".join(part for part in parts if part)
