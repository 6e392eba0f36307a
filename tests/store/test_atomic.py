"""Files that are replaced whole: whatever stops the writer, the file holds the old contents or the new."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from thalweg.errors import OptionError, OutputError
from thalweg.store import atomic
from thalweg.store.atomic import atomic_write, replacing

OLD, NEW = b"old" * 1000, b"new" * 5000
POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions, links and signals as POSIX has them")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "m.bin"
    path.write_bytes(OLD)
    return path


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_creates_and_replaces(tmp_path):
    path = tmp_path / "m.bin"
    for data in (OLD, NEW, b""):
        atomic_write(path, data)
        assert path.read_bytes() == data
    assert files(tmp_path) == ["m.bin"]


def test_text_paths_and_relative_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic_write("m.bin", NEW)
    assert (tmp_path / "m.bin").read_bytes() == NEW


def test_the_temporary_file_is_beside_the_target_with_its_suffix(target):
    with replacing(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".bin"
        assert temporary.read_bytes() == b""
        temporary.write_bytes(NEW)
        assert target.read_bytes() == OLD
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit, MemoryError, FileNotFoundError])
def test_an_exception_leaves_no_trace(target, problem):
    with pytest.raises(problem, match="mine"), replacing(target) as temporary:  # noqa: PT012
        temporary.write_bytes(NEW)
        raise problem("mine")
    assert target.read_bytes() == OLD
    assert files(target.parent) == ["m.bin"]


def test_an_exception_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "n.bin") as temporary:  # noqa: PT012
        temporary.write_bytes(NEW)
        raise KeyboardInterrupt
    assert files(tmp_path) == []


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_of_an_existing_file_stay(target, mode):
    target.chmod(mode)
    with replacing(target) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & ~mode == 0  # never readable by more, not even for a moment
        temporary.write_bytes(NEW)
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert target.read_bytes() == NEW


@POSIX
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "n.bin", NEW)
    assert (tmp_path / "n.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


@POSIX
def test_symbolic_links_stay_links(tmp_path, target):
    (tmp_path / "sub").mkdir()
    link, dangling = tmp_path / "sub" / "link", tmp_path / "sub" / "dangling"
    link.symlink_to(Path("..") / "m.bin")
    dangling.symlink_to(tmp_path / "later.bin")
    for path in (link, dangling):
        atomic_write(path, NEW)
        assert path.is_symlink()
    assert target.read_bytes() == NEW
    assert (tmp_path / "later.bin").read_bytes() == NEW


def test_the_longest_name(tmp_path):
    name = "n" * 250 + ".bin"
    atomic_write(tmp_path / name, NEW)
    atomic_write(tmp_path / ("." + "s" * 250), NEW)
    with pytest.raises(OutputError, match="name is too long"):
        atomic_write(tmp_path / ("n" * 300), NEW)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_no_name_at_all(path):
    with pytest.raises(OptionError, match="cannot be the name of a file"):
        atomic_write(path, NEW)


def test_folders_and_missing_folders(tmp_path, target):
    with pytest.raises(OutputError, match=r"is a folder\. Name a file inside it"):
        atomic_write(tmp_path, NEW)
    with pytest.raises(OutputError, match="is the name of a folder"):
        atomic_write(f"{tmp_path}/new/", NEW)
    with pytest.raises(OutputError, match=r"there is no folder '.*nowhere'\. Create it"):
        atomic_write(tmp_path / "nowhere" / "m.bin", NEW)
    with pytest.raises(OutputError, match="goes through a file"):
        atomic_write(target / "m.bin", NEW)
    assert files(tmp_path) == ["m.bin"]


@POSIX
def test_devices_pipes_and_circles(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OutputError, match="a device or a pipe"):
            atomic_write(path, NEW)
    with pytest.raises(OutputError, match="round in a circle"):
        atomic_write(tmp_path / "a", NEW)
    assert files(tmp_path) == ["a", "b", "pipe"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc, in which nobody can create a file")
def test_a_folder_where_even_root_cannot_write():
    with pytest.raises(OutputError, match=r"no file can be created in its folder|its folder cannot be written to"):
        atomic_write("/proc/m.bin", NEW)


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folders_and_files(tmp_path, target):
    target.chmod(0o444)
    with pytest.raises(OutputError, match="write-protected"):
        atomic_write(target, NEW)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="its folder cannot be written to"):
            atomic_write(tmp_path / "n.bin", NEW)
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "is read-only"),
        (errno.EACCES, "its folder cannot be written to"),
        (errno.EIO, "cannot be written: Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["stat", "open", "fsync", "replace"])
def test_each_step_that_fails_says_why(target, monkeypatch, call, code, words):
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, call, fail)
    with pytest.raises(OutputError, match=words) as caught, replacing(target):
        pass
    monkeypatch.undo()
    assert str(target) in str(caught.value)
    assert target.read_bytes() == OLD
    assert files(target.parent) == ["m.bin"]


@POSIX
def test_contents_reach_the_disk_before_the_name_and_the_name_before_the_end(target, monkeypatch):
    """A power cut cannot be staged here; the order of calls that guards against it can be seen."""
    seen = []

    def spy(call: str) -> None:
        real = getattr(os, call)

        def wrapped(*arguments: Any) -> Any:
            folder = call == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            seen.append("fsync of the folder" if folder else call)
            return real(*arguments)

        monkeypatch.setattr(atomic.os, call, wrapped)

    for call in ("write", "fsync", "replace"):
        spy(call)
    atomic_write(target, NEW)
    assert seen == ["write", "fsync", "replace", "fsync of the folder"]


def test_a_write_that_fails_half_way_says_why(target, monkeypatch):
    real, calls = os.write, []

    def fill(handle: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data[:100])

    monkeypatch.setattr(atomic.os, "write", fill)
    with pytest.raises(OutputError, match=r"the disk is full\. What was there before is unchanged"):
        atomic_write(target, NEW)
    assert calls == [15000, 14900, 14800]
    assert target.read_bytes() == OLD
    assert files(target.parent) == ["m.bin"]


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in another process, which a kill or a limit may end."""
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=folder, capture_output=True, text=True)


