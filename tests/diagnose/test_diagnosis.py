"""What is said before the first step, against eigenvalues, the loop, and fits of changed columns."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.diagnose import spectrum
from thalweg.diagnose.diagnosis import diagnose, diagnose_problem
from thalweg.diagnose.spectrum import hessian_at, spectrum_of
from thalweg.errors import FormulaError, OptionError
from thalweg.problem import PassProblem


def steps_of_the_loop(problem, lr, momentum=0.0, tol=1e-6, most=20_000):
    """The step from which on the excess stays below tol of what it was."""
    theta = torch.zeros(len(problem.names), dtype=torch.float64)
    velocity, least = torch.zeros_like(theta), problem.quadratic.least
    excess = []
    for _ in range(most):
        value, gradient = problem.value_and_gradient(theta)
        excess.append(float(value) - least)
        velocity = momentum * velocity + gradient
        theta = theta - lr * velocity
    return int(np.nonzero(np.array(excess) > tol * excess[0])[0][-1]) + 1


def test_a_line(line, problem_from):
    found = diagnose("y ~ x", line, lr=0.02)
    design = torch.stack([torch.ones_like(line["x"]), line["x"]])
    small, large = torch.linalg.eigvalsh(2 * design @ design.T / 20).tolist()
    assert found.kind == "exact"
    assert found.spectrum.eigenvalues.tolist() == pytest.approx([small, large], rel=1e-12)
    assert found.limit == pytest.approx(2 / large, rel=1e-12)
    assert found.condition == pytest.approx(large / small, rel=1e-10)
    assert found.fastest <= 2 / (large + small) < found.fastest * 1.01
    assert found.contraction == pytest.approx((large - small) / (large + small), rel=1e-10)
    problem = problem_from("y ~ x", line)
    assert found.steps["lr"] == steps_of_the_loop(problem, 0.02, most=2500)
    assert found.steps["fastest"] == steps_of_the_loop(problem, found.fastest, most=2500)
    assert found.steps["best"] == steps_of_the_loop(problem, *found.best, most=600)
    assert found.best[0] == pytest.approx(4 / (math.sqrt(small) + math.sqrt(large)) ** 2, rel=1e-2)


@pytest.mark.parametrize("loss", ["mean", "half mean", "sum", "half sum"])
def test_changed_columns_are_those_of_a_changed_formula(loss, line, problem_from):
    g = torch.Generator().manual_seed(2)
    data = {**line, "z": 7 + 3 * torch.randn(20, generator=g).double()}
    found = diagnose("y ~ x + z", data, loss=loss)
    for new, formula in (
        (found.centred, "y ~ scale(x, scale=False) + scale(z, scale=False)"),
        (found.standardized, "y ~ scale(x, ddof=0) + scale(z, ddof=0)"),
    ):
        problem = problem_from(formula, data, loss=loss)
        values = problem.quadratic.eigenvalues
        assert new.condition == pytest.approx(float(values[-1] / values[0]), rel=1e-8)
        assert new.limit == pytest.approx(2 / float(values[-1]), rel=1e-10)
        assert new.steps == steps_of_the_loop(problem, new.lr, most=3000)


def test_one_standardized_column_needs_one_step(line):
    found = diagnose("y ~ x", line, lr=0.1)
    assert (found.standardized.lr, found.standardized.steps) == (0.5, 1)
    text = str(found)
    assert "lr 0.1 is above the stable limit 0.0289 (2 / largest curvature, set by `x`, which spans" in text
    assert "the loss grows 35.1x a step" in text
    assert (
        "lr=0.0287 is the fastest stable rate (696 steps to 1e-06); with x standardized, lr=0.5 needs 1 step." in text
    )


def test_weights_are_counted(line):
    weight = torch.rand(20, generator=torch.Generator().manual_seed(1)).double() + 0.1
    found = diagnose("y ~ x", line, weights=weight)
    design = torch.stack([torch.ones_like(line["x"]), line["x"]])
    values = torch.linalg.eigvalsh(2 * (design * weight) @ design.T / weight.sum())
    assert found.spectrum.eigenvalues == pytest.approx(values, rel=1e-12)


def test_a_logistic_bound_holds_everywhere(line, problem_from):
    data = {**line, "z": (line["x"] + 3 * torch.sin(7 * line["x"]) > 5).double()}
    found = diagnose("z ~ x", data, family="binomial")
    assert found.kind == "bound"
    problem, g = problem_from("z ~ x", data, "binomial"), torch.Generator().manual_seed(0)
    for _ in range(20):
        theta = torch.randn(2, generator=g, dtype=torch.float64)
        assert float(torch.linalg.eigvalsh(hessian_at(problem, theta))[-1]) <= found.largest * (1 + 1e-12)
    theta = tw.fit("z ~ x", data, family="binomial").theta
    assert found.least == pytest.approx(float(problem.value(theta)), rel=1e-12)
    assert "a bound" in str(found)


def test_the_hessian_by_hand_is_that_of_autograd(line, problem_from):
    problem = problem_from("z ~ x", {**line, "z": torch.round(torch.exp(line["x"] / 5))}, "poisson")
    theta = torch.tensor([0.1, 0.2], dtype=torch.float64)
    right = torch.autograd.functional.hessian(problem.value, theta)
    torch.testing.assert_close(hessian_at(problem, theta), right, rtol=1e-9, atol=0)


def test_an_estimate_is_called_one(line):
    found = diagnose("z ~ x", {**line, "z": torch.round(torch.exp(line["x"] / 5))}, family="poisson")
    assert found.kind == "estimate"
    assert "an estimate" in str(found)
    assert "about" in str(found)
    assert found.largest >= found.spectrum.largest


def test_separated_classes_are_told(line):
    found = diagnose("z ~ x", {**line, "z": (line["x"] > 5).double()}, family="binomial")
    assert found.separated
    assert "The classes are separated" in str(found)
    assert math.isnan(found.least)


def test_momentum_1_is_told_never_to_converge(line):
    found = diagnose("y ~ x", line, lr=0.03, momentum=1.0)
    assert found.steps["lr"] == math.inf
    assert "never converges" in str(found)


def test_flat_directions_are_counted(line):
    found = diagnose("y ~ x + z", {**line, "z": 2 * line["x"]})
    assert found.spectrum.rank == 2
    assert "along 1 direction the loss is flat" in str(found)


def test_rows_that_are_read_block_by_block_are_told_the_same(line, problem_from):
    problem = problem_from("y ~ x", line)
    whole, passed = diagnose_problem(problem), diagnose_problem(PassProblem(problem.objective, problem.names, "mean"))
    assert passed.kind == "exact"
    assert passed.limit == pytest.approx(whole.limit, rel=1e-10)
    assert passed.steps == whole.steps
    assert passed.blame == whole.blame
    assert passed.standardized.steps == whole.standardized.steps
    assert passed.least == pytest.approx(whole.least, rel=1e-9)


def test_many_parameters_by_products(quadratic_problem, monkeypatch):
    """Lanczos' method finds the ends that the whole spectrum has."""
    problem = quadratic_problem(5, p=8, n=40)
    right = spectrum_of(problem)
    monkeypatch.setattr(spectrum, "quadratic_at", lambda problem: None)
    monkeypatch.setattr(spectrum, "FULL", 3)
    found = spectrum_of(problem)
    assert found.kind == "estimate"
    assert found.rank is None
    assert found.largest == pytest.approx(right.largest, rel=1e-9)
    assert found.smallest == pytest.approx(right.smallest, rel=1e-6)
    assert abs(float(found.top @ right.top)) == pytest.approx(1, rel=1e-6)


