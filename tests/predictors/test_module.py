"""Any nn.Module as a predictor."""

from __future__ import annotations

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn

import thalweg as tw
from thalweg.errors import DataError, OptionError, ThalwegWarning
from thalweg.losses import family
from thalweg.predictors import ModulePredictor
from thalweg.problem import MemoryProblem


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.last = nn.Linear(2, 1)
        self.register_buffer("shift", torch.tensor([0.3, -0.1]))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.second(torch.tanh(self.first(x + self.shift)))))


def data(columns: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(12, columns, generator=generator), torch.randn(12, generator=generator)


def test_names_are_those_of_the_parameters() -> None:
    predictor = ModulePredictor(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)))
    assert predictor.names[:4] == ("0.weight[0, 0]", "0.weight[0, 1]", "0.weight[1, 0]", "0.weight[1, 1]")
    assert predictor.names[-1] == "2.bias"


def test_eta_is_the_modules_output_and_the_module_is_left_alone() -> None:
    module, (x, _) = Tied(), data()
    before = copy.deepcopy(module.state_dict())
    predictor = ModulePredictor(module)
    theta = predictor.start()
    assert torch.equal(predictor(theta, x), module(x)[:, 0])
    predictor(theta + 1, x)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_shared_parameter_is_one_and_its_gradient_is_whole() -> None:
    module, (x, y) = Tied(), data()
    predictor = ModulePredictor(module)
    assert "second.weight" not in predictor.shapes
    problem = MemoryProblem(predictor, x, y, family("gaussian"))
    torch.nn.functional.mse_loss(module(x)[:, 0], y).backward()
    expected = torch.cat([module.get_parameter(name).grad.reshape(-1) for name in predictor.shapes])
    for derivative in ("module", "autograd"):
        problem = MemoryProblem(predictor, x, y, family("gaussian"), derivative=_named(derivative))
        torch.testing.assert_close(problem.value_and_gradient(predictor.start())[1], expected)
    moved = predictor.start() + 0.1
    a, b = (MemoryProblem(predictor, x, y, family("gaussian"), derivative=_named(d)) for d in ("module", "autograd"))
    for one, other in zip(a.value_and_gradient(moved), b.value_and_gradient(moved), strict=True):
        torch.testing.assert_close(one, other)


def _named(name: str):
    from thalweg.derivatives import derivative_of

    return derivative_of(name)


def test_frozen_parameters_are_no_parameters() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    predictor = ModulePredictor(module)
    assert set(predictor.shapes) == {"1.weight", "1.bias"}
    x, y = data()
    problem = MemoryProblem(predictor, x, y, family("gaussian"))
    kept = module[0].weight.clone()
    value, gradient = problem.value_and_gradient(predictor.start())
    assert gradient.shape == (4,)
    torch.testing.assert_close(value, torch.nn.functional.mse_loss(module(x)[:, 0], y).detach())
    predictor.adopt(predictor.start() + 1)
    assert torch.equal(module[0].weight, kept)
    assert not torch.equal(module[1].bias, predictor.start() - 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.2)), r"Dropout \('1'\) in training mode"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)), r"BatchNorm1d \('1'\)"),
        (nn.ReLU, "it has no parameters"),
        (lambda: nn.Linear(2, 1).requires_grad_(False), "requires_grad=False"),
        (lambda: nn.Linear(2, 1).half(), "torch.float16"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1).double()), "several kinds"),
        (lambda: nn.LazyLinear(1), "has no shape yet"),
        (lambda: "a module", "no nn.Module"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_module_that_cannot_be_fitted_says_why(make, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        ModulePredictor(make())


def test_eval_mode_makes_dropout_and_normalization_functions() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1)).eval()
    x, y = data()
    ModulePredictor(module).bind(x, y)


def test_dropout_of_nothing_is_fine() -> None:
    layer = nn.TransformerEncoderLayer(2, 1, 4, dropout=0.0, batch_first=True)
    ModulePredictor(nn.Sequential(layer, nn.Linear(2, 1))).bind(*data())
    with pytest.raises(OptionError, match="random"):
        ModulePredictor(nn.Sequential(nn.TransformerEncoderLayer(2, 1, 4, dropout=0.1), nn.Linear(2, 1)))


