"""Time curves side by side with scipy and lmfit at the same optimum: interleaved runs, medians, what each reaches.

    python benchmarks/curves_speed.py                  every case, written to benchmarks/curves.md
    python benchmarks/curves_speed.py decay-1000 -r 5  one case, five rounds, printed only

Every competitor starts from the same point. scipy and lmfit are called as their users call them, with numeric
derivatives and default tolerances. The relative gradient is max_j |F_j'r| / (|F_j| |r|) at the answer, with the
derivatives by hand. Peak memory is measured in a process of its own, above what the data take. lmfit is optional.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from run import _status, machine

import thalweg as tw

Theta = list[float]
Runner = Callable[["Case"], np.ndarray]


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def decay_slopes(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    e = np.exp(-b * x)
    return np.stack([e, -a * x * e, np.ones_like(x)])


def peaks(x: Any, a1: Any, m1: Any, s1: Any, a2: Any, m2: Any, s2: Any, slope: Any, base: Any) -> Any:
    one = a1 * np.exp(-(((x - m1) / s1) ** 2) / 2)
    return one + a2 * np.exp(-(((x - m2) / s2) ** 2) / 2) + slope * x + base


def peaks_slopes(x: np.ndarray, *theta: float) -> np.ndarray:
    columns = []
    for a, m, s in (theta[:3], theta[3:6]):
        u = (x - m) / s
        e = np.exp(-u * u / 2)
        columns += [e, a * e * u / s, a * e * u * u / s]
    return np.stack([*columns, x, np.ones_like(x)])


@dataclass(frozen=True)
class Case:
    """One size of one curve."""

    name: str
    rows: int
    rounds: int
    curve: Callable[..., Any]
    slopes: Callable[..., np.ndarray]
    equation: str
    names: tuple[str, ...]
    truth: tuple[float, ...]
    start: tuple[float, ...]
    noise: float = 0.05

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y, from a seed."""
        x = np.linspace(0, 10, self.rows)
        rng = np.random.default_rng(20)
        return x, self.curve(x, *self.truth) + self.noise * rng.standard_normal(self.rows)

    def gradient(self, theta: np.ndarray) -> float:
        """The relative gradient."""
        x, y = self.data
        r, slopes = self.curve(x, *theta) - y, self.slopes(x, *theta)
        return float(np.max(np.abs(slopes @ r) / np.linalg.norm(slopes, axis=1)) / np.linalg.norm(r))


DECAY: dict[str, Any] = {
    "curve": decay,
    "slopes": decay_slopes,
    "equation": "y = a * exp(-b * x) + c",
    "names": ("a", "b", "c"),
    "truth": (2.5, 0.7, 0.5),
    "start": (1.0, 1.0, 0.0),
}
CASES = [
    Case("decay-1000", 1_000, 51, **DECAY),
    Case("decay-1e6", 1_000_000, 5, **DECAY),
    Case(
        "peaks-250",
        250,
        31,
        curve=peaks,
        slopes=peaks_slopes,
        equation="y = gaussian(x, a1, m1, s1) + gaussian(x, a2, m2, s2) + slope * x + base",
        names=("a1", "m1", "s1", "a2", "m2", "s2", "slope", "base"),
        truth=(3.0, 3.5, 0.6, 2.0, 6.5, 0.9, 0.1, 0.5),
        start=(2.0, 3.2, 0.8, 1.5, 6.9, 0.7, 0.0, 0.0),
    ),
]


def by_curve_fit(case: Case) -> np.ndarray:
    return np.asarray(tw.curve_fit(case.curve, *case.data, p0=list(case.start))[0])


def by_fit(case: Case) -> np.ndarray:
    x, y = case.data
    start = dict(zip(case.names, case.start, strict=True))
    fit = tw.fit(case.equation, {"x": x, "y": y}, start=start)
    return np.array([fit.coefficients[name] for name in case.names])


def by_scipy(case: Case) -> np.ndarray:
    from scipy.optimize import curve_fit

    return np.asarray(curve_fit(case.curve, *case.data, p0=case.start)[0])


