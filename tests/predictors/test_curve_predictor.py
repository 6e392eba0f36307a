"""A curve as a predictor: its derivatives by hand against closed forms, against autograd, and against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thalweg.curves.curve import Expression
from thalweg.curves.language import parse_tie, read_equation
from thalweg.derivatives import BY_AUTOGRAD, BY_HAND, BY_MODULE
from thalweg.errors import DataError
from thalweg.losses import family
from thalweg.modules import module_of
from thalweg.predictors.curve import CurvePredictor, module_name
from thalweg.problem import MemoryProblem

CURVES = {
    "y = a * exp(-b * x) + c": [2.0, 0.7, 0.3],
    "y = gaussian(x, h, m, s) + slope * z": [3.0, 1.5, 0.6, 0.1],
    "y = a + b * x + c * x**2 + d * x**3": [1.0, -0.5, 0.2, 0.1],
    "y = a * sin(w * x + p) * exp(-k * x)": [1.0, 2.0, 0.3, 0.2],
    "y = vmax * x**n / (k**n + x**n)": [4.0, 1.7, 1.2],
    "y = where(x > k, 0.5, a * x / k)": [1.3, 2.1],
    "y = 1 - (x > 1) * b": [0.4],
    "y = max(a * x, b) + softplus(x - c)": [0.5, 0.8, 1.0],
    "y = a": [1.5],
    "y = a * z + x": [0.5],
}


def predictor_of(text: str, **options) -> CurvePredictor:
    return CurvePredictor(Expression.of(read_equation(text, ["x", "z", "y"])), **options)


def columns(n: int = 25) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"x": rng.uniform(0.1, 4, n), "z": rng.normal(size=n)}


def x_of(predictor: CurvePredictor, dtype=torch.float64) -> torch.Tensor:
    known = columns()
    named = [torch.from_numpy(known[name]) for name in predictor.columns] or [torch.ones(25, dtype=torch.float64)]
    return torch.stack(named, dim=1).to(dtype)


def close(a, b, digits: float = 1e-13):
    torch.testing.assert_close(a, b, rtol=digits, atol=digits * float(b.abs().max() + 1))


def test_a_decay_against_its_derivatives_on_paper():
    predictor = predictor_of("y = a * exp(-b * x) + c")
    x = columns()["x"].astype(np.longdouble)
    e = np.exp(np.longdouble(-0.7) * x)
    r = np.linspace(-1, 1, 25)
    theta = torch.tensor([2.0, 0.7, 0.3], dtype=torch.float64)
    assert predictor.names == ("a", "b", "c")
    close(predictor(theta, x_of(predictor)), torch.from_numpy((2 * e + np.longdouble(0.3)).astype(float)))
    exact = torch.tensor([float(r @ e), float(-2 * (r * x) @ e), float(r.sum())], dtype=torch.float64)
    close(predictor.transpose_times(theta, x_of(predictor), torch.from_numpy(r)), exact)


@pytest.mark.parametrize("text", CURVES)
def test_tensors_give_what_arrays_give(text):
    curve = Expression.of(read_equation(text, ["x", "z", "y"]))
    value, jacobian = curve.over(columns(), 25).jacobian(CURVES[text])
    predictor, theta = CurvePredictor(curve), torch.tensor(CURVES[text], dtype=torch.float64)
    close(predictor(theta, x_of(predictor)), torch.tensor(value))
    close(predictor.jacobian(theta, x_of(predictor)), torch.tensor(jacobian))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", ["gaussian", "poisson"])
@pytest.mark.parametrize("text", CURVES)
def test_three_ways_to_the_gradient(text, loss, weighted, dtype):
    predictor, rng = predictor_of(text), np.random.default_rng(4)
    theta = torch.tensor(CURVES[text], dtype=dtype)
    y, weight = (torch.from_numpy(rng.uniform(0.5, 2, 25)).to(dtype) for _ in range(2))
    model = family(loss, "log" if loss == "poisson" else "identity")
    found = [
        MemoryProblem(
            predictor, x_of(predictor, dtype), y, model, weight=weight if weighted else None, derivative=each
        ).value_and_gradient(theta)
        for each in (BY_HAND, BY_AUTOGRAD, BY_MODULE)
    ]
    digits = 1e-12 if dtype == torch.float64 else 2e-5
    for value, gradient in found:
        assert value.dtype == gradient.dtype == dtype
        close(value, found[0][0], digits)
        close(gradient, found[0][1], digits)


def test_some_rows_are_those_rows():
    predictor = predictor_of("y = a * exp(-b * x) + c")
    x, y = x_of(predictor), torch.arange(25.0, dtype=torch.float64)
    theta = torch.tensor([2.0, 0.7, 0.3], dtype=torch.float64)
    some, rest = torch.arange(0, 10), torch.arange(10, 25)
    problem = MemoryProblem(predictor, x, y, family("gaussian"), "sum")
    parts = [problem.value_and_gradient(theta, rows)[1] for rows in (some, rest)]
    close(parts[0] + parts[1], problem.value_and_gradient(theta)[1])
    assert "batches" in problem.has


def test_columns_that_change_are_read_anew():
    predictor = predictor_of("y = a * exp(x)")
    x, theta = torch.zeros(3, 1), torch.tensor([2.0])
    assert predictor(theta, x).tolist() == [2.0, 2.0, 2.0]
    x += 1
    assert predictor(theta, x)[0] == pytest.approx(2 * np.e, rel=1e-6)
    assert predictor.jacobian(theta, x + 1)[0, 0] == pytest.approx(np.e**2, rel=1e-6)


def test_held_and_tied_parameters_are_written_in():
    curve = Expression.of(read_equation("y = a * exp(-b * x) + c", ["x", "y"]))
    predictor = CurvePredictor(curve.restricted({"b": 0.7}, {"c": parse_tie("a / 2", curve.parameters)}))
    assert predictor.names == ("a",)
    theta, x = torch.tensor([2.0], dtype=torch.float64), x_of(predictor)
    close(predictor(theta, x), 2 * torch.exp(-0.7 * x[:, 0]) + 1)
    close(predictor.jacobian(theta, x)[0], torch.exp(-0.7 * x[:, 0]) + 0.5)


def test_second_derivatives_go_through_the_instructions():
    """Of sum (a e^(-bx) - y)^2: H_aa = 2 sum e^2, H_ab = 2 sum (-x e (f - y) - a x e^2)."""
    predictor = predictor_of("y = a * exp(-b * x)")
    x, theta = x_of(predictor), torch.tensor([2.0, 0.7], dtype=torch.float64)
    t, y = x[:, 0], torch.linspace(0, 1, 25, dtype=torch.float64)
    e = torch.exp(-0.7 * t)
    product = MemoryProblem(predictor, x, y, family("gaussian"), "sum").hessian_product(theta, torch.tensor([1.0, 0.0]))
    exact = torch.stack([2 * (e * e).sum(), 2 * (-t * e * (2 * e - y) - 2 * t * e * e).sum()])
    close(product, exact)


LINEAR = {
    "y = a + b * x + c * x**2": True,
    "y = a * exp(-x) + 3": True,
    "y = where(x > 1, a, b * z)": True,
    "y = a": True,
    "y = a * b * x": False,
    "y = a * exp(-b * x)": False,
    "y = where(x > a, 1, 2) + b": False,
    "y = max(a, b * x)": False,
    "y = floor(a) + b * x": False,
    "y = a / x - (b + c) * z / 2": True,
    "y = x / a": False,
}


@pytest.mark.parametrize(("text", "linear"), LINEAR.items())
def test_whether_it_is_linear(text, linear):
    assert predictor_of(text).linear is linear


def test_products_with_the_hessian_leave_a_constant_out():
    predictor = predictor_of("y = 3 + a * x")
    x, theta = x_of(predictor), torch.tensor([2.0], dtype=torch.float64)
    problem = MemoryProblem(predictor, x, torch.zeros(25, dtype=torch.float64), family("gaussian"), "sum")
    problem.curve = object()  # what `thalweg.curves.descend` puts there
    close(problem.hessian_product(theta, torch.ones(1, dtype=torch.float64)), 2 * (x * x).sum()[None])


def test_the_module_has_a_parameter_for_each():
    predictor = predictor_of("y = half * exp(-T * x) + training")
    theta = torch.tensor([2.0, 0.7, 0.3], dtype=torch.float64)
    x = x_of(predictor)
    problem = MemoryProblem(predictor, x, torch.ones(25, dtype=torch.float64), family("gaussian"))
    module = module_of(problem, theta)
    assert list(module.state_dict()) == [module_name(name) for name in ("half", "T", "training")]
    close(module(x).detach(), predictor(theta, x))
    assert "half * exp(-T * x)" in repr(module)


def test_the_module_applies_the_inverse_link():
    predictor = predictor_of("y = a * x")
    theta, x = torch.tensor([0.3], dtype=torch.float64), x_of(predictor)
    problem = MemoryProblem(predictor, x, torch.ones(25, dtype=torch.float64), family("poisson"))
    close(module_of(problem, theta)(x).detach(), torch.exp(0.3 * x[:, 0]))


def test_a_start_and_ones_without():
    assert predictor_of("y = a * x + b", start=[2, 3]).start().tolist() == [2.0, 3.0]
    assert predictor_of("y = a * x + b").start().tolist() == [1.0, 1.0]


def test_shapes_that_do_not_fit():
    predictor = predictor_of("y = a * x + b * z")
    with pytest.raises(DataError, match=r"reads 2 columns.*x, z"):
        predictor.bind(torch.zeros(3, 1), torch.zeros(3))
    assert predictor.bind(torch.zeros(3, 2), torch.zeros(3)) is predictor


def test_instructions_tell_curves_apart():
    same = {predictor_of(text).instructions for text in ("y = a * exp(-b * x)", "y = a*exp(-b*x)")}
    other = {predictor_of(text).instructions for text in ("y = b * exp(-a * x)", "y = a * exp(-b * z)", "y = a*x + b")}
    assert len(same) == 1
    assert len(same | other) == 4
