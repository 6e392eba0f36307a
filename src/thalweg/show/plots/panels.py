"""A panel per predictor: the fit along it with the others held, and partial residuals around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.data.contrasts import show_level
from thalweg.show.links import mean_name
from thalweg.show.numbers import elide
from thalweg.show.plots.curves import Curve, caveat, curve, draw_band, draw_means, draw_strips, is_binary, outcome
from thalweg.show.plots.grid import added, grid, held, held_text, places
from thalweg.show.plots.interactions import drawn_levels, partner
from thalweg.show.plots.predictors import Predictor, predictors
from thalweg.show.plots.style import (
    LINE,
    NEUTRAL,
    PALETTE,
    TICK_SIZE,
    WIDE_BAND_ALPHA,
    caption,
    dress,
    headline,
    new_figure,
    scatter,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.result import Fit
    from thalweg.show.plots.sample import Sample

MOST_PANELS = 12


@dataclass(frozen=True)
class _Panel:
    """One predictor with the fit along it: one line, or where it interacts with the category `by` one per level."""

    predictor: Predictor
    lines: Mapping[Any, Curve]
    by: Predictor | None = None

    @property
    def effect(self) -> float:
        return max(float(np.ptp(line.mean)) for line in self.lines.values())


def draw_panels(fit: Fit, wanted: Sequence[Predictor], shown: Sample) -> Figure:
    """Panels for the wanted predictors; of too many, those along which the fit moves most.

    A 0/1 response is drawn as a probability with its outcomes; everything else on the scale of the link, where partial
    residuals, the fit at x_i with the others held plus the working residual (y_i - mu_i) / h'(eta_i), are additive.
    A number that interacts with a category has a line per level, and each row's partial residual is that of its level.
    """
    at = held(fit, shown)
    binary = is_binary(fit, shown)
    panels = [_panel(fit, p, at, shown, "mean" if binary else "link") for p in wanted]
    kept = _largest(panels)
    figure, frames, across = _frames(len(kept))
    for i, (axes, panel) in enumerate(zip(frames, kept, strict=False)):
        _draw(fit, axes, panel, at, shown)
        dress(axes, "", panel.predictor.name, "" if i % across else _label(fit, binary))
    for axes in frames[len(kept) :]:
        axes.set_visible(False)
    headline(figure, fit.spec.formula)
    caption(figure, _caption(fit, at, kept, len(panels), shown, binary))
    return figure


def _panel(fit: Fit, p: Predictor, at: Mapping[str, Any], shown: Sample, kind: str) -> _Panel:
    by = partner(fit, p, predictors(fit)) if p.numeric else None
    if by is None:
        return _Panel(p, {None: curve(fit, grid(at, {p: places(p)}), kind=kind)})
    lines = {
        level: curve(fit, grid({**at, by.column: level}, {p: places(p)}), kind=kind)
        for level in drawn_levels(by, shown)
    }
    return _Panel(p, lines, by)


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


def _draw(fit: Fit, axes: Axes, panel: _Panel, at: dict[str, Any], shown: Sample) -> None:
    p = panel.predictor
    x = p.of(shown.columns)
    y = outcome(fit, shown) if is_binary(fit, shown) else _partial(fit, panel, at, shown)
    if not p.numeric:
        draw_strips(axes, p, x, y)
        draw_means(axes, p, panel.lines[None])
    elif panel.by is None:
        scatter(axes, x, y)
        draw_band(axes, places(p), panel.lines[None], LINE)
    else:
        _draw_lines(axes, panel, panel.by, x, y, panel.by.of(shown.columns))


def _draw_lines(axes: Axes, panel: _Panel, by: Predictor, x: np.ndarray, y: np.ndarray, levels: np.ndarray) -> None:
    """A line per level with the points of its rows; points of levels that have no line are grey."""
    known = list(panel.lines)
    rest = np.array([level not in known for level in levels.tolist()], dtype=bool)
    if rest.any():
        scatter(axes, x[rest], y[rest], colour=NEUTRAL, among=len(x))
    for colour, (level, found) in zip(PALETTE, panel.lines.items(), strict=False):
        here = levels == level
        scatter(axes, x[here], y[here], colour=colour, among=len(x))
        draw_band(axes, places(panel.predictor), found, colour, alpha=WIDE_BAND_ALPHA)
        axes.plot([], [], color=colour, linewidth=2, label=elide(show_level(level), 18))
    axes.legend(
        title=elide(by.name, 18), title_fontsize=TICK_SIZE - 0.5, fontsize=TICK_SIZE - 1, loc="best",
        framealpha=0.85, edgecolor="none", ncols=1 if len(known) <= 4 else 2,
    )  # fmt: skip


def _partial(fit: Fit, panel: _Panel, at: dict[str, Any], shown: Sample) -> np.ndarray:
    """The fit at each row's x (and level, where lines differ) with the others held, plus the row's working residual."""
    varied = {q: q.of(shown.columns) for q in (panel.predictor, panel.by) if q is not None}
    return curve(fit, grid(at, varied), kind="link").mean + shown.rows.working


def _label(fit: Fit, binary: bool) -> str:
    link = fit.family.link.name
    return mean_name(fit) if binary or link == "identity" else f"{link.replace('_', ' ')} of {mean_name(fit)}"


def _caption(fit: Fit, at: dict[str, Any], kept: list[_Panel], panels: int, shown: Sample, binary: bool) -> str:
    beside = added(fit)
    others = {name: value for name, value in at.items() if name not in beside}
    if len(kept) == 1:
        others.pop(kept[0].predictor.column, None)
        if kept[0].by is not None:
            others.pop(kept[0].by.column, None)
    parts = [f"Other predictors held at {held_text(others)}." if others else ""]
    parts += [_added_text(fit, word, name, at[name]) for name, word in beside.items()]
    parts += [_lines_text(panel, panel.by) for panel in kept if panel.by is not None]
    parts += ["Points are the outcomes 0 and 1, spread a little." if binary else "Points are partial residuals."]
    parts += [shown.caption, caveat(fit)]
    if panels > len(kept):
        parts.append(f"The {len(kept)} of {panels} predictors along which the fit moves most; name others with x=.")
    return " ".join(part for part in parts if part)


def _added_text(fit: Fit, word: str, name: str, value: float) -> str:
    """An array has no name that the user knows."""
    role = getattr(fit.spec.roles, word.lower())
    unnamed = role is not None and fit.options.get(word.lower(), role.text) != role.text
    return f"{word} held at {value:.3g}." if unnamed else f"{word} held at {held_text({name: value})}."


def _lines_text(panel: _Panel, by: Predictor) -> str:
    text = f"Along {elide(panel.predictor.name, 24)} a line per level of {elide(by.name, 24)}"
    drawn = len(panel.lines)
    return text + (f" (the {drawn} of {len(by.levels)} with the most rows)." if drawn < len(by.levels) else ".")
