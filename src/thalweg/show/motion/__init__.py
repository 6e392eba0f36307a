"""Moving pictures of a descent: the fit over the data, its loss, its parameters, its path over the loss surface."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.descent import Descent
    from thalweg.result import Fit
    from thalweg.show.motion.subject import Subject
    from thalweg.show.plots.run import Run

__all__ = ["animate"]


def animate(
    descent: Descent | Fit,
    path: str | os.PathLike[str],
    kind: str | None = None,
    *,
    frames: int | None = None,
    every: int | None = None,
    spacing: str = "auto",
    fps: float | None = None,
    seconds: float | None = None,
    title: str | None = None,
    x: str | None = None,
    parameters: Sequence[str] | None = None,
    width: int = 600,
    height: int = 400,
) -> None:
    """Draw a descent as a moving picture.

    The frames come from the states that the fit recorded, so that a fit never waits for a picture. All frames have the
    same axes, which are fixed by the data and the first frame: a line that diverges leaves them, and the frame says so.
    A descent that diverged ends at the last state whose loss is below 1e200. The last frame is held for two seconds.

    Parameters
    ----------
    descent : Descent or Fit
        A fit by any solver that was made in this session.
    path : path
        .gif, .webp, .mp4 (with the program ffmpeg), .html (plays offline), or a name without a suffix: a folder of
        PNG files. A file is written whole or not at all.
    kind : {"all", "fit", "loss", "traces", "surface"}, optional
        - "fit": one number column: its curve over the data (for each level of a category). Two columns and a
          probability: its shading, and the boundary where it is 1/2. A weight for each place: pictures, or bars.
          Otherwise fitted against observed values.
        - "loss": the loss; "traces": the parameters; "surface": the path on the loss surface.
        - "all" (or "both"; the default): "fit" on the left, "loss" on the right.
    frames : int, optional
        At most so many (100, of a page 300, where `every` is not given either).
    every : int, optional
        A frame every so many steps. A descent that swings at each step looks calm where this is even.
    spacing : {"auto", "equal", "log"}
        Of so many frames: "auto" shows the first steps one by one and then a frame whenever enough of the picture has
        changed; "equal" is equal numbers of steps; "log" equal steps of their logarithm.
    fps : float, optional
        Frames per second, 0.1 to 50; without a choice 12, or fewer where it would be over within three seconds.
    seconds : float, optional
        How long it plays, in place of `fps`.
    title : str, optional
        In place of the solver and its rate.
    x : str, optional
        Of a model of several columns: the one along which it is drawn, the others held at their means.
    parameters : two str, optional
        For "surface": across and up.
    width, height : int
        Of a frame in pixels, 160 to 4,000.

    Raises
    ------
    OptionError
        Another suffix or kind, numbers out of their ranges, frames and every together.
    NotAvailableError
        Fewer than two states, no ffmpeg, or a kind that this fit does not have.
    OutputError
        The file cannot be written.

    Notes
    -----
    More than 2,000 rows: 2,000 are drawn, always the same ones.

    Examples
    --------
    >>> import tempfile, thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.2, steps=600))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animate(fit, f"{folder}/descent.gif", every=20)
    """
    from thalweg.show.motion.kinds import known_kind, require_path
    from thalweg.show.motion.limits import check_numbers, check_size, check_target, rate
    from thalweg.show.plots.run import run_of

    target, kind = Path(os.fsdecode(path)), known_kind(kind)
    check_target(target)
    check_numbers(fps, seconds, width, height)
    run = run_of(descent).finite()
    require_path(run)
    if target.suffix.lower() == ".html":
        from thalweg.show.motion.page import write_page

        write_page(descent, target, kind, frames, every=every, spacing=spacing)
        return
    chosen, subject = _chosen(run, kind, frames, every, spacing)
    check_size(len(chosen), width, height)
    _write(run, chosen, subject, target, kind, rate(len(chosen), fps, seconds), title, x, parameters, width, height)


def _chosen(run: Run, kind: str, frames: int | None, every: int | None, spacing: str) -> tuple[Any, Subject | None]:
    """The places of the frames among the states, and the rows, where the picture is of the fit."""
    from thalweg.show.motion.frames import choose_frames
    from thalweg.show.motion.pace import pace
    from thalweg.show.motion.subject import subject_of

    subject = subject_of(run) if kind in ("all", "fit") else None
    return choose_frames(run.steps, frames, every, spacing, lambda: pace(run, subject)), subject


def _write(
    run: Run, chosen: Any, subject: Subject | None, target: Path, kind: str, fps: float, title: str | None, *rest: Any
) -> None:
    from thalweg.show.motion.film import Film
    from thalweg.show.motion.kinds import panels
    from thalweg.show.motion.words import Telling
    from thalweg.show.motion.write import write

    x, parameters, width, height = rest
    words = Telling(run.at(chosen), run.title if title is None else title, width)
    film = Film(panels(run, chosen, kind, x, parameters, subject), words, len(chosen), width, height)
    write(film.images(), target, fps)
