"""Nonlinear least squares from random starts: Thalweg beside scipy.

For every nonlinear set of NIST's in ../shared/reference (or THALWEG_REFERENCE), fits from the certified parameters
times 10 to the U(-1, 1). A fit has solved its set where its residual sum of squares is the certified one to 1e-6 of it.

    python benchmarks/curves_accuracy.py [--starts 20] [--seed 1] [--only Gauss1 ENSO]

scipy runs `curve_fit` as it is by default, from the same start, and then from the same start and 31 more about it
(times 10 to the U(-1.5, 1.5)), of which the best counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import curve_fit

import thalweg as tw

REFERENCE = Path(os.environ.get("THALWEG_REFERENCE") or Path(__file__).parents[2] / "shared" / "reference")
RESTARTS = 32
SAME = 1e-6
ROUNDING = 1e-20  # of the sum of squares of y: a certificate of exact data holds no more

Run = Callable[[np.ndarray], float]


def sets() -> Iterator[dict[str, Any]]:
    """NIST's nonlinear sets."""
    parsed = json.loads((REFERENCE / "strd.json").read_text())
    for problem in parsed.values() if isinstance(parsed, dict) else parsed:
        if problem.get("starts"):
            yield problem


def response(problem: dict[str, Any]) -> tuple[str, np.ndarray]:
    """The left side, and its values."""
    y = np.array(problem["y"], dtype=float)
    return ("log(y)", np.log(y)) if problem.get("response_transform") == "log" else ("y", y)


def thalweg(problem: dict[str, Any], **options: Any) -> Run:
    """One fit from a start: its residual sum of squares."""
    frame = pd.DataFrame(dict(zip(problem["x_names"], problem["x"], strict=True)) | {"y": problem["y"]})
    equation = f"{response(problem)[0]} = {problem['model']}"

    def run(start: np.ndarray) -> float:
        fit = tw.fit(equation, frame, start=dict(zip(problem["param_names"], start, strict=True)), **options)
        return 2 * fit.solution.value

    return run


def function(problem: dict[str, Any]) -> Callable[..., np.ndarray]:
    """The curve in NumPy."""
    known = {name: getattr(np, name) for name in ("exp", "cos", "sin", "arctan", "log", "pi")}
    names = [*problem["x_names"], *problem["param_names"]]
    code = compile(problem["model"], problem["name"], "eval")

    def curve(x: np.ndarray, *theta: float) -> np.ndarray:
        columns = x if x.ndim == 2 else [x]
        return eval(code, {"__builtins__": {}}, known | dict(zip(names, [*columns, *theta], strict=True)))

    return curve


def scipy(problem: dict[str, Any], restarts: int) -> Run:
    """The same by curve_fit; the best of so many starts."""
    curve, y = function(problem), response(problem)[1]
    x = np.array(problem["x"], dtype=float)
    x = x[0] if len(x) == 1 else x
    generator = np.random.default_rng(0)

    def once(start: np.ndarray) -> float:
        try:
            theta, _ = curve_fit(curve, x, y, p0=start)
        except (RuntimeError, ValueError):
            return np.inf
        return float(((curve(x, *theta) - y) ** 2).sum())

    def run(start: np.ndarray) -> float:
        others = start * 10 ** generator.uniform(-1.5, 1.5, (restarts - 1, start.size))
        return min(once(each) for each in [start, *others])

    return run


def measured(problem: dict[str, Any], run: Run, starts: np.ndarray) -> tuple[int, float]:
    """How many starts led to the certified minimum, and milliseconds a fit."""
    y = response(problem)[1]
    certified = problem["residual_sd"] ** 2 * (y.size - len(problem["certified"]))
    enough = certified * (1 + SAME) + ROUNDING * float(y @ y)
    run(starts[0])
    began = time.perf_counter()
    solved = sum(run(start) <= enough for start in starts)
    return solved, 1e3 * (time.perf_counter() - began) / len(starts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--no-scipy", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    generator = np.random.default_rng(given.seed)
    ways: dict[str, Callable[[dict[str, Any]], Run]] = {
        "thalweg": thalweg,
        "starts=128": lambda problem: thalweg(problem, starts=128),
    }
    if not given.no_scipy:
        ways |= {"scipy": lambda p: scipy(p, 1), f"scipy x {RESTARTS}": lambda p: scipy(p, RESTARTS)}
    print(f"{'':10s} rows  par" + "".join(f"{name:>22s}" for name in ways))
    totals = dict.fromkeys(ways, 0)
    count = 0
    for problem in sets():
        certified = np.array(problem["certified"])
        starts = certified * 10 ** generator.uniform(-1, 1, (given.starts, certified.size))
        if given.only and problem["name"] not in given.only:
            continue
        count += given.starts
        line = f"{problem['name']:10s} {len(problem['y']):4d} {certified.size:4d}"
        for name, way in ways.items():
            solved, spent = measured(problem, way(problem), starts)
            totals[name] += solved
            line += f"{solved:10d} {spent:8.1f} ms"
        print(line, flush=True)
    print(f"{'solved':20s}" + "".join(f"{100 * totals[name] / count:18.1f} % " for name in ways))


if __name__ == "__main__":
    main()