def test_a_module_and_an_elementwise_predictor():
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    found = diagnose(tw.Elementwise(), data, start={"w": [1.0, 2.0], "b": 0.0}, lr=0.01)
    design = torch.tensor([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]).double()
    assert found.spectrum.eigenvalues == pytest.approx(torch.linalg.eigvalsh(design.T @ design).clamp_min(0), abs=1e-12)
    assert "Elementwise" in str(found)
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    x = torch.linspace(-1, 1, 20)[:, None]
    found = diagnose(module, {"x": x, "y": torch.sin(3 * x)})
    assert found.kind == "estimate"
    assert 0 < found.limit < math.inf
    assert "an estimate" in str(found)


def test_after_a_descent_both_are_told(line):
    with pytest.warns(tw.errors.ConvergenceWarning):
        fit = tw.fit("y ~ x", line, solver=tw.GradientDescent(lr=0.01, steps=100))
    found = fit.diagnose()
    assert found.lr == 0.01
    assert found.after.more_steps == found.steps["lr"] - 100
    assert str(found).endswith(found.after.sentence)
    assert f"set steps={int(found.steps['lr'])}" in found.after.sentence


def test_html_is_escaped_and_json_is_whole(line):
    found = diagnose("y ~ `a<b`", {"a<b": line["x"], "y": line["y"]}, lr=0.1)
    html = found._repr_html_()
    assert "a&lt;b" in html
    assert "a<b" not in html
    again = json.loads(json.dumps(found.to_dict()))
    assert again["stable_limit"] == found.limit
    assert again["told"]["stable"] is False
    assert again["blame"] == {"name": "a<b", "reason": "uncentred", "row": None}


@pytest.mark.parametrize(
    "wrong",
    [{"lr": 0}, {"lr": -1.0}, {"lr": "fast"}, {"tol": 0}, {"tol": 2}, {"momentum": -0.1}, {"momentum": 1.5}],
)
def test_options_out_of_range_are_refused(line, wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        diagnose("y ~ x", line, **wrong)


def test_unknown_options_and_formulas_are_refused_as_by_fit(line):
    with pytest.raises(OptionError, match="learning"):
        diagnose("y ~ x", line, learning=0.1)
    with pytest.raises(FormulaError):
        diagnose("y ~", line)


def test_the_advice_of_several_columns_keeps_what_is_promised():
    terms = ["age", "sex", "bmi", "bp", *(f"s{k}" for k in range(1, 7))]
    found = diagnose("progression ~ " + " + ".join(terms), "diabetes")
    assert "Standardize every column of numbers: write scale(..., ddof=0) around each" in str(found)
    assert "`s1`: write" not in str(found)
    followed = diagnose("progression ~ " + " + ".join(f"scale({term}, ddof=0)" for term in terms), "diabetes")
    assert followed.steps["fastest"] == pytest.approx(found.standardized.steps, rel=0.01)
    assert "Standardize" not in str(followed)


def test_a_growth_beyond_all_numbers():
    found = diagnose("y ~ x", {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 8.0]}, lr=1e300)
    assert "the loss grows without bound." in str(found)
    with pytest.raises(tw.errors.DivergenceError, match="the loss grows without bound"):
        tw.fit("y ~ x", {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 8.0]}, solver=tw.GradientDescent(lr=1e300))


def test_a_momentum_is_not_shown_as_1():
    x = [2e3 + k for k in range(8)]
    found = diagnose("y ~ x", {"x": x, "y": [1.0, 3.0, 5.0, 8.0, 8.0, 9.0, 13.0, 13.0]})
    lr, momentum = found.best
    assert momentum == 0.99999
    assert lr * found.largest < 2 * (1 + momentum)
    assert "momentum=0.99999:" in str(found)
