"""Generalized linear models on real data against maximum-likelihood estimates to 32 digits."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import thalweg as tw
from digits import digits

FAMILIES = {"invgauss": "inverse_gaussian", "negbin": "negative_binomial"}
PROBLEMS = (
    "longley",
    "gaussian_log",
    "star98",
    "lbw",
    "scotvote",
    "cancer_gamma_log",
    "cpunish_offset",
    "invgauss_log",
    "committee_negbin1",
    "tweedie15_identity",
    "spector_probit",
    "fair_logit",
    "diabetes_ols",
    "diabetes_poisson",
)


def fitted(problem: dict) -> tw.Fit:
    """The problem at default settings, its design as a matrix column."""
    data = {"X": np.array(problem["X"]), "y": np.array(problem["y"])}
    power = problem["power"]
    own = {"negbin": {"alpha": power}, "tweedie": {"power": power}}.get(problem["family"], {})
    return tw.fit(
        "y ~ 0 + X",
        data,
        family=FAMILIES.get(problem["family"], problem["family"]),
        link=problem["link"],
        weights=None if problem["weights"] is None else np.array(problem["weights"]),
        offset=None if problem["offset"] is None else np.array(problem["offset"]),
        **own,
    )


@pytest.fixture(scope="module")
def problems(reference_json) -> dict:
    return {problem["name"]: problem for problem in reference_json("glm_problems.json")}


@pytest.mark.parametrize("name", PROBLEMS)
def test_coefficients_to_11_digits_and_standard_errors_to_8(problems, reference_json, name):
    truth = reference_json("glm_truth.json")[name]
    fit = fitted(problems[name])
    assert digits(fit.theta.tolist(), truth["params"]) >= 11
    unscaled = [math.sqrt(v) for v in fit.unscaled.diagonal().tolist()]
    assert digits(unscaled, truth["se_unscaled"]) >= 8
    assert digits([fit.statistics.pearson_chi2 / fit.statistics.df_residual], [truth["pearson_scale"]]) >= 8


def test_the_list_covers_every_problem_that_has_an_estimate(problems, reference_json):
    assert set(PROBLEMS) == set(reference_json("glm_truth.json"))


def test_setosa_is_reported_as_separated(problems):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fitted(problems["iris_setosa_vs_rest_SEPARABLE"])
    assert [w.category for w in caught] == [tw.errors.SeparationWarning]
    assert fit.separation is not None
    assert fit.separation.complete
    assert set(fit.separation.direction) <= set(fit.names)
    for name in fit.separation.direction:
        assert name in str(caught[0].message)
        assert math.isnan(fit.coefficients[name])
    assert fit.covariance is None
    side = np.array(problems["iris_setosa_vs_rest_SEPARABLE"]["X"]) @ [
        fit.separation.direction.get(name, 0.0) for name in fit.names
    ]
    labels = np.array(problems["iris_setosa_vs_rest_SEPARABLE"]["y"])
    assert (side[labels == 1] > 0).all()
    assert (side[labels == 0] < 0).all()
