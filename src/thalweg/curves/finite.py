"""What is said of a curve for which no start is finite: the row that is to blame, where there is one.

A solver that begins where a row is infinite or not a number never moves. Where a search found no other start either,
the curve is computed row by row at many points: a row that is finite at none of them, while others are, is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.problem import CurveProblem, Part
from thalweg.curves.sample import sample_of
from thalweg.curves.starts import DECADES, candidates
from thalweg.data.rows import Rows
from thalweg.errors import DataError, OptionError, ThalwegError

POINTS = 64  # at which each row is computed
ONE_BY_ONE = 8  # of a curve that is called as it is
NEGATIVE = 0.3  # of their parameters
SHOWN = 3  # columns of the row


class Nowhere(NamedTuple):
    """A row without a finite value: its number among the rows of the fit, its inputs, and what is not finite there."""

    number: int
    inputs: str
    what: str


def not_finite(
    problem: CurveProblem, given: Mapping[str, float], rows: Rows | None = None, *, starts: int = 1
) -> ThalwegError:
    """The error for a problem whose objective is finite at no start.

    Parameters
    ----------
    problem : CurveProblem
    given : mapping of str to float
        The user's start.
    rows : Rows, optional
        Where the problem's rows come from.
    starts : int
        How many were tried.

    Returns
    -------
    DataError
        A row is finite at no parameters that were tried, and others are.
    OptionError
        Otherwise: the start is to blame, as far as one can see.
    """
    points = _points(problem, given)
    found = next(iter(_nowhere(problem, points)), None)
    if found is not None:
        place = f"row {found.number + 1}" if rows is None else _place(rows, found.number)
        return DataError(
            f"{found.what} has no finite value in {place}{found.inputs}, whatever its parameters",
            advice="Leave that row out, or write a curve that is finite there.",
        )
    outside = "" if problem.squares else f", or is outside what the {problem.loss.name} family allows,"
    which = "at the start" if starts < 2 else "at any start that was tried"
    return OptionError(f"the curve is not finite{outside} {which}", advice=_advice(problem, given))


def _advice(problem: CurveProblem, given: Mapping[str, float]) -> str:
    form = ", ".join(f"{name!r}: ..." for name in problem.names)
    return f"Give {'another' if given else 'a'} start at which it has a value in every row: start={{{form}}}."


def _points(problem: CurveProblem, given: Mapping[str, float]) -> Float[ndarray, "k p"]:
    """The start, and points on the scales of the data, or about 1 where no scales can be read."""
    sample = sample_of(problem)
    if sample is not None:
        drawn = candidates(sample, given, problem.lower, problem.upper, POINTS, 0)
    else:
        generator, shape = np.random.default_rng(0), (ONE_BY_ONE, len(problem.names))
        sign = np.where(generator.random(shape) < NEGATIVE, -1.0, 1.0)
        drawn = np.clip(sign * 10 ** generator.uniform(-DECADES, DECADES, shape), problem.lower, problem.upper)
    return np.concatenate([problem.start[None], drawn])


def _nowhere(problem: CurveProblem, points: Float[ndarray, "k p"]) -> Iterator[Nowhere]:
    """Rows that are finite at no point, where any other row of them is at some."""
    before, least = 0, None
    somewhere = False
    for part in problem.parts():
        if isinstance(part, Part):
            values, slopes = _finite(part, points)
            somewhere = somewhere or bool((values & slopes.all(axis=0)).any())
            bad = np.flatnonzero(~(values & slopes.all(axis=0)) & _counted(part))
            if least is None and bad.size:
                i = int(bad[0])
                least = Nowhere(before + i, _inputs(part, i), _what(problem, values[i], slopes[:, i]))
        before += len(part.y)
    if somewhere and least is not None:
        yield least


def _finite(part: Part, points: Float[ndarray, "k p"]) -> tuple[ndarray, ndarray]:
    """Whether the value in each row (n,), and its derivatives (p, n), are finite at any point."""
    values = np.zeros(len(part.y), dtype=bool)
    slopes = np.zeros((points.shape[1], len(part.y)), dtype=bool)
    for theta in points:
        f, jacobian = part.evaluator.jacobian(list(theta))
        values |= np.isfinite(f)
        slopes |= np.isfinite(jacobian)
    return values, slopes


def _counted(part: Part) -> ndarray:
    return np.ones(len(part.y), dtype=bool) if part.weight is None else part.weight > 0


def _what(problem: CurveProblem, value: bool, slopes: ndarray) -> str:
    if not value:
        return "the curve"
    names = [name for name, finite in zip(problem.names, slopes, strict=True) if not finite]
    return f"the derivative of the curve by {names[0]}"


def _inputs(part: Part, row: int) -> str:
    columns = getattr(part.evaluator, "columns", getattr(part.evaluator, "_columns", None)) or {}
    shown = [f"{name} = {float(column[row]):.6g}" for name, column in list(columns.items())[:SHOWN]]
    return f" ({', '.join(shown)})" if shown else ""


def _place(rows: Rows, number: int) -> str:
    """Where a row of the fit stands, in the user's terms."""
    for block in rows.blocks():
        if number < block.rows:
            numbers = block.numbers
            return rows.source.place(block.start + number if numbers is None else int(numbers[number]))
        number -= block.rows
    return f"row {number + 1}"
