"""Files that are replaced whole: a reader sees the old contents or the new, whenever the writer is stopped.

1. Write to a temporary file in the folder of the target (a rename is atomic only inside one file system).
2. Flush it to the disk (`fsync`), or a power cut could leave the new name on an empty file.
3. Rename it over the target.
4. Flush the folder, so that the rename itself outlives a power cut.

Until step 3 the target is untouched. A temporary file that a killed process left behind starts with `.thalweg-`, can be
deleted, and is in nobody's way: the next one has another name.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thalweg.errors import OptionError, OutputError

_UNCHANGED = "Nothing was changed; name another place."
_REASONS = {
    errno.ENOSPC: ("the disk is full", "What was there before is unchanged; free some space or name another place."),
    errno.EDQUOT: ("the disk quota is used up", "What was there before is unchanged; free some space."),
    errno.EFBIG: ("the file would be larger than this system allows", _UNCHANGED),
    errno.ENOENT: ("no file can be created in its folder", _UNCHANGED),
    errno.EROFS: ("the file system is read-only", _UNCHANGED),
    errno.EACCES: ("its folder cannot be written to", _UNCHANGED),
    errno.EPERM: ("its folder cannot be written to", _UNCHANGED),
    errno.ENAMETOOLONG: ("the name is too long", "Name a shorter one."),
    errno.ELOOP: ("its symbolic links go round in a circle", _UNCHANGED),
}
_FROM_A_WRITER = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # what only writing can raise


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write these bytes to a file, all or nothing.

    Parameters
    ----------
    path : str or path
        The file; an existing one is replaced, and keeps its permissions.
    data : bytes
        The whole contents.

    Raises
    ------
    OutputError
        The file cannot be written; a file that was there is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(f"{folder}/a.txt", b"whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    with replacing(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        try:
            rest = memoryview(data)
            while rest:  # os.write may write a part, as it does just before the disk is full
                rest = rest[os.write(handle, rest) :]
        finally:
            os.close(handle)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the name of a temporary file that becomes `path` when the body ends without an exception.

    The temporary file exists and is empty, lies in the folder of the target (symbolic links are followed: the file that
    they lead to is replaced) and has the same suffix, so that a writer which reads the format off the name still can.
    Any exception in the body, Ctrl-C included, removes it and leaves the target as it was.

    Parameters
    ----------
    path : str or path
        The file to create or to replace. An existing file keeps its permissions, and its owner where the system lets
        us; its other hard links keep the old contents.

    Yields
    ------
    Path
        The temporary file.

    Raises
    ------
    OutputError
        A full disk, a missing or read-only folder, a write-protected file, a folder or a device under that name.
    OptionError
        A path that cannot name a file (empty, or with a NUL character).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.csv")) as temporary:
    ...         _ = temporary.write_text("x,y")
    ...     Path(folder, "a.csv").read_text()
    'x,y'
    """
    target = _target(path)
    old = _existing(target)
    temporary = target.with_name(f".thalweg-{secrets.token_hex(8)}.tmp{_short_suffix(target)}")
    try:
        _create(temporary, target, 0o666 if old is None else _permissions(old) | stat.S_IWUSR)
        yield temporary
        _commit(temporary, target, old)
    except OSError as problem:
        if problem.errno not in _FROM_A_WRITER:
            raise
        raise _explained(problem, target) from problem
    finally:
        with suppress(OSError):  # renamed already, or never created
            temporary.unlink()
    _flush_folder(target.parent)


def _target(path: str | os.PathLike[str]) -> Path:
    """The file itself, behind any symbolic links."""
    name = os.fsdecode(path)
    if not name or "\0" in name:
        raise OptionError(f"{name!r} cannot be the name of a file", advice="Give the path of the file to write.")
    if name.endswith(("/", os.sep)):
        raise OutputError(f"{name!r} is the name of a folder, not of a file", advice="Add the name of a file.")
    return Path(os.path.realpath(name))


def _existing(target: Path) -> os.stat_result | None:
    """What is there now, or None; raises where it must not be replaced."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _explained(problem, target) from problem
    if stat.S_ISDIR(found.st_mode):
        raise OutputError(f"'{target}' is a folder", advice="Name a file inside it.")
    if not stat.S_ISREG(found.st_mode):
        raise OutputError(f"'{target}' is a device or a pipe, not a file", advice="Name an ordinary file.")
    if not os.access(target, os.W_OK):
        raise OutputError(f"'{target}' is write-protected", advice="Name another file, or make this one writable.")
    return found


def _short_suffix(target: Path) -> str:
    """The suffix, unless the name made of it could be too long for a file system."""
    return target.suffix if len(target.suffix) <= 16 else ""


def _permissions(old: os.stat_result) -> int:
    """Who may read, write and execute; never the set-user bits."""
    return stat.S_IMODE(old.st_mode) & 0o777


def _create(temporary: Path, target: Path, permissions: int) -> None:
    """An empty file that nobody else has open: no more readable than the old one, the umask applied as for any file."""
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, permissions))
    except OSError as problem:
        raise _explained(problem, target) from problem


def _commit(temporary: Path, target: Path, old: os.stat_result | None) -> None:
    """Steps 2 and 3."""
    try:
        handle = os.open(temporary, os.O_RDWR)
        try:
            if old is not None:
                _same_permissions(handle, old)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, target)
    except OSError as problem:
        raise _explained(problem, target) from problem


def _same_permissions(handle: int, old: os.stat_result) -> None:
    """Owner first: changing it may clear permission bits. Another owner's file stays ours where we are not root."""
    if not hasattr(os, "fchmod"):
        return
    with suppress(OSError):
        os.fchown(handle, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.fchmod(handle, _permissions(old))


def _flush_folder(folder: Path) -> None:
    """Step 4. The new file is in place already, so a file system that cannot flush a folder is no failure."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _explained(problem: OSError, target: Path) -> OutputError:
    """The system's error in words: which file, why, what to do."""
    if isinstance(problem, OutputError):
        return problem
    folder = target.parent
    if problem.errno == errno.ENOENT and not os.path.exists(folder):
        return OutputError(f"there is no folder '{folder}'", advice="Create it, or name another place.")
    if problem.errno == errno.ENOTDIR:
        return OutputError(f"'{folder}' goes through a file, not a folder", advice="Name another place.")
    reason, advice = _REASONS.get(problem.errno or 0, (problem.strerror or str(problem), _UNCHANGED))
    return OutputError(f"'{target}' cannot be written: {reason}", advice=advice)
