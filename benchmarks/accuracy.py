"""Digits of agreement with reference values, Thalweg beside its peers; prints the tables of docs/accuracy.md.

    python benchmarks/accuracy.py            needs the reference values (see tests/conftest.py)

Digits are NIST's log relative error, -log10(|q - c| / |c|), the smallest over the coefficients, at most 15.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import thalweg as tw
from digits import digits
from test_glm_truth import PROBLEMS, fitted
from test_nist_linear import FORMULAS, columns, exact_solution

REFERENCE = Path(os.environ.get("THALWEG_REFERENCE") or Path(__file__).parents[2] / "shared" / "reference")


def design(problem: dict[str, Any]) -> np.ndarray:
    """The columns as anyone would make them in float64."""
    x = columns(problem)
    if x.shape[1] > 1:
        return np.column_stack([np.ones(len(x)), x])
    powers = range(0 if problem["intercept"] else 1, (problem["degree"] or 1) + 1)
    return np.column_stack([x[:, 0] ** k for k in powers])


def scikit_learn(x: np.ndarray, y: np.ndarray) -> list[float]:
    from sklearn.linear_model import LinearRegression

    return LinearRegression(fit_intercept=False).fit(x, y).coef_.tolist()


def statsmodels(x: np.ndarray, y: np.ndarray) -> list[float]:
    import statsmodels.api as sm

    return sm.OLS(y, x).fit().params.tolist()


def torch_lstsq(x: np.ndarray, y: np.ndarray) -> list[float]:
    return torch.linalg.lstsq(torch.from_numpy(x), torch.from_numpy(y)[:, None]).solution[:, 0].tolist()


def nist() -> None:
    print("| set | possible | Thalweg | its standard errors | residual SD | scikit-learn | statsmodels | torch lstsq |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    sets = {s["name"]: s for s in json.loads((REFERENCE / "strd.json").read_text())}
    for name, formula in FORMULAS.items():
        problem = sets[name]
        theta, errors, sigma = exact_solution(problem)
        fit = tw.fit(formula, str(REFERENCE / "nist" / f"{name}.dat"))
        x, y = design(problem), np.array(problem["y"])
        truth = problem["certified"]
        row = [
            digits([float(v) for v in theta], truth),
            digits(fit.theta.tolist(), truth),
            digits(fit.std_errors.values(), errors),
            digits([fit.statistics.sigma], [sigma]),
            *(digits(peer(x, y), truth) for peer in (scikit_learn, statsmodels, torch_lstsq)),
        ]
        print(f"| {name} | " + " | ".join(f"{v:.1f}" for v in row) + " |")


def statsmodels_glm(problem: dict[str, Any]) -> list[float]:
    import statsmodels.api as sm

    links, families = sm.families.links, sm.families
    link = {
        "identity": links.Identity,
        "log": links.Log,
        "logit": links.Logit,
        "probit": links.Probit,
        "inverse": links.InversePower,
    }[problem["link"]]()
    family = {
        "gaussian": lambda: families.Gaussian(link),
        "binomial": lambda: families.Binomial(link),
        "gamma": lambda: families.Gamma(link),
        "poisson": lambda: families.Poisson(link),
        "invgauss": lambda: families.InverseGaussian(link),
        "negbin": lambda: families.NegativeBinomial(link, alpha=problem["power"]),
        "tweedie": lambda: families.Tweedie(link, var_power=problem["power"]),
    }[problem["family"]]()
    model = sm.GLM(
        np.array(problem["y"]),
        np.array(problem["X"]),
        family=family,
        offset=None if problem["offset"] is None else np.array(problem["offset"]),
        var_weights=None if problem["weights"] is None else np.array(problem["weights"]),
    )
    return model.fit().params.tolist()


def glm() -> None:
    print("| problem | family, link | rows x columns | Thalweg | its standard errors | statsmodels |")
    print("|---|---|---|---:|---:|---:|")
    truth = json.loads((REFERENCE / "glm_truth.json").read_text())
    for problem in json.loads((REFERENCE / "glm_problems.json").read_text()):
        name = problem["name"]
        if name not in PROBLEMS:
            continue
        fit = fitted(problem)
        assert fit.unscaled is not None
        errors = fit.unscaled.diagonal().sqrt().tolist()
        shape = np.array(problem["X"]).shape
        print(
            f"| {name} | {problem['family']}, {problem['link']} | {shape[0]} x {shape[1]} |"
            f" {digits(fit.theta.tolist(), truth[name]['params']):.1f} |"
            f" {digits(errors, truth[name]['se_unscaled']):.1f} |"
            f" {digits(statsmodels_glm(problem), truth[name]['params']):.1f} |"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    nist()
    print()
    glm()
