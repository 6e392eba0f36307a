"""Time the descents of the lessons against the same programs written directly in PyTorch, and hold replay to loop.

    python benchmarks/descent.py            every table, written to benchmarks/descent.md (some minutes, one thread)
    python benchmarks/descent.py --quick    a tenth of the steps and three rounds, printed only

1. Where the loss is a quadratic and the rate constant: the program, `thalweg.fit`, and of it the replay alone (the
   quadratic from the data, then the state after the last step; or the parameters and losses of all steps).
2. Where the loop has to run: the program against `thalweg.solvers.iterate.solve`, same derivatives, same types.
3. How far the replay is from the float64 loop, over rates and momenta.

The programs are the lessons as beginners write them, without their pictures: gradients by hand, `backward()`, a layer
with an optimizer. Each prints what it prints into a list, so that a loss is read where the lesson reads it.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lesson_programs import (
    boundary,
    clouds,
    cubic,
    elementwise,
    exact_line,
    line_by_autograd,
    line_by_hand,
    line_by_module,
    line_data,
    sine,
)
from run import machine
from torch import Tensor

import thalweg as tw
from thalweg.derivatives import derivative_of
from thalweg.losses import family
from thalweg.observers import History
from thalweg.predictors import Elementwise, Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.quadratic import quadratic_of
from thalweg.solvers.trajectory import Trajectory
from thalweg.threads import one_thread

Program = Callable[[int], Tensor]  # number of steps -> parameters at the end


# --- the same with Thalweg ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lesson:
    """A lesson: its program, and the problem, start and rate that it is."""

    name: str
    program: Program
    steps: int
    problem: Callable[[], MemoryProblem]
    start: Tensor
    lr: float
    rounds: int
    fit: Callable[[tw.GradientDescent], Tensor] | None = None  # by formula, where the lesson is one

    def solver(self, steps: int, **options: Any) -> tw.GradientDescent:
        """Its descent."""
        return tw.GradientDescent(self.lr, steps, loss=self.made.convention, **options)

    def last(self, steps: int) -> Tensor:
        """The replay alone: the parameters after the last step."""
        return self._trajectory().thetas(steps)[0]

    def path(self, steps: int) -> Tensor:
        """The replay alone: parameters and losses of all steps."""
        trajectory = self._trajectory()
        trajectory.values(range(steps + 1))
        return trajectory.thetas(range(steps + 1))[-1]

    @cached_property
    def made(self) -> MemoryProblem:
        """The problem: data, and no result."""
        return self.problem()

    def _trajectory(self) -> Trajectory:
        quadratic = quadratic_of(self.made)  # anew each time, where problem.quadratic would remember it
        assert quadratic is not None
        return Trajectory(quadratic, self.start, self.lr, scale=self.made.scale)

    def whole(self, steps: int) -> Tensor:
        """`thalweg.fit`, from the columns to statistics."""
        assert self.fit is not None
        return self.fit(self.solver(steps))

    def loop(self, steps: int) -> Tensor:
        """The loop, with the derivatives and the type of the problem."""
        for state in iterate(self._looping(steps), self.problem(), self.start):
            last = state
        return last.theta

    def ended(self, steps: int) -> Tensor:
        """The same with the history, and with what is found out at its end: how far it came, and what to set."""
        return solve(self._looping(steps), self.problem(), self.start, [History()]).theta

    def _looping(self, steps: int) -> tw.GradientDescent:
        return self.solver(steps, replay=False, dtype=str(self.made.dtype).removeprefix("torch."))


def linear(columns: list[Tensor], y: Tensor, convention: str, **more: Any) -> MemoryProblem:
    """A linear predictor with an intercept."""
    design = torch.stack([torch.ones_like(y), *columns], 1)
    names = ("Intercept", *(f"x{j}" for j in range(1, len(columns) + 1)))
    loss = family("gaussian", more.pop("link", None))
    derivative = derivative_of(more.pop("derivative", "hand"))
    return MemoryProblem(Linear(names), design, y, loss, convention, derivative=derivative, **more)


def elementwise_problem() -> MemoryProblem:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([115.0, 21.0])
    return MemoryProblem(Elementwise((2,)), x, y, family("gaussian"), derivative=derivative_of("autograd"))


def boundary_problem() -> MemoryProblem:
    points, labels = clouds()
    more = {"link": "logit", "offset": -points[:, 1], "derivative": "autograd"}
    return linear([points[:, 0]], labels, "mean", **more)


def fitted(formula: str, x: Tensor, y: Tensor, start: Tensor) -> Callable[[tw.GradientDescent], Tensor]:
    """A fit by formula."""
    data, first = {"x": x.double(), "y": y.double()}, start.tolist()
    return lambda solver: tw.fit(formula, data, solver=solver, start=first).solution.theta


def powers(x: Tensor) -> list[Tensor]:
    return [x, x**2, x**3]


def replayed() -> list[Lesson]:
    """Lessons that need no loop, in float64."""
    x, y, start = line_data()
    exact_x, exact_y, exact_start = exact_line()
    sine_x, sine_y, sine_start = sine()
    X, Y = x.double(), y.double()
    line = lambda: linear([X], Y, "half sum")  # noqa: E731
    by_hand = fitted("y ~ x", x, y, start)
    cubic_fit = fitted("y ~ x + I(x**2) + I(x**3)", sine_x, sine_y, sine_start)
    return [
        Lesson("line-by-hand", line_by_hand, 10_000, line, start, 0.001, 15, by_hand),
        Lesson("line-by-autograd", line_by_autograd, 8_000, line, start, 0.001, 15, by_hand),
        Lesson(
            "line-by-module", line_by_module, 1_000,
            lambda: linear([exact_x.double()], exact_y.double(), "mean"), exact_start, 0.01, 31,
            fitted("y ~ x", exact_x, exact_y, exact_start),
        ),
        Lesson(
            "cubic", cubic, 2_000,
            lambda: linear(powers(sine_x.double()), sine_y.double(), "sum"), sine_start, 1e-6, 15, cubic_fit,
        ),
    ]  # fmt: skip


def looped() -> list[Lesson]:
    """Lessons whose loop runs, in float32 as they are written."""
    x, y, start = line_data()
    exact_x, exact_y, exact_start = exact_line()
    sine_x, sine_y, sine_start = sine()
    return [
        Lesson(
            "line-by-hand, float32", line_by_hand, 10_000, lambda: linear([x], y, "half sum"), start, 0.001, 7
        ),
        Lesson(
            "line-by-autograd", line_by_autograd, 8_000,
            lambda: linear([x], y, "half sum", derivative="autograd"), start, 0.001, 7,
        ),
        Lesson(
            "line-by-module", line_by_module, 1_000,
            lambda: linear([exact_x], exact_y, "mean", derivative="module"), exact_start, 0.01, 15,
        ),
        Lesson("cubic, float32", cubic, 2_000, lambda: linear(powers(sine_x), sine_y, "sum"), sine_start, 1e-6, 7),
        Lesson("boundary", boundary, 1_000, boundary_problem, torch.tensor([0.0, 1.0]), 0.02, 15),
        Lesson("elementwise", elementwise, 2_000, elementwise_problem, torch.tensor([1.0, 2.0, 0.0]), 0.01, 15),
    ]  # fmt: skip


# --- timing ---------------------------------------------------------------------------------------------------------


LEAST = 0.01  # seconds that a measurement takes: what is faster is repeated


def timed(runs: dict[str, Program], steps: int, rounds: int) -> dict[str, tuple[float, Tensor]]:
    """Median seconds of interleaved runs, and what each returned."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    found = {name: run(steps) for name, run in runs.items()}  # once unmeasured: imports, caches
    once = {name: min(measured(run, steps, 1) for _ in range(3)) for name, run in runs.items()}
    repeats = {name: max(1, round(LEAST / seconds)) for name, seconds in once.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            seconds[name].append(measured(run, steps, repeats[name]))
    return {name: (statistics.median(values), found[name].double()) for name, values in seconds.items()}


def measured(run: Program, steps: int, repeats: int) -> float:
    """Seconds of one run, the mean of several."""
    started = time.perf_counter()
    for _ in range(repeats):
        run(steps)
    return (time.perf_counter() - started) / repeats


def shown(seconds: float) -> str:
    """A time to three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.0f} µs"


def numbers(theta: Tensor) -> str:
    return ", ".join(f"{value:.5f}" for value in theta.tolist())


def replay_table(share: float, rounds: int | None) -> str:
    """Table 1."""
    lines = [
        "| lesson | steps | by hand in PyTorch | replay, last state | replay, all states | `thalweg.fit` | ends at |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for lesson in replayed():
        steps = int(lesson.steps * share)
        runs = {"program": lesson.program, "last": lesson.last, "path": lesson.path, "fit": lesson.whole}
        found = timed(runs, steps, rounds or lesson.rounds)
        program, ends = found["program"]
        cells = [f"{shown(found[name][0])} ({program / found[name][0]:,.0f}x)" for name in ("last", "path", "fit")]
        both = f"{numbers(found['last'][1])} (program: {numbers(ends)})"
        lines.append(f"| {lesson.name} | {steps:,} | {shown(program)} | {' | '.join(cells)} | {both} |")
    return "\n".join(lines)


def loop_table(share: float, rounds: int | None) -> str:
    """Table 2."""
    lines = [
        "| lesson | steps | by hand in PyTorch | Thalweg's loop | ratio | with its ending | largest difference |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for lesson in looped():
        steps = int(lesson.steps * share)
        runs = {"program": lesson.program, "loop": lesson.loop, "ended": lesson.ended}
        found = timed(runs, steps, rounds or lesson.rounds)
        (program, ends), (loop, theta), ended = found["program"], found["loop"], found["ended"][0]
        apart = float(((theta - ends).abs() / ends.abs().clamp_min(1e-3)).max())
        lines.append(
            f"| {lesson.name} | {steps:,} | {shown(program)} | {shown(loop)} | {loop / program:.2f} | {shown(ended)} |"
            f" {apart:.0e} |"
        )
    return "\n".join(lines)


# --- agreement ------------------------------------------------------------------------------------------------------

MOMENTA = ((0.0, False), (0.5, False), (0.9, False), (0.9, True), (0.99, False), (1.0, False))


def agreement_table(share: float) -> str:
    """Table 3: the largest |theta_replay - theta_loop| / |theta_loop| over steps 1, 2, 7, 100, 1000 and the last."""
    lessons = {lesson.name: lesson for lesson in replayed()}
    shares = {"1e-6": 1e-6, "0.1": 0.1, "0.5": 0.5, "0.999": 0.999, "1": 1.0, "1.01": 1.01, "2": 2.0}
    lines = [
        f"| lesson | momentum | {' | '.join(shares)} |", f"|---|---|{'---:|' * len(shares)}"
    ]  # fmt: skip
    for name in ("line-by-hand", "line-by-module", "cubic"):
        lesson = lessons[name]
        for momentum, nesterov in MOMENTA:
            cells = [
                differences(lesson, part, momentum, nesterov, int(lesson.steps * share)) for part in shares.values()
            ]
            kind = f"{momentum:g}{' Nesterov' if nesterov else ''}"
            lines.append(f"| {name} | {kind} | {' | '.join(f'{cell:.0e}' for cell in cells)} |")
    return "\n".join(lines)


def differences(lesson: Lesson, part: float, momentum: float, nesterov: bool, steps: int) -> float:
    """One cell: at a part of the stable limit, up to the step at which the loop overflows."""
    problem = lesson.problem()
    quadratic = problem.quadratic
    assert quadratic is not None
    limit = 2 * (1 + momentum) / ((1 + 2 * momentum if nesterov else 1) * float(quadratic.eigenvalues[-1]))
    lr, start = part * limit, lesson.start.double()
    trajectory = Trajectory(quadratic, start, lr, momentum, nesterov, problem.scale)
    theta, velocity, worst = start, torch.zeros_like(start), 0.0
    for step in range(1, steps + 1):
        _, gradient = problem.value_and_gradient(theta)
        velocity = momentum * velocity + gradient
        theta = theta - lr * (gradient + momentum * velocity if nesterov else velocity)
        if step in (1, 2, 7, 100, 1000, steps):
            if not float(theta.abs().max()) < 1e300:
                break
            apart = torch.linalg.vector_norm(trajectory.thetas(step)[0] - theta) / torch.linalg.vector_norm(theta)
            worst = max(worst, float(apart))
    return worst


# --- the page -------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-r", "--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="few steps, few rounds, nothing written")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with one_thread():
        report(options)


def report(options: argparse.Namespace) -> None:
    """All tables, printed, and written where they are whole."""
    share, rounds = (0.1, options.rounds or 3) if options.quick else (1.0, options.rounds)
    parts = [
        "# Timings of descents",
        machine() + " One thread; medians of interleaved runs.",
        "## Where the replay applies",
        "The programs compute in float32, the replay in float64. In brackets: how many times faster than the program.",
        replay_table(share, rounds),
        "## Where the loop runs",
        "Both in float32, with the same derivatives. The ending is the history, and the diagnosis of how far it came"
        " and what to set, which the programs do not have.",
        loop_table(share, rounds),
        "## Replay and loop",
        "The largest |theta_replay - theta_loop| / |theta_loop| over steps 1, 2, 7, 100, 1,000 and the last, in"
        " float64, by the rate as a part of the stable limit. At the limit and beyond nothing is forgotten, rounding"
        " included.",
        agreement_table(share),
    ]
    for part in parts:
        print(part + "\n", flush=True)
    if not options.quick:
        Path(__file__).with_name("descent.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
