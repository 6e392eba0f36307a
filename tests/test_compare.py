"""Gradients side by side: the comparison is right, and it finds a wrong one."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch

import thalweg as tw
from thalweg.compare import compare_gradients
from thalweg.difference import central_difference, difference_gradient
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.show.gradients import digits

CONVENTIONS = ("mean", "sum", "half mean", "half sum")


def line(n: int = 8) -> dict[str, torch.Tensor]:
    """Lesson 1."""
    generator = torch.Generator().manual_seed(10)
    x = torch.rand(n, generator=generator).double() * 20
    return {"x": x, "y": 2 * x + 3 * (1 + torch.randn(n, generator=generator).double())}


def by_hand(theta: Any, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of the mean squared error."""
    error = x @ torch.stack([theta["Intercept"], theta["x"]]) - y
    return {"Intercept": 2 * error.mean(), "x": 2 * (error * x[:, 1]).mean()}


# --- differences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (math.exp, 1.0),
        (lambda t: math.sin(3 * t), 3.0),
        (lambda t: 5 + 2 * t + 7 * t * t, 2.0),
        (lambda t: math.log1p(math.exp(1 + t)), 1 / (1 + math.exp(-1))),
        (lambda t: 1e6 + math.cos(t - 0.3), math.sin(0.3)),
        (lambda t: 1 / (1.001 + t) if t > -1 else math.inf, -1 / 1.001**2),  # not finite at the first steps
    ],
)
@pytest.mark.parametrize("h", [1.5, 0.1])
def test_a_difference_is_right_and_so_is_its_error(f, slope, h):
    found, error = central_difference(f, h)
    rounding = 4 * 2.0**-53 * abs(f(0)) / (h / 8)  # of a difference of two values, at a middling step
    assert abs(found - slope) <= max(100 * error, 1e-13, rounding)
    assert abs(found - slope) <= max(1e-10, rounding)


def test_no_agreement_by_accident_is_believed():
    """Waves, steps and bends agree with themselves at large h without being near their slope at 0."""
    rng = random.Random(1)
    kinds: list[tuple[Any, Any]] = [
        (math.tanh, lambda c: 1 / math.cosh(c) ** 2),
        (math.sin, math.cos),
        (lambda z: math.log1p(math.exp(min(z, 700.0))), lambda c: 1 / (1 + math.exp(-c))),
    ]
    for _ in range(4000):
        terms = [(rng.gauss(0, 3), rng.gauss(0, 6), rng.gauss(0, 3)) for _ in range(rng.choice([1, 2, 4]))]
        f, derivative = rng.choice(kinds)
        slope, sizes = sum(a * b * derivative(c) for a, b, c in terms), sum(abs(a * b) for a, b, _ in terms)

        def whole(t: float, f: Any = f, terms: Any = tuple(terms)) -> float:
            return sum(a * f(b * t + c) for a, b, c in terms)

        found, error = central_difference(whole, rng.choice([1.0, 4.0, 16.0, 64.0]))
        assert abs(found - slope) <= max(100 * error, 1e-11 * sizes)
        assert abs(found - slope) <= 1e-5 * sizes


def test_a_function_without_values_has_no_difference():
    found, error = central_difference(lambda t: math.nan, 1.0)
    assert math.isnan(found)
    assert error == math.inf


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("name", ["gaussian", "binomial", "poisson"])
def test_the_gradient_of_columns_of_any_size(name, scale):
    """Columns in millionths or millions: the first step follows the curvature."""
    generator = torch.Generator().manual_seed(1)
    x = torch.cat([torch.ones(40, 1), torch.randn(40, 2, generator=generator)], 1).double()
    x[:, 1] *= scale
    y = (torch.rand(40, generator=generator) < 0.4).double()
    problem = MemoryProblem(Linear(("Intercept", "a", "b")), x, y, family(name))
    theta = torch.tensor([0.1, 0.3 / scale, -0.2], dtype=torch.float64)
    exact = problem.value_and_gradient(theta)[1]
    found, error = difference_gradient(problem, theta)
    terms = x.abs().mean(0)
    assert ((found - exact).abs() <= 1e-9 * terms).all()
    assert (error <= 1e-6 * terms).all()


# --- the comparison ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", CONVENTIONS)
def test_least_squares_agrees_in_every_convention(loss, dtype):
    found = compare_gradients("y ~ x", line(), loss=loss, dtype=dtype)
    assert found.agree
    assert found.ways == ("hand", "autograd", "module")
    assert len(found.at) == 5
    assert found.bits == (53 if dtype == "float64" else 24)


