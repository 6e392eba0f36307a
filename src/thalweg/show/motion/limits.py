"""What a moving picture may be called, and how large and quick it may be."""

from __future__ import annotations

from pathlib import Path

from thalweg.errors import OptionError

SUFFIXES = (".gif", ".webp", ".mp4", ".html", "")
_SIDES = (160, 4000)  # pixels
_PIXELS = 500_000_000  # of all frames together: a gigabyte
_USUAL, _SLOWEST, _SHORTEST = 12.0, 2.0, 3.0  # frames per second; seconds
_FPS = (0.1, 50.0)  # a GIF's frame lasts 0.02 seconds or longer


def check_target(path: Path) -> None:
    """Refuse a name that says no format.

    Raises
    ------
    OptionError
    """
    if path.suffix.lower() not in SUFFIXES or not path.name:
        raise OptionError(
            f"a moving picture cannot be written as '{path.name}'",
            advice="End its name in .gif, .webp, .mp4 or .html, or in nothing: a folder of PNG files.",
        )


def check_numbers(fps: float | None, seconds: float | None, width: int, height: int) -> None:
    """Refuse what is too slow, too quick, too small or too large.

    Raises
    ------
    OptionError
    """
    if fps is not None and not _FPS[0] <= fps <= _FPS[1]:
        raise OptionError(f"fps is {fps!r}", advice=f"Give {_FPS[0]:g} to {_FPS[1]:g} frames per second.")
    if seconds is not None and not 0 < seconds < 36000:
        raise OptionError(f"seconds is {seconds!r}", advice="Give a number above 0, of ten hours at most.")
    for name, value in (("width", width), ("height", height)):
        if not isinstance(value, int) or not _SIDES[0] <= value <= _SIDES[1]:
            raise OptionError(f"{name} is {value!r}", advice=f"Give {_SIDES[0]} to {_SIDES[1]} pixels.")


def check_size(frames: int, width: int, height: int) -> None:
    """Refuse frames that do not fit into memory together, as the palette of all of them needs.

    Raises
    ------
    OptionError
    """
    if frames * width * height > _PIXELS:
        raise OptionError(
            f"{frames} frames of {width} by {height} pixels are too much", advice="Ask for fewer or smaller ones."
        )


def rate(frames: int, fps: float | None, seconds: float | None) -> float:
    """Frames per second: without a choice 12, fewer where the picture would be over in less than three seconds.

    Examples
    --------
    >>> rate(100, None, None), rate(12, None, None), rate(2, None, None), rate(12, 6.0, None)
    (12.0, 4.0, 2.0, 6.0)
    """
    if seconds is None:
        return min(_USUAL, max(frames / _SHORTEST, _SLOWEST)) if fps is None else fps
    return min(max(frames / seconds, _FPS[0]), _FPS[1])
