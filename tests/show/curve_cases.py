"""Curves that the texts and pictures must show."""

from __future__ import annotations

from functools import cache

import numpy as np

import thalweg as tw

DECAY = "y = a * exp(-b * x) + c"
START = {"a": 1.0, "b": 0.1, "c": 0.0}


def decaying(rows: int = 40, noise: float = 0.1) -> dict[str, np.ndarray]:
    """x, y and a standard deviation for each row."""
    rng = np.random.default_rng(3)
    x = np.linspace(0.05, 4.0, rows)
    sigma = noise * rng.uniform(0.5, 2.0, rows)
    return {"x": x, "y": 3 * np.exp(-1.3 * x) + 0.5 + sigma * rng.normal(size=rows), "sigma": sigma}


@cache
def decay() -> tw.Fit:
    """One column."""
    return tw.fit(DECAY, decaying(), start=START)


@cache
def weighted() -> tw.Fit:
    """With error bars, one of them infinite."""
    data = decaying()
    weight = 1 / data["sigma"] ** 2
    weight[7] = 0.0
    return tw.fit(DECAY, {**data, "w": weight}, start=START, weights="w")


@cache
def tied() -> tw.Fit:
    """One parameter held, one tied."""
    said = {"start": {"b": START["b"]}, "fixed": {"c": 0.5}, "tied": {"a": "2 * b + 1"}}
    return tw.fit(DECAY, decaying(), **said)


@cache
def dose() -> tw.Fit:
    """x over five decades."""
    rng = np.random.default_rng(4)
    x = np.repeat(np.geomspace(1e-3, 100.0, 9), 3)
    y = 1 + 9 * x**1.2 / (0.5**1.2 + x**1.2) + 0.4 * rng.normal(size=27)
    return tw.fit("y = low + hill(x, top, k, n)", {"x": x, "y": y}, start={"low": 0, "top": 5, "k": 3, "n": 1})


@cache
def two_columns() -> tw.Fit:
    """A function of u and v."""
    rng = np.random.default_rng(5)
    u, v = rng.uniform(1, 3, (2, 60))
    y = 2 * u**0.5 * v**1.5 + 0.3 * rng.normal(size=60)
    return tw.fit("y = a * u**p * v**q", {"u": u, "v": v, "y": y}, start={"a": 1, "p": 1, "q": 1})


@cache
def grouped() -> tw.Fit:
    """Three runs, whose numbers are no number column."""
    rng = np.random.default_rng(6)
    run, x = np.repeat([1, 2, 7], 12), np.tile(np.linspace(0, 3, 12), 3) + np.repeat([0.0, 0.5, 1.0], 12)
    y = np.select([run == 1, run == 2], [3.0, 2.0], -1.0) * np.exp(-0.9 * x) + 0.05 * rng.normal(size=36)
    return tw.fit("y = a * exp(-b * x)", {"x": x, "run": run, "y": y}, by="run", shared=["b"], start={"a": 1, "b": 0.5})


@cache
def counts() -> tw.Fit:
    """A peak of counts."""
    rng = np.random.default_rng(7)
    x = np.linspace(0, 4, 50)
    n = rng.poisson(50 * np.exp(-((x - 2) ** 2)) + 3)
    return tw.fit("n = gaussian(x, a, mu, s) + b", {"x": x, "n": n}, family="poisson", start=[40, 2.1, 0.6, 2])


@cache
def robust() -> tw.Fit:
    """With an outlier."""
    data = decaying()
    y = data["y"].copy()
    y[10] = 9.0
    return tw.fit(DECAY, {"x": data["x"], "y": y}, start=START, family={"name": "huber", "scale": 0.2})


ALL = {f.__name__: f for f in (decay, weighted, tied, dose, two_columns, grouped, counts, robust)}
