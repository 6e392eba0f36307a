"""Profiles: for each parameter how fast the fit gets worse, beside the straight line that Wald's interval rests on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError
from thalweg.inference.coefficients import coefficient_table
from thalweg.inference.distributions import quantile
from thalweg.show.plots.names import short_name
from thalweg.show.plots.style import LINE, NEUTRAL, POINT, TICK_SIZE, caption, dress, headline, new_figure
from thalweg.solvers.base import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from thalweg.inference.profile import Profile
    from thalweg.result import Fit

MOST_PANELS = 12


def draw_profile(fit: Fit, parameters: str | Sequence[str] | None = None) -> Figure:
    """The signed root of each profile likelihood against the parameter.

    Parameters
    ----------
    fit : Fit
        Of a curve.
    parameters : str or sequence of str, optional
        Which; the fitted ones by default, of many the first twelve.

    Raises
    ------
    OptionError, NotAvailableError
        As `thalweg.inference.profile.profile`; a fit that is at no minimum, or at one of which a lower is found.
    """
    names = _names(fit, parameters)
    found = _profiles(fit, names[:MOST_PANELS])
    errors = {row.name: row.std_error for row in coefficient_table(fit, fit.level)}
    figure, frames, across = _frames(len(found))
    for i, (axes, each) in enumerate(zip(frames, found, strict=False)):
        _draw(axes, each, errors[each.name], quantile(each.level, fit.df))
        dress(axes, "", short_name(each.name, 24), "" if i % across else "signed root")
    for axes in frames[len(found) :]:
        axes.set_visible(False)
    headline(figure, fit.spec.formula)
    caption(figure, _caption(fit, found, len(names)))
    return figure


def _profiles(fit: Fit, names: Sequence[str]) -> list[Profile]:
    """Those of the fit's minimum, if it is one."""
    from thalweg.inference.profile import profile

    status = None if fit.solution is None else fit.solution.status
    if status is not None and status not in (Status.CONVERGED, Status.STALLED):
        raise NotAvailableError(
            f"a profile starts at a minimum, and the solver ended elsewhere ({status.value})",
            advice="Fit again with more steps, or from another start.",
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = [profile(fit, name) for name in names]
    lower = [str(each.message) for each in told if issubclass(each.category, ConvergenceWarning)]
    if lower and not any(each.value.size for each in found):
        raise NotAvailableError(f"there is no profile to draw: {lower[0].rstrip('.')}")
    for each in told:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return found


def _names(fit: Fit, parameters: str | Sequence[str] | None) -> list[str]:
    from thalweg.show.curve import free, is_curve

    if parameters is None:
        return list(free(fit) if is_curve(fit) else fit.names)
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    if not names:
        raise OptionError("parameters is empty", advice="Name one or more, or leave it out for all.")
    return names


def _frames(n: int) -> tuple[Figure, list[Axes], int]:
    across = n if n <= 3 else 2 if n == 4 else 3 if n <= 9 else 4
    down = math.ceil(n / across)
    figure = new_figure(max(3.4 * across, 5.4), 3.0 * down + 0.9)
    return figure, list(figure.subplots(down, across, sharey=True, squeeze=False).flat), across


def _draw(axes: Axes, found: Profile, error: float, height: float) -> None:
    """The profile, Wald's line, the quantiles, and the ends of the interval on them."""
    if not found.value.size:
        axes.text(
            0.5, 0.5, "not available", transform=axes.transAxes, ha="center", color=NEUTRAL, fontsize=TICK_SIZE + 1
        )
        return
    for side in (-height, height):
        axes.axhline(side, color=NEUTRAL, linewidth=0.9, linestyle=":", zorder=1)
    if error > 0:
        straight = (found.value - found.estimate) / error
        axes.plot(found.value, straight, color=POINT, linewidth=1.5, linestyle="--", zorder=2, label="Wald")
    axes.plot(found.value, found.signed_root, color=LINE, linewidth=2.2, zorder=3, label="profile")
    axes.plot([found.estimate], [0.0], "o", color=LINE, markersize=6, zorder=4)
    for end, root in ((found.low, -height), (found.high, height)):
        if math.isfinite(end) and abs(np.interp(end, found.value, found.signed_root) - root) < 0.05 * height:
            axes.plot([end, end], [root, 0.0], color=LINE, linewidth=1.1, zorder=2)
            axes.plot([end], [0.0], "|", color=LINE, markersize=10, markeredgewidth=1.6, zorder=4)
    axes.axhline(0.0, color=NEUTRAL, linewidth=0.8, zorder=1)
    axes.set_ylim(-1.45 * height, 1.45 * height)
    axes.locator_params(axis="x", nbins=5)


def _caption(fit: Fit, found: list[Profile], wanted: int) -> str:
    parts = [
        f"Solid: the signed root of the profile likelihood and its {100 * fit.level:g}% interval. Dashed: the straight"
        " line that Wald's interval rests on; the further apart the two, the less that one is worth."
    ]
    notes: dict[str, list[str]] = {}
    for each in found:
        notes.setdefault(each.note, []).append(each.name)
    parts += [f"{', '.join(names)}: {note}." for note, names in notes.items() if note]
    if wanted > len(found):
        parts.append(f"The first {len(found)} of {wanted}; name others with parameters=.")
    return " ".join(parts)