def by_scipy_exactly(case: Case) -> np.ndarray:
    from scipy.optimize import curve_fit

    return np.asarray(curve_fit(case.curve, *case.data, p0=case.start, jac=lambda *p: case.slopes(*p).T)[0])


def by_lmfit(case: Case) -> np.ndarray:
    from lmfit import Model

    x, y = case.data
    result = Model(case.curve).fit(y, x=x, **dict(zip(case.names, case.start, strict=True)))
    return np.array([result.params[name].value for name in case.names])


RUNNERS: dict[str, Runner] = {
    "scipy curve_fit": by_scipy,
    "scipy curve_fit, derivatives by hand": by_scipy_exactly,
    "thalweg.curve_fit": by_curve_fit,
    "thalweg.fit": by_fit,
}
if importlib.util.find_spec("lmfit") is not None:
    RUNNERS["lmfit Model"] = by_lmfit
LEAST = 0.01  # seconds that a measurement takes: what is faster is repeated


def timed(case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of interleaved runs, and the relative gradient at the answer."""
    results: dict[str, dict[str, float]] = {}
    repeats: dict[str, int] = {}
    seconds: dict[str, list[float]] = {name: [] for name in RUNNERS}
    for name, run in RUNNERS.items():
        results[name] = {"gradient": case.gradient(run(case))}  # once unmeasured: imports, caches
        repeats[name] = max(1, round(LEAST / measured(run, case, 1)))
    for _ in range(rounds):
        for name, run in RUNNERS.items():
            gc.collect()
            seconds[name].append(measured(run, case, repeats[name]))
    for name, values in seconds.items():
        results[name] |= {"seconds": statistics.median(values), "least": min(values), "most": max(values)}
    return results


def measured(run: Runner, case: Case, repeats: int) -> float:
    """Seconds of one run, the mean of several."""
    started = time.perf_counter()
    for _ in range(repeats):
        run(case)
    return (time.perf_counter() - started) / repeats


def peak_memory(case: Case, name: str) -> float | None:
    """MB above the data at the peak of one run, in a fresh process; None where the system does not tell."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, __file__, case.name, "--peak", name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(result.stdout.splitlines()[-1]))


def measure_peak(case: Case, name: str) -> float:
    """What `peak_memory` runs: the high-water mark of resident memory during a run, after one on little data."""
    RUNNERS[name](replace(case, rows=200))
    _ = case.data
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    RUNNERS[name](case)
    return (_status("VmHWM") - before) / 1024


def table(case: Case, results: dict[str, dict[str, Any]]) -> str:
    """A case as Markdown."""
    base = results["scipy curve_fit"]["seconds"]
    lines = [
        f"## {case.name}: {case.rows:,} rows, {len(case.names)} parameters",
        "",
        f"`{case.equation}`, from {', '.join(f'{value:g}' for value in case.start)}.",
        "",
        "| | median | range | scipy's time over it | relative gradient | peak above the data |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        peak = "" if r.get("peak") is None else f"{r['peak']:,.0f} MB"
        lines.append(
            f"| {name} | {shown(r['seconds'])} | {shown(r['least'])} to {shown(r['most'])} |"
            f" {base / r['seconds']:.2f} | {r['gradient']:.0e} | {peak} |"
        )
    return "\n".join(lines)


def shown(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def versions() -> str:
    try:
        return f"{machine().rstrip('.')}, lmfit {version('lmfit')}."
    except PackageNotFoundError:
        return f"{machine().rstrip('.')}, lmfit absent."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names of cases; all by default")
    parser.add_argument("-r", "--rounds", type=int)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = [case for case in CASES if not options.cases or case.name in options.cases]
    if options.peak:
        print(json.dumps(measure_peak(chosen[0], options.peak)))
        return
    parts = ["# Timings of curves", f"{versions()} Medians of interleaved runs."]
    for case in chosen:
        results: dict[str, dict[str, Any]] = timed(case, options.rounds or case.rounds)
        if case.rows >= 10_000:
            for name, result in results.items():
                result["peak"] = peak_memory(case, name)
        parts.append(table(case, results))
    print("\n\n".join(parts))
    if not options.cases:
        Path(__file__).with_name("curves.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
