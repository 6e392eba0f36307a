"""A fit as an nn.Module: the same means, with a state dict."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import thalweg as tw
from thalweg.losses import family
from thalweg.modules import module_of
from thalweg.predictors import Elementwise, Linear
from thalweg.problem import MemoryProblem
from thalweg.train import fit_predictor

DATA = {
    "x": np.array([0.1, 0.5, 0.9, 1.4, 2.2, 3.0]),
    "z": np.array([1.0, -1.0, 0.5, 0.2, -0.4, 0.3]),
    "y": np.array([1.0, 2.0, 2.0, 4.0, 5.0, 9.0]),
    "label": np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
}


def design(*columns: str) -> torch.Tensor:
    return torch.from_numpy(np.column_stack([DATA[name] for name in columns]))


@pytest.mark.parametrize(
    ("formula", "one", "link"),
    [
        ("y ~ x + z", "gaussian", None),
        ("y ~ x + z", "poisson", None),
        ("label ~ x + z", "binomial", None),
        ("label ~ x + z", "binomial", "probit"),
        ("y ~ 0 + x + z", "gaussian", None),
        ("y ~ x + z", "gamma", "inverse"),
    ],
)
def test_a_formulas_module_predicts_what_the_fit_does(formula: str, one: str, link: str | None) -> None:
    fit = tw.fit(formula, DATA, family=one, link=link)
    module = module_of(fit.names, fit.theta, fit.family)
    with torch.no_grad():
        np.testing.assert_allclose(module(design("x", "z")), fit.predict(), rtol=1e-13)
    state = module.state_dict()
    assert set(state) == ({"linear.weight", "linear.bias"} if "0 +" not in formula else {"linear.weight"})
    assert state["linear.weight"].tolist()[0] == [fit.coefficients["x"], fit.coefficients["z"]]


def test_the_descents_module_is_its_parameters() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = tw.fit("y ~ x + z", DATA, solver=tw.GradientDescent(lr=0.05, steps=9, dtype="float32"))
    module = fit.descent.module()
    assert module.linear.weight.dtype == torch.float32
    torch.testing.assert_close(module.linear.bias[0], fit.descent.parameters["Intercept"])
    with torch.no_grad():
        torch.testing.assert_close(module(design("x", "z").float()).double(), torch.from_numpy(fit.predict()))


def test_an_intercept_alone() -> None:
    fit = tw.fit("y ~ 1", DATA)
    assert module_of(fit.names, fit.theta, fit.family)(torch.zeros(4, 0).double()).tolist() == pytest.approx(
        [23 / 6] * 4
    )


def test_an_offset_is_given_beside_the_columns() -> None:
    fit = tw.fit("y ~ x + offset(z)", DATA, family="poisson")
    with torch.no_grad():
        means = module_of(fit.names, fit.theta, fit.family)(design("x"), torch.from_numpy(DATA["z"]))
    np.testing.assert_allclose(means, fit.predict(), rtol=1e-13)


def test_a_problem_with_any_parameters() -> None:
    problem = MemoryProblem(Linear(("Intercept", "x")), torch.ones(3, 2), torch.ones(3), family("binomial"))
    module = module_of(problem, torch.tensor([0.0, 1.0]))
    assert module(torch.tensor([[0.0], [1.0]])).tolist() == pytest.approx([0.5, 0.7310586])
    problem = MemoryProblem(Elementwise((2,)), torch.ones(2), torch.ones(2), family("poisson"))
    module = module_of(problem, torch.tensor([0.0, 1.0, 0.5]))
    assert module(torch.tensor([3.0, 2.0])).tolist() == pytest.approx(np.exp([0.5, 2.5]))


def test_a_users_module_comes_back_as_it_is_with_the_fitted_values() -> None:
    net = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    data = {"x": DATA["x"], "label": DATA["label"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descent = fit_predictor(net, data, y="label", family="binomial", solver=tw.GradientDescent(lr=0.1, steps=9))
    module = descent.module()
    assert type(module) is nn.Sequential
    assert module is not net
    with torch.no_grad():
        eta = module(design("x"))[:, 0]  # it stops before the link, as it always did
        torch.testing.assert_close(torch.sigmoid(eta), descent.predict())
        torch.testing.assert_close(net(design("x"))[:, 0], eta)


def test_a_module_can_be_copied_and_trained_on() -> None:
    fit = tw.fit("label ~ x", DATA, family="binomial")
    module = copy.deepcopy(module_of(fit.names, fit.theta, fit.family))
    module(design("x")).sum().backward()
    assert module.linear.weight.grad is not None
