"""The states of a solve as a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thalweg.show.frames import frame, library_for

if TYPE_CHECKING:
    from thalweg.data.rows import Rows
    from thalweg.observers import History


def history_frame(trace: History, names: Sequence[str], rows: Rows | None) -> Any:
    """step, loss, gradient_norm, learning_rate, seconds, and one column for each parameter.

    A frame of the library that the data came in, else pandas, else pyarrow. A parameter whose name one of those five
    columns has gets an underscore at its end.
    """
    columns: dict[str, Any] = {
        "step": trace.step,
        "loss": trace.value,
        "gradient_norm": trace.gradient_size,
        "learning_rate": trace.rate,
        "seconds": trace.seconds,
    }
    for name, values in zip(names, trace.path.T.tolist(), strict=True):
        while name in columns:
            name += "_"
        columns[name] = values
    return frame(columns, library_for(None if rows is None else rows.source))
