"""Frames to files: GIF and WebP by Pillow, MP4 by ffmpeg, or a folder of PNG."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from thalweg.errors import NotAvailableError, OutputError
from thalweg.show.motion.film import Image
from thalweg.show.motion.gif import HOLD, durations, write_gif
from thalweg.store.atomic import atomic_write, replacing


def write_webp(images: Iterable[Image], path: Path, fps: float) -> None:
    """An animated WebP."""
    from PIL import Image as Pillow

    frames = [Pillow.fromarray(image) for image in images]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="WEBP", save_all=True, append_images=frames[1:], duration=durations(len(frames), fps), loop=0,
        lossless=True, quality=40, method=2,
    )  # fmt: skip
    path.write_bytes(buffer.getvalue())


def write_folder(images: Iterable[Image], path: Path, fps: float) -> None:
    """One PNG for each frame, frame-000.png and so on, in a folder that is made where it is not there."""
    from PIL import Image as Pillow

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder '{path}' cannot be made: {error.strerror}", advice="Name another.") from None
    for number, image in enumerate(images):
        buffer = io.BytesIO()
        Pillow.fromarray(image).save(buffer, format="PNG")
        atomic_write(path / f"frame-{number:03d}.png", buffer.getvalue())


def ffmpeg() -> str:
    """The program that writes MP4, where matplotlib is told it is.

    Raises
    ------
    NotAvailableError
        It is not installed.
    """
    import matplotlib

    found = shutil.which(matplotlib.rcParams["animation.ffmpeg_path"])
    if found is None:
        raise NotAvailableError(
            "MP4 is written by the program ffmpeg, which is not there",
            advice="Install it (apt install ffmpeg, brew install ffmpeg), or end the name in .gif or .html.",
        )
    return found


def write_mp4(images: Iterable[Image], path: Path, fps: float) -> None:
    """An MP4 that every browser plays, written by ffmpeg.

    The frames go to ffmpeg as they are drawn; matplotlib's own writer would draw each frame whole.
    """
    program = ffmpeg()
    frames = list(images)
    frames += [frames[-1]] * round(HOLD * fps)
    height, width, _ = frames[0].shape
    with tempfile.TemporaryFile() as complaints:
        command = [
            program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", f"{fps:g}", "-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p",
            "-movflags", "+faststart", "-f", "mp4", os.fspath(path),
        ]  # fmt: skip
        done = subprocess.run(command, input=b"".join(f.tobytes() for f in frames), stderr=complaints, check=False)
        if done.returncode:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip().splitlines()
            raise OutputError(f"ffmpeg failed: {said[-1] if said else f'exit status {done.returncode}'}")


_WRITERS: dict[str, Callable[[Iterable[Image], Path, float], None]] = {
    ".gif": write_gif,
    ".webp": write_webp,
    ".mp4": write_mp4,
}


def write(images: Iterable[Image], path: Path, fps: float) -> None:
    """Write frames as the suffix says, all or nothing; where that is impossible, before the first is drawn."""
    suffix = path.suffix.lower()
    if suffix == "":
        write_folder(images, path, fps)
        return
    if suffix == ".mp4":
        ffmpeg()
    with replacing(path) as temporary:
        _WRITERS[suffix](images, temporary, fps)
