"""Pictures of a descent, by kind."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.descent import Descent
    from thalweg.result import Fit

KINDS = ("loss", "traces", "surface", "surface3d", "gradient", "rate")  # of the way to a fit
EVERY = ("fit", *KINDS)  # of a descent
_TAKES = {
    "fit": ("x",), "loss": ("excess",),
    "traces": ("parameters",), "surface": ("parameters",), "surface3d": ("parameters",),
}  # fmt: skip


def plot_descent(
    descent: Descent | Fit, kind: str = "loss", path: str | os.PathLike[str] | None = None, **options: Any
) -> Figure:
    """Draw what a descent did.

    Parameters
    ----------
    descent : Descent or Fit
        Of a fit by another solver there are "fit", "loss", "traces" and "gradient".
    kind : str
        - "fit": the fit over the data where the descent ended, as a moving picture shows it; ``x=`` chooses the column
          along which a model of several is drawn.
        - "loss": the loss at each step, in the solver's convention, with the least value of a quadratic dashed; on a
          logarithmic axis where it spans more than a decade and a half. ``excess=True`` draws loss minus least.
        - "traces": the parameters at each step, their optimum dashed; ``parameters=`` chooses some by name.
        - "surface": contours of the loss over two parameters, ``parameters=("x", "Intercept")`` (by default the two
          that moved the furthest), with the path on it. The others are at their best for each pair where the loss is
          quadratic, else held at their optimum.
        - "surface3d": the same in three dimensions, the path at its own loss.
        - "gradient", "rate": the Euclidean norm of the gradient, and the learning rate, at each step.
    path : path, optional
        Where to write the picture too (.png, .svg, .pdf, .jpg or .webp), all or nothing.
    **options
        Those of the kind.

    Returns
    -------
    matplotlib.figure.Figure
        Belongs to no window; notebooks show it.

    Raises
    ------
    OptionError
        An unknown kind, option or parameter, a file name that is no picture's.
    NotAvailableError
        A surface of fewer than two parameters, an excess over a least value that is not known.

    Notes
    -----
    States from the first on whose loss is not finite are not drawn; the caption says so.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.2, steps=600))
    >>> fit.descent.plot("surface", parameters=("x", "Intercept")).axes[0].get_xlabel()
    'x'
    """
    figure = _drawer(kind, options)(descent, options)
    if path is not None:
        from thalweg.show.plots.style import save

        save(figure, path)
    return figure


def _drawer(kind: str, options: dict[str, Any]) -> Callable[[Any, dict[str, Any]], Figure]:
    """What draws a kind, its options checked. matplotlib is imported by the drawing, not before."""
    if kind not in EVERY:
        nearest = difflib.get_close_matches(str(kind), EVERY, 1)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise OptionError(
            f"there is no picture {kind!r} of a descent", advice=f"{hint}The kinds are {', '.join(EVERY)}."
        )
    for name in options:
        if name not in _TAKES.get(kind, ()):
            known = ", ".join(_TAKES.get(kind, ())) or "none"
            raise OptionError(f"the picture {kind!r} has no option {name!r}", advice=f"Its options: {known}.")
    return _draw(kind)


def _draw(kind: str) -> Callable[[Any, dict[str, Any]], Figure]:
    from thalweg.show.plots import ended, loss_curve, traces, valley
    from thalweg.show.plots.run import run_of

    drawers: dict[str, Callable[..., Figure]] = {
        "fit": ended.draw_end,
        "loss": loss_curve.draw_loss,
        "traces": traces.draw_traces,
        "surface": valley.draw_surface,
        "surface3d": valley.draw_surface3d,
        "gradient": loss_curve.draw_gradient,
        "rate": loss_curve.draw_rate,
    }
    return lambda descent, options: drawers[kind](run_of(descent), **options)
