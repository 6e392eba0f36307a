"""The key of a picture, above its axes: what is inside covers what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thalweg.show.plots.style import DPI, TICK_SIZE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

_CHARACTER = 0.56  # of the size of type: the width of one, on average
_HANDLE = 3.6  # sizes of type: a sign and the room around it


def key_above(
    axes: Axes,
    handles: Sequence[Artist] | None = None,
    labels: Sequence[str] | None = None,
    *,
    share: float | None = None,
) -> Legend:
    """Signs and words in rows above the axes, as many in a row as have room.

    Parameters
    ----------
    axes : Axes
    handles : sequence of Artist, optional
        All that have a label.
    labels : sequence of str, optional
    share : float, optional
        Of the width of the figure, that the axes have; by default as many shares as there are columns of panels.
    """
    if handles is None:
        handles, found = axes.get_legend_handles_labels()
        labels = found if labels is None else labels
    words = [str(handle.get_label()) for handle in handles] if labels is None else list(labels)
    figure: Any = axes.figure
    width = figure.get_figwidth() * DPI * (_share(axes) if share is None else share) - 60
    size = TICK_SIZE * DPI / 72
    longest = max(size * (_HANDLE + _CHARACTER * len(word)) for word in words)
    abreast = max(1, min(len(words), int(width // longest)))
    return axes.legend(
        handles, words, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=abreast, fontsize=TICK_SIZE, frameon=False,
        borderpad=0.1, borderaxespad=0.2, handlelength=1.4, handletextpad=0.5, columnspacing=1.2,
    )  # fmt: skip


def _share(axes: Axes) -> float:
    """Of the width, by the grid that the axes stand in."""
    where: Any = axes.get_subplotspec()
    if where is None:
        return 1.0
    ratios = where.get_gridspec().get_width_ratios()
    return float(ratios[where.colspan.start] / sum(ratios))
