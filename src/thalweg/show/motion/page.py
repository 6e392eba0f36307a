"""A descent as one HTML file that plays offline: numbers, a style and a script inside one page, and nothing outside it.

The page may load nothing: its Content-Security-Policy forbids every source but this one script and this one style,
which it names by their hashes. What the user wrote (names of columns and levels, the formula) is text everywhere: in
the markup escaped, in the numbers as JSON in which no character of markup is left, in the script only ever set as text.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from jaxtyping import Int

from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.motion.frames import choose_frames
from thalweg.show.motion.kinds import known_kind, require_path
from thalweg.show.motion.pace import pace
from thalweg.show.motion.page_content import content_of
from thalweg.show.motion.subject import Subject, subject_of
from thalweg.show.plots.run import Run, run_of

if TYPE_CHECKING:
    import numpy as np

    from thalweg.descent import Descent
    from thalweg.result import Fit

FRAMES = 300  # at most, without a choice: more than a minute of normal speed would bore
_ONLY = {"all": None, "fit": "scene", "loss": "loss", "traces": "traces", "surface": "surface"}


def write_page(
    descent: Descent | Fit,
    path: str | os.PathLike[str],
    kind: str | None = None,
    frames: int | Int[np.ndarray, "m"] | None = None,
    *,
    every: int | None = None,
    spacing: str = "auto",
) -> None:
    """Write a descent as a page that plays offline, with a slider over its steps.

    It shows the fit over the data, the loss, the parameters and the loss surface, each at the step of the slider, and
    the numbers in figures. Space plays and pauses, the arrow keys go step by step. A page of 500 frames takes less than
    1 MB.

    Parameters
    ----------
    descent : Descent or Fit
        With its states.
    path : path
        .html; written whole or not at all.
    kind : {"all", "fit", "loss", "traces", "surface"}, optional
        All panels, or one of them.
    frames : int or array of int, optional
        How many of the states at most (300 without a choice), or their places among the states that can be drawn.
    every, spacing : int, str
        As `animate` has them.

    Raises
    ------
    OptionError
        Another suffix or kind.
    NotAvailableError
        Fewer than two states, or a panel that this fit does not have.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile, thalweg as tw
    >>> from pathlib import Path
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}
    >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=300))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page(fit, f"{folder}/descent.html")
    ...     Path(folder, "descent.html").stat().st_size < 1_000_000
    True
    """
    from thalweg.store.atomic import atomic_write

    if not os.fsdecode(path).lower().endswith((".html", ".htm")):
        raise OptionError(f"a page cannot be written as '{os.fsdecode(path)}'", advice="End its name in .html.")
    atomic_write(path, page(run_of(descent), kind, frames, every, spacing).encode())


def page(
    run: Run,
    kind: str | None = None,
    frames: int | Int[np.ndarray, "m"] | None = None,
    every: int | None = None,
    spacing: str = "auto",
) -> str:
    """The page as text."""
    only, run = _ONLY[known_kind(kind)], run.finite()
    require_path(run)
    subject = _subject(run) if only in (None, "scene") else None
    if frames is None or isinstance(frames, int):
        most = FRAMES if frames is None and every is None else frames
        frames = choose_frames(run.steps, most, every, spacing, lambda: pace(run, subject))
    content = content_of(run, frames, only, subject)
    style, script = _asset("page.css"), _asset("plot.js") + _asset("page.js")
    return Template(_asset("page.html")).substitute(
        policy=policy(style, script),
        title=escape(content["heading"]),
        subtitle=escape(content["told"]),
        style=style,
        script=script,
        content=harmless_json(content),
    )


def _subject(run: Run) -> Subject | None:
    """The rows; a page without that panel does without them."""
    try:
        return subject_of(run)
    except NotAvailableError:
        return None


def _asset(name: str) -> str:
    return files("thalweg.show.motion").joinpath("page", name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing from anywhere, and of what is inside only what has these hashes."""
    sources = [f"{kind}-src '{_hash(text)}'" for kind, text in (("style", style), ("script", script))]
    return "; ".join(["default-src 'none'", *sources, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def harmless_json(content: Any) -> str:
    """JSON that can stand inside a script element: no character of markup is left in it.

    Examples
    --------
    >>> harmless_json({"name": "</script><b>"})
    '{"name":"\\\\u003c/script\\\\u003e\\\\u003cb\\\\u003e"}'
    """
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
