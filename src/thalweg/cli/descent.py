"""The descent options of `thalweg fit`: which solver, and what it is told."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from thalweg.cli import options as o
from thalweg.cli.speech import DESCENT, OPTIONS
from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.solvers.base import Solver

PANEL = "Descent"
MOVIES = (".gif", ".mp4", ".html")
MOMENTUM = 0.9  # of --solver momentum and nesterov where not told

Name = Annotated[
    str | None,
    typer.Option(
        "--solver",
        help="gd, momentum, nesterov, sgd, adam or another of torch.optim, lbfgs, newton; by default the exact one.",
        rich_help_panel=PANEL,
    ),
]
Rate = Annotated[
    str | None, typer.Option("--lr", help="Learning rate: a number, or auto (the default).", rich_help_panel=PANEL)
]
Steps = Annotated[int | None, typer.Option(help="Most steps.", rich_help_panel=PANEL)]
Momentum = Annotated[
    float | None, typer.Option(help="In \\[0, 1]; 1 is a gradient that is never cleared.", rich_help_panel=PANEL)
]
BatchSize = Annotated[int | None, typer.Option(help="Rows of each step of sgd.", rich_help_panel=PANEL)]
Loss = Annotated[
    str | None, typer.Option(help="mean, sum, 'half mean' or 'half sum'.", rich_help_panel=PANEL, show_default=False)
]
Derivative = Annotated[str | None, typer.Option(help="hand, autograd or module.", rich_help_panel=PANEL)]
Dtype = Annotated[str | None, typer.Option(help="float64 or float32.", rich_help_panel=PANEL)]
Device = Annotated[str | None, typer.Option(help="As cpu or cuda.", rich_help_panel=PANEL)]
Epochs = Annotated[
    int | None, typer.Option(help="Readings of the rows by sgd, in place of --steps.", rich_help_panel=PANEL)
]
Average = Annotated[
    bool, typer.Option("--average", metavar=o.FLAG, help="Average the iterates of sgd.", rich_help_panel=PANEL)
]
Seed = Annotated[
    int | None,
    typer.Option(help="Of the order in which sgd draws rows, or of a curve's starts.", rich_help_panel=PANEL),
]
StopBelow = Annotated[
    float | None, typer.Option(help="Stop at the first step whose loss is below this.", rich_help_panel=PANEL)
]
AllowDivergence = Annotated[
    bool, typer.Option(metavar=o.FLAG, help="Run a rate that is known to diverge.", rich_help_panel=PANEL)
]
Every = Annotated[
    int | None,
    typer.Option(help="A line on standard error every so many steps, also with --quiet.", rich_help_panel=PANEL),
]
Animate = Annotated[
    Path | None, typer.Option(help="Write the descent as a moving picture (.gif, .mp4, .html).", rich_help_panel=PANEL)
]
Frames = Annotated[int | None, typer.Option(help="Most frames of it.", rich_help_panel=PANEL)]
Spacing = Annotated[
    str | None,
    typer.Option(
        help="Of its frames: auto, where the picture changes (the default); equal; log.", rich_help_panel=PANEL
    ),
]
History = Annotated[
    Path | None, typer.Option(help="Write every step (.csv, .parquet, .feather).", rich_help_panel=PANEL)
]
Checkpoint = Annotated[
    Path | None, typer.Option(help="Keep the state of the descent in this file while it runs.", rich_help_panel=PANEL)
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        metavar=o.FLAG,
        help="Go on from --checkpoint, or begin anew where it is there.",
        rich_help_panel=PANEL,
    ),
]

# Keyword of the library's solvers: how the command line spells it.
SPELLING = {name: OPTIONS[name] for name in (*DESCENT, "allow_divergence")}
OURS = ("gd", "momentum", "nesterov", "sgd", "lbfgs", "newton")


@final
@dataclass(frozen=True)
class Asked:
    """What was told of the descent.

    Attributes
    ----------
    solver : str or None
    told : mapping of str to Any
        Options of the solver by the library's names, None where not told.
    stop_below : float or None
    every : int or None
    checkpoint : Path or None
    resume : bool or None
    animate : Path or None
    frames : int or None
    spacing : str or None
    max_iter, tol : int, float or None
        Of Newton's method, which is no descent.
    max_steps : int or None
        Of Levenberg-Marquardt, which fits a curve.
    """

    solver: str | None
    told: Mapping[str, Any]
    stop_below: float | None = None
    every: int | None = None
    checkpoint: Path | None = None
    resume: bool | None = None
    animate: Path | None = None
    frames: int | None = None
    spacing: str | None = None
    max_iter: int | None = None
    tol: float | None = None
    max_steps: int | None = None

    def arguments(self, *, curve: bool = False) -> dict[str, Any]:
        """The same as arguments of `thalweg.fit`; empty where nothing was told.

        Parameters
        ----------
        curve : bool
            Whether it is for a curve, which has a solver of its own: its steps can be told, and its starts have a seed.

        Raises
        ------
        OptionError
            A solver that does not exist, an option that it does not have, or one of a descent without a descent.
        """
        told = {name: value for name, value in self.told.items() if value is not None and value is not False}
        if self.solver is None and curve:
            self._check_curve()
            starts = {"seed": told.pop("seed")} if "seed" in told else {}
            self._check_no_descent(told, {"--every": None}, "Levenberg-Marquardt, which fits a curve,")
            return starts | self._logging() | self._levenberg_marquardt()
        if self.solver is None or self.solver.lower() == "newton":
            self._check_no_descent(told, {}, "the exact solver" if self.solver is None else f"--solver {self.solver}")
            return {} if self.solver is None else {"solver": newton(self.max_iter, self.tol)}
        self._check_descent()
        return {"solver": solver_of(self.solver, told), **self._watching()}

    def _logging(self) -> dict[str, Any]:
        if self.every is None:
            return {}
        import thalweg

        if self.every < 1:
            raise OptionError(f"--every is {self.every}", advice="Give a number of steps, 1 or more.")
        return {"observers": [thalweg.observers.Log(every=self.every)]}

    def _watching(self) -> dict[str, Any]:
        import thalweg

        watching: dict[str, Any] = {}
        if self.stop_below is not None:
            watching["stop"] = thalweg.LossBelow(self.stop_below)
        watching |= self._logging()
        if self.checkpoint is not None:
            watching |= {"checkpoint": self.checkpoint, "resume": self.resume}
        elif self.resume is not None:
            raise OptionError("--resume needs the file to go on from", advice="As in: --checkpoint run.ckpt --resume")
        return watching

    def _levenberg_marquardt(self) -> dict[str, Any]:
        if self.max_steps is None:
            return {}
        import thalweg

        return {"solver": thalweg.LevenbergMarquardt(max_steps=self.max_steps)}

    def _check_curve(self) -> None:
        """A curve has a solver of its own, which goes on to the last digits."""
        if self.max_iter is not None:
            raise OptionError("--max-iter is for a line ('~'), and this is a curve", advice="Use --max-steps.")
        if self.tol is not None:
            raise OptionError(
                "--tol is for a line ('~'), and this is a curve", advice="Leave it out: a curve gets its last digits."
            )

    def _check_descent(self) -> None:
        if self.max_steps is not None:
            raise OptionError("--max-steps is for Levenberg-Marquardt, which fits a curve", advice="Use --steps.")
        if self.max_iter is not None or self.tol is not None:
            given, instead = ("--max-iter", "--steps") if self.max_iter is not None else ("--tol", "--stop-below")
            raise OptionError(f"{given} is for Newton's method", advice=f"Use {instead} with --solver {self.solver}.")
        if self.frames is not None and self.animate is None:
            raise OptionError("--frames is for an animation", advice="As in: --animate descent.gif --frames 50")
        if self.spacing is not None:
            self._check_spacing(self.spacing)

    def _check_spacing(self, spacing: str) -> None:
        from thalweg.show.motion.frames import SPACINGS

        if spacing not in SPACINGS:
            raise OptionError(f"--spacing is {spacing!r}", advice=f"Use {', '.join(SPACINGS[:-1])} or {SPACINGS[-1]}.")
        if self.animate is None:
            raise OptionError("--spacing is for an animation", advice="As in: --animate descent.gif --spacing log")

    def _check_no_descent(self, told: Mapping[str, Any], allowed: Mapping[str, None], which: str) -> None:
        """An option of a descent without a descent would be ignored in silence."""
        others: dict[str, Any] = {"--stop-below": self.stop_below, "--every": self.every, "--animate": self.animate}
        others |= {"--checkpoint": self.checkpoint, "--resume": self.resume}
        others |= {"--frames": self.frames, "--spacing": self.spacing, **allowed}
        given = [SPELLING[name] for name in told]
        given += [option for option, value in others.items() if value is not None]
        if given:
            instead = ", or use --max-steps" if given[0] == "--steps" and "Levenberg" in which else ""
            raise OptionError(f"{given[0]} is for a descent, and {which} is none", advice=f"Add --solver gd{instead}.")


def rate(text: str | None) -> float | str | None:
    """A learning rate told as a number or "auto".

    Raises
    ------
    OptionError
        Neither.
    """
    if text is None or text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"--lr {text!r} is no number", advice="Give one, as 0.01, or auto.") from None


def newton(max_iter: int | None, tol: float | None) -> Solver[Any]:
    """Newton's method, which a family other than the gaussian has by default."""
    from thalweg.solvers.newton import Newton

    given: dict[str, Any] = {"max_iter": max_iter, "tol": tol}
    return Newton(**{name: value for name, value in given.items() if value is not None})


