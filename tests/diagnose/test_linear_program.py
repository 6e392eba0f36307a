"""Separation that a linear program finds where Newton's method stops short of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.diagnose.linear_program import recession_by_program
from thalweg.losses import family
from thalweg.objective import Objective

# A design on which Newton's method for cloglog stalls before its steps lie along the direction.
STALLING = {
    "x0": [-1.0, 1, -1, 2, 1, -2, 0, 2, -1, 2, 0, -2, -1, 2, -1, -1, -1, 0],
    "x1": [
        *(2.343, -0.145, -0.236, -1.946, -1.015, 0.07, -0.498, 0.022, -1.052),
        *(-0.619, -0.111, 0.452, 1.126, 1.402, 1.033, -1.169, 0.747, -0.062),
    ],
    "x2": [0.0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    "y": [1.0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1],
}


def objective_of(data: dict, formula: str, name: str = "binomial") -> Objective:
    source = open_source(data)
    return Objective(Rows(source, Spec.learn(formula, source)), family(name))


def test_a_stalled_fit_is_found_to_be_separated():
    with pytest.warns(tw.errors.SeparationWarning):
        fit = tw.fit("y ~ x0 + x1 + x2", STALLING, family="binomial", link="cloglog")
    assert fit.separation is not None
    direction = [fit.separation.direction.get(name, 0.0) for name in fit.names]
    move = np.column_stack([np.ones(18), STALLING["x0"], STALLING["x1"], STALLING["x2"]]) @ direction
    labels = np.array(STALLING["y"])
    assert (move[labels == 1] > -1e-9).all()
    assert (move[labels == 0] < 1e-9).all()
    assert np.abs(move).max() > 1e-3
    assert all(math.isnan(fit.coefficients[name]) for name in fit.separation.direction)


@pytest.mark.parametrize(
    ("y", "separated"),
    [([0.0, 0, 0, 1, 1, 1], True), ([0.0, 0, 1, 0, 1, 1], False), ([0.0, 0, 0.5, 0.5, 1, 1], False)],
)
def test_one_column(y, separated):
    objective = objective_of({"y": y, "x": [1.0, 2, 3, 4, 5, 6]}, "y ~ x")
    found = recession_by_program(objective, torch.ones(2, dtype=torch.bool))
    assert (found is not None) == separated
    if found is not None:
        assert found.complete


def test_a_level_of_zero_counts():
    data = {"y": [0.0, 0, 0, 2, 1, 3], "g": ["a", "a", "a", "b", "b", "b"]}
    found = recession_by_program(objective_of(data, "y ~ g", "poisson"), torch.ones(2, dtype=torch.bool))
    assert found is not None
    assert not found.complete
    move = found.direction[0] + found.direction[1] * torch.tensor([0.0, 0, 0, 1, 1, 1], dtype=torch.float64)
    assert bool((move[:3] < 0).all())
    assert bool((move[3:].abs() < 1e-12).all())


def test_a_loss_without_limits_has_none():
    data = {"y": [1.0, 2, 3, 2], "x": [1.0, 2, 3, 4]}
    assert recession_by_program(objective_of(data, "y ~ x", "gamma"), torch.ones(2, dtype=torch.bool)) is None