class Noisy(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.rand(len(x), 1)


class Cut(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


@pytest.mark.parametrize(
    ("module", "columns", "error", "text"),
    [
        (nn.Linear(3, 1), 2, DataError, r"cannot be called with x of shape \(12, 2\)"),
        (nn.Linear(2, 2), 2, DataError, r"returns the shape \(2, 2\)"),
        (Noisy(2, 1), 2, OptionError, "another output for the same rows"),
        (Cut(2, 1), 2, OptionError, "does not depend on its parameters"),
    ],
)
def test_outputs_are_tried_first(module: nn.Module, columns: int, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        ModulePredictor(module).bind(*data(columns))


def test_a_row_for_each_response() -> None:
    x, y = data()
    with pytest.raises(DataError, match=r"\(12, 2\) and y the shape \(11,\)"):
        ModulePredictor(nn.Linear(2, 1)).bind(x, y[:11])
    ModulePredictor(nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))).bind(x, y)


def test_hessian_products_go_through_the_module() -> None:
    x, y = data()
    predictor = ModulePredictor(Tied().double())
    problem = MemoryProblem(predictor, x.double(), y.double(), family("gaussian"))
    theta = predictor.start()
    v = torch.linspace(-1, 1, len(theta), dtype=torch.float64)
    step = 1e-6
    above, below = (problem.value_and_gradient(theta + s * step * v)[1] for s in (1, -1))
    torch.testing.assert_close(problem.hessian_product(theta, v), (above - below) / (2 * step), rtol=1e-6, atol=1e-8)
    hessian = torch.autograd.functional.hessian(problem.value, theta)
    torch.testing.assert_close(
        torch.stack([problem.hessian_product(theta, e) for e in torch.eye(len(v)).double()]), hessian
    )
    theta += 0.5  # in place: what was kept of the old point must not be used
    hessian = torch.autograd.functional.hessian(problem.value, theta)
    torch.testing.assert_close(problem.hessian_product(theta, v), hessian @ v)


LOGISTIC = {"x": [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], "y": [0, 0, 1, 0, 1, 1]}


def ends_in(*last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(1, 1), *last)


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    ("module", "words"),
    [
        (ends_in(nn.Sigmoid()), "module ends in a Sigmoid.*between 0.5 and 0.731"),
        (ends_in(nn.Sequential(nn.Sigmoid(), nn.Flatten(0))), "module ends in a Sigmoid"),
        (ends_in(nn.LogSigmoid()), "module ends in a LogSigmoid.*at most 0.5"),
    ],
)
def test_a_sigmoid_before_the_sigmoid_of_the_family(module: nn.Module, words: str) -> None:
    with pytest.warns(ThalwegWarning, match=words) as told:
        tw.fit(module, LOGISTIC, y="y", family="binomial", solver=tw.GradientDescent(lr=0.1, steps=3))
    (text,) = (str(each.message) for each in told if "ends in" in str(each.message))
    assert text.endswith('Sigmoid out, or fit its output as it is with family="gaussian".')


class Hidden(nn.Module):
    """A Sigmoid that nothing but running forward shows: no guess is made."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.last = nn.Linear(1, 1), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.line(x))


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (ends_in(), {"family": "binomial"}),
        (ends_in(nn.Sigmoid(), nn.Linear(1, 1)), {"family": "binomial"}),
        (ends_in(nn.Sigmoid()), {"family": "gaussian"}),
        (ends_in(nn.Sigmoid()), {"family": "binomial", "link": "identity"}),
        (Hidden(), {"family": "binomial"}),
    ],
)
def test_no_such_warning_elsewhere(module: nn.Module, options: dict[str, str]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tw.fit(module, LOGISTIC, y="y", solver=tw.GradientDescent(lr=0.01, steps=3), **options)
    assert not [each for each in told if "ends in" in str(each.message)]


def test_a_softmax_of_one_number() -> None:
    told = ModulePredictor(ends_in(nn.Softmax(dim=1))).caution(family("binomial"))
    assert told.startswith("The module ends in a Softmax, which of one number is always 1")
