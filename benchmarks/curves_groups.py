"""Ten thousand small fits of y = a * exp(-t / tau) + c by group, beside a loop of scipy's `curve_fit`.

    .venv/bin/python benchmarks/curves_groups.py [--groups 10000]

Each group has 20 to 50 rows, its own parameters and noise; the rows of all groups lie in one pandas frame, shuffled.
Everybody begins at the same start and answers with estimates and standard errors. Thalweg's time is all of `fit`, from
the frame on. The loop of scipy is timed twice: with `groupby` of the frame, as one would write it, and without, on
arrays that were cut before the clock starts. A loop of lmfit is timed too where lmfit is installed (Thalweg does not
install it). Long loops are timed on some of the groups and multiplied. All on one thread, in seconds of CPU time.
Differences are the largest between estimates, relative to the standard error, and between standard errors, relative.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.curves.fits import Fits
from thalweg.threads import one_thread

EQUATION = "y = a * exp(-t / tau) + c"
START = {"a": 5.0, "tau": 2.0, "c": 0.0}
LOOPED = 1000  # groups that the loops are timed on

T = TypeVar("T")
Group = tuple[np.ndarray, np.ndarray]
Answer = tuple[np.ndarray, np.ndarray]  # estimates and standard errors, (groups, parameters) each


def data(groups: int, seed: int = 0) -> pd.DataFrame:
    """Rows of all groups in random order."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(groups), rng.integers(20, 51, groups))
    t = rng.uniform(0, 10, len(run))
    a, tau, c = (rng.uniform(low, high, groups)[run] for low, high in ((2, 8), (1, 4), (-1, 1)))
    y = a * np.exp(-t / tau) + c + 0.1 * rng.standard_normal(len(run))
    return pd.DataFrame({"run": run, "t": t, "y": y}).sample(frac=1, random_state=seed)


def decay(t: np.ndarray, a: float, tau: float, c: float) -> np.ndarray:
    """The curve for the loops."""
    return a * np.exp(-t / tau) + c


def by_group(frame: pd.DataFrame, **options: Any) -> Fits:
    """All groups at once."""
    return cast(Fits, tw.fit(EQUATION, frame, by="run", **options))


def by_scipy(parts: list[Group]) -> Answer:
    """A loop of `curve_fit` with its defaults."""
    found = [curve_fit(decay, t, y, p0=list(START.values())) for t, y in parts]
    return np.array([theta for theta, _ in found]), np.array([np.sqrt(np.diag(cov)) for _, cov in found])


def by_scipy_from_frame(frame: pd.DataFrame) -> Answer:
    """The same with the cutting."""
    return by_scipy([(rows["t"].to_numpy(), rows["y"].to_numpy()) for _, rows in frame.groupby("run")])


def by_lmfit(parts: list[Group]) -> Answer:
    """A loop of lmfit's `Model.fit` with its defaults."""
    from lmfit import Model

    model = Model(decay)
    found = [model.fit(y, t=t, **START).params for t, y in parts]
    names = list(START)
    value, error = (np.array([[getattr(p[n], what) for n in names] for p in found]) for what in ("value", "stderr"))
    return value, error


def by_thalweg_one_by_one(frames: list[pd.DataFrame]) -> Answer:
    """The plain twin: a loop of `fit`."""
    fits = [tw.fit(EQUATION, frame, start=START) for frame in frames]
    estimates = np.array([list(fit.coefficients.values()) for fit in fits])
    return estimates, np.array([list(fit.std_errors.values()) for fit in fits])


def timed(work: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Least seconds of some runs, and what came of the last."""
    best = np.inf
    for _ in range(repeats):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return best, result


def main() -> None:
    """Time and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=10_000)
    groups = parser.parse_args().groups
    frame = data(groups)
    some = min(groups, LOOPED)
    frames = [rows for _, rows in frame[frame["run"] < some].groupby("run")]
    parts = [(rows["t"].to_numpy(), rows["y"].to_numpy()) for rows in frames]
    tw.fit(EQUATION, frame, by="run", start=START)  # imports and first allocations
    seconds, fits = timed(lambda: by_group(frame, start=START), repeats=5)
    print(f"{groups:,} groups, {len(frame):,} rows; loops are timed on {some:,} groups")
    print(f"thalweg, by='run', start given    {seconds:8.2f} s")
    open_seconds, _ = timed(lambda: tw.fit(EQUATION, frame, by="run"), repeats=3)
    print(f"thalweg, by='run', no start       {open_seconds:8.2f} s")
    first = frame[frame["run"] < some]
    loops: dict[str, Callable[[], Answer]] = {
        "groupby and scipy's curve_fit": lambda: by_scipy_from_frame(first),
        "scipy's curve_fit alone": lambda: by_scipy(parts),
    }
    if importlib.util.find_spec("lmfit"):
        loops["lmfit's Model.fit alone"] = lambda: by_lmfit(parts[:100])
    loops["thalweg.fit of each group"] = lambda: by_thalweg_one_by_one(frames[:100])
    for name, work in loops.items():
        took, (theta, errors) = timed(work, repeats=3)
        took *= groups / len(theta)
        away = np.abs(fits.estimates[: len(theta)] - theta) / errors
        apart = np.abs(fits.errors[: len(theta)] / errors - 1)
        print(f"{name:32}  {took:8.2f} s  {took / seconds:6.1f} times as long; ", end="")
        print(f"estimates differ by {away.max():.0e} standard errors, these by {apart.max():.0e}")
    if not importlib.util.find_spec("lmfit"):
        print("lmfit is not installed, and was not timed")


if __name__ == "__main__":
    with one_thread():
        main()
