"""Which column is to blame for a small stable limit or a slow descent, and what to do about it.

The column with the largest loading in the eigenvector of the largest curvature sets the stable limit. Why it is large
is measured: what the largest curvature would be with the columns centred, and what with them on one scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.columns import Columns, columns_of
from thalweg.diagnose.spectrum import Spectrum, spectrum_of
from thalweg.diagnose.words import short
from thalweg.problem import Problem

SCALE = 10.0  # times the typical spread of the other columns, from where a column's scale is to blame
OUTLIER = 0.5  # part of a column's sum of squares that one row holds
FEW = 6  # rows among which one naturally holds much
COLLINEAR = 1e3  # condition number of standardized columns
LIKE = 0.02  # how near 0 a mean and 1 a spread are of a column that is on the scale of standardized ones
PART = 0.2  # of the largest weight in the flattest direction, from where a column is named
MOST = 5  # columns that are named


@final
@dataclass(frozen=True)
class Blame:
    """The column to blame.

    Attributes
    ----------
    name : str
        Of the column (the parameter).
    reason : str
        "uncentred", "scale", "outlier", or "" where it merely is the largest.
    text : str
        "`x`, which spans 0.2 to 9.9 and is not centred".
    advice : str
        What to do about it; empty where there is nothing.
    row : int or None
        The row far out, counted from 1.
    """

    name: str
    reason: str
    text: str
    advice: str
    row: int | None = None


def setter(problem: Problem) -> str:
    """ "set by `x`, which spans 0.2 to 9.9 and is not centred", for the sentence of a limit."""
    found = blame_of(problem, spectrum_of(problem), columns_of(problem))
    return f"set by {found.text}" if found.text else ""


def blame_of(problem: Problem, spectrum: Spectrum, columns: Columns | None) -> Blame:
    """The column that sets the largest curvature, and why.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> from thalweg.predictors import Linear
    >>> from thalweg.problem import MemoryProblem
    >>> x, y = torch.tensor([[1.0, 4.0], [1.0, 5.0]]).double(), torch.tensor([1.0, 3.0]).double()
    >>> problem = MemoryProblem(Linear(("Intercept", "x")), x, y, family("gaussian"))
    >>> blame_of(problem, spectrum_of(problem), columns_of(problem)).text
    '`x`, which spans 4 to 5 and is not centred'
    """
    place = int(spectrum.top.abs().argmax())
    name = problem.names[place]
    if columns is None or bool(columns.constant[place]):
        return Blame(name, "", f"`{name}`", "")
    span = f"spans {short(float(columns.low[place]))} to {short(float(columns.high[place]))}"
    reason = _reason(columns, place)
    far = int(columns.far[place]) + 1
    why = {
        "": "",
        "outlier": f" because of row {far}, which holds {columns.share[place]:.0%} of its sum of squares",
        "uncentred": " and is not centred",
        "scale": f" and has {short(_ratio(columns, place))} times the spread of the other columns",
    }[reason]
    text = f"`{name}`, which {span}{why}"
    return Blame(name, reason, text, _advice(columns, reason, name, far), far if reason == "outlier" else None)


def _reason(columns: Columns, place: int) -> str:
    if float(columns.share[place]) > OUTLIER and columns.rows > FEW:
        return "outlier"
    uncentred = columns.intercept is not None and abs(float(columns.mean[place])) > float(columns.spread[place])
    scale = _ratio(columns, place)
    if uncentred and scale * float(columns.spread[place]) <= SCALE * abs(float(columns.mean[place])):
        return "uncentred"
    if scale > SCALE:
        return "scale"
    return "uncentred" if uncentred else ""


def _ratio(columns: Columns, place: int) -> float:
    """The spread of a column over the median of the others' (1 where there are none)."""
    others = [j for j in columns.moving if j != place]
    if not others:
        return 1.0
    return float(columns.spread[place] / columns.spread[others].median())


def _advice(columns: Columns, reason: str, name: str, row: int) -> str:
    others = [columns.names[j] for j in columns.moving if columns.names[j] != name and not _standard(columns, j)]
    if reason == "outlier":
        which = "it" if not others else "every column"
        return f"Look at row {row}: is `{name}` right there? If it is, take its logarithm or standardize {which}."
    if reason not in ("uncentred", "scale"):
        return ""
    if others:  # one alone may make it worse, and what standardizing is said to do is of all
        names = [each for each in columns.names if each == name or each in others]
        if len(names) > MOST or not all(map(_plain, names)):
            return "Standardize every column of numbers: write scale(..., ddof=0) around each of them in the formula."
        return f"Standardize every column: write {' + '.join(map(_scaled, names))} in the formula."
    what = "standardize" if reason == "scale" or len(columns.moving) > 1 else "centre or standardize"
    how = f": write {_scaled(name)} in the formula" if _plain(name) else ""
    return f"{what.capitalize()} `{name}`{how}."


def _standard(columns: Columns, place: int) -> bool:
    """Whether a column is standardized already, with either divisor."""
    return abs(float(columns.mean[place])) < LIKE and abs(float(columns.spread[place]) - 1) < LIKE


def _plain(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", name) is not None


def _scaled(name: str) -> str:
    return f"scale({name}, ddof=0)"


def collinear(columns: Columns | None, correlation: Float[Tensor, "p p"] | None) -> str:
    """Columns that are nearly combinations of one another, in words; empty where there are none."""
    if columns is None or correlation is None:
        return ""
    values, vectors = torch.linalg.eigh(correlation[columns.moving][:, columns.moving])
    if float(values[-1]) <= COLLINEAR * max(float(values[0]), 0.0):
        return ""
    weights = vectors[:, 0].abs()
    order = weights.argsort(descending=True).tolist()
    named = [f"`{columns.names[columns.moving[k]]}`" for k in order if weights[k] > PART * weights.max()]
    *first, last = named[:MOST]
    if not first:
        return f"{last} is nearly a combination of the others"
    powers = [found for name in named if (found := re.fullmatch(r"`I\((\w+) \*\* (\d+)\)`", name))]
    listed = f"{', '.join(first)} and {last} are nearly collinear"
    if not powers:
        return listed
    variable, degree = powers[0][1], max(int(found[2]) for found in powers)
    return f"{listed}: write poly({variable}, {degree}), whose columns are not"