@POSIX
def test_a_real_limit_of_the_system(target):
    """RLIMIT_FSIZE stands for a full disk: the system itself refuses the write, half way."""
    done = run(
        target.parent,
        """
        import resource
        from thalweg.errors import OutputError
        from thalweg.store.atomic import atomic_write
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            atomic_write("m.bin", b"new" * 5000)
        except OutputError as problem:
            print(problem)
        """,
    )
    assert "larger than this system allows" in done.stdout, done.stderr
    assert target.read_bytes() == OLD
    assert files(target.parent) == ["m.bin"]


KILLED_AT = """
    import os, sys
    from thalweg.store import atomic
    left = {step}
    def dying(call):
        real = getattr(os, call)
        def wrapped(*arguments, **options):
            global left
            if left == 0:
                os._exit(9)  # as by SIGKILL: no handler, no cleaning up
            left -= 1
            return real(*arguments, **options) if call != "write" else real(arguments[0], arguments[1][:6000])
        return wrapped
    calls = ("stat", "open", "write", "close", "fchown", "fchmod", "fsync", "replace", "unlink")
    for call in calls:
        setattr(atomic.os, call, dying(call))
    atomic.atomic_write("m.bin", b"new" * 5000)
    os.write(1, str({step} - left).encode())
"""


@POSIX
def test_killed_at_each_step(target):
    """Stop at the k-th call to the system, for every k, until a run comes through."""
    seen = []
    for step in range(100):
        target.write_bytes(OLD)
        done = run(target.parent, KILLED_AT.format(step=step))
        seen.append(target.read_bytes())
        atomic_write(target.parent / "next.bin", NEW)  # what was left behind is in nobody's way
        if done.returncode == 0:
            break
        assert done.returncode == 9, done.stderr
    assert step > 8
    assert set(seen) == {OLD, NEW}
    assert seen == sorted(seen, reverse=True)  # b"old" > b"new": one switch, at the rename
    left = [name for name in files(target.parent) if name not in ("m.bin", "next.bin")]
    assert all(name.startswith(".thalweg-") for name in left)


@POSIX
def test_killed_at_random_moments(target):
    """A process that saves without pause, stopped by SIGKILL."""
    code = """
        from thalweg.store.atomic import atomic_write
        print(flush=True)
        while True:
            for letter in b"ab":
                atomic_write("m.bin", bytes([letter]) * 2_000_000)
    """
    for trial in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)], cwd=target.parent, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.01 + 0.007 * trial)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = target.read_bytes()
        assert found == OLD or (len(found) == 2_000_000 and len(set(found)) == 1)


def test_readers_and_writers_at_once_see_whole_files(target):
    stop = threading.Event()

    def write(data: bytes) -> None:
        while not stop.is_set():
            atomic_write(target, data)

    writers = [threading.Thread(target=write, args=(letter * 50_000,)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    try:
        seen = [target.read_bytes() for _ in range(300)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert all(data == OLD or (len(data) == 50_000 and len(set(data)) == 1) for data in seen)
    assert files(target.parent) == ["m.bin"]
