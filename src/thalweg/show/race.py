"""Several solvers from one start on one problem, side by side."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float

from thalweg.errors import OptionError, ThalwegWarning
from thalweg.foreign_solvers import solver_advice
from thalweg.show.numbers import aligned, significant
from thalweg.show.plots.optimum import Optimum, optimum_of
from thalweg.show.plots.run import Run, run_of
from thalweg.solvers.schedules import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.descent import Descent
    from thalweg.solvers.descent import DescentSolver

TOLERANCE = 1e-6
_ROUNDING = 1e-13  # of a loss: differences below it are of arithmetic and not of solvers


@final
@dataclass(frozen=True, eq=False)
class Entry:
    """One solver in a race.

    Attributes
    ----------
    name : str
    descent : Descent
        What it did.
    run : Run
        Its states, the loss in the convention of the first solver; that of the last state is over all rows.
    warnings : tuple of str
        What its fit warned of.
    """

    name: str
    descent: Descent
    run: Run
    warnings: tuple[str, ...]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Race:
    """Several descents from one start.

    Made by `thalweg.race`. Print it; `table()` gives the same as a frame.

    Attributes
    ----------
    entries : mapping of str to Entry
        By the names of the solvers.
    tolerance : float
        The excess at which a solver is there, as a share of the excess at the start.
    optimum : Optimum or None
        Exact for a squared loss of a linear predictor, else found by Newton's method; where there is none, excesses are
        over the least loss that any solver reached.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}
    >>> solvers = {"slow": tw.GradientDescent(lr=0.02), "quick": tw.GradientDescent(lr=0.2)}
    >>> race = tw.race("y ~ x", data, solvers, steps=300)
    >>> {name: race.steps_to(name) for name in race.entries}
    {'slow': 201, 'quick': 20}
    >>> list(race.columns()["ending"])
    ['converged', 'converged']
    """

    entries: Mapping[str, Entry]
    tolerance: float
    optimum: Optimum | None

    @property
    def runs(self) -> dict[str, Run]:
        """The states of each solver."""
        return {name: entry.run for name, entry in self.entries.items()}

    @property
    def least(self) -> float:
        """The loss over which excesses are."""
        if self.optimum is not None:
            return self.optimum.value
        finite = [run.finite() for run in self.runs.values()]
        return min(float(run.value[run.whole].min()) for run in finite)

    def excess(self, name: str) -> Float[np.ndarray, "k"]:
        """(f_t - least) / (f_0 - least) of a solver at its recorded states; 1 at the start.

        What cannot be told from 0 for rounding is 0; what is no number is NaN, and so is every state of which only the
        loss of a mini-batch is known: a lucky batch says nothing of all rows (``evaluate=`` of the solver says how
        often those are asked).
        """
        run = self.entries[name].run
        value = np.where(run.whole, run.value, np.nan)
        with np.errstate(invalid="ignore", over="ignore"):
            excess = value - self.least
            excess[np.abs(excess) <= _ROUNDING * max(abs(self.least), abs(float(value[0])))] = 0.0
            return excess / (float(value[0]) - self.least)

    def steps_to(self, name: str, tolerance: float | None = None) -> int | None:
        """The first recorded step at which the excess is at most the tolerance; None where it never was.

        On mini-batches the steps that count are those at which the loss of all rows was evaluated.
        """
        there = self._first(name, tolerance)
        return None if there is None else int(self.entries[name].run.steps[there])

    def seconds_to(self, name: str, tolerance: float | None = None) -> float | None:
        """How long that took. States that are known in closed form all have the time at which they were written."""
        there = self._first(name, tolerance)
        return None if there is None else self.entries[name].descent.trace.seconds[there]

    def _first(self, name: str, tolerance: float | None) -> int | None:
        with np.errstate(invalid="ignore"):
            there = np.flatnonzero(self.excess(name) <= (self.tolerance if tolerance is None else tolerance))
        return int(there[0]) if there.size else None

    def columns(self) -> dict[str, list[Any]]:
        """The columns of `table`: a step or time that was never reached is NaN."""
        names = list(self.entries)
        steps, seconds = [self.steps_to(n) for n in names], [self.seconds_to(n) for n in names]
        runs = [self.runs[n] for n in names]
        return {
            "solver": names,
            "steps_to_tolerance": [float("nan") if each is None else each for each in steps],
            "seconds_to_tolerance": [float("nan") if each is None else each for each in seconds],
            "steps": [int(run.steps[-1]) for run in runs],
            "seconds": [self.entries[n].descent.trace.seconds[-1] for n in names],
            "loss": [float(run.value[-1]) for run in runs],
            "excess": [float(self.excess(n)[-1]) for n in names],
            "ending": [run.ending for run in runs],
        }

    def table(self) -> Any:
        """A row for each solver, as a frame: steps and seconds to the tolerance, and how it ended."""
        from thalweg.show.frames import frame, library_for

        rows = next(iter(self.runs.values())).rows
        return frame(self.columns(), library_for(None if rows is None else rows.source))

    def __str__(self) -> str:
        head = f"to {self.tolerance:g}"
        columns = self.columns()
        cells = [
            ["solver", *columns["solver"]],
            [head, *("never" if n != n else f"{n:,}" for n in columns["steps_to_tolerance"])],
            ["steps", *(f"{n:,}" for n in columns["steps"])],
            ["ms", *aligned([f"{1000 * each:.3g}" for each in columns["seconds"]])],
            ["loss", *aligned([significant(each, 5) for each in columns["loss"]])],
            ["ended", *columns["ending"]],
        ]
        return "\n".join(_lines(cells, next(iter(self.runs.values())).loss_name))

    def __repr__(self) -> str:
        return f"<Race of {', '.join(self.entries)}: print it, or call plot()>"

    def plot(self, path: str | os.PathLike[str] | None = None, *, parameters: Sequence[str] | None = None) -> Figure:
        """The excess against the steps, and beside it the paths on the loss surface, where there are two parameters.

        Parameters
        ----------
        path : path, optional
            A file to write too: .png, .svg, .pdf, .jpg or .webp.
        parameters : two str, optional
            Across and up on the surface.
        """
        from thalweg.show.plots.racing import draw

        figure = draw(self, parameters)
        if path is not None:
            from thalweg.show.plots.style import save

            save(figure, path)
        return figure

    def animate(self, path: str | os.PathLike[str], **options: Any) -> None:
        """The race as a moving picture: .gif, .webp, .mp4, or a folder of PNG; options as `fit.animate` has them.

        Parameters
        ----------
        path : path
        **options
            frames, every, spacing ("auto", "equal" or "log"), fps, seconds, title, parameters, width, height.
        """
        from thalweg.show.motion.racing import animate_race

        animate_race(self, Path(os.fsdecode(path)), **options)


def _lines(cells: Sequence[Sequence[str]], loss: str) -> list[str]:
    widths = [max(map(len, column)) for column in cells]
    left = (0, len(cells) - 1)
    rows = [
        "  ".join(
            cell.ljust(width) if j in left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in zip(*cells, strict=True)
    ]
    return [*rows, f"The loss is the {loss}; to: steps to this share of the start's excess over the least loss."]


def race(
    formula: Any,
    data: Any,
    solvers: Mapping[str, DescentSolver] | Sequence[DescentSolver],
    *,
    start: Any = None,
    steps: int | None = None,
    loss_tolerance: float = TOLERANCE,
    **options: Any,
) -> Race:
    """Run several solvers from the same start on the same problem.

    Parameters
    ----------
    formula : str, Predictor or torch.nn.Module
        As `thalweg.fit` takes it. Each solver is given a copy of a module, which stays as it is.
    data :
        As `thalweg.fit` takes it.
    solvers : mapping of str to solver, or sequence of solvers
        A sequence is named by kind, rate and momentum.
    start : mapping or sequence of float, optional
        Zeros where it is not given.
    steps : int, optional
        Most steps of every solver, in place of its own steps or epochs.
    loss_tolerance : float
        In (0, 1): a solver is there when its excess over the least loss is this share of what it was at the start.
    **options
        Those of `thalweg.fit`: family, link, weights, stop, ...

    Returns
    -------
    Race
        With the warnings of the single fits: none is given out. A solver that diverges takes part, and is shown
        leaving.

    Raises
    ------
    OptionError
        No solvers, two of one name, a tolerance outside (0, 1).

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 7.5]}
    >>> solvers = {"plain": tw.GradientDescent(lr=0.2), "momentum": tw.GradientDescent(lr=0.2, momentum=0.5)}
    >>> race = tw.race("y ~ x", data, solvers, steps=500)
    >>> race.steps_to("momentum") < race.steps_to("plain")
    True
    """
    named = _named(solvers)
    if not 0 < loss_tolerance < 1:
        raise OptionError(f"loss_tolerance is {loss_tolerance!r}", advice="Give a number between 0 and 1, as 1e-6.")
    entries: dict[str, Entry] = {}
    for name, solver in named.items():
        first = next(iter(entries.values()), None)
        entries[name] = _entered(name, _ready(solver, steps), formula, data, start, options, first)
    best = next((found for found in (optimum_of(entry.run) for entry in entries.values()) if found), None)
    return Race(entries, loss_tolerance, best)


def _named(solvers: Any) -> dict[str, DescentSolver]:
    from thalweg.show.plots.run import solver_title
    from thalweg.solvers.descent import DescentSolver

    pairs = list(solvers.items()) if isinstance(solvers, Mapping) else [(solver_title(s), s) for s in solvers]
    if not pairs:
        raise OptionError("a race without solvers", advice='Give some: {"plain": thalweg.GradientDescent(lr=0.1)}.')
    for name, solver in pairs:
        if not isinstance(solver, DescentSolver):
            raise OptionError(
                f"{name!r} is {solver!r}, which is no descent", advice=solver_advice(solver, descent=True)
            )
    if len({name for name, _ in pairs}) < len(pairs):
        raise OptionError("two solvers have one name", advice='Name them: {"slow": ..., "quick": ...}.')
    return dict(pairs)


def _ready(solver: DescentSolver, steps: int | None) -> DescentSolver:
    """The solver with the race's number of steps, and let run where it is known to diverge."""
    ready: Any = copy.copy(solver)
    if steps is not None:
        whole("steps", steps, 0)
        ready.steps = steps
        if hasattr(ready, "epochs"):
            ready.epochs = None
    if hasattr(ready, "allow_divergence"):
        ready.allow_divergence = True
    return ready


