"""Time Thalweg side by side with its peers: interleaved runs, medians, and the optimality that each one reaches.

    python benchmarks/run.py                       every case, written to benchmarks/results.md
    python benchmarks/run.py logistic-1e6x50 -r 3  one case, three rounds, printed only

Every competitor is given the same arrays in the form it likes best and a tolerance at which it is at least as near to
the optimum as 1e-6 of the gradient's scale; the table shows what it reached. `coefficients` are Thalweg's solver alone
(what scikit-learn and glum compute), `fit` is `thalweg.fit` from a formula to standard errors and statistics (what
statsmodels computes). Peak memory is measured in a process of its own, above what the data take.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]
Runner = Callable[[np.ndarray, np.ndarray], np.ndarray]  # X, y -> intercept and coefficients


@dataclass(frozen=True)
class Case:
    """One size of one model."""

    name: str
    family: str
    rows: int
    columns: int
    rounds: int

    def data(self) -> Arrays:
        """X and y, from a seed."""
        rng = np.random.default_rng(20)
        x = rng.standard_normal((self.rows, self.columns))
        b = rng.standard_normal(self.columns) / np.sqrt(self.columns)
        eta = x @ b - 0.5
        y = {
            "gaussian": lambda: eta + rng.standard_normal(self.rows),
            "binomial": lambda: (rng.random(self.rows) < 1 / (1 + np.exp(-eta))).astype(float),
            "poisson": lambda: rng.poisson(np.exp(eta)).astype(float),
        }[self.family]()
        return x, y


CASES = [
    Case("least-squares-1e6x50", "gaussian", 1_000_000, 50, 5),
    Case("least-squares-1e5x500", "gaussian", 100_000, 500, 3),
    Case("least-squares-150x5", "gaussian", 150, 5, 31),
    Case("least-squares-20x2", "gaussian", 20, 2, 31),
    Case("logistic-1e6x50", "binomial", 1_000_000, 50, 3),
    Case("logistic-1e5x500", "binomial", 100_000, 500, 3),
    Case("logistic-150x5", "binomial", 150, 5, 31),
    Case("logistic-20x2", "binomial", 20, 2, 31),
    Case("poisson-678000x45", "poisson", 678_000, 45, 3),
]


def thalweg_coefficients(family: str) -> Runner:
    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from thalweg.data.rows import Rows
        from thalweg.data.sources import open_source
        from thalweg.data.spec import Spec
        from thalweg.losses import family as named
        from thalweg.objective import Objective
        from thalweg.solvers.choose import choose
        from thalweg.solvers.iterate import solve

        source = open_source({"X": x, "y": y})
        rows = Rows(source, Spec.learn("y ~ X", source))
        model = named(family)
        return solve(choose(model), Objective(rows, model)).theta.numpy()

    return run


def thalweg_fit(family: str) -> Runner:
    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        import thalweg as tw

        return tw.fit("y ~ X", {"X": x, "y": y}, family=family).theta.numpy()

    return run


def sklearn_linear(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(x, y)
    return np.r_[model.intercept_, model.coef_]


def sklearn_logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-6, max_iter=200).fit(x, y)
    return np.r_[model.intercept_, model.coef_[0]]


def sklearn_poisson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import PoissonRegressor

    model = PoissonRegressor(alpha=0, solver="newton-cholesky", tol=1e-6, max_iter=200).fit(x, y)
    return np.r_[model.intercept_, model.coef_]


def glum_model(family: str) -> Runner:
    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(family=family, alpha=0, gradient_tol=1e-7).fit(x, y)
        return np.r_[model.intercept_, model.coef_]

    return run


def statsmodels_model(family: str) -> Runner:
    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        import statsmodels.api as sm

        design = sm.add_constant(x)
        if family == "gaussian":
            result = sm.OLS(y, design).fit()
        else:
            kind = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}[family]()
            result = sm.GLM(y, design, family=kind).fit(tol=1e-10)
        _ = result.bse
        return result.params

    return run


def runners(family: str) -> dict[str, Runner]:
    """Who takes part, Thalweg first."""
    sklearn = {"gaussian": sklearn_linear, "binomial": sklearn_logistic, "poisson": sklearn_poisson}[family]
    found: dict[str, Runner] = {
        "thalweg coefficients": thalweg_coefficients(family),
        "thalweg fit": thalweg_fit(family),
        "scikit-learn": sklearn,
        "statsmodels": statsmodels_model(family),
    }
    if importlib.util.find_spec("glum"):
        found["glum"] = glum_model({"gaussian": "normal"}.get(family, family))
    return found


def optimality(family: str, x: np.ndarray, y: np.ndarray, theta: np.ndarray) -> float:
    """The largest entry of |X'(mu - y)| / sum_i |x_i (y_i - mean)|, intercept included: 0 at the optimum."""
    eta = x @ theta[1:] + theta[0]
    mu = {"gaussian": eta, "binomial": 1 / (1 + np.exp(-eta)), "poisson": np.exp(eta)}[family]
    r, scale = mu - y, np.abs(y - y.mean())
    worst = abs(r.sum()) / scale.sum()
    for j in range(0, x.shape[1], 10):
        part = x[:, j : j + 10]
        worst = max(worst, float((np.abs(part.T @ r) / (np.abs(part).T @ scale)).max()))
    return float(worst)


