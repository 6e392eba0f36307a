"""Pictures of a fit: one file per idea, drawn with matplotlib's objects and no global state."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thalweg.errors import NotAvailableError, OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.result import Fit

KINDS = ("fit", "residuals", "qq", "scale", "leverage", "diagnostics", "coefficients", "correlation")
OF_CURVES = ("profile",)
_ALIASES = {"scale-location": "scale", "forest": "coefficients", "parameters": "coefficients"}
_WITHOUT_DATA = ("fit", "coefficients", "correlation")


def plot(fit: Fit, kind: str = "fit", path: str | os.PathLike[str] | None = None, **options: Any) -> Figure:
    """Draw a fit.

    Parameters
    ----------
    fit : Fit
    kind : str
        - "fit": the data and the fit. One number: its curve with the interval of the mean (and of new rows, for a
          gaussian family). A number and a category: a curve per level. A category: means with intervals. A binomial
          family and two numbers: the boundary in their plane. Otherwise a panel per predictor with the others held,
          with partial residuals; ``x=`` chooses the predictors. A curve of one column: the data (with error bars
          1 / sqrt(weight), where weights are precisions), the curve with both intervals, and the residuals below; of
          several columns observed against fitted values, or with ``x=`` along one of them, the others held.
        - "residuals": against the linear predictor, with a smooth.
        - "qq": standardised residuals against normal quantiles, with a pointwise band.
        - "scale" (or "scale-location"): the size of the residuals against the linear predictor.
        - "leverage": standardised residuals against leverage, with contours of Cook's distance.
        - "diagnostics": these four together.
        - "coefficients": estimates with intervals; ``intercept=True`` adds the intercept.
        - "correlation": correlations of the estimates, as a map.
        - "profile": of a curve, the signed root of the profile likelihood of each parameter, beside the straight line
          that Wald's interval takes it for; ``parameters=`` chooses some.
    path : path, optional
        Where to write the picture too (.png, .svg, .pdf, .jpg or .webp), all or nothing.
    **options
        x and xscale, "linear" or "log" (for "fit"), intercept (for "coefficients"), parameters (for "profile").

    Returns
    -------
    matplotlib.figure.Figure
        Belongs to no window and to no pyplot state; notebooks show it.

    Raises
    ------
    OptionError
        An unknown kind, an option that the kind does not have, a file name that is no picture's.
    NotAvailableError
        The picture needs rows that a loaded model does not hold.

    Notes
    -----
    Of more than 5,000 rows, 5,000 are drawn, always the same ones, and the caption says so; the labelled extremes are
    those of all rows (of the drawn ones in "qq").
    """
    kind = known_kind(kind)
    if fit.rows is None and kind not in _WITHOUT_DATA:
        raise NotAvailableError(
            f"the picture {kind!r} needs the rows of the fit, and this model was loaded from a file, which holds none",
            advice='There are "coefficients", "correlation", and "fit" where everything that it varies is drawn.',
        )
    figure = _call(kind, fit, options)
    if path is not None:
        from thalweg.show.plots.style import save

        save(figure, path)
    return figure


def known_kind(kind: str) -> str:
    """The kind itself, its alias resolved.

    Raises
    ------
    OptionError
        No such kind; the text names the nearest and all.
    """
    from thalweg.show.plots.descent import KINDS as OF_THE_WAY

    kind = _ALIASES.get(kind, kind)
    if kind not in (*KINDS, *OF_CURVES):
        nearest = difflib.get_close_matches(str(kind), (*KINDS, *OF_CURVES, *OF_THE_WAY), 1)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise OptionError(
            f"there is no picture {kind!r}",
            advice=f"{hint}The kinds are {', '.join(KINDS)}, of a curve {', '.join(OF_CURVES)}, and of the way to it"
            f" {', '.join(OF_THE_WAY)}.",
        )
    return kind


_TAKES = {"fit": ("x", "xscale"), "coefficients": ("intercept",), "profile": ("parameters",)}


def _call(kind: str, fit: Fit, options: dict[str, Any]) -> Figure:
    for name in options:
        if name not in _TAKES.get(kind, ()):
            known = ", ".join(_TAKES.get(kind, ())) or "none"
            raise OptionError(f"the picture {kind!r} has no option {name!r}", advice=f"Its options: {known}.")
    return _drawers()[kind](fit, **options)


def _drawers() -> dict[str, Callable[..., Figure]]:
    """matplotlib is imported by the drawing, not by `import thalweg`."""
    from thalweg.show.plots import correlation, diagnostics, fitted, forest, profile

    return {
        "fit": fitted.draw_fit,
        "residuals": diagnostics.draw_residuals,
        "qq": diagnostics.draw_qq,
        "scale": diagnostics.draw_scale,
        "leverage": diagnostics.draw_leverage,
        "diagnostics": diagnostics.draw_diagnostics,
        "coefficients": forest.draw_coefficients,
        "correlation": correlation.draw_correlation,
        "profile": profile.draw_profile,
    }
