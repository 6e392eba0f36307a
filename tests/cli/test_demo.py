"""`thalweg demo`: lists the lessons, runs one into a folder, and answers a name that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import thalweg.lessons as lessons
from thalweg.lessons import LESSONS, about, lesson, spelled

ROOT = Path(__file__).parents[2]


def test_every_lesson_is_listed_with_a_sentence(call):
    ended = call("demo")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "".join(f"{spelled(name)}\n  {about(name)}\n" for name in LESSONS)
    assert all(about(name).endswith(".") for name in LESSONS)


def test_the_examples_are_the_lessons():
    for name in LESSONS:
        path = ROOT / "examples" / f"{name}.py"
        assert path.is_symlink()
        assert not path.readlink().is_absolute()
        assert path.resolve() == ROOT / "src" / "thalweg" / "lessons" / f"{name}.py"
        assert len(path.read_text().splitlines()) < 80
    listed = (ROOT / "examples" / "README.md").read_text()
    assert all(f"[{path.stem}]({path.name})" in listed for path in (ROOT / "examples").glob("*.py"))


@pytest.fixture
def drawn(monkeypatch):
    """Every lesson replaced by one that writes a file and tells what it was given."""
    given = []

    def find(name):
        lesson(name)

        def main(folder, device, **options):
            given.append((folder, device, options))
            (folder / "picture.txt").write_text("a picture")
            print("what to see")

        return main

    monkeypatch.setattr(lessons, "lesson", find)
    return given


@pytest.mark.parametrize("name", ["line-by-hand", "line_by_hand", "LINE-BY-HAND"])
def test_a_lesson_writes_into_a_folder_of_its_own(call, drawn, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ended = call("demo", name)
    folder = Path("thalweg-demo", "line-by-hand")
    assert ended == (0, "what to see\n", f"wrote {folder / 'picture.txt'}\n")
    assert drawn == [(folder, "cpu", {})]
    assert (tmp_path / folder / "picture.txt").exists()


def test_folder_target_and_quiet_are_the_user_s(call, drawn, tmp_path):
    out = tmp_path / "new" / "folder"
    out.mkdir(parents=True)
    (out / "mine.txt").write_text("kept")
    assert call("demo", "cubic", "--out", out, "--target", "x**4", "--quiet") == (0, "what to see\n", "")
    assert drawn == [(out, "cpu", {"target": "x**4"})]
    assert sorted(path.name for path in out.iterdir()) == ["mine.txt", "picture.txt"]
    assert call("demo", "cubic", "--out", out).err == f"wrote {out / 'picture.txt'}\n"  # written again, and said again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["line-by-hnd"], "there is no lesson 'line-by-hnd'.\n  Did you mean 'line-by-hand'?"),
        (["spiral"], "There are: line-by-hand, line-by-autograd,"),
        (["boundary", "--target", "x"], "--target is for cubic, not for boundary"),
        (["--target", "x"], "--out and --target need the NAME of a lesson"),
        (["boundary", "--device", "abacus"], "--device 'abacus' cannot be used"),
    ],
)
def test_what_cannot_be_is_refused(call, drawn, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    ended = call("demo", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") <= 2
    assert not drawn


def test_a_folder_that_cannot_be_made_is_an_error(call, drawn, tmp_path):
    (tmp_path / "file").write_text("")
    ended = call("demo", "boundary", "--out", tmp_path / "file")
    assert ended.code == 2
    assert "cannot be made: file exists" in ended.err