def timed(case: Case, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds of interleaved runs, the range, and the optimality reached."""
    x, y = case.data()
    taking_part = runners(case.family)
    seconds: dict[str, list[float]] = {name: [] for name in taking_part}
    reached = {}
    for name, run in taking_part.items():  # once unmeasured: imports, caches
        reached[name] = optimality(case.family, x, y, run(x, y))
    for _ in range(rounds):
        for name, run in taking_part.items():
            gc.collect()
            start = time.perf_counter()
            run(x, y)
            seconds[name].append(time.perf_counter() - start)
    return {
        name: {
            "seconds": statistics.median(values),
            "least": min(values),
            "most": max(values),
            "optimality": reached[name],
        }
        for name, values in seconds.items()
    }


def peak_memory(case: Case, name: str) -> float | None:
    """MB above the data at the peak of one run, in a fresh process; None where the system does not tell."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, __file__, case.name, "--peak", name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(result.stdout.splitlines()[-1]))


def measure_peak(case: Case, name: str) -> float:
    """What `peak_memory` runs: the high-water mark of resident memory during a run, after one on little data."""
    run = runners(case.family)[name]
    small = Case(case.name, case.family, 2000, min(case.columns, 20), 1)
    run(*small.data())
    x, y = case.data()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    run(x, y)
    return (_status("VmHWM") - before) / 1024


def _status(key: str) -> float:
    """A number of kB of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return float(line.split()[1])
    return float("nan")


def table(case: Case, results: dict[str, dict[str, Any]]) -> str:
    """A case as Markdown."""
    base = results["thalweg coefficients"]["seconds"]
    data = case.rows * case.columns * 8 / 2**20
    lines = [
        f"### {case.name}: {case.rows:,} rows, {case.columns} columns ({data:,.1f} MB), median of {case.rounds} rounds",
        "",
        "| | median | range | ratio | relative gradient | peak above the data |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, r in results.items():
        peak = "" if r.get("peak") is None else f"{r['peak']:,.0f} MB"
        lines.append(
            f"| {name} | {_time(r['seconds'])} | {_time(r['least'])} to {_time(r['most'])} |"
            f" {r['seconds'] / base:.2f} | {r['optimality']:.0e} | {peak} |"
        )
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{1e3 * seconds:.2f} ms"


def machine() -> str:
    """Where and with what."""
    import os

    packages = []
    for name in ("thalweg", "torch", "numpy", "scipy", "scikit-learn", "statsmodels", "glum"):
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"{name} absent")
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    when = datetime.now(UTC).date().isoformat()
    return f"{when}; {cpu}, {os.cpu_count()} cores; Python {platform.python_version()}; {', '.join(packages)}."


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
    parts = [machine() + "\n"]
    for case in chosen:
        results: dict[str, dict[str, Any]] = timed(case, options.rounds or case.rounds)
        if case.rows >= 10_000:
            for name, result in results.items():
                result["peak"] = peak_memory(case, name)
        parts.append(table(case, results))
        print(parts[-1], flush=True)
    if not options.cases:
        Path(__file__).with_name("results.md").write_text("# Timings\n\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
