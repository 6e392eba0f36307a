"""Kills real processes with SIGKILL while they fit, and resumes them until they end: run as a script by test_resume.py.

    python tests/kills.py KILLS SEED      prints one line of JSON

Each fit is run once without a checkpoint. Then it is run in a forked process, with a checkpoint, and killed, again and
again, each time going on from the file that the killed process left, until it ends by itself. It ends with exit code 0
where all that it found is equal to the run that was never killed, to the last bit. A process is killed at a random
moment by its parent, or kills itself at one of its writes: before it, with half of the temporary file written, before
or after the rename, or after all of it. After each kill the file must be whole, or not be there yet.

One process forks all others: with one thread in it, that is safe, and a fit starts in milliseconds.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import thalweg as tw
from thalweg.losses import family
from thalweg.observers import History, Patience, RelativeChange
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Solution
from thalweg.solvers.iterate import solve
from thalweg.solvers.torch_optimizer import TorchOptimizer
from thalweg.store import atomic, checkpoint
from thalweg.store.checkpoint import Checkpoint, read_checkpoint

EVERY = 4
ROWS, BATCH = 30, 7  # a checkpoint falls in the middle of an epoch


def _problem() -> MemoryProblem:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(ROWS, generator=generator, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, 2.0], dtype=torch.float64) + noise > 0).double()
    return MemoryProblem(Linear(("a", "b")), x, y, family("binomial"))


PROBLEM = _problem()
SOLVERS: dict[str, Callable[[], Any]] = {
    "momentum": lambda: tw.GradientDescent(lr=0.5, steps=60, momentum=0.9),
    "nesterov": lambda: tw.GradientDescent(lr=0.5, steps=60, momentum=0.9, nesterov=True),
    "schedule": lambda: tw.GradientDescent(lr=tw.CosineDecay(0.5, 60), steps=60, dtype="float64"),
    "sgd": lambda: tw.SGD(lr=0.5, steps=60, batch_size=BATCH, momentum=0.5, seed=3),
    "adam": lambda: TorchOptimizer("Adam", 60, lr=0.1, scheduler="StepLR", scheduler_options={"step_size": 25}),
    "adam batches": lambda: TorchOptimizer("Adam", 60, lr=0.1, batch_size=BATCH),
    "lbfgs": lambda: tw.LBFGS(steps=60),
}
POINTS = ("before the write", "half written", "before the rename", "after the rename", "after the write")


@dataclass
class Outcome:
    """What a fit found."""

    solution: Solution
    history: History


def run(name: str, ruled: bool, path: Path | None, every: int = EVERY) -> Outcome:
    """One fit, of which no state is known in closed form."""
    history = History()
    stop = RelativeChange(1e-13, patience=3) | Patience(30, held_out=0.3, seed=2) if ruled else None
    kept = None if path is None else Checkpoint(path, every=every)
    solution = solve(SOLVERS[name](), PROBLEM, None, [history], stop=stop, checkpoint=kept, resume=True)
    return Outcome(solution, history)


def equal(one: Outcome, other: Outcome) -> bool:
    """Bit for bit, but for the seconds."""
    a, b = one.solution, other.solution
    same = a.status is b.status and a.steps == b.steps and a.value == b.value and a.details == b.details
    columns = ("step", "value", "gradient_size", "rate")
    same &= all(repr(getattr(one.history, name)) == repr(getattr(other.history, name)) for name in columns)
    return same and torch.equal(a.theta, b.theta) and torch.equal(one.history.path, other.history.path)


def die() -> None:
    """As a power cut: nothing is flushed, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(point: str, nth: int) -> None:
    """Kill this process at its n-th write."""
    left = nth

    def last() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    write, replace, whole = os.write, os.replace, atomic.atomic_write

    def half(handle: int, data: Any) -> int:
        if last():
            write(handle, bytes(data)[: len(data) // 2])
            die()
        return write(handle, data)

    def renamed(old: Any, new: Any) -> None:
        at = last()
        if at and point == "before the rename":
            die()
        replace(old, new)
        if at:
            die()

    def written(path: Any, data: bytes) -> None:
        at = last()
        if at and point == "before the write":
            die()
        whole(path, data)
        if at:
            die()

    if point == "half written":
        os.write = half  # type: ignore[assignment]
    elif "rename" in point:
        os.replace = renamed  # type: ignore[assignment]
    else:
        checkpoint.atomic_write = written


def child(name: str, ruled: bool, path: Path, every: int, reference: Outcome, plan: tuple[str, int] | None) -> int:
    """Fork; the child runs the fit and ends with 0 where it found what the reference did."""
    pid = os.fork()
    if pid:
        return pid
    code = 2
    try:
        if plan is not None:
            die_at(*plan)
        code = 0 if equal(run(name, ruled, path, every), reference) else 1
    except BaseException as error:
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


@dataclass
class Tally:
    """What came of the kills."""

    kills: int = 0
    fits: int = 0
    points: dict[str, int] = field(default_factory=dict)
    solvers: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def count(self, name: str, point: str) -> None:
        """One more kill."""
        self.kills += 1
        self.points[point] = self.points.get(point, 0) + 1
        self.solvers[name] = self.solvers.get(name, 0) + 1


def killed_once(name: str, ruled: bool, path: Path, reference: Outcome, took: float, draw: random.Random) -> tuple:
    """(exit status, where it was to die) of one process."""
    moment = draw.random() < 0.5
    plan = None if moment else (draw.choice(POINTS), draw.randint(1, 8))
    every = 1 if name == "lbfgs" else EVERY
    pid = child(name, ruled, path, every, reference, plan)
    if moment:
        time.sleep(draw.uniform(0.0, took))
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1], "a random moment" if plan is None else plan[0]


def one_fit(name: str, ruled: bool, folder: Path, most: int, draw: random.Random, tally: Tally) -> None:
    """Kill a fit until it ends; the last run, and any after `most` kills in all, is left alone."""
    reference = run(name, ruled, None)
    path = folder / f"{tally.fits}.ckpt"
    started = time.perf_counter()
    run(name, ruled, folder / f"timed-{tally.fits}.ckpt")
    took = time.perf_counter() - started
    while tally.kills < most:
        status, point = killed_once(name, ruled, path, reference, took, draw)
        if not os.WIFSIGNALED(status):
            break
        tally.count(name, point)
        if path.exists():
            read_checkpoint(path)
    else:
        status = os.waitpid(child(name, ruled, path, EVERY, reference, None), 0)[1]
    tally.fits += 1
    if status != 0:
        tally.wrong.append(f"{name}, rule {ruled}: exit status {status}")


def main(kills: int, seed: int) -> Tally:
    """Take the solvers in turn until there have been so many kills."""
    torch.set_num_threads(1)
    gc.freeze()  # nothing that is there now is looked at, and so copied, in the children
    draw, tally = random.Random(seed), Tally()
    cases = [(name, ruled) for name in SOLVERS for ruled in (False, True)]
    with tempfile.TemporaryDirectory() as folder:
        while tally.kills < kills:
            name, ruled = cases[tally.fits % len(cases)]
            one_fit(name, ruled, Path(folder), kills, draw, tally)
    return tally


if __name__ == "__main__":
    print(json.dumps(vars(main(int(sys.argv[1]), int(sys.argv[2])))))
