"""The lessons: scripts of a screenful that fit something by descent, say what they see, and leave pictures.

Each is a module with a function `main(folder, device)`; the first line of its docstring says what it is. The same files
are `examples/NAME.py`.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thalweg.errors import OptionError

LESSONS = (
    "line_by_hand",
    "line_by_autograd",
    "line_by_module",
    "cubic",
    "line_animated",
    "boundary",
    "elementwise",
)


def about(name: str) -> str:
    """The sentence of a lesson, which is read and not run.

    Examples
    --------
    >>> about("cubic")
    'A cubic that imitates a curve: by hand, by autograd and by a module, with the same numbers.'
    """
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def spelled(name: str) -> str:
    """A name as the command line writes it: with dashes."""
    return name.replace("_", "-")


def lesson(name: str) -> Callable[..., None]:
    """The function that runs a lesson; its name with dashes or underscores.

    Raises
    ------
    OptionError
        There is none; the nearest is named.
    """
    found = name.strip().lower().replace("-", "_").removesuffix(".py")
    if found not in LESSONS:
        near = difflib.get_close_matches(found, LESSONS, n=1)
        known = ", ".join(map(spelled, LESSONS))
        advice = f"Did you mean {spelled(near[0])!r}?" if near else f"There are: {known}."
        raise OptionError(f"there is no lesson {name!r}", advice=advice)
    module: Any = importlib.import_module(f"thalweg.lessons.{found}")
    return module.main