def _entered(
    name: str,
    solver: DescentSolver,
    formula: Any,
    data: Any,
    start: Any,
    options: Mapping[str, Any],
    first: Entry | None,
) -> Entry:
    from thalweg.fit import fit

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # A fit leaves its end in the user's module, where the next solver would start.
        own = formula if isinstance(formula, str) else copy.deepcopy(formula)
        found: Any = fit(own, data, solver=solver, start=start, **options)
    for each in caught:
        if not issubclass(each.category, ThalwegWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    descent = getattr(found, "descent", found)
    run = _evaluated_at_end(run_of(descent))
    said = tuple(str(each.message) for each in caught if issubclass(each.category, ThalwegWarning))
    return Entry(name, descent, run if first is None else _in_convention(run, first.run), said)


def _evaluated_at_end(run: Run) -> Run:
    """A run whose last loss is of all rows, where a rule ended it between two evaluations."""
    if run.whole[-1] or run.problem is None:
        return run
    theta = torch.from_numpy(run.path[-1]).to(dtype=run.problem.dtype, device=run.problem.device)
    with torch.no_grad():
        last = float(run.problem.value(theta))
    return replace(run, value=np.append(run.value[:-1], last), whole=np.append(run.whole[:-1], True))


def _in_convention(run: Run, first: Run) -> Run:
    """A run with its loss in the convention of another: conventions are multiples of each other."""
    if run.problem is None or first.problem is None or run.problem.convention == first.problem.convention:
        return run
    factor = first.problem.scale / run.problem.scale
    return replace(run, value=run.value * factor, loss_name=first.loss_name)
