"""Modules as curves: values, Jacobians against differences and closed forms, and that the module stays as it is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from thalweg.curves.language import parse_tie
from thalweg.curves.module import ModuleCurve
from thalweg.errors import DataError, OptionError

X = np.linspace(-1.0, 2.0, 70)
DATA = {"x": X, "v": X**2}


class Decay(nn.Module):
    """a exp(-x / tau), with a buffer and a parameter that is held."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.tau = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(0.5))
        self.held = nn.Parameter(torch.tensor(3.0), requires_grad=False)
        self.register_buffer("shift", torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * torch.exp(-x / self.tau) + self.held + self.shift


class OneDimension(Decay):
    """Takes (n,) only."""

    def forward(self, x: Tensor) -> Tensor:
        (rows,) = x.shape
        return super().forward(x).reshape(rows)


class Cumulative(Decay):
    def forward(self, x: Tensor) -> Tensor:
        return self.a * torch.cumsum(torch.exp(-x / self.tau), 0)


class Branching(Decay):
    """vmap cannot follow it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.a * torch.exp(-each / self.tau) if each > 0 else self.a for each in x.reshape(-1)])


def network(columns: int = 1) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    made = nn.Sequential(nn.Linear(columns, 4), nn.Tanh(), nn.Linear(4, 1))
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return made


def start(curve: ModuleCurve) -> list[float]:
    return list(curve.start.values())


def test_parameters_are_the_modules_own() -> None:
    curve = ModuleCurve(network(2), ["x", "v"], DATA)
    assert curve.parameters[:3] == ("0.weight[0, 0]", "0.weight[0, 1]", "0.weight[1, 0]")
    assert curve.parameters[-1] == "2.bias"
    assert curve.inputs == ("x", "v")
    assert curve.title == "Sequential"
    assert curve.derivatives == "exact, by autograd"
    assert ModuleCurve(Decay(), ["x"], DATA).start == {"a": 2.0, "tau": 0.5}


def test_values_are_the_modules_in_float64() -> None:
    module = network(2)
    curve = ModuleCurve(module, ["x", "v"], DATA)
    with torch.no_grad():
        expected = copy.deepcopy(module).double()(torch.from_numpy(np.stack([X, X**2], 1)))[:, 0]
    np.testing.assert_array_equal(curve.over(DATA, 70).values(start(curve)), expected)


@pytest.mark.parametrize("module", [Decay, OneDimension])
def test_the_jacobian_of_a_closed_form(module: Any) -> None:
    curve = ModuleCurve(module(), ["x"], DATA)
    assert curve.by_rows
    assert curve.flat is (module is OneDimension)
    value, slopes = curve.over(DATA, 70).jacobian([3.0, 0.8])
    e = np.exp(-X / 0.8)
    np.testing.assert_allclose(value, 3 * e + 4, rtol=1e-14)
    np.testing.assert_allclose(slopes, [e, 3 * X / 0.64 * e], rtol=1e-13, atol=1e-15)


def test_rows_that_depend_on_each_other() -> None:
    curve = ModuleCurve(Cumulative(), ["x"], DATA)
    assert not curve.by_rows
    e = np.exp(-X / 0.8)
    expected = [np.cumsum(e), np.cumsum(3 * X / 0.64 * e)]
    np.testing.assert_allclose(curve.over(DATA, 70).jacobian([3.0, 0.8])[1], expected, rtol=1e-12, atol=1e-13)


def test_a_module_that_vmap_cannot_follow() -> None:
    curve = ModuleCurve(Branching(), ["x"], DATA)
    assert not curve.by_rows
    e = np.exp(-X / 0.8)
    expected = [np.where(X > 0, e, 1), np.where(X > 0, 3 * X / 0.64 * e, 0)]
    np.testing.assert_allclose(curve.over(DATA, 70).jacobian([3.0, 0.8])[1], expected, rtol=1e-13, atol=1e-15)


def test_the_jacobian_of_a_network_is_that_of_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = ModuleCurve(network(2), ["x", "v"], DATA)
    over, theta = curve.over(DATA, 70), np.array(start(curve))
    _, slopes = over.jacobian(theta)
    for j, row in enumerate(slopes):
        step = 1e-5 * (np.arange(theta.size) == j)
        np.testing.assert_allclose(row, (over.values(theta + step) - over.values(theta - step)) / 2e-5, atol=1e-8)
    monkeypatch.setattr("thalweg.curves.module.ENTRIES", 17 * 8)  # chunks of eight rows and one of six
    np.testing.assert_allclose(over.jacobian(theta)[1], slopes, rtol=1e-14)


def test_the_users_module_stays_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 1)).eval()
    module[0].weight.grad = torch.ones_like(module[0].weight)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    curve = ModuleCurve(module, ["x"], DATA)
    over = curve.over(DATA, 70)
    over.jacobian([each + 0.1 for each in start(curve)])
    curve.adopt([each + 0.1 for each in start(curve)])
    assert not module.training
    assert module[0].weight.dtype == torch.float32
    assert bool((module[0].weight.grad == 1).all())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_adopting_fitted_values() -> None:
    curve = ModuleCurve(Decay(), ["x"], DATA)
    curve.adopt([5.0, 0.25])
    held = {name: float(value.detach()) for name, value in curve.module.named_parameters()}
    assert held == {"a": 5, "tau": 0.25, "held": 3}


def test_held_and_tied_parameters() -> None:
    curve = ModuleCurve(Decay(), ["x"], DATA).restricted({}, {"tau": parse_tie("2 * a", ("a", "tau"))})
    e = np.exp(-X / 1.6)
    value, slopes = curve.over(DATA, 70).jacobian([0.8])
    assert curve.parameters == ("a",)
    np.testing.assert_allclose(value, 0.8 * e + 4, rtol=1e-14)
    np.testing.assert_allclose(slopes, [e + 2 * 0.8 * X / 2.56 * e], rtol=1e-12, atol=1e-14)


class Random(Decay):
    def forward(self, x: Tensor) -> Tensor:
        return self.a * nn.functional.dropout(x, 0.5) + self.tau


@pytest.mark.parametrize(
    ("module", "error", "text"),
    [
        (nn.Sequential(nn.Linear(1, 1), nn.Dropout()), OptionError, "eval()"),
        (nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1)), OptionError, "eval()"),
        (nn.Tanh(), OptionError, "no parameters"),
        (Random(), OptionError, "another output for the same rows"),
        (nn.Linear(3, 1), DataError, "cannot be called with x of shape (70, 1)"),
        (nn.Linear(1, 2), DataError, "returns the shape (70, 2)"),
        ("module", OptionError, "is no nn.Module"),
    ],
)
def test_modules_that_are_no_curve(module: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as problem:
        ModuleCurve(module, ["x"], DATA)
    assert text in str(problem.value)


def test_a_module_of_no_column() -> None:
    with pytest.raises(OptionError, match="at least one column"):
        ModuleCurve(Decay(), [], DATA)