def solver_of(name: str, told: dict[str, Any]) -> Solver[Any]:
    """The solver that the command line names, with what it was told.

    Raises
    ------
    OptionError
        There is none of this name, or it has no such option.
    """
    import thalweg

    match name.lower():
        case "gd":
            return _made(name, thalweg.GradientDescent, {"lr": "auto", **told})
        case "momentum":
            return _made(name, thalweg.GradientDescent, {"lr": "auto", "momentum": MOMENTUM, **told})
        case "nesterov":
            options = {"lr": "auto", "momentum": MOMENTUM, **told, "nesterov": True}
            return _made(name, thalweg.GradientDescent, options)
        case "sgd":
            return _made(name, thalweg.SGD, told)
        case "lbfgs":
            return _made(name, thalweg.LBFGS, told)
        case _:
            return thalweg.TorchOptimizer(optimizer_named(name), **told)


def _made(name: str, kind: Any, options: Mapping[str, Any]) -> Solver[Any]:
    known = inspect.signature(kind).parameters
    for option in options:
        if option not in known:
            raise OptionError(f"--solver {name} has no {SPELLING[option]}", advice=_others(option))
    return kind(**options)


def _others(option: str) -> str:
    if option in ("batch_size", "seed", "epochs", "average"):
        return "Leave it out: every step reads all rows. --solver sgd reads some at a time."
    return "Leave it out, or use --solver gd."


def optimizer_named(name: str) -> str:
    """The class of `torch.optim` of this name, in any case of letters.

    Raises
    ------
    OptionError
        There is none; the nearest is named.

    Examples
    --------
    >>> optimizer_named("adam"), optimizer_named("rmsprop")
    ('Adam', 'RMSprop')
    """
    import torch

    classes = [
        each
        for each, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and each != "Optimizer"
    ]
    found = {each.lower(): each for each in classes}
    if name.lower() not in found:
        near = difflib.get_close_matches(name.lower(), [*OURS, *found], n=1)
        known = ", ".join(dict.fromkeys([*OURS, *sorted(found)]))
        advice = f"Did you mean {near[0]!r}?" if near else f"There are: {known}."
        raise OptionError(f"there is no solver {name!r}", advice=advice)
    return found[name.lower()]
