"""What the documentation shows is run: Python blocks, and console lines with the output shown below them."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

import thalweg
from thalweg.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAME = doctest.OutputChecker()
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def _having(language: str) -> list[Path]:
    return [page for page in PAGES if page.exists() and _blocks(page, language)]


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with the file that the examples read."""
    monkeypatch.chdir(tmp_path)
    assert main(["datasets", "diabetes", "--out", "diabetes.csv"]) == 0
    return tmp_path


@pytest.mark.parametrize("page", _having("python"), ids=lambda page: page.name)
def test_python_blocks_run_in_order(page, workplace, capsys):
    names: dict[str, object] = {}
    for block in _blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)
    assert capsys.readouterr().out
    assert callable(thalweg.fit)


@pytest.mark.parametrize("page", _having("console"), ids=lambda page: page.name)
def test_console_lines_run_and_print_what_is_shown(page, workplace, capsys):
    for block in _blocks(page, "console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            printed = _run(command, workplace, capsys)
            if shown.strip():
                assert SAME.check_output(shown, printed, FLAGS), f"{command}\nprinted\n{printed}"


def _run(command: str, folder: Path, capsys) -> str:
    """Run one `thalweg ...` line, with `> file` and no other feature of a shell."""
    words = shlex.split(command, comments=True)
    assert words[0] == "thalweg"
    target = folder / words[words.index(">") + 1] if ">" in words else None
    arguments = words[1 : words.index(">")] if target else words[1:]
    capsys.readouterr()
    code = main(arguments)
    out, err = capsys.readouterr()
    assert code == 0, err
    if target is not None:
        target.write_text(out)
        return ""
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_error_that_the_readme_quotes_is_the_one_that_is_raised():
    quoted = re.search(r"<!-- divergence: begin -->\n(.*?)<!-- divergence: end -->", PAGES[0].read_text(), re.DOTALL)
    assert quoted is not None
    data = thalweg.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1, low=0, high=10)
    with pytest.raises(thalweg.errors.DivergenceError) as caught:
        thalweg.fit("y ~ x", data, solver=thalweg.GradientDescent(lr=0.1, steps=1000))
    assert quoted.group(1).replace("> ", "").split() == str(caught.value).split()
