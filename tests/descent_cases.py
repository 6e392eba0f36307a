"""Squared losses to descend: data of several kinds, and the rate at which their descent turns into a divergence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem


@dataclass
class Case:
    """Data, weights, offset and a start, in float64."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None
    offset: np.ndarray | None = None
    convention: str = "mean"

    @property
    def start(self) -> np.ndarray:
        return np.random.default_rng(3).standard_normal(self.x.shape[1])

    def problem(self, **more: Any) -> MemoryProblem:
        given = {k: torch.from_numpy(v) for k, v in (("weight", self.weight), ("offset", self.offset)) if v is not None}
        names = tuple(f"x{j}" for j in range(self.x.shape[1]))
        x, y = torch.from_numpy(self.x), torch.from_numpy(self.y)
        return MemoryProblem(Linear(names), x, y, family("gaussian"), self.convention, **given, **more)

    def scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """A and b of f = |A theta - b|^2, with c and the weights in them."""
        problem = self.problem()
        root = np.sqrt(problem.scale / 2 * (np.ones(len(self.y)) if self.weight is None else self.weight))
        return root[:, None] * self.x, root * (self.y - (0.0 if self.offset is None else self.offset))


def cases() -> dict[str, Case]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((30, 5))
    y = x @ rng.standard_normal(5) + rng.standard_normal(30)
    ill = rng.standard_normal((40, 3)) @ np.diag([1e5, 30.0, 1.0])  # the Hessian's condition number is 1e10
    line = np.c_[np.ones(20), rng.uniform(0, 10, 20)]
    return {
        "one parameter": Case(x[:, :1], y),
        "line": Case(line, 2 * line[:, 1] + 5 + rng.standard_normal(20), convention="half mean"),
        "five columns": Case(x, y, convention="sum"),
        "weights and offset": Case(x, y, rng.uniform(0, 3, 30), rng.standard_normal(30), "half sum"),
        "ill-conditioned": Case(ill, rng.standard_normal(40)),
        "lower rank": Case(np.c_[x, x[:, 0] + x[:, 1], 0 * x[:, 0]], y),
        "more parameters than rows": Case(x[:4], y[:4]),
        "twenty columns": Case(rng.standard_normal((25, 20)), rng.standard_normal(25)),
    }


CASES = cases()


def limit_of(case: Case, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The rate above which descent diverges, from NumPy's singular values."""
    largest = 2 * np.linalg.norm(case.scaled()[0], 2) ** 2
    return 2 * (1 + momentum) / ((1 + 2 * momentum if nesterov else 1) * largest)
