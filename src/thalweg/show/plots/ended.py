"""The fit over the data where a descent ended: the last frame of its moving picture, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.show.plots.style import caption, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.show.plots.run import Run


def draw_end(run: Run, x: str | None = None) -> Figure:
    """The scene that suits the predictor, at the last state that can be drawn.

    Raises
    ------
    OptionError
        x is no column that the model can be drawn along.
    NotAvailableError
        The run holds no rows.
    """
    from thalweg.show.motion.kinds import fit_scene
    from thalweg.show.motion.subject import subject_of

    finite = run.finite()
    scene = fit_scene(subject_of(run), finite.path[-1:], x)
    figure = new_figure(7.2, 5.2)
    scene.draw(figure.subplots())
    scene.move(0)
    headline(figure, f"{run.title}: {run.ending} at step {finite.steps[-1]:,}")
    caption(figure, scene.note)
    return figure