@pytest.mark.parametrize(
    ("formula", "data", "options"),
    [
        ("diagnosis ~ mean_texture + mean_radius", "breast_cancer", {"family": "binomial"}),
        ("diagnosis ~ mean_texture", "breast_cancer", {"family": "binomial", "link": "probit"}),
        ("progression ~ bmi + bp + poly(s5, 2)", "diabetes", {}),
        ("progression ~ bmi", "diabetes", {"family": "poisson"}),
        ("progression ~ bmi", "diabetes", {"family": "gamma", "link": "log"}),
        ("progression ~ bmi", "diabetes", {"family": "gamma"}),
        ("progression ~ bmi", "diabetes", {"family": "tweedie", "power": 1.5}),
        ("progression ~ bmi", "diabetes", {"weights": "bp"}),
        ("progression ~ bmi + offset(bp)", "diabetes", {"loss": "sum"}),
        ("progression ~ bmi - 1", "diabetes", {"steps": 1, "lr": 1e-5}),
    ],
)
def test_every_family_agrees(formula, data, options):
    found = compare_gradients(formula, data, **{"steps": 3} | options)
    assert found.agree, str(found)
    assert "The gradients agree" in str(found)


def test_the_start_of_a_logistic_descent_is_the_start_of_all_of_them():
    """At eta = 0 the loss has a kink in its usual form, max(z, 0) + log(1 + exp(-|z|)), but none in truth."""
    y, eta = torch.tensor([0.0, 1.0, 0.3], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for some in (slice(0, 2), slice(0, 3)):  # labels, and a proportion among them
        at = eta[some].clone().requires_grad_()
        family("binomial").value(y[some], at).sum().backward()
        assert torch.allclose(at.grad, 0.5 - y[some], rtol=1e-15)
    found = compare_gradients("diagnosis ~ mean_texture", "breast_cancer", family="binomial", steps=1)
    gradients = found.at[0].ways
    assert torch.equal(gradients["hand"].round(decimals=12), gradients["autograd"].round(decimals=12))
    assert found.doubted == ()


def test_the_steps_are_those_of_the_descent():
    data = line()
    found = compare_gradients("y ~ x", data, steps=4, lr=0.003, start={"Intercept": 1.0, "x": -0.5})
    solver = tw.GradientDescent(lr=0.003, steps=4)
    with pytest.warns(tw.errors.ConvergenceWarning):
        trace = tw.fit("y ~ x", data, solver=solver, start={"Intercept": 1.0, "x": -0.5}).trace
    sizes = [float(torch.linalg.vector_norm(each.ways["hand"])) for each in found.at]
    assert sizes == pytest.approx(trace.gradient_size[:4], rel=1e-12)


def test_a_right_gradient_of_ones_own_agrees():
    found = compare_gradients("y ~ x", line(), gradient=by_hand)
    assert found.ways == ("hand", "autograd", "module", "own")
    assert found.agree


def wrong_factor(theta: Any, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    gradient = by_hand(theta, x, y)
    return gradient | {"x": gradient["x"] / 2}


def wrong_sign(theta: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return -torch.stack(list(by_hand(theta, x, y).values()))


def barely_wrong(theta: Any, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    gradient = by_hand(theta, x, y)
    return gradient | {"Intercept": gradient["Intercept"] + 1e-11}


def without_a_number(theta: Any, x: torch.Tensor, y: torch.Tensor) -> dict[str, torch.Tensor]:
    return by_hand(theta, x, y) | {"x": torch.tensor(math.nan)}


@pytest.mark.parametrize(
    ("gradient", "names", "text"),
    [
        (wrong_factor, ("x",), "wrong for x (0.5 times the right value), and right for Intercept"),
        (wrong_sign, ("Intercept", "x"), "wrong for Intercept (-1 times the right value) and x (-1 times"),
        (barely_wrong, ("Intercept",), "wrong for Intercept, and right for x"),
        (without_a_number, ("x",), "wrong for x"),
    ],
)
def test_a_wrong_gradient_is_named_by_parameter(gradient, names, text):
    found = compare_gradients("y ~ x", line(), gradient=gradient)
    assert not found.agree
    assert found.wrong == {"hand": (), "autograd": (), "module": (), "own": names}
    assert text in str(found).splitlines()[-1]
    assert "WRONG" in str(found)


def test_a_fault_of_all_derivatives_would_be_seen_by_differences(monkeypatch):
    """Where loss and derivative do not belong together, only the witness knows."""
    monkeypatch.setattr("thalweg.compare.DERIVATIVES", {"hand": lambda p, t, b=None: (0.0, torch.ones_like(t))})
    found = compare_gradients("y ~ x", line(), steps=1)
    assert found.doubted == ("Intercept", "x")
    assert not found.agree
    assert "Differences of the loss contradict the gradient by hand for Intercept and x." in str(found)


@pytest.mark.parametrize(
    "gradient",
    [
        lambda theta, x, y: {"x": torch.tensor(0.0)},
        lambda theta, x, y: torch.zeros(3),
        lambda theta, x, y: {"x": 0.0, "Intercept": 0.0, "z": 0.0},
    ],
)
def test_a_gradient_of_another_shape_is_refused(gradient):
    with pytest.raises(OptionError, match=r"Intercept|parameters"):
        compare_gradients("y ~ x", line(), gradient=gradient)


def test_an_elementwise_predictor_and_a_module():
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    found = compare_gradients(tw.Elementwise(), data, start={"w": [1.0, 2.0], "b": 0.0})
    assert found.agree
    # dw = 2/2 (w x + b - y) x, db = the sum of (w x + b - y)
    assert found.at[0].ways["hand"].tolist() == [-114.0, -34.0, -131.0]
    module = torch.nn.Linear(1, 1)
    before = [value.detach().clone() for value in module.parameters()]
    found = compare_gradients(module, {"x": torch.arange(11.0)[:, None], "y": 2 * torch.arange(11.0) + 1})
    assert found.ways == ("autograd", "module")
    assert found.agree
    assert found.bits == 24
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_a_network_agrees_though_it_is_not_linear():
    module = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()
    generator = torch.Generator().manual_seed(2)
    for each in module.parameters():
        each.data = torch.randn(each.shape, generator=generator, dtype=torch.float64)
    x = torch.linspace(-2, 2, 30, dtype=torch.float64)[:, None]
    found = compare_gradients(module, {"x": x, "y": torch.sin(x[:, 0])}, steps=2)
    assert found.agree, str(found)


def test_the_table_holds_the_numbers():
    found = compare_gradients("y ~ x", line(), steps=2)
    table = found.table()
    assert list(table.columns) == [
        "step",
        "parameter",
        "hand",
        "autograd",
        "module",
        "differences",
        "differences_error",
    ]
    assert table["step"].to_list() == [0, 0, 1, 1]
    assert table["parameter"].to_list() == ["Intercept", "x"] * 2
    assert table["hand"].to_list() == [v for each in found.at for v in each.ways["hand"].tolist()]
    assert found.largest_difference == max(
        (table["hand"] - table["module"]).abs().max(), (table["hand"] - table["autograd"]).abs().max()
    )


def test_the_text_shows_every_number_to_its_last_digit():
    found = compare_gradients("y ~ x", line(), steps=1)
    lines = str(found).splitlines()
    assert lines[0].startswith('y ~ x: loss "mean", 8 rows, float64, lr 0.00')
    for value in found.at[0].ways["hand"].tolist():
        assert any(f"{value:.17g}" in row and "all 53 bits" in row for row in lines)
    assert lines[-1].startswith(
        "The gradients agree, by hand, by autograd and by module: all 2 numbers are equal to all 53"
    )


def test_of_many_parameters_the_worst_are_shown():
    data = {f"x{j}": torch.randn(30, generator=torch.Generator().manual_seed(j)).double() for j in range(12)}
    data["y"] = data["x0"] + 1

    def wrong(theta: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        gradient = 2 * x.T @ (x @ torch.stack(list(theta.values())) - y) / len(y)
        gradient[7] += 1
        return gradient

    text = str(compare_gradients("y ~ " + " + ".join(f"x{j}" for j in range(12)), data, steps=1, gradient=wrong))
    assert "The 8 of 13 parameters that agree least are shown." in text
    assert "x6" in text.split("The 8 of 13")[0]
    assert "wrong for x6" in text


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": 1.5},
        {"lr": -1.0},
        {"lr": "auto"},
        {"loss": "median"},
        {"dtype": "float16"},
        {"gradient": 3},
        {"what": 1},
    ],
)
def test_options_that_do_not_exist_are_refused(options):
    with pytest.raises(OptionError):
        compare_gradients("y ~ x", line(), **options)


@pytest.mark.parametrize(
    ("pair", "terms", "expected"),
    [
        ((1.0, 1.0), 1.0, (17, False)),
        ((1.0, 1.001), 1.0, (3, False)),
        ((1.0, -1.0), 1.0, (0, False)),
        ((1e-9, 2e-9), 1.0, (9, True)),
        ((1.0, math.nan), 1.0, (0, False)),
    ],
)
def test_digits_are_counted(pair, terms, expected):
    assert digits(*pair, terms) == expected
