"""Frames to a GIF, with one palette for all of them so that no colour flickers.

1. Colours are rounded to 5, 6 and 5 bits, so that near-white becomes white and there are few of them.
2. Of a few frames together, Pillow's median cut chooses 255 colours; one index is kept for "as before".
3. Every colour that occurs is given the nearest of them, by a table.
4. Pillow stores of each frame what changed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16

from thalweg.show.motion.film import Image

HOLD = 2.0  # seconds that the last frame stays
_SAMPLED = 8  # frames whose colours make the palette of all
_COLOURS = 255  # and one for "as before"
Rounded = UInt16[np.ndarray, "h w"]


def write_gif(images: Iterable[Image], path: Path, fps: float) -> None:
    """A GIF that plays for ever."""
    from PIL import Image as Pillow

    rounded = [_rounded(image) for image in images]
    palette = _palette(rounded)
    table = _nearest(rounded, palette)
    frames = [Pillow.fromarray(table[each]) for each in rounded]
    colours = palette.tobytes()
    for frame in frames:
        frame.putpalette(colours)
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], duration=durations(len(frames), fps), loop=0,
        optimize=True, transparency=_COLOURS, palette=colours, disposal=1,
    )  # fmt: skip
    path.write_bytes(buffer.getvalue())


def durations(frames: int, fps: float) -> list[int]:
    """Milliseconds of each frame; a GIF counts in hundredths of a second, and players slow down below two of them."""
    each = max(20, round(100 / fps) * 10)
    return [each] * (frames - 1) + [max(each, round(HOLD * 1000))]


def _rounded(image: Image) -> Rounded:
    """Colours as numbers of 16 bits."""
    red, green, blue = (image[..., i].astype(np.uint16) for i in range(3))
    return (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3


def _colours(rounded: UInt16[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """What these numbers stand for: the lowest is black, the highest white."""
    parts = ((rounded >> 11) * 255.0 / 31, ((rounded >> 5) & 63) * 255.0 / 63, (rounded & 31) * 255.0 / 31)
    return np.stack(parts, axis=-1).round().astype(np.uint8)


def _palette(rounded: Sequence[Rounded]) -> UInt8[np.ndarray, "256 3"]:
    from PIL import Image as Pillow

    chosen = np.unique(np.linspace(0, len(rounded) - 1, _SAMPLED).round().astype(int))
    sample = Pillow.fromarray(_colours(np.concatenate([rounded[i] for i in chosen])))
    found = np.array(sample.quantize(_COLOURS, method=Pillow.Quantize.MEDIANCUT).getpalette(), dtype=np.uint8)
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: len(found) // 3] = found.reshape(-1, 3)[:256]
    return palette


def _nearest(rounded: Sequence[Rounded], palette: UInt8[np.ndarray, "256 3"]) -> UInt8[np.ndarray, "65536"]:
    """The index of the palette's nearest colour, for every colour that occurs."""
    occurs = np.zeros(2**16, dtype=bool)
    for each in rounded:
        occurs[each] = True
    used = np.flatnonzero(occurs).astype(np.uint16)
    wanted, there = _colours(used).astype(np.float32), palette[:_COLOURS].astype(np.float32)
    distance = (there**2).sum(axis=1) - 2 * wanted @ there.T  # the square of `wanted` is the same for all
    table = np.zeros(2**16, dtype=np.uint8)
    table[used] = distance.argmin(axis=1)
    return table
